"""steps/probe.py on embeddings whose content is known: what is measured anew, what is kept, what is refused."""

import os
import shutil

import numpy as np
import pytest

from steps.evaluation import results
from steps.evaluation.probes import parse_probes
from steps.nnet.architecture import Network
from steps.nnet.networks import Classifier
from steps.systems.embedding import Model
from steps.training.checkpoint import save_model
from utils import config, folds
from utils.archive import ArkWriter
from utils.scores import write_scores
from utils.table import read_table

CLASSES = ["ang", "hap"]


def embed(data, stem, speaker=2.0, seed=0, size=8):
    """Embeddings of all utterances, which tell speakers as far as `speaker` says."""
    rng = np.random.default_rng(seed)
    speakers = read_table(data / "utt2spk")
    centres = {name: rng.normal(size=size) for name in sorted(set(speakers.values()))}
    with ArkWriter(stem.with_suffix(".ark"), stem.with_suffix(".scp")) as out:
        for name in sorted(speakers):
            out.write(name, rng.normal(size=size) + speaker * centres[speakers[name]])
    return len(speakers)


@pytest.fixture
def exp(emotional, tmp_path):
    """Two systems of two runs with their scores; `ad` has put a space aside."""
    speakers, emotions = (read_table(emotional / name) for name in ("utt2spk", "utt2emo"))
    for system in ("ad", "plain"):
        for run, parts in folds.read(emotional / "folds").items():
            place = tmp_path / f"exp/{system}/{run}_seed0"
            for file, part in (("scores", "test"), ("scores.valid", "valid")):
                names = [name for name, who in speakers.items() if who in parts[part]]
                rows = {name: np.eye(2)[CLASSES.index(emotions[name])] for name in names}
                write_scores(place / file, CLASSES, rows, speakers, emotions)
            (place / "config.yaml").write_text("{}\n")
            embed(emotional, place / "embedding", speaker=0.0, seed=1)
            if system == "ad":
                embed(emotional, place / "embedding_minus")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/groups.yaml").write_text("questions: [{ask: '?', speaker_probe: [ad, plain]}]\n")
    return tmp_path / "exp"


@pytest.fixture
def probe(emotional, exp, type_in):
    """Probe; what was said."""

    def run(*words, code=0, data=emotional):
        done = type_in("steps/probe.py", *words, data, exp, code=code)
        return done.stderr if code else done.stdout

    return run


def test_wide_vectors_are_left_out_by_name(emotional, exp, probe):
    for run in ("r1", "r2"):
        embed(emotional, exp / f"plain/{run}_seed0/embedding", size=1025)
    said = probe()
    assert "plain left out, as vectors have more than 1024 values" in said and "2 runs probed" in said
    assert not (exp / "plain/r1_seed0/probes").exists() and (exp / "ad/r1_seed0/probes").exists()


def test_runs_are_probed_once_and_again_when_something_has_changed(emotional, exp, probe):
    assert "4 runs probed" in probe() and "0 runs probed" in probe()
    place = exp / "ad/r1_seed0"
    rows = {
        (row.space, row.attribute, row.whose): row.value
        for row in parse_probes((place / "probes").read_text(), place)
        if row.kind == "probe"
    }
    assert rows["embedding_minus", "speaker", "train"] > 0.9 > rows["embedding", "speaker", "train"]
    for path in exp.glob("*/*/*"):
        os.utime(path, (0, 0))  # when files were written says nothing
    assert "0 runs probed" in probe()
    embed(emotional, place / "embedding", seed=5)
    os.utime(place / "embedding.scp", (0, 0))
    assert "1 runs probed" in probe() and "0 runs probed" in probe()
    text = (emotional / "utt2emo").read_text()
    (emotional / "utt2emo").write_text(text.replace("s0-0 ang", "s0-0 hap"))
    assert "4 runs probed" in probe()
    (exp / "plain/r1_seed0/probes").unlink()
    (exp / "plain/r2_seed0/.made_from.probe").unlink()
    assert "2 runs probed" in probe()
    roles = (emotional / "folds").read_text()
    (emotional / "folds").write_text(roles.replace("r1 train s0\n", ""))
    assert "2 runs probed" in probe("--systems", "ad plain")


def test_embeddings_that_are_not_finite_are_named(emotional, exp, probe):
    with ArkWriter(exp / "ad/r1_seed0/embedding.ark", exp / "ad/r1_seed0/embedding.scp") as out:
        for number, name in enumerate(sorted(read_table(emotional / "utt2spk"))):
            out.write(name, np.full(8, np.nan if number == 5 else 1.0))
    name = sorted(read_table(emotional / "utt2spk"))[5]
    assert f"1 embeddings are not finite, the first that of '{name}'" in probe(code=1)


def test_the_means_are_put_into_results_json(exp, probe, type_in):
    said = probe()
    assert "results.json: not there" in said
    type_in("steps/score.py", "--conf", exp.parent / "conf", exp)
    whole = results.read(exp / "results.json")
    assert whole["probes"].keys() == {"ad", "plain"}
    minus, pair = (
        next(row for row in whole["probe_differences"] if (row["against"], row["attribute"], row["of"]) == key)
        for key in (("ad", "speaker", "train"), ("plain", "speaker", "train"))
    )
    assert (minus["system"], minus["space"], minus["against_space"]) == ("ad", "embedding_minus", "embedding")
    assert minus["difference"]["value"] > 0.3 and pair["difference"]["value"] == 0
    for path in exp.glob("*/*/probes"):
        path.write_text(path.read_text().replace("0.", "0.9"))
    assert "4 runs probed" in probe() and results.read(exp / "results.json") == whole
    for path in exp.glob("*/*/probes"):
        path.unlink()
    type_in("steps/score.py", "--conf", exp.parent / "conf", exp)
    unprobed = results.read(exp / "results.json")
    assert unprobed["probes"] == {} and unprobed["probe_differences"] == []
    probe()
    assert results.read(exp / "results.json") == whole


@pytest.fixture
def extractor(tmp_path):
    """A model folder."""
    network = Classifier(Network(width=2), classes=3)
    save_model(network, tmp_path / "model/model.safetensors")
    config.save(Model(network=Network(width=2)), tmp_path / "model/config.yaml")
    return tmp_path / "model"


def test_the_extractor_is_applied_again_when_it_or_the_features_have_changed(emotional, exp, probe, extractor, type_in):
    words = ("--pretrained", extractor, "--systems", "pretrained")
    assert "32 embeddings" in probe(*words)
    said = probe(*words)
    assert "embeddings" not in said and "0 runs probed" in said
    assert {path.parent.name for path in exp.glob("pretrained/*/probes")} == {"r1_seed0", "r2_seed0"}
    save_model(Classifier(Network(width=2), classes=3), extractor / "model.safetensors")
    os.utime(extractor / "model.safetensors", (0, 0))  # older than the embeddings, and another one
    said = probe(*words)
    assert "32 embeddings" in said and "2 runs probed" in said
    for name in ("feats.scp", "vad.scp", "utt2spk", "utt2emo", "utt2session"):  # fewer utterances
        lines = (emotional / name).read_text().splitlines(keepends=True)
        (emotional / name).write_text("".join(lines[:-1]))
    said = probe(*words)
    assert "31 embeddings" in said and "2 runs probed" in said
    type_in("steps/score.py", "--conf", exp.parent / "conf", exp)
    means = results.read(exp / "results.json")["probes"]["pretrained"]["embedding"]["speaker"]["train"]
    assert means["probe"]["by_run"].keys() == {"r1", "r2"}
    (exp / "pretrained/r1_seed0/probes").unlink()
    said = probe(*words)
    assert "embeddings" not in said and "1 runs probed" in said
    shutil.rmtree(extractor)
    assert "there is no model.safetensors; the pre-trained extractor is not probed" in probe(*words)


def test_embeddings_of_other_data_and_leaking_folds_are_refused(emotional, exp, probe):
    path = emotional / "folds"
    text = path.read_text()
    path.write_text(text.replace("r1 valid s2", "r1 valid s3").replace("r1 test s3", "r1 test s2"))
    assert "its test speakers are not those of the data dir's folds" in probe(code=1)
    path.write_text(text.replace("r1 test s3", "r1 test s3\nr1 train s3"))
    assert "speaker 's3' is in both" in probe(code=1)
    path.write_text(text.replace("r1 ", "r3 "))
    assert "have no run r1" in probe(code=1)
    path.write_text(text)
    assert not list(exp.glob("*/*/probes"))
    assert "no such system" in probe("--systems", "gone", code=1)
    emotions = (emotional / "utt2emo").read_text()
    (emotional / "utt2emo").write_text(emotions.replace("s0-0 ang\n", ""))
    assert "'s0-0' is not in" in probe(code=1) and not list(exp.glob("*/*/probes"))
    (emotional / "utt2emo").write_text(emotions)
    (exp / "ad/r1_seed0/embedding.ark").unlink()
    error = probe("--systems", "ad", code=1)
    assert "embedding.ark is not there" in error and len(error.splitlines()) == 1


def test_a_folder_without_a_finished_run_is_named(emotional, tmp_path, type_in):
    (tmp_path / "empty").mkdir()
    said = type_in("steps/probe.py", emotional, tmp_path / "empty", code=1).stderr
    assert "empty: holds no finished run of a system" in said


def test_kept_results_without_embeddings_are_left_alone(exp, probe):
    probe()
    before = {path: path.read_bytes() for path in exp.glob("*/*/probes")}
    for path in exp.glob("*/*/embedding*"):
        path.unlink()
    assert "0 runs probed" in probe() and {path: path.read_bytes() for path in exp.glob("*/*/probes")} == before


def test_embeddings_that_lack_tested_utterances_are_not_probed(emotional, exp, probe):
    scp = exp / "plain/r1_seed0/embedding.scp"
    tested = folds.read(emotional / "folds")["r1"]["test"]
    utt2spk = read_table(emotional / "utt2spk")
    lines = scp.read_text().splitlines(keepends=True)
    scp.write_text("".join(line for line in lines if utt2spk[line.split()[0]] not in tested[:1]))
    assert "tested utterances have no embedding, first" in probe(code=1)
