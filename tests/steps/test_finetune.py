"""steps/finetune.py as users see it: files, resumption, and what it refuses."""

import dataclasses
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tensorboard.backend.event_processing import event_accumulator

from steps.frontend.options import Input
from steps.frontend.utterances import read_corpus
from steps.nnet.architecture import Network
from steps.nnet.networks import Classifier
from steps.systems import fine_tuning
from steps.systems import train_run as one_run
from steps.systems.system import Config, Training
from steps.systems.train_run import train_run
from utils import config, folds
from utils.archive import ArkWriter, read_array
from utils.cli import UserError
from utils.hold import hold
from utils.scores import read_scores
from utils.table import read_table, write_table

CPU = torch.device("cpu")
SETTINGS = Config(
    network=Network(width=2, AD=True, D=2),
    input=Input(crop=40),
    training=Training(epochs=3, batch=4, milestones=[3]),
)


def train(data, out, settings=SETTINGS, seed=0, pretrained=Path(), run="r1"):
    train_run(read_corpus(data, settings.input, CPU), folds.read(data / "folds")[run], out, seed, settings, pretrained)


@pytest.fixture
def finish(emotional, tmp_path):
    train(emotional, tmp_path / "whole")
    return tmp_path / "whole"


def test_a_run_leaves_what_design_says(emotional, finish):
    assert {path.name for path in finish.iterdir()} == {
        "config.yaml", "environment.yaml", "model.safetensors", "scores", "scores.valid", "scores.last",
        "embedding.ark", "embedding.scp", "embedding_minus.ark", "embedding_minus.scp", "history.tsv", "log",
    }  # fmt: skip
    assert set(read_scores(finish / "scores").speakers) == {"s3"}
    assert set(read_scores(finish / "scores.valid").speakers) == {"s2"}
    assert read_scores(finish / "scores").posteriors.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert config.load(Config, finish / "config.yaml") == SETTINGS


@pytest.mark.parametrize("name", ["scores", "scores.valid", "scores.last"])
def test_a_score_file_that_is_cut_after_training_is_refused(finish, name):
    lines = (finish / name).read_text().splitlines(keepends=True)
    (finish / name).write_text("".join(lines[:-1]))
    with pytest.raises(UserError, match=f"{name}: is not what training left there"):
        read_scores(finish / name)


def test_the_same_seed_gives_the_same_scores_and_another_seed_others(emotional, finish, tmp_path):
    train(emotional, tmp_path / "again")
    train(emotional, tmp_path / "other", seed=1)
    assert (tmp_path / "again/scores").read_text() == (finish / "scores").read_text()
    assert (tmp_path / "other/scores").read_text() != (finish / "scores").read_text()


def test_an_interrupted_run_goes_on_to_the_bit_identical_end(emotional, finish, tmp_path, monkeypatch, capsys):
    real, calls = fine_tuning.classification_metrics, []

    def interrupt(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(fine_tuning, "classification_metrics", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(emotional, tmp_path / "cut")
    assert {path.name for path in (tmp_path / "cut").iterdir()} == {"checkpoint.pt", "history.tsv", "log"}
    train(emotional, tmp_path / "cut")
    assert "going on in epoch 3, behind step 4 of 4" in capsys.readouterr().out
    for name in ("scores", "scores.valid", "scores.last", "model.safetensors", "history.tsv", "embedding.ark"):
        assert (tmp_path / "cut" / name).read_bytes() == (finish / name).read_bytes()


def test_a_checkpoint_of_another_configuration_is_refused(emotional, tmp_path, monkeypatch):
    monkeypatch.setattr(one_run, "save_model", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train(emotional, tmp_path / "cut")
    other = Config(SETTINGS.network, SETTINGS.input, Training(epochs=4, batch=4))
    for settings, seed in ((other, 0), (SETTINGS, 1)):
        with pytest.raises(UserError, match=r"checkpoint.pt.*another configuration"):
            train(emotional, tmp_path / "cut", settings, seed)


def test_an_interrupted_run_goes_on_in_a_recipe_that_has_got_an_option_more(emotional, finish, tmp_path, monkeypatch):
    @dataclasses.dataclass
    class Later(Config):
        later: int = 0

    monkeypatch.setattr(one_run, "save_model", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train(emotional, tmp_path / "cut")
    monkeypatch.undo()
    changed = Later(**vars(SETTINGS), later=1)
    with pytest.raises(UserError, match=r"checkpoint.pt.*another configuration"):
        train(emotional, tmp_path / "cut", changed)
    train(emotional, tmp_path / "cut", Later(**vars(SETTINGS)))
    assert (tmp_path / "cut/scores").read_bytes() == (finish / "scores").read_bytes()


def test_the_test_speaker_decides_nothing(emotional, finish, tmp_path):
    """With the test speaker's emotions turned round, the model and its posteriors are the same to the bit."""
    lines = (emotional / "utt2emo").read_text().splitlines()
    turned = {"ang": "hap", "hap": "ang"}
    lines = [re.sub(r"\w+$", lambda m: turned[m[0]], line) if line.startswith("s3") else line for line in lines]
    (emotional / "utt2emo").write_text("\n".join(lines) + "\n")
    train(emotional, tmp_path / "turned")
    assert (tmp_path / "turned/model.safetensors").read_bytes() == (finish / "model.safetensors").read_bytes()
    ours, theirs = read_scores(finish / "scores"), read_scores(tmp_path / "turned/scores")
    assert (ours.posteriors == theirs.posteriors).all() and (ours.labels != theirs.labels).all()


def test_the_history_has_a_row_an_epoch_with_every_term(finish):
    header, *rows = (line.split("\t") for line in (finish / "history.tsv").read_text().splitlines())
    assert header == ["epoch", "L", "L_emo", "L_AD+", "L_AD-", "lr", "valid wF1", "valid UA"]
    values = [dict(zip(header, map(float, row))) for row in rows]
    assert [row["epoch"] for row in values] == [1, 2, 3] and [row["lr"] for row in values] == [0.01, 0.01, 0.001]
    for row in values:
        assert row["L"] == pytest.approx(row["L_emo"] + 0.5 * (row["L_AD+"] + row["L_AD-"]), rel=1e-4)


def test_tensorboard_reads_the_same_history(finish):
    events = event_accumulator.EventAccumulator(str(finish / "log")).Reload()
    lines = (finish / "history.tsv").read_text().splitlines()
    column = lines[0].split("\t").index("L_emo")
    expected = {int(line.split("\t")[0]): float(line.split("\t")[column]) for line in lines[1:]}
    assert {one.step: one.value for one in events.Scalars("L_emo")} == pytest.approx(expected, rel=1e-4)


def test_the_oracle_is_written_on_demand_and_changes_nothing_else(emotional, finish, tmp_path):
    training = dataclasses.replace(SETTINGS.training, oracle=True)
    train(emotional, tmp_path / "leak", dataclasses.replace(SETTINGS, training=training))
    for name in ("scores", "scores.valid", "scores.last", "model.safetensors"):
        assert (tmp_path / "leak" / name).read_bytes() == (finish / name).read_bytes()
    best, chosen = (read_scores(tmp_path / "leak" / name) for name in ("scores.oracle", "scores"))
    assert (best.decisions == best.labels).mean() >= (chosen.decisions == chosen.labels).mean()
    assert not (finish / "scores.oracle").exists()


@pytest.mark.parametrize("selection", ["ua", "last"])
def test_the_epoch_can_be_selected_otherwise(emotional, tmp_path, selection):
    training = dataclasses.replace(SETTINGS.training, selection=selection)
    train(emotional, tmp_path / "out", dataclasses.replace(SETTINGS, training=training))
    same = (tmp_path / "out/scores").read_text() == (tmp_path / "out/scores.last").read_text()
    assert same or selection == "ua"


def test_the_averaged_network_is_the_mean_of_the_last_third_of_the_epochs(emotional, tmp_path, monkeypatch):
    training = dataclasses.replace(SETTINGS.training, selection="average", epochs=6, milestones=[])
    states = []
    real = fine_tuning.running_mean

    def seen(mean, state, number):
        states.append({name: tensor.clone() for name, tensor in state.items()})
        return real(mean, state, number)

    monkeypatch.setattr(fine_tuning, "running_mean", seen)
    train(emotional, tmp_path / "out", dataclasses.replace(SETTINGS, training=training))
    model = load_file(tmp_path / "out/model.safetensors")
    name = "classifier.weight"
    assert len(states) == 2 and not torch.equal(states[0][name], states[1][name])
    torch.testing.assert_close(model[name], (states[0][name] + states[1][name]) / 2)
    norm = "extractor.conv1.1.running_mean"  # of crops that went through the mean, and no mean itself
    assert not torch.allclose(model[norm], (states[0][norm] + states[1][norm]) / 2)
    assert (tmp_path / "out/scores").read_text() != (tmp_path / "out/scores.last").read_text()


def test_the_classifier_starts_as_logistic_regression_on_whole_utterances(emotional, tmp_path):
    network = Network(width=2, embedding_norm=True, frozen="batch_norm")
    training = Training(
        epochs=1, batch=4, probe_C=0.01, classifier_lr=0, extractor_lr=0, selection="last", precision="float32"
    )
    settings = Config(network=network, input=Input(crop=40), training=training)
    train(emotional, tmp_path / "out", settings)  # with rates of 0 it stays what it was
    model = load_file(tmp_path / "out/model.safetensors")
    table = read_table(tmp_path / "out/embedding.scp")
    labels, x = read_table(emotional / "utt2emo"), {name: read_array(entry) for name, entry in table.items()}
    known = [name for name in x if name.startswith(("s0", "s1"))]
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    probe.fit([x[name] for name in known], [labels[name] for name in known])
    np.testing.assert_allclose(model["embedding_norm.running_mean"], probe[0].mean_, rtol=1e-4, atol=1e-5)
    scores = read_scores(tmp_path / "out/scores")
    expected = probe.predict_proba([x[name] for name in scores.utterances])
    np.testing.assert_allclose(scores.posteriors, expected, atol=1e-3)
    with pytest.raises(ValueError, match="probe_C needs network.embedding_norm"):
        Config(training=training)


def test_a_run_folder_can_be_embedded_again(emotional, finish, tmp_path, type_in):
    type_in("steps/embed.py", finish, emotional, tmp_path / "again")
    ours, again = (read_table(place / "embedding.scp") for place in (finish, tmp_path / "again"))
    assert ours.keys() == again.keys()
    for name in ours:
        assert read_array(ours[name]) == pytest.approx(read_array(again[name]), abs=1e-5)


def pretrained_model(folder: Path, width=2):
    folder.mkdir()
    model = Classifier(Network(width=width), classes=7)
    save_file(model.state_dict(), folder / "model.safetensors")
    return folder, model


def test_a_pretrained_extractor_is_where_training_starts(emotional, tmp_path):
    folder, model = pretrained_model(tmp_path / "speakers")
    still = Training(pretrained=True, epochs=1, batch=4, extractor_lr=0.0)
    train(emotional, tmp_path / "out", Config(SETTINGS.network, SETTINGS.input, still), pretrained=folder)
    found, given = load_file(tmp_path / "out/model.safetensors"), model.state_dict()
    learnt = [name for name, _ in model.extractor.named_parameters()]
    assert learnt and all(torch.equal(found[f"extractor.{name}"], given[f"extractor.{name}"]) for name in learnt)


def test_a_pretrained_model_that_does_not_fit_is_refused(emotional, tmp_path):
    folder, _ = pretrained_model(tmp_path / "speakers", width=3)
    settings = Config(SETTINGS.network, SETTINGS.input, Training(pretrained=True))
    with pytest.raises(UserError, match=r"does not fit this network: extractor.conv1.0.weight is \(3, 1, 7, 7\)"):
        train(emotional, tmp_path / "out", settings, pretrained=folder)
    assert not (tmp_path / "out").exists()


def test_a_pretrained_network_of_another_kind_is_refused_before_any_run(emotional, system, tmp_path, type_in):
    folder, _ = pretrained_model(tmp_path / "speakers", width=3)
    (folder / "config.yaml").write_text("network: {width: 3}\ntraining: {loss: aam}\n")
    words = ["--config", system, "--network.width", "2", "--training.pretrained", "true", "--pretrained", folder]
    done = type_in("steps/finetune.py", *words, "--nj", "2", emotional, tmp_path / "sys", code=1)
    assert done.stderr == f"finetune.py: {folder}: holds a network of width 3, and width 2 is wanted\n"
    (folder / "config.yaml").write_text("network: {width: 2}\ninput: {cmn: sliding}\n")
    done = type_in("steps/finetune.py", *words, "--nj", "2", emotional, tmp_path / "sys", code=1)
    assert f"{folder}: was pre-trained with input.cmn sliding, and cmn level is to be read" in done.stderr
    assert not (tmp_path / "sys").exists()


@pytest.mark.parametrize("change", [lambda x: x.long(), lambda x: x * torch.nan], ids=["whole numbers", "nan"])
def test_a_pretrained_model_of_no_weights_is_refused(emotional, tmp_path, change):
    folder, model = pretrained_model(tmp_path / "speakers")
    weights = model.state_dict()
    save_file(
        weights | {"extractor.conv1.0.weight": change(weights["extractor.conv1.0.weight"])},
        folder / "model.safetensors",
    )
    settings = Config(SETTINGS.network, SETTINGS.input, Training(pretrained=True))
    with pytest.raises(UserError, match="conv1.0.weight holds no numbers that a network could have learnt"):
        train(emotional, tmp_path / "out", settings, pretrained=folder)


def test_a_list_of_speakers_that_cannot_be_read_is_no_list_of_none(emotional, system, tmp_path, type_in):
    folder, _ = pretrained_model(tmp_path / "speakers")
    words = ["--config", system, "--network.width", "2", "--training.pretrained", "true", "--pretrained", folder]
    (folder / "speakers").mkdir()
    done = type_in("steps/finetune.py", *words, emotional, tmp_path / "sys", code=1)
    assert f"{folder}/speakers: is not a file; it should name the speakers" in done.stderr
    (folder / "speakers").rmdir()
    os.mkfifo(folder / "speakers")  # nobody ever writes into it
    assert "speakers: is not a file" in type_in(
        "steps/finetune.py", *words, emotional, tmp_path / "sys", code=1
    ).stderr  # fmt: skip
    (folder / "speakers").unlink()
    (folder / "speakers").write_bytes(b"Jos\xe9 s1\n")
    assert "'s1' (1 such) is in the data dir" in type_in(
        "steps/finetune.py", *words, emotional, tmp_path / "sys", code=1
    ).stderr  # fmt: skip


def test_a_result_of_pre_training_in_any_encoding_is_noted(emotional, tmp_path):
    folder, _ = pretrained_model(tmp_path / "speakers")
    (folder / "result").write_bytes(b"%ACC 90.00 [ 9 / 10, Jos\xe9 ] more")
    settings = Config(SETTINGS.network, SETTINGS.input, Training(pretrained=True, epochs=1, batch=4))
    train(emotional, tmp_path / "out", settings, pretrained=folder)
    assert "%ACC 90.00 [ 9 / 10, Jos" in (tmp_path / "out/environment.yaml").read_text()


def test_a_seed_starts_from_a_pre_training_of_its_own_where_there_is_one(emotional, system, tmp_path, type_in):
    folder, _ = pretrained_model(tmp_path / "speakers")
    pretrained_model(folder / "seed1")
    words = ["--config", system, "--network.width", "2", "--training.pretrained", "true", "--pretrained", folder]
    words += ["--training.extractor_lr", "0", "--runs", "r1", emotional, tmp_path / "sys"]
    type_in("steps/finetune.py", "--seeds", "0 1 2", *words)
    for seed, source in enumerate((folder, folder / "seed1", folder)):
        found, given = (load_file(path / "model.safetensors") for path in (tmp_path / f"sys/r1_seed{seed}", source))
        assert torch.equal(found["extractor.conv1.0.weight"], given["extractor.conv1.0.weight"])
    pretrained_model(folder / "seed2")  # one seed is no longer true
    assert "1 of 3 runs to train" in type_in("steps/finetune.py", "--seeds", "0 1 2", *words).stdout


def test_a_seed_whose_own_pre_training_is_not_whole_is_refused(emotional, system, tmp_path, type_in):
    folder, _ = pretrained_model(tmp_path / "speakers")
    words = ["--config", system, "--network.width", "2", "--training.pretrained", "true", "--pretrained", folder]
    words = ["steps/finetune.py", "--seeds", "0 1", *words, emotional, tmp_path / "sys"]
    (folder / "seed1").symlink_to("gone")
    said = type_in(*words, code=1).stderr
    assert said.startswith(f"finetune.py: {folder}/seed1/model.safetensors: no such model, and seed 1 starts from it")
    (folder / "seed1").unlink()
    (folder / "seed1").mkdir()
    assert "seed 1 starts from it" in type_in(*words, code=1).stderr and not (tmp_path / "sys").exists()


def test_a_damaged_extractor_costs_no_finished_run(emotional, system, tmp_path, type_in):
    folder, model = pretrained_model(tmp_path / "speakers")
    words = ["--config", system, "--network.width", "2", "--training.pretrained", "true", "--pretrained", folder]
    words = ["steps/finetune.py", *words, "--runs", "r1", emotional, tmp_path / "sys"]
    type_in(*words)
    before, whole = (tmp_path / "sys/r1_seed0/scores").read_bytes(), (folder / "model.safetensors").read_bytes()
    weights, other = model.state_dict(), Classifier(Network(extractor="vgg5", width=2), 7)
    wider = Classifier(Network(width=4), 7)  # no config.yaml tells
    for damage, said in (
        (lambda path: path.write_bytes(whole[:5000]), "is no whole safetensors file"),
        (lambda path: path.write_bytes(b""), "is no whole safetensors file"),
        (lambda path: save_file(weights | {"x": torch.tensor(torch.nan)}, path), "x holds values that are no numbers"),
        (lambda path: save_file(other.state_dict(), path), "has no stage1: it is of another network than resnet18"),
        (lambda path: save_file(wider.state_dict(), path), "holds a network of width 4, and width 2 is wanted"),
    ):
        damage(folder / "model.safetensors")
        done = type_in(*words, code=1)
        assert done.stderr.count("\n") == 1 and f"{folder}/model.safetensors: {said}" in done.stderr
        assert (tmp_path / "sys/r1_seed0/scores").read_bytes() == before
        assert not (tmp_path / "sys/r1_seed0/.backup").exists()


def test_a_vgg5_that_pools_elsewhere_than_it_was_pre_trained_is_refused(emotional, tmp_path, type_in):
    (tmp_path / "speakers").mkdir()
    save_file(Classifier(Network(extractor="vgg5", width=2), 7).state_dict(), tmp_path / "speakers/model.safetensors")
    (tmp_path / "speakers/config.yaml").write_text("network: {extractor: vgg5, width: 2}\n")
    words = ["--network.extractor", "vgg5", "--network.width", "2", "--input.crop", "40", "--pretrained"]
    words += [tmp_path / "speakers", "--training.pretrained", "true", "--network.vgg5_max_pool", "[1,2]"]
    said = type_in("steps/finetune.py", *words, emotional, tmp_path / "sys", code=1).stderr
    assert "holds a network of vgg5_max_pool [2, 3], and vgg5_max_pool [1, 2] is wanted" in said


def test_a_systems_result_goes_where_one_of_its_runs_does(emotional, system, tmp_path, type_in):
    words = ["steps/finetune.py", "--conf", conf(system), "--systems", "child", "--runs", "r1"]
    type_in(*words, emotional, tmp_path / "exp")
    type_in("steps/score.py", "--conf", tmp_path / "conf", tmp_path / "exp")
    assert (tmp_path / "exp/child/result").is_file()
    type_in(*words, "--redo", "true", emotional, tmp_path / "exp")
    assert not (tmp_path / "exp/child/result").exists()


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("training: {pretrained: true}", "none/model.safetensors: no such model; --pretrained names the folder of one"),
        ("training: {pretrained: true, extractor: vgg5}", "mine starts from a model of its own, which is not there: "),
        ("backend: {kind: mean, of: [child, start]}", "none/model.safetensors: no such model"),
        ("backend: {kind: mean, of: [child, own]}", "mine takes up own, which starts from a model of its own"),
        ("backend: {kind: linear, sees: given}", "mine needs vectors: name them with --embeddings"),
        ("input: {topdb: 60}", "mine.yaml: there is no key 'input.topdb'; did you mean 'top_db'?"),
        ("parnet: child", "mine.yaml: there is no key 'parnet'; did you mean 'parent'?"),
        ("parent: chidl", "mine.yaml: there is no chidl.yaml, its parent, beside it; did you mean 'child'?"),
        ("backend: {kind: mean, of: 3}", "mine.yaml: backend.of: expected a list"),
    ],
)
def test_systems_are_looked_at_without_a_data_dir(system, tmp_path, type_in, own, said):
    folder = conf(system)
    (folder / "systems/start.yaml").write_text("training: {pretrained: true}\n")
    (folder / "systems/own.yaml").write_text("training: {pretrained: true, extractor: vgg5}\n")
    (folder / "systems/voice.yaml").write_text("backend: {kind: linear, sees: descriptors}\n")
    (folder / "systems/mine.yaml").write_text(f"{own}\n")
    words = ["steps/finetune.py", "--check", "true", "--conf", folder, "--pretrained", tmp_path / "none"]
    done = type_in(*words, "--systems", "child voice mine", tmp_path / "data", tmp_path / "exp", code=1)
    assert said in done.stderr and done.stderr.count("\n") == 1
    done = type_in(*words, "--systems", "child voice", tmp_path / "data", tmp_path / "exp")
    assert not done.stdout and not done.stderr and not (tmp_path / "exp").exists()
    type_in(*words[:-1], "", "--systems", "start own", tmp_path / "data", tmp_path / "exp")  # yet to be trained


def test_a_system_may_start_from_an_extractor_of_its_own(emotional, tmp_path, type_in):
    folder, _ = pretrained_model(tmp_path / "speakers")
    conf = tmp_path / "conf/systems"
    conf.mkdir(parents=True)
    small = "network: {width: 2}\ninput: {crop: 40}\ntraining: {epochs: 1, batch: 4, pretrained: true, extractor_lr: 0"
    (conf / "shared.yaml").write_text(f"{small}}}\n")
    (conf / "own.yaml").write_text(f"{small}, extractor: taught}}\n")
    (conf / "both.yaml").write_text("training: {epochs: 0}\nbackend: {kind: mean, of: [shared, own]}\n")
    words = ["steps/finetune.py", "--conf", tmp_path / "conf", "--pretrained", folder, "--runs", "r1"]
    said = type_in(*words, "--systems", "all", emotional, tmp_path / "exp").stderr
    assert f"own starts from a model of its own, which is not there: {folder}/taught/model.safetensors" in said
    assert "both takes up own" in said and (tmp_path / "exp/shared/r1_seed0/scores").is_file()
    assert "own starts from" in type_in(*words, "--systems", "own", emotional, tmp_path / "exp", code=1).stderr
    pretrained_model(folder / "taught")
    assert "2 of 3 runs to train" in type_in(*words, "--systems", "all", emotional, tmp_path / "exp").stdout
    for name, source in (("shared", folder), ("own", folder / "taught")):
        found = load_file(tmp_path / f"exp/{name}/r1_seed0/model.safetensors")["extractor.conv1.0.weight"]
        assert torch.equal(found, load_file(source / "model.safetensors")["extractor.conv1.0.weight"])


@pytest.fixture
def system(tmp_path):
    (tmp_path / "base.yaml").write_text("network: {width: 2}\ninput: {crop: 40}\ntraining: {epochs: 1, batch: 4}\n")
    (tmp_path / "child.yaml").write_text("parent: base\ntraining: {batch: 8}\n")
    return tmp_path / "child.yaml"


def conf(system):
    """A folder of configuration with `system` and its parent."""
    folder = system.parent / "conf"
    (folder / "systems").mkdir(parents=True)
    for name in ("base", "child"):
        (folder / f"systems/{name}.yaml").symlink_to(system.with_name(f"{name}.yaml"))
    return folder


def test_runs_and_seeds_are_trained_once(emotional, system, tmp_path, type_in):
    words = [
        "steps/finetune.py",
        "--config",
        system,
        "--seeds",
        "0 1",
        "--training.epochs",
        "2",
        emotional,
        tmp_path / "sys",
    ]
    done = type_in(*words)
    assert {path.parent.name for path in (tmp_path / "sys").glob("*/scores")} == {
        "r1_seed0", "r1_seed1", "r2_seed0", "r2_seed1"
    }  # fmt: skip
    assert "run 4 of 4: r2_seed1" in done.stdout and "epoch 2/2" in done.stdout
    written = config.load(Config, tmp_path / "sys/r1_seed0/config.yaml")
    assert (written.network.width, written.training.batch, written.training.epochs) == (2, 8, 2)
    assert "finished and up to date" in type_in(*words).stdout


def test_systems_are_trained_by_an_array_that_resumes_only_what_is_unfinished(
    emotional, system, tmp_path, type_in, jobs_here
):
    exp, words = tmp_path / "exp", ["steps/finetune.py", "--conf", conf(system), "--systems", "base child"]
    words += ["--nj", "2", "--cmd", "utils/run.py --num-threads 1", emotional, exp]
    type_in(*words)
    lists = [(exp / f"log/finetune.{job}.list").read_text() for job in (1, 2)]
    assert lists == ["base r1 0\nchild r1 0\n", "base r2 0\nchild r2 0\n"]
    scores = {path: path.read_text() for path in exp.glob("*/*/scores")}
    assert len(scores) == 4
    for name, batch in (("base", 4), ("child", 8)):
        assert config.load(Config, exp / name / "r1_seed0/config.yaml").training.batch == batch
    (exp / "child/r1_seed0/scores").unlink()
    (exp / "child/r2_seed0/scores").unlink()
    before = (exp / "base/r1_seed0/scores").stat().st_mtime_ns
    type_in(*words)
    assert [(exp / f"log/finetune.{job}.list").read_text() for job in (1, 2)] == ["child r1 0\n", "child r2 0\n"]
    assert scores == {path: path.read_text() for path in exp.glob("*/*/scores")}
    assert (exp / "base/r1_seed0/scores").stat().st_mtime_ns == before
    assert "finished and up to date" in type_in(*words).stdout
    type_in(*words[:-2], "--redo", "true", "--runs", "r1", *words[-2:])
    assert (exp / "base/r1_seed0/scores").stat().st_mtime_ns > before
    assert scores == {path: path.read_text() for path in exp.glob("*/*/scores")}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--systems", "nowhere"], "conf/systems: no such folder; --conf names"),
        (["--runs", "r9"], "there is no run r9; there are: r1 r2"),
        (["--seeds", "x"], "--seeds 'x': expected whole numbers"),
        (["--training.epoch", "2"], "no option --training.epoch; did you mean '--training.epochs'?"),
        (["--training.epochs", "many"], "training.epochs"),
        (["--training.pretrained", "true"], "no such model"),
        (["--training.pretrained", "true", "--training.extractor", "../x"], "must be the name of a folder"),
        (["--training.extractor", "x"], "is none without training.pretrained"),
        (
            ["--training.epochs", "0", "--backend.kind", "linear", "--network.pooling", "attention"],
            "epochs is 0, and network.pooling attention has weights to learn",
        ),
        (["--input.crop", f"{10**30}"], "crop is too large"),
        (["--input.crop", f"{10**400}"], "crop is too large"),
        (["--input.crop", "10000000"], "crop is too large: 30000 frames, 5 minutes, are the most"),
        (["--training.classifier_lr", "1e308"], "classifier_lr is too large: 3e+38 is the largest"),
        (["--training.lambda_ad", f"{10**400}"], "too large"),
        (["--augmentation.masks", "1000000000"], "100 at most"),
        (["--backend.kind", "linear", "--backend.C", "[1e308]"], "from 1e-10 to 1e10"),
        (["--network.embedding_norm", "true", "--training.probe_C", "1e-320"], "probe_C is"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: no such configuration file"),
        (["--network.extractor", "lstm"], "network.extractor"),
        (["--network.width", "0"], "network.width is 0"),
        (["--training.batch", "0"], "batch is 0"),
        (["--seeds", ""], "--seeds is empty"),
        (["--seeds", "99999999999999999999"], "a number is too large"),
        (["--seeds", "²"], "--seeds '²': expected whole numbers"),
        (["--training.classifier_lr", "-1"], "classifier_lr is -1.0, and must be 0 or above"),
        (["--training.extractor_lr", "-0.1"], "extractor_lr is -0.1, and must be 0 or above"),
        (["--training.lambda_ad", "-1"], "lambda_ad is -1.0, and must be 0 or above"),
        (["--training.milestones", "[0,-3]"], "milestones [0, -3]: epochs are counted from 1"),
        (["--augmentation.noise_snr", "[20,5]"], "noise_snr [20.0, 5.0]: two numbers, the lower first"),
        (["--network.vgg5_max_pool", "[7]"], "vgg5_max_pool [7]: name different ones of the convolutions 1 to 5"),
        (["--network.vgg5_max_pool", "[2,2]"], "vgg5_max_pool [2, 2]"),
        (["--network.vgg5_max_pool", "[1,2,3,4,5]"], "four at most"),
        (["--network.extractor", "vgg5", "--input.crop", "2"], "crop is 2, and this network takes 4 frames at least"),
        (["--input.min_frames", "0"], "min_frames is 0"),
        (["--augmentation.copypaste", "neutral"], "augmentation.neutral: 'neu neutral' names no class that is here"),
    ],
)
def test_wrong_options_end_in_one_line(emotional, system, tmp_path, type_in, words, message):
    done = type_in("steps/finetune.py", "--config", system, *words, emotional, tmp_path / "sys", code=1)
    assert len(done.stderr.splitlines()) == 1 and message in done.stderr
    assert not (tmp_path / "sys").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--network.width", "1000000"], "not enough memory"),
        (["--network.bands", "40"], "the network: needs 625 bins (bands 40), and "),
        (
            ["--network.bands", "3", "--network.extractor", "vgg5", "--network.vgg5_max_pool", "[1,2,3,4]"],
            "the network: needs 48 bins (bands 3, vgg5_max_pool [1, 2, 3, 4]), and",
        ),
    ],
)
def test_networks_that_no_machine_holds_or_no_map_feeds_are_one_line(emotional, tmp_path, type_in, words, said):
    """Of a system by itself, trained here."""
    small = ["--input.crop", "40", "--training.epochs", "1", "--training.batch", "8", "--runs", "r1"]
    done = type_in("steps/finetune.py", *small, "--network.width", "2", *words, emotional, tmp_path / "sys", code=1)
    assert said in done.stderr.splitlines()[-1]


def test_a_class_of_two_words_is_refused_before_training(emotional, system, tmp_path, type_in):
    lines = (emotional / "utt2emo").read_text().splitlines()
    (emotional / "utt2emo").write_text("\n".join([f"{lines[0]} indeed", *lines[1:]]) + "\n")
    done = type_in("steps/finetune.py", "--config", system, emotional, tmp_path / "sys", code=1)
    assert "a class is one word, not" in done.stderr and not (tmp_path / "sys").exists()


def test_features_are_not_replaced_while_a_training_reads_them(emotional, system, tmp_path, type_in):
    with hold(emotional):
        done = type_in("steps/finetune.py", "--config", system, emotional, tmp_path / "sys", code=1)
    assert f"{emotional} is in use by" in done.stderr
    with hold(emotional, shared=True):  # as another training holds it
        type_in("steps/finetune.py", "--config", system, "--training.epochs", "1", emotional, tmp_path / "sys")


@pytest.mark.parametrize("line", ["input: {cmn: foo}", "training: {epochs: three}", "training: {epochs: 0}"])
def test_a_value_in_a_file_is_checked_like_one_in_the_command_line(emotional, system, tmp_path, type_in, line):
    system.write_text(f"{line}\n")
    done = type_in("steps/finetune.py", "--config", system, emotional, tmp_path / "sys", code=1)
    assert len(done.stderr.splitlines()) == 1 and line.split()[1].strip("{:") in done.stderr
    assert f"{system}: " in done.stderr


def test_finished_runs_that_were_made_from_something_else_are_set_aside_and_made_anew(
    emotional, system, tmp_path, type_in
):
    words = ["steps/finetune.py", "--config", system, "--runs", "r1", emotional, tmp_path / "sys"]
    place = tmp_path / "sys/r1_seed0"
    type_in(*words)
    first = (place / "scores").read_text()
    system.write_text("parent: base\ntraining: {batch: 8}  # in other words\n")
    assert "finished and up to date" in type_in(*words).stdout
    system.write_text("parent: base\ntraining: {batch: 4}\n")
    done = type_in(*words)
    assert "run 1 of 1" in done.stdout and f"out of date (training.batch was 8, is 4): moved to {place}/" in done.stderr
    assert (place / ".backup/scores").read_text() == first
    assert config.load(Config, place / "config.yaml").training.batch == 4
    scp = (emotional / "vad.scp").read_text()
    (emotional / "vad.scp").write_text("".join(line + "\n" for line in scp.splitlines() if not line.startswith("s1-7")))
    assert "speech decisions changed" in type_in(*words, code=1).stderr
    (emotional / "vad.scp").write_text(scp)
    assert "speech decisions changed" in type_in(*words).stderr
    labels = (emotional / "utt2emo").read_text()
    (emotional / "utt2emo").write_text(labels.replace("ang", "sad"))
    assert "labels changed" in type_in(*words).stderr
    assert "finished and up to date" in type_in(*words).stdout


def test_what_is_named_twice_is_trained_once(emotional, system, tmp_path, type_in):
    words = ["--conf", conf(system), "--systems", "base base", "--seeds", "3 03 3", "--runs", "r1 r1"]
    done = type_in("steps/finetune.py", *words, emotional, tmp_path / "exp")
    assert "run 1 of 1: base/r1_seed3" in done.stdout


def test_speakers_that_the_folds_never_test_are_told_once_training_begins(emotional, system, tmp_path, type_in):
    words = ["steps/finetune.py", "--config", system, "--runs", "r1", emotional, tmp_path / "sys"]
    told = f"finetune.py: {emotional}/folds: never tested: 2 of 4 speakers (s0 s2)\n"
    assert type_in(*words).stderr.count(told) == 1
    assert not type_in(*words).stderr


def test_the_oracle_is_added_where_it_is_missing_and_sets_nothing_aside(emotional, system, tmp_path, type_in):
    words = ["steps/finetune.py", "--config", system, "--runs", "r1", emotional, tmp_path / "sys"]
    place, asked = tmp_path / "sys/r1_seed0", ["--training.oracle", "true"]
    type_in(*words)
    first = (place / "scores").read_text()
    assert "run 1 of 1" in type_in(*words, *asked).stdout
    assert (place / "scores.oracle").exists() and (place / "scores").read_text() == first
    for more in (asked, []):
        assert "finished and up to date" in type_in(*words, *more).stdout
    assert not (place / ".backup").exists()


def test_a_network_pretrained_on_speakers_of_the_data_is_refused(emotional, system, tmp_path, type_in):
    folder, _ = pretrained_model(tmp_path / "speakers")
    words = ["steps/finetune.py", "--config", system, "--pretrained", folder, "--runs", "r1"]
    (folder / "speakers").write_text("id1\ns3\ns0\n")
    done = type_in(*words, "--training.pretrained", "true", emotional, tmp_path / "sys", code=1)
    assert f"{folder}/speakers: 's0' (2 such) is in the data dir, too" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not (tmp_path / "sys").exists()
    type_in(*words, emotional, tmp_path / "other")  # which does not use it
    (folder / "speakers").write_text("id1\n")
    type_in(*words, "--training.pretrained", "true", emotional, tmp_path / "sys")


@pytest.mark.parametrize("kind", ["linear", "svm", "mlp", "network"])
def test_training_speakers_of_one_class_teach_no_classifier(emotional, system, tmp_path, type_in, kind):
    lines = (emotional / "utt2emo").read_text().splitlines()
    lines = [line.replace("hap", "ang") if line[:2] in ("s0", "s1") else line for line in lines]
    (emotional / "utt2emo").write_text("\n".join(lines) + "\n")
    words = ["--config", system]
    if kind != "network":
        words += ["--backend.kind", kind, "--backend.sees", "functionals", "--backend.C", "[1.0]"]
    done = type_in("steps/finetune.py", *words, emotional, tmp_path / "sys", code=1)
    assert "the training speakers of r1 show one class only (ang)" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not (tmp_path / "sys").exists()
    type_in("steps/finetune.py", *words, "--runs", "r2", emotional, tmp_path / "sys")


def test_a_class_that_no_training_speaker_shows_is_told(emotional, system, tmp_path, type_in):
    emotions = read_table(emotional / "utt2emo")
    emotions |= dict.fromkeys([name for name in emotions if name.startswith("s3")][:1], "sad")
    write_table(emotional / "utt2emo", emotions)
    words = ["--config", system, "--backend.kind", "linear", "--backend.sees", "functionals", "--runs", "r1"]
    done = type_in("steps/finetune.py", *words, emotional, tmp_path / "sys")
    assert "no training speaker of r1 shows sad: it will never decide so" in done.stderr


@pytest.mark.parametrize("AD", ["false", "true"])
def test_an_utterance_of_two_frames_is_scored(emotional, system, tmp_path, type_in, AD):
    feats, vad = (read_table(emotional / name) for name in ("feats.scp", "vad.scp"))
    with ArkWriter(tmp_path / "f2.ark", tmp_path / "f2.scp", 3) as out:
        out.write("s3-0", read_array(feats["s3-0"])[:2])
    with ArkWriter(tmp_path / "v2.ark", tmp_path / "v2.scp") as out:
        out.write("s3-0", read_array(vad["s3-0"])[:2])
    write_table(emotional / "feats.scp", feats | read_table(tmp_path / "f2.scp"))
    write_table(emotional / "vad.scp", vad | read_table(tmp_path / "v2.scp"))
    words = ["--config", system, "--network.extractor", "vgg5", "--network.AD", AD, "--runs", "r1"]
    type_in("steps/finetune.py", *words, emotional, tmp_path / "sys")
    assert np.isfinite(read_scores(tmp_path / "sys/r1_seed0/scores").posteriors).all()


def test_an_unknown_key_is_named_with_the_nearest(emotional, system, tmp_path, type_in):
    system.write_text("training: {epoch: 3}\n")
    done = type_in("steps/finetune.py", "--config", system, emotional, tmp_path / "sys", code=1)
    assert "child.yaml: there is no key 'training.epoch'; did you mean 'epochs'?" in done.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("r1 train s3", "s3"),
        ("r1 train s9", "s9"),
        ("r1 nothing s3", "expected"),
        ("r3 train s0\nr3 valid s2\nr3 test s3", "'s3' is tested in two runs"),
    ],
)
def test_leaking_or_broken_folds_are_refused(emotional, system, tmp_path, type_in, line, message):
    with open(emotional / "folds", "a") as out:
        out.write(f"{line}\n")
    done = type_in("steps/finetune.py", "--config", system, emotional, tmp_path / "sys", code=1)
    assert len(done.stderr.splitlines()) == 1 and message in done.stderr


def test_missing_features_are_named(emotional, system, tmp_path, type_in):
    feats = (emotional / "feats.scp").read_text()
    (emotional / "feats.scp").write_text("s0-0 |rm -rf x:3\n")
    done = type_in("steps/finetune.py", "--config", system, emotional, tmp_path / "sys", code=1)
    assert "feats.scp: |rm -rf x is not there: make it again" in done.stderr
    (emotional / "feats.scp").write_text("".join(feats.splitlines(keepends=True)[:1]))
    done = type_in("steps/finetune.py", "--config", system, emotional, tmp_path / "sys", code=1)
    assert "31 utterances have no features" in done.stderr


def test_a_run_that_somebody_trains_is_not_trained_beside_it(emotional, system, tmp_path, type_in):
    """By hand, in one folder, with two configurations: neither the record nor the scores are touched."""
    words = ["steps/finetune.py", "--config", system, emotional, tmp_path / "sys"]
    type_in(*words)
    before = {path: path.read_bytes() for path in (tmp_path / "sys").rglob("*") if path.is_file()}
    for held in (tmp_path / "sys", tmp_path / "sys/r1_seed0"):
        with hold(held):
            done = type_in(*words[:-2], "--training.epochs", "2", *words[-2:], code=1)
        assert f"{held} is in use by" in done.stderr and len(done.stderr.splitlines()) == 1
    assert before == {path: path.read_bytes() for path in (tmp_path / "sys").rglob("*") if path.is_file()}


def test_features_whose_archive_changed_are_not_those_that_were_trained_on(emotional, system, tmp_path, type_in):
    words = ["steps/finetune.py", "--config", system, "--runs", "r1", emotional, tmp_path / "sys"]
    type_in(*words)
    ark = bytearray((tmp_path / "f.ark").read_bytes())
    ark[-2] ^= 1
    (tmp_path / "f.ark").write_bytes(ark)
    assert "out of date (features changed)" in type_in(*words).stderr


@pytest.mark.parametrize("text", ["parent: base\ntraining: {batch: 2}\n", "no: [yaml"])
@pytest.mark.parametrize("grouped", [True, False])
def test_jobs_read_the_configuration_that_was_dealt_out(
    emotional, system, tmp_path, type_in, jobs_here, edited_meanwhile, text, grouped
):
    """Whatever is edited while they wait: a system's file, or one that stands in --config."""
    words = ["steps/finetune.py", "--nj", "2", "--cmd", edited_meanwhile(system, text), "--training.epochs", "2"]
    words += ["--conf", conf(system), "--systems", "child"] if grouped else ["--config", system]
    type_in(*words, emotional, tmp_path / "exp")
    for run in ("r1_seed0", "r2_seed0"):
        folder = tmp_path / "exp" / ("child" if grouped else "") / run
        own = config.load(Config, folder / "config.yaml")
        assert (own.training.batch, own.training.epochs, own.network.width) == (8, 2, 2) and (
            folder / "scores"
        ).exists()


def test_exp_and_data_may_be_moved(emotional, system, tmp_path, type_in):
    type_in("steps/finetune.py", "--config", system, "--runs", "r1", emotional, tmp_path / "sys")
    home = tmp_path / "elsewhere"
    home.mkdir()
    for name in ("data", "f.ark", "v.ark", "sys"):
        (tmp_path / name).rename(home / name)
    done = type_in("steps/finetune.py", "--config", system, "--runs", "r1", home / "data", home / "sys")
    assert "finished and up to date" in done.stdout
    type_in("steps/finetune.py", "--config", system, "--redo", "true", "--runs", "r1", home / "data", home / "sys")


def test_a_mean_of_systems_brings_them_along_and_follows_them(emotional, system, tmp_path, type_in, jobs_here):
    folder = conf(system)
    (folder / "systems/both.yaml").write_text("training: {epochs: 0}\nbackend: {kind: mean, of: [child, base]}\n")
    words = ["steps/finetune.py", "--conf", folder, "--systems", "both", "--nj", "2", emotional, tmp_path / "exp"]
    type_in(*words)
    child, base, both = (read_scores(tmp_path / f"exp/{name}/r1_seed0/scores") for name in ("child", "base", "both"))
    np.testing.assert_allclose(both.posteriors, (child.posteriors + base.posteriors) / 2, atol=1e-6)
    assert both.utterances == base.utterances and (both.labels == base.labels).all()
    assert "all 6 runs are finished" in type_in(*words).stdout
    system.write_text("parent: base\ntraining: {batch: 6}\n")
    done = type_in(*words)
    assert "4 of 6 runs to train" in done.stdout and done.stderr.count("out of date") == 4
    after = read_scores(tmp_path / "exp/both/r1_seed0/scores")
    again = read_scores(tmp_path / "exp/child/r1_seed0/scores")
    np.testing.assert_allclose(after.posteriors, (again.posteriors + base.posteriors) / 2, atol=1e-6)
    (folder / "systems/none.yaml").write_text("backend: {kind: mean, of: [child]}\n")
    refused = type_in(*words[:4], "none", *words[5:], code=1).stderr
    assert refused.count("\n") == 1 and "a mean is of two or more systems" in refused
    (folder / "systems/none.yaml").write_text("backend: {kind: mean, of: [../systems/child, child]}\n")
    refused = type_in(*words[:4], "none", *words[5:], code=1).stderr
    assert refused.count("\n") == 1 and "'../systems/child': is no name of a system" in refused


def test_a_mean_of_systems_that_are_called_as_what_others_read_is_scored(emotional, tmp_path, type_in, jobs_here):
    """As `fused` is, of `descriptors`: what each of its runs takes up is another run's."""
    folder = tmp_path / "conf/systems"
    folder.mkdir(parents=True)
    for name in ("descriptors", "labels"):
        settings = f"backend: {{kind: linear, sees: functionals, C: [{len(name)}.0]}}\n"
        (folder / f"{name}.yaml").write_text(f"training: {{epochs: 0}}\n{settings}")
    (folder / "fused.yaml").write_text("training: {epochs: 0}\nbackend: {kind: mean, of: [descriptors, labels]}\n")
    type_in("steps/finetune.py", "--conf", folder.parent, "--systems", "fused", emotional, tmp_path / "exp")
    assert "fused" in type_in("steps/score.py", "--conf", folder.parent, tmp_path / "exp").stdout


def test_a_linear_model_takes_up_the_embeddings_of_other_systems(emotional, system, tmp_path, type_in, jobs_here):
    folder = conf(system)
    (folder / "systems/above.yaml").write_text(
        "training: {epochs: 0}\nbackend: {kind: linear, of: [child, base], C: [0.1]}\n"
    )
    (folder / "systems/mean.yaml").write_text("training: {epochs: 0}\nbackend: {kind: mean, of: [above, child]}\n")
    words = ["steps/finetune.py", "--conf", folder, "--systems", "mean", "--nj", "2", emotional, tmp_path / "exp"]
    type_in(*words)
    run = tmp_path / "exp/above/r2_seed0"
    tables = [read_table(tmp_path / f"exp/{name}/r2_seed0/embedding.scp") for name in ("child", "base")]
    x = {name: np.concatenate([read_array(table[name]) for table in tables]) for name in tables[0]}
    labels = read_table(emotional / "utt2emo")
    train = [name for name in x if name.startswith(("s2", "s3"))]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    model.fit([x[name] for name in train], [labels[name] for name in train])
    scores = read_scores(run / "scores")
    expected = model.predict_proba([x[name] for name in scores.utterances])
    np.testing.assert_allclose(scores.posteriors, expected, atol=1e-3)
    assert (tmp_path / "exp/mean/r2_seed0/scores").exists()
    assert "all 8 runs are finished" in type_in(*words).stdout


def test_descriptors_are_seen_where_they_are(emotional, system, tmp_path, type_in):
    folder = conf(system)
    (folder / "systems/voice.yaml").write_text(
        "training: {epochs: 0}\nbackend: {kind: linear, sees: descriptors, C: [1.0]}\n"
    )
    words = ["steps/finetune.py", "--conf", folder, "--systems", "voice", emotional, tmp_path / "exp"]
    assert "has no descriptors.scp (steps/make_fbank.py --descriptors true)" in type_in(*words, code=1).stderr
    emotions, rng = read_table(emotional / "utt2emo"), np.random.default_rng(0)
    with ArkWriter(tmp_path / "d.ark", emotional / "descriptors.scp") as out:
        for name, emotion in emotions.items():
            out.write(name, rng.normal(size=5) + 9 * (emotion == "hap"))
    type_in(*words)
    scores = read_scores(tmp_path / "exp/voice/r1_seed0/scores")
    assert (scores.decisions == scores.labels).all()
    assert "finished and up to date" in type_in(*words).stdout


def test_once_C_is_chosen_training_and_validation_speakers_teach_together(emotional, system, tmp_path, type_in):
    folder, emotions = conf(system), read_table(emotional / "utt2emo")
    (folder / "systems/voice.yaml").write_text(
        "training: {epochs: 0}\nbackend: {kind: linear, sees: descriptors, C: [0.1], refit: true}\n"
    )
    rng = np.random.default_rng(0)
    x = {name: (rng.normal(size=5) + (emotion == "hap")).astype(np.float32) for name, emotion in emotions.items()}
    with ArkWriter(tmp_path / "d.ark", emotional / "descriptors.scp") as out:
        for name, vector in x.items():
            out.write(name, vector)
    type_in("steps/finetune.py", "--conf", folder, "--systems", "voice", emotional, tmp_path / "exp")
    for name, speakers in (("scores", ("s0", "s1", "s2")), ("scores.valid", ("s0", "s1"))):
        known = [utterance for utterance in x if utterance.startswith(speakers)]
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
        model.fit([x[utterance] for utterance in known], [emotions[utterance] for utterance in known])
        found = read_scores(tmp_path / f"exp/voice/r1_seed0/{name}")
        expected = model.predict_proba([x[utterance] for utterance in found.utterances])
        np.testing.assert_allclose(found.posteriors, expected, atol=1e-3)


@pytest.mark.parametrize("others", [{"m1": ["m1", "svm"]}, {"m1": ["m2", "svm"], "m2": ["m1", "svm"]}])
def test_systems_that_take_up_each_other_in_a_circle_are_refused(emotional, tmp_path, type_in, others):
    conf = tmp_path / "conf/systems"
    conf.mkdir(parents=True)
    (conf / "svm.yaml").write_text("backend: {kind: svm, sees: functionals}\n")
    for name, of in others.items():
        (conf / f"{name}.yaml").write_text(f"backend: {{kind: mean, of: [{', '.join(of)}]}}\n")
    words = ["--conf", conf.parent, "--systems", "m1", emotional, tmp_path / "exp"]
    assert "backend.of goes in a circle: m1 takes up" in type_in("steps/finetune.py", *words, code=1).stderr


def test_runs_that_the_folds_no_longer_have_are_moved_aside_of_whichever_system(emotional, system, tmp_path, type_in):
    exp, every = tmp_path / "exp", (emotional / "folds").read_text()
    words = ["steps/finetune.py", "--conf", conf(system)]
    type_in(*words, "--systems", "child base", emotional, exp)
    assert (exp / "base/r2_seed0/scores").is_file()
    (exp / "base/notes_seed").mkdir()  # no run's
    (emotional / "folds").write_text("".join(line for line in every.splitlines(True) if not line.startswith("r2 ")))
    said = type_in(*words, "--systems", "child", emotional, exp)
    assert "r1" in (emotional / "folds").read_text() and "is finished and up to date" in said.stdout
    for name in ("child", "base"):
        assert (
            f"{exp}/{name}/r2_seed0: {emotional}/folds has no such run: moved to {exp}/{name}/r2_seed0/.backup"
            in said.stderr
        )
        assert (exp / name / "r2_seed0/.backup/scores").is_file() and not (exp / name / "r2_seed0/scores").exists()
    type_in("steps/score.py", "--conf", tmp_path / "conf", exp)
    assert (exp / "base/result").is_file() and (exp / "base/notes_seed").is_dir()
    assert not type_in(*words, "--systems", "child", emotional, exp).stderr  # said once
