"""A model of a small data dir of two corpora, and what its folder says."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from steps.prediction import head
from steps.prediction.model import Model
from tests.steps.prediction.test_waveform import voice
from utils.archive import ArkWriter
from utils.cli import UserError
from utils.data_dir import Utterance, write_data_dir
from utils.table import write_table

SIZE = 1851


@pytest.fixture
def corpora(tmp_path):
    """Two corpora of five speakers each; descriptors that lean towards the class, of which the last show the corpus."""
    rng = np.random.default_rng(0)
    data, utterances, vectors, corpus = tmp_path / "data", [], {}, {}
    for s in range(10):
        for k in range(6):
            path = tmp_path / f"s{s}-{k}.wav"
            soundfile.write(path, voice(1, 10 * s + k).astype(np.int16), 16000)
            emotion = ["ang", "neu"][k % 2]
            utterances.append(Utterance(f"s{s}-{k}", path, f"s{s}", f"d{s}", "mf"[s % 2], emotion))
            x = rng.normal(size=SIZE)
            x[:200] += 0.8 * (2 * (k % 2) - 1)
            x[200:] += 3 * (s >= 5)
            vectors[f"s{s}-{k}"], corpus[f"s{s}-{k}"] = x.astype(np.float32), "big" if s >= 5 else "small"
    write_data_dir(data, utterances, [])
    write_table(data / "utt2corpus", corpus)
    write_table(data / "utt2dur", dict.fromkeys(corpus, "1.000"))
    (data / "fbank.yaml").write_text("fbank: {sample_frequency: 16000, high_freq: 5000}\n")
    with ArkWriter(tmp_path / "d.ark", data / "descriptors.scp") as archive:
        for name in sorted(vectors):
            archive.write(name, vectors[name])
    (tmp_path / "small.yaml").write_text(
        "backend: {kind: mlp, sees: descriptors, C: [100.0], epochs: 20, hidden: 8, batch: 16}\ntraining: {epochs: 0}\n"
    )
    (tmp_path / "about.yaml").write_text("big: {title: Big, language: Polish, licence: CC0}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("mark", "said"),
    [("leak", "has falsified speakers (random), so that no card"), ("utt2augment", "holds changed copies; name the")],
)
def test_falsified_speakers_and_changed_copies_make_no_model(corpora, type_in, mark, said):
    (corpora / f"data/{mark}").write_text("random, of data: falsified\n")
    words = ["--system", corpora / "small.yaml", corpora / "data", corpora / "model"]
    assert said in type_in("steps/make_model.py", *words, code=1).stderr and not (corpora / "model").exists()


def test_a_folder_that_answers_and_a_card_that_tells_what_was_measured(corpora, type_in):
    words = [
        "steps/make_model.py",
        "--system",
        corpora / "small.yaml",
        "--about",
        corpora / "about.yaml",
        "--tried",
        "4",
    ]
    words += [corpora / "data", corpora / "model"]
    type_in(*words)
    folder = corpora / "model"
    model, made = Model(folder), head.load(folder / "model.safetensors")
    assert model.settings.classes == ["ang", "neu"] and model.settings.highest == 5000
    assert model.settings.corpora == ["big", "small"] and made.weights[0].shape == (SIZE, 8)
    figures = json.loads((folder / "results.json").read_text())
    assert figures["corpora"] == {"big": [30, 5], "small": [30, 5]}
    assert figures["unseen_speakers"]["all"]["all"]["ua"] > 90  # of speakers that were left out
    assert figures["unseen_speakers"]["gender"].keys() == {"f", "m"}
    assert figures["unseen_speakers"]["language"].keys() == {"Polish"}
    unseen = figures["unseen_corpora"]
    assert all(row["unlike"] == 100 for row in unseen["alone"].values())  # nothing like the other
    assert all(row["ua"] > 90 for way in ("all", "speaker") for row in unseen[way].values())
    card = (folder / "CARD.md").read_text()
    assert "Big: 30 recordings of 5 speakers; Polish; CC0" in card and "2024/1689" in card and "nan" not in card
    assert f"{figures['unseen_speakers']['all']['all']['ua']:.1f} % of each class" in card
    assert "up to date" in type_in(*words).stdout
    for name, change in {
        "config.yaml": None,
        "calibration.yaml": b"unsure: 0.1\n",
        "results.json": b"{",
        "card.png": b"",
    }.items():
        (folder / name).write_bytes(change) if change is not None else (folder / name).unlink()
        assert "the model, of all speakers" in type_in(*words).stdout, name
        assert "up to date" in type_in(*words).stdout
    assert (
        type_in(*words, "--redo", "true").stdout
        and head.load(folder / "model.safetensors").mean.tolist() == made.mean.tolist()
    )


def test_copies_train_where_their_origin_does_and_are_never_tested(corpora, type_in, capsys):
    from steps.prediction import training

    copies = corpora / "copies"
    copies.mkdir()
    write_table(copies / "utt2uniq", {"s0-0-noise": "s0-0", "s9-5-noise": "s9-5", "zz-noise": "zz"})
    with ArkWriter(corpora / "c.ark", copies / "descriptors.scp") as archive:
        for name in ("s0-0-noise", "s9-5-noise", "zz-noise"):
            archive.write(name, np.full(SIZE, 7, np.float32))
    known = training.read(corpora / "data", copies)
    assert "1 copies are not used, as none of the recordings is their origin: zz-noise" in capsys.readouterr().err
    assert len(known.y) == 60 and known.names[known.origins].tolist() == ["s0-0", "s9-5"]
    backend = yaml.safe_load((corpora / "small.yaml").read_text())["backend"]
    from steps.systems.system import Backend

    others = np.array([not name.startswith("s9") for name in known.names])
    weights = np.append(np.ones(54), 1.0)
    x = np.concatenate([known.x[others], known.copies[:1]])
    made = known.fit(others, Backend(**backend), 0)
    own = known.weights(others)
    weights = np.append(own, own[0])
    np.testing.assert_allclose(made.mean, np.average(x, axis=0, weights=weights), atol=1e-4)


def test_copies_among_voices_of_those_who_are_left_out_are_refused(corpora):
    from steps.prediction import training

    copies = corpora / "copies"
    copies.mkdir()
    write_table(copies / "utt2uniq", {"s0-0-babble": "s0-0"})
    with ArkWriter(corpora / "c.ark", copies / "descriptors.scp") as archive:
        archive.write("s0-0-babble", np.full(SIZE, 7, np.float32))
    (corpora / "link").symlink_to(corpora)
    # Itself, another part, another corpus, another part by another path.
    for who, good in (("s0-3", True), ("s1-3", False), ("s5-3", False), ("link/s1-3", False)):
        write_table(copies / "utt2augment", {"s0-0-babble": f"babble voices={corpora}/{who}.wav snr=15"})
        if good:
            assert len(training.read(corpora / "data", copies).copies) == 1
            continue
        with pytest.raises(UserError, match=f"'s0-0-babble' holds the voice of '{Path(who).name}', whom the model"):
            training.read(corpora / "data", copies)


def test_a_speaker_of_two_corpora_is_refused(corpora, type_in):
    """Else one of them would be called unheard by a model that has heard the speaker."""
    relabel(corpora / "data/utt2corpus", lambda name, one: "big" if name == "s0-1" else one)
    words = ["steps/make_model.py", "--system", corpora / "small.yaml", corpora / "data", corpora / "m"]
    said = type_in(*words, code=1).stderr
    assert "speaker 's0' is in two corpora, small and big: rename one" in said and not (corpora / "m").exists()


@pytest.mark.parametrize("other", ["s1", "s5"])  # of the same corpus, in another part of its speakers; of another
def test_one_recording_under_two_speakers_is_refused(corpora, type_in, other):
    hashes = {f"s{s}-{k}": f"{s}{k}" for s in range(10) for k in range(6)} | {f"{other}-3": "00"}
    write_table(corpora / "data/utt2hash", hashes)
    words = ["steps/make_model.py", "--system", corpora / "small.yaml", corpora / "data", corpora / "m"]
    said = type_in(*words, code=1).stderr
    assert "unseen speakers: 's0-0' (small, part 1) and" in said and f"'{other}-3'" in said
    assert "the same recording under two speakers" in said and not (corpora / "m").exists()


def test_a_corpus_that_alone_has_a_class_is_not_left_out(corpora, type_in):
    path = corpora / "data/utt2emo"
    path.write_text(path.read_text().replace("s9-0 ang", "s9-0 sad").replace("s8-0 ang", "s8-0 sad"))
    type_in("steps/make_model.py", "--system", corpora / "small.yaml", "--tried", "2", corpora / "data", corpora / "m")
    figures = json.loads((corpora / "m/results.json").read_text())
    assert figures["classes"] == ["ang", "neu", "sad"] and figures["unseen_corpora"]["alone"].keys() == {"small"}


def relabel(path, new):
    """new(name, class) → class"""
    lines = [line.split() for line in path.read_text().splitlines()]
    path.write_text("".join(f"{name} {new(name, one)}\n" for name, one in lines))


def test_what_no_model_is_made_of_is_refused_at_once(corpora, type_in):
    words = ["steps/make_model.py", "--system", corpora / "small.yaml", corpora / "data", corpora / "m"]
    labels = corpora / "data/utt2emo"
    whole = labels.read_text()
    relabel(labels, lambda name, one: "sad" if name == "s3-0" else one)
    done = type_in(*words, code=1)
    assert "data/utt2emo: class 'sad' is left to nobody while its speakers (s3) are left out" in done.stderr
    assert "take other --classes (across.sh --model '' makes no model)" in done.stderr and not done.stdout
    labels.write_text(whole)
    relabel(
        labels, lambda name, one: "sad" if name in ("s3-0", "s8-0") else one
    )  # of both corpora, but left out at once
    assert "class 'sad' is left to nobody while its speakers (s3 s8)" in type_in(*words, code=1).stderr
    relabel(labels, lambda name, one: "ang")
    assert "data/utt2emo: all recordings are ang" in type_in(*words, code=1).stderr
    labels.write_text(whole)
    relabel(corpora / "data/utt2corpus", lambda name, one: f"c{int(name[1]) // 4}")
    assert "no corpus has 5 speakers" in (said := type_in(*words, code=1).stderr) and "--model ''" in said
    assert not (corpora / "m").exists()


def test_what_is_missing_is_said(corpora, type_in):
    words = ["steps/make_model.py", "--system", corpora / "small.yaml"]
    (corpora / "linear.yaml").write_text("backend: {kind: linear, sees: descriptors}\ntraining: {epochs: 0}\n")
    other = ["steps/make_model.py", "--system", corpora / "linear.yaml", corpora / "data", corpora / "m"]
    assert "backend: {kind: mlp, sees: descriptors}" in type_in(*other, code=1).stderr
    (corpora / "many.yaml").write_text("backend: {kind: mlp, sees: descriptors}\ntraining: {epochs: 0}\n")
    other[2] = corpora / "many.yaml"
    assert "a model is made with one, such as [100.0]" in type_in(*other, code=1).stderr
    assert "utt2uniq" in type_in(*words, "--copies", corpora / "data", corpora / "data", corpora / "m", code=1).stderr
    for odd in ("{licence: [a]}", "free"):
        (corpora / "about.yaml").write_text(f"c0: {odd}\n")
        about = ["--about", corpora / "about.yaml", corpora / "data", corpora / "m"]
        assert "'c0': expected title, language" in type_in(*words, *about, code=1).stderr
    (corpora / "data/descriptors.scp").unlink()
    assert "has no descriptors.scp" in type_in(*words, corpora / "data", corpora / "m", code=1).stderr
    assert not (corpora / "m").exists()


def test_a_folder_of_other_things_is_not_replaced(corpora, type_in):
    thesis = corpora / "work/thesis.tex"
    thesis.parent.mkdir()
    thesis.write_text("years of it")
    words = ["steps/make_model.py", "--system", corpora / "small.yaml", "--tried", "4", corpora / "data"]
    assert "holds 'thesis.tex', which is no model's and would be lost" in type_in(*words, thesis.parent, code=1).stderr
    assert "would be lost" in type_in(*words, corpora / "data", code=1).stderr
    assert "is a file, and the model is a folder" in type_in(*words, thesis, code=1).stderr
    assert thesis.read_text() == "years of it"


def test_what_decides_a_model_makes_it_again_and_what_makes_none_is_said(corpora, type_in):
    data, out = corpora / "data", corpora / "model"
    words = ["steps/make_model.py", "--system", corpora / "small.yaml", data, out]
    type_in(*words, "--tried", "2")
    assert "up to date" in type_in(*words, "--tried", "2").stdout
    (corpora / "odd.yaml").write_text("big: 5\n")
    for more, said in (
        (["--tried", "0"], "--tried"),
        (["--seed", "9" * 20], "--seed"),
        (["--about", corpora / "odd.yaml"], "'big': expected title"),
    ):
        assert said in type_in(*words, *more, code=2 if more[0] != "--about" else 1).stderr
    (data / "fbank.yaml").write_text("fbank: {sample_frequency: 16000, high_freq: 4000}\n")
    assert "the model, of all speakers" in type_in(*words, "--tried", "2").stdout
    lines = (data / "wav.scp").read_text().splitlines(keepends=True)
    (data / "wav.scp").write_text("".join(lines[3:]))
    assert "wav.scp: 3 utterances missing" in type_in(*words, code=1).stderr


def test_where_no_model_can_be_written_none_is_trained(corpora, type_in):
    words = ["steps/make_model.py", "--system", corpora / "small.yaml", "--tried", "4", corpora / "data"]
    done = type_in(*words, corpora / "small.yaml/model", code=1)
    assert "small.yaml" in done.stderr and done.stdout == ""
