"""steps/pretrain.py, steps/embed.py and steps/score_trials.py on a few random speakers."""

import re

import kaldi_native_io
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from steps.training.pretraining import Config
from utils import config
from utils.hold import hold
from utils.table import read_table

TINY = ["--network.width", "2", "--input.crop", "40", "--training.epochs", "2", "--training.batch", "8"]


@pytest.fixture
def model(emotional, tmp_path, type_in):
    done = type_in("steps/pretrain.py", *TINY, emotional, emotional, tmp_path / "net")
    assert "4 speakers, 32 utterances, 32 held out" in done.stdout
    return tmp_path / "net"


def test_it_hands_on_a_model_with_its_configuration(model):
    names = {path.name for path in model.iterdir()}
    assert names == {".made_from.pretrain", "config.yaml", "model.safetensors", "result", "speakers"}
    assert (model / "speakers").read_text().split() == ["s0", "s1", "s2", "s3"]
    assert re.match(r"%ACC \d+\.\d\d \[ \d+ / 32 held-out utterances, 4 speakers \] ", (model / "result").read_text())


def test_a_job_reads_the_configuration_that_was_handed_to_the_queue(emotional, tmp_path, type_in, edited_meanwhile):
    (tmp_path / "a.yaml").write_text("network: {width: 2}\ninput: {crop: 40}\ntraining: {epochs: 1, batch: 8}\n")
    words = ["steps/pretrain.py", "--config", tmp_path / "a.yaml", "--cmd", edited_meanwhile(tmp_path / "a.yaml", "")]
    done = type_in(*words, "--training.batch", "4", emotional, emotional, tmp_path / "net")
    made = config.load(Config, tmp_path / "net/config.yaml")
    assert (made.network.width, made.training.epochs, made.training.batch) == (2, 1, 4), done
    (tmp_path / "a.yaml").write_text("training: {epochs: none}\n")
    assert "training.epochs" in type_in(*words, emotional, emotional, tmp_path / "net", code=1).stderr


@pytest.mark.parametrize("reader", ["pretrain", "embed"])
def test_a_data_dir_that_is_read_is_kept_from_changes(model, emotional, tmp_path, type_in, reader):
    """And one that is being made is not read."""
    words = {"pretrain": [*TINY, emotional, tmp_path / "none"], "embed": [model, emotional]}[reader]
    with hold(emotional):
        assert "is in use by" in type_in(f"steps/{reader}.py", *words, tmp_path / "new", code=1).stderr
    with hold(emotional, shared=True):
        type_in(f"steps/{reader}.py", *words, tmp_path / "new")


def test_embeddings_and_trials(model, emotional, tmp_path, type_in):
    type_in("steps/embed.py", model, emotional, tmp_path / "emb")
    whole = (tmp_path / "emb/embedding.ark").read_bytes(), (tmp_path / "emb/embedding.scp").read_bytes()
    for name, damaged in (("embedding.ark", whole[0][:300]), ("embedding.scp", whole[1][: len(whole[1]) // 2])):
        assert "up to date" in type_in("steps/embed.py", model, emotional, tmp_path / "emb").stdout
        (tmp_path / "emb" / name).write_bytes(damaged)
        assert "up to date" not in type_in("steps/embed.py", model, emotional, tmp_path / "emb").stdout
        assert ((tmp_path / "emb/embedding.ark").read_bytes(), (tmp_path / "emb/embedding.scp").read_bytes()) == whole
    assert "is the data dir" in type_in("steps/embed.py", model, emotional, emotional, code=1).stderr
    table = read_table(tmp_path / "emb/embedding.scp")
    assert table.keys() == read_table(emotional / "utt2spk").keys()
    with kaldi_native_io.SequentialFloatVectorReader(f"scp:{tmp_path}/emb/embedding.scp") as reader:
        vectors = {name: np.array(vector) for name, vector in reader}
    assert {vector.shape for vector in vectors.values()} == {(16,)}
    trials = [("s0-0", "s0-1", "target"), ("s0-0", "s1-1", "nontarget"), ("s2-3", "s2-4", "target")]
    (tmp_path / "trials").write_text("".join(" ".join(trial) + "\n" for trial in trials))
    done = type_in("steps/score_trials.py", tmp_path / "trials", tmp_path / "emb/embedding.scp", tmp_path / "out")
    assert re.match(r"%EER \d+\.\d\d %minDCF \d\.\d{4} \[ 3 trials, P_target 0.01 \]", done.stdout)
    first = (tmp_path / "out/scores").read_text().splitlines()[0].split()
    a, b = vectors["s0-0"], vectors["s0-1"]
    assert first[:3] == list(trials[0])
    assert float(first[3]) == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-4)


def test_embeddings_of_a_model_whose_numbers_grow_beyond_all_bounds_are_not_written(
    model, emotional, tmp_path, type_in
):
    weights = load_file(model / "model.safetensors")
    save_file(
        {name: torch.full_like(x, 3e38) if x.is_floating_point() else x for name, x in weights.items()},
        model / "model.safetensors",
    )
    said = type_in("steps/embed.py", model, emotional, tmp_path / "emb", code=1).stderr
    assert "32 of 32 embeddings are not finite" in said and said.count("\n") == 1
    assert not (tmp_path / "emb/embedding.scp").exists()


def test_trials_of_unknown_utterances_are_counted_and_bad_lines_refused(model, emotional, tmp_path, type_in):
    type_in("steps/embed.py", model, emotional, tmp_path / "emb")
    words = ["steps/score_trials.py", tmp_path / "trials", tmp_path / "emb/embedding.scp", tmp_path / "out"]
    (tmp_path / "trials").write_text("s0-0 s0-1 target\ns0-0 s1-0 nontarget\ns0-0 gone nontarget\n")
    done = type_in(*words)
    assert "[ 2 trials" in done.stdout and "1 utterances of the trials have no embedding (gone" in done.stderr
    (tmp_path / "trials").write_text("1 s0-0 s0-1\n")
    assert "trials:1: expected" in type_in(*words, code=1).stderr


def test_a_loss_that_is_not_finite_ends_in_one_line(emotional, tmp_path, type_in):
    words = ["steps/pretrain.py", *TINY, "--training.lr", "1e30", "--training.final_lr", "1e30"]
    done = type_in(*words, emotional, tmp_path / "none", tmp_path / "net", code=1)
    assert "no number in epoch 1 (L " in done.stderr and "lower learning rate" in done.stderr
    assert not (tmp_path / "net/model.safetensors").exists()


def test_with_an_angular_margin_and_changing_speed_it_learns_speakers_too(emotional, tmp_path, type_in):
    words = [
        "steps/pretrain.py",
        *TINY,
        "--training.loss",
        "aam",
        "--training.epochs",
        "4",
        "--augmentation.speed",
        "0.1",
    ]
    done = type_in(*words, emotional, emotional, tmp_path / "net")
    losses = [float(value) for value in re.findall(r"L (\d+\.\d+)", done.stdout)]
    assert len(losses) == 4 and min(losses) > 0 and (tmp_path / "net/model.safetensors").exists()
    assert re.search(r"held-out accuracy [01]\.\d{4}", done.stdout)


def test_a_teacher_is_learnt_beside_the_speakers(emotional, tmp_path, type_in):
    """Its vectors are standardised: whoever finds none of them has an error of 1."""
    rng = np.random.default_rng(0)
    vectors = {name: rng.normal(size=3) * [1, 100, 0] for name in read_table(emotional / "utt2spk")}
    np.savez(tmp_path / "teacher.npz", **vectors)
    words = ["steps/pretrain.py", *TINY, "--training.epochs", "30", "--teacher", tmp_path / "teacher.npz"]
    done = type_in(*words, emotional, emotional, tmp_path / "net")
    errors = [float(value) for value in re.findall(r"L_teacher (\d+\.\d+)", done.stdout)]
    assert len(errors) == 30 and errors[-1] < 0.8 * errors[0] < 1.5  # of three places, one never changes
    assert "up to date" in type_in(*words, emotional, emotional, tmp_path / "net").stdout
    vectors["s0-0"] += 1
    np.savez(tmp_path / "teacher.npz", **vectors)
    assert "teacher's vectors changed" in type_in(*words, emotional, emotional, tmp_path / "net").stderr
    lost = type_in(*words[:-1], tmp_path / "lost.npz", emotional, emotional, tmp_path / "net", code=1).stderr
    assert lost.count("\n") == 1 and "lost.npz: no such file" in lost


def test_a_data_dir_that_is_not_there_costs_no_finished_model(model, tmp_path, type_in):
    before = sorted(path.name for path in model.iterdir())
    said = type_in("steps/pretrain.py", *TINY, tmp_path / "nix", tmp_path / "nix", model, code=1).stderr
    assert f"{tmp_path}/nix/feats.scp: no such file" in said and said.count("\n") == 1
    assert sorted(path.name for path in model.iterdir()) == before
