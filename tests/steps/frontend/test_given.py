"""Vectors that somebody brings: whose they are, what is refused, and what comes of them."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from steps.evaluation.metrics import classification_metrics
from steps.frontend.given import Given
from utils import folds
from utils.archive import ArkWriter, read_array
from utils.cli import UserError
from utils.scores import read_scores
from utils.table import read_table, write_table

CONF = Path(__file__).resolve().parents[3] / "egs/iemocap/conf"


@pytest.fixture
def vectors(emotional):
    """utterance → (20,), leaning a little towards the emotion."""
    rng, emotions = np.random.default_rng(1), read_table(emotional / "utt2emo")
    lean = {"ang": -0.4, "hap": 0.4}
    return {name: (rng.normal(size=20) + lean[emotion]).astype(np.float32) for name, emotion in emotions.items()}


def save(path, arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        with ArkWriter(path.with_suffix(".ark"), path) as out:
            for key in sorted(arrays):
                out.write(key, arrays[key])
    return path


def by_hand(data, vectors, kind, run="r1"):
    """Test posteriors or margins as scikit-learn's own user would have them."""
    parts, emotions, speakers = folds.read(data / "folds")[run], *map(read_table, (data / "utt2emo", data / "utt2spk"))
    names = {part: [name for name in sorted(vectors) if speakers[name] in parts[part]] for part in parts}
    x = {part: np.stack([vectors[name] for name in names[part]]) for part in parts}
    y = {part: np.array([int(emotions[name] == "hap") for name in names[part]]) for part in parts}
    scaler, fitted = StandardScaler().fit(x["train"]), []
    for C in (0.001, 0.01, 0.1, 1.0, 10.0):
        model = LogisticRegression(C=C, max_iter=2000) if kind == "linear" else LinearSVC(C=C, random_state=0)
        model.fit(scaler.transform(x["train"]), y["train"])
        valid = classification_metrics(y["valid"], model.predict(scaler.transform(x["valid"])))
        fitted.append((valid.wf1, valid.ua, -C, model))
    model = max(fitted, key=lambda one: one[:3])[3]
    if kind == "linear":
        return names["test"], model.predict_proba(scaler.transform(x["test"]))[:, 1]
    return names["test"], 1 / (1 + np.exp(-2 * model.decision_function(scaler.transform(x["test"]))))


@pytest.mark.parametrize("ending", ["scp", "npz"])
@pytest.mark.parametrize("kind", ["linear", "svm"])
def test_a_classifier_is_scikit_learns_on_the_same_folds(emotional, vectors, tmp_path, type_in, kind, ending):
    for name in ("feats.scp", "vad.scp"):  # nobody reads them
        (emotional / name).unlink()
    file = save(tmp_path / f"emb.{ending}", vectors)
    words = ["steps/finetune.py", "--conf", CONF, "--systems", f"given_{kind}", "--embeddings", file]
    done = type_in(*words, emotional, tmp_path / "exp")
    assert f"{file}: 32 vectors of 20; keys are utterance-ids" in done.stdout and "vectors" not in done.stderr
    place = tmp_path / f"exp/given_{kind}/r1_seed0"
    scores = read_scores(place / "scores")
    names, expected = by_hand(emotional, vectors, kind)
    assert scores.utterances == names
    np.testing.assert_allclose(scores.posteriors[:, 1], expected, atol=1e-5)
    kept = read_table(place / "embedding.scp")
    assert kept.keys() == vectors.keys() and all((read_array(kept[key]) == vectors[key]).all() for key in kept)
    assert "finished and up to date" in type_in(*words, emotional, tmp_path / "exp").stdout
    vectors["s0-0"] = vectors["s0-0"] + 1
    save(file, vectors)
    assert "out of date (embeddings changed)" in type_in(*words, emotional, tmp_path / "exp").stderr


def test_what_follows_takes_it_for_any_system(emotional, vectors, tmp_path, type_in):
    file, exp = save(tmp_path / "emb.scp", vectors), tmp_path / "exp"
    words = ["--conf", CONF, "--systems", "given", "--seeds", "0 1"]
    words += ["--nj", "2", "--cmd", "utils/run.py --num-threads 1"]
    type_in("steps/finetune.py", *words, "--embeddings", file, emotional, exp)
    type_in("steps/score.py", "--conf", CONF, "--title", "X", exp)
    type_in("steps/probe.py", emotional, exp)
    type_in("steps/report.py", "--data", emotional, exp)
    systems = json.loads((exp / "results.json").read_text())["systems"]
    assert {name: system["deterministic"] for name, system in systems.items()} == {
        "given_linear": True, "given_svm": True
    }  # fmt: skip
    assert systems["given_svm"]["cost"]["parameters"] == 21 and systems["given_svm"]["parent"] == "given_linear"
    assert (exp / "given_svm/r1_seed0/probes").exists() and "given_svm" in (exp / "RESULTS.md").read_text()
    for run in ("r1", "r2"):
        first, second = ((exp / f"given_svm/{run}_seed{seed}/scores").read_text() for seed in (0, 1))
        assert first == second


def test_of_a_folder_each_peer_takes_its_own(emotional, vectors, tmp_path, type_in):
    """So that all are trained at once, and none on another's."""
    folder, exp = tmp_path / "peers", tmp_path / "exp"
    folder.mkdir()
    save(folder / "compare.npz", vectors)
    words = ["steps/finetune.py", "--conf", CONF, "--seeds", "0 1", "--embeddings"]
    said = type_in(*words, folder, "--systems", "peer_mean", emotional, exp, code=1).stderr
    assert "peer_mean takes up peer_resemblyzer, which needs a folder with resemblyzer.npz: --embeddings names" in said
    other = {name: np.roll(vector, 7)[:9] ** 2 for name, vector in vectors.items()}
    save(folder / "resemblyzer.npz", other)
    done = type_in(*words, folder, "--systems", "peers given", emotional, exp)
    assert "given_svm needs a file of vectors, and --embeddings names a folder" in done.stderr
    assert "peer_egemaps needs a folder with egemaps.npz" in done.stderr
    for run in ("r1", "r2"):
        both, *each = (read_scores(exp / f"peer_{name}/{run}_seed0/scores").posteriors
                       for name in ("mean", "compare", "resemblyzer"))  # fmt: skip
        np.testing.assert_allclose(both, sum(each) / 2, atol=1e-6)
        for name, own in (("compare", vectors), ("resemblyzer", other)):
            kept = read_table(exp / f"peer_{name}/{run}_seed0/embedding.scp")
            assert all((read_array(kept[key]) == own[key].astype(np.float32)).all() for key in kept)
    said = type_in(*words, folder / "compare.npz", "--systems", "peer_compare", emotional, exp, code=1).stderr
    assert "peer_compare needs a folder with compare.npz: --embeddings names" in said and len(said.splitlines()) == 1
    type_in("steps/score.py", "--conf", CONF, exp)
    assert json.loads((exp / "results.json").read_text())["systems"]["peer_mean"]["deterministic"]


def test_of_matrices_mean_and_deviation_over_time_are_taken(emotional, tmp_path, capsys):
    rng = np.random.default_rng(2)
    arrays = {name: rng.normal(size=(5 + i, 3)) for i, name in enumerate(read_table(emotional / "utt2spk"))}
    found = Given(save(tmp_path / "emb.npz", arrays), emotional).read()
    assert capsys.readouterr().out.count("32 matrices (T, 3), as mean and deviation over time") == 1
    for name, array in arrays.items():
        np.testing.assert_allclose(found[name], [*array.mean(axis=0), *array.std(axis=0)], rtol=1e-6)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (lambda path: str(path), "paths as in wav.scp"),
        (lambda path: path.name, "file names"),
        (lambda path: path.stem, "file names without their ending"),
    ],
)
def test_keys_may_be_names_of_recordings(emotional, vectors, tmp_path, capsys, key, said):
    recordings = {name: tmp_path / f"corpus/{name[:2]}/take {name[3:]} of {name[:2]}.wav" for name in vectors}
    write_table(emotional / "wav.scp", {name: str(path) for name, path in recordings.items()})
    arrays = {key(recordings[name]): vector for name, vector in vectors.items()} | {"nobody": np.zeros(20)}
    found = Given(save(tmp_path / "emb.npz", arrays), emotional).read()
    assert all((found[name] == vectors[name]).all() for name in vectors)
    said_so = capsys.readouterr()
    assert f"keys are {said}\n" in said_so.out and "1 more are of no utterance" in said_so.err
    write_table(emotional / "segments", {name: f"{name} 0 1" for name in vectors})
    with pytest.raises(UserError, match=r"32 of the 32 utterances.*such keys as 's0-0' \(utterance-ids\), found"):
        Given(tmp_path / "emb.npz", emotional)


def test_a_name_that_recordings_share_is_nobodys(emotional, vectors, tmp_path):
    write_table(emotional / "wav.scp", {name: f"/corpus/{name[:2]}/{name[3:]}.wav" for name in vectors})
    arrays = {name[3:]: vector for name, vector in vectors.items()}
    with pytest.raises(UserError, match="32 of the 32 utterances of .* have no vector of their own"):
        Given(save(tmp_path / "emb.npz", arrays), emotional)


def other(vectors, **changed):
    return vectors | {name.replace("_", "-"): array for name, array in changed.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda own: {key: own[key] for key in own if key not in ("s1-2", "s3-0")} | {"s1-02": own["s1-2"]},
         "2 of the 32 utterances of {data} have no vector of their own (s1-2, …): expected such keys as 's1-2' "
         "(utterance-ids), found 's1-02'"),
        (lambda own: other(own, s0_1=np.full(20, np.nan)), "'s0-1' holds what is infinite, too large or not a number"),
        (lambda own: other(own, s0_1=np.full(20, np.inf)), "'s0-1' holds what is infinite"),
        (lambda own: other(own, s0_1=np.full(20, 1e300)), "'s0-1' holds what is infinite"),
        (lambda own: other(own, s0_1=np.zeros(19)), "'s0-0' is of shape (20,), and 's0-1' of (19,)"),
        (lambda own: other(own, s0_1=np.zeros((2, 20))), "'s0-0' is of shape (20,), and 's0-1' of (2, 20)"),
        (lambda own: other(own, s0_1=np.zeros((1, 2, 20))), "'s0-1' is float64 of shape (1, 2, 20), and not a vector"),
        (lambda own: other(own, s0_1=np.zeros(0)), "'s0-1' is float64 of shape (0,), and not a vector"),
        (lambda own: other(own, s0_1=np.array(["a"] * 20)), "'s0-1' is <U1 of shape (20,), and not a vector"),
        (lambda own: other(own, s0_1=np.array([None] * 20)), "is not an .npz of plain arrays (Object arrays cannot be"),
    ],
)  # fmt: skip
def test_what_is_wrong_ends_in_one_line(emotional, vectors, tmp_path, type_in, change, message):
    file = save(tmp_path / "emb.npz", change(vectors))
    words = ["--conf", CONF, "--systems", "given", "--embeddings", file]
    done = type_in("steps/finetune.py", *words, emotional, tmp_path / "exp", code=1)
    assert message.format(data=emotional) in done.stderr and len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("exp/*/*"))


def test_files_of_other_kinds_are_refused(emotional, vectors, tmp_path):
    save(tmp_path / "emb.scp", vectors)
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    with zipfile.ZipFile(tmp_path / "odd.npz", "w") as file:
        for name in vectors:
            file.writestr(f"{name}.npy", b"hello")
    (tmp_path / "text.ark").write_text("".join(f"{name}  [ 1 2 3 ]\n" for name in vectors))
    for name, target in (("text", f"{tmp_path}/text.ark:6"), ("command", "cat x |"), ("lost", "/nowhere/x.ark:5")):
        write_table(tmp_path / f"{name}.scp", dict.fromkeys(vectors, target))
    for name, message in (
        ("none.scp", "no such file; an scp of Kaldi archives, or an .npz, is needed"),
        ("emb.ark", "name the scp of this archive"),
        ("bad.npz", "is not an .npz of plain arrays"),
        ("one.npz", "is not an .npz of plain arrays"),
        ("odd.npz", "is not an .npz of plain arrays"),
        ("text.scp", "there is no binary Kaldi matrix or vector here"),
        ("command.scp", "commands in an scp are not run"),
        ("lost.scp", "No such file or directory; make it again"),
    ):
        with pytest.raises(UserError, match=message):
            Given(tmp_path / name, emotional).read()


def test_what_is_no_file_of_vectors_is_refused_without_a_data_dir(tmp_path, type_in):
    words = ["steps/finetune.py", "--conf", CONF, "--systems", "given_svm", "--check", "true", "--embeddings"]
    (tmp_path / "a.npz").write_text("junk\n")
    np.save(tmp_path / "a.npy", np.zeros((3, 4)))
    for name in ("a.npz", "a.npy"):
        said = type_in(*words, tmp_path / name, tmp_path / "data", tmp_path / "exp", code=1).stderr
        assert said.startswith(f"finetune.py: {tmp_path}/{name}: is no .npz (numpy.savez, an array an utterance-id)")
        assert said.count("\n") == 1


def test_without_embeddings_a_group_does_without_and_a_name_is_refused(emotional, tmp_path, type_in):
    (tmp_path / "conf/systems").mkdir(parents=True)
    (tmp_path / "conf/systems/svm.yaml").write_text("training: {epochs: 0}\nbackend: {kind: svm, sees: functionals}\n")
    (tmp_path / "conf/systems/mine.yaml").write_text("parent: svm\nbackend: {sees: given}\n")
    words = ["steps/finetune.py", "--conf", tmp_path / "conf", "--systems"]
    done = type_in(*words, "all", emotional, tmp_path / "exp")
    assert (tmp_path / "exp/svm/r1_seed0/scores").exists() and not (tmp_path / "exp/mine").exists()
    assert "finetune.py: mine needs vectors: name them with --embeddings; it is left out\n" in done.stderr
    for names in ("mine", "all mine"):
        done = type_in(*words, names, emotional, tmp_path / "exp", code=1)
        assert done.stderr == "finetune.py: mine needs vectors: name them with --embeddings\n"
