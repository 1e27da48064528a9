"""Several corpora in one data dir: what each counts in training."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from steps.frontend.options import Input
from steps.frontend.utterances import read_corpus
from steps.nnet.architecture import Network
from steps.nnet.inference import infer
from steps.nnet.networks import Classifier
from steps.systems import fine_tuning
from steps.systems.backend import classify
from steps.systems.mlp import MLP
from steps.systems.partition import Partition
from steps.systems.system import Backend, Config, Training
from steps.systems.train_run import train_run
from utils import folds
from utils.table import read_table, write_table

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
SMALL = Config(Network(width=2), Input(crop=40), Training(epochs=2, batch=4))
WORDS = ["--network.width", "2", "--input.crop", "40", "--training.epochs", "1", "--training.batch", "4"]


@pytest.fixture
def several(emotional):
    """Two corpora: of the training speakers of r1, all of s0 and the last 6 of s1 are of `big`."""
    names = read_table(emotional / "utt2spk")
    write_table(emotional / "utt2corpus", {name: "small" if name in ("s1-0", "s1-1") else "big" for name in names})
    return emotional


def changed(**training):
    return dataclasses.replace(SMALL, training=dataclasses.replace(SMALL.training, **training))


def partition(data, run="r1"):
    return Partition(read_corpus(data, SMALL.input, CPU), folds.read(data / "folds")[run])


def test_corpora_weigh_alike_and_so_do_their_classes(several):
    run = partition(several)
    assert run.weights(Training()) is None
    names, weights = run.names("train"), run.weights(Training(corpus_balanced=True))
    assert dict(zip(names, weights.tolist())) == pytest.approx(
        {name: 16 / 2 / (2 if name in ("s1-0", "s1-1") else 14) for name in names}
    )
    lines = {name: "ang" if name < "s0-6" else emotion for name, emotion in read_table(several / "utt2emo").items()}
    write_table(several / "utt2emo", lines)
    run = partition(several)
    weights = run.weights(Training(corpus_balanced=True, class_balanced=True)).numpy()
    counts = Counter((run.corpus.corpora[name], lines[name]) for name in names)
    assert len(counts) == 4
    assert weights.tolist() == pytest.approx([4 / counts[run.corpus.corpora[name], lines[name]] for name in names])


@pytest.mark.parametrize("kind", ["linear", "svm"])
def test_a_classifier_of_vectors_weighs_as_scikit_learn_does(several, kind):
    run, rng = partition(several), np.random.default_rng(0)
    vectors = {part: rng.normal(size=(len(run.index[part]), 4)) for part in run.index}
    training = Training(corpus_balanced=True, epochs=0)
    settings = Config(training=training, backend=Backend(kind=kind, sees="functionals", C=[0.1]))
    found = classify(vectors, run, settings, 0).posteriors["test"]
    weights = np.array([4.0 if name in ("s1-0", "s1-1") else 4 / 7 for name in run.names("train")])
    scaler = StandardScaler().fit(vectors["train"], sample_weight=weights)
    model = LogisticRegression(C=0.1) if kind == "linear" else LinearSVC(C=0.1, random_state=0)
    model.fit(scaler.transform(vectors["train"]), run.labels("train"), sample_weight=weights)
    margin = model.decision_function(scaler.transform(vectors["test"])) * (2 if kind == "svm" else 1)
    np.testing.assert_allclose(found[:, 1], 1 / (1 + np.exp(-margin)), atol=1e-4)


def test_a_network_of_one_hidden_layer_learns_what_a_linear_model_cannot_and_counts_weights(several):
    run, rng = partition(several), np.random.default_rng(0)
    sides = {part: rng.choice([-1.0, 1.0], (len(run.index[part]), 2)) for part in run.index}
    run.labels = lambda part: (sides[part].prod(axis=1) > 0).astype(int)  # exclusive or
    vectors = {part: values + rng.normal(scale=0.05, size=values.shape) for part, values in sides.items()}
    backend = Backend(kind="mlp", sees="functionals", C=[100.0], epochs=300, lr=0.01)
    settings = Config(training=Training(epochs=0), backend=backend)
    found = classify(vectors, run, settings, 5).posteriors["test"]
    assert (found.argmax(axis=1) == run.labels("test")).all() and found.sum(axis=1) == pytest.approx(1)
    assert (classify(vectors, run, settings, 5).posteriors["test"] == found).all()  # the seed tells all
    assert (classify(vectors, run, settings, 6).posteriors["test"] != found).any()


def test_a_decay_that_would_take_all_of_a_weight_is_refused():
    with pytest.raises(ValueError, match=r"C 0.0005 of an mlp is below its lr, 0.001"):
        Backend(kind="mlp", sees="functionals", C=[100.0, 0.0005])


def test_a_classifier_that_starts_as_logistic_regression_weighs_alike(several):
    run = partition(several)
    training = Training(corpus_balanced=True, probe_C=0.1)
    model = Classifier(Network(width=2, embedding_norm=True), 2)
    fine_tuning.probe_first(model, run, training)
    x, weights = infer(model, run.inputs("train")).embedding.numpy(), run.weights(training).numpy()
    assert model.embedding_norm.running_mean.numpy() == pytest.approx(np.average(x, axis=0, weights=weights), abs=1e-4)


@pytest.mark.parametrize("stop", ["write_history", "running_mean"])
def test_a_mean_of_epochs_takes_each_once_though_its_end_is_interrupted(several, tmp_path, monkeypatch, stop):
    def train(out):
        corpus, parts = read_corpus(several, SMALL.input, CPU), folds.read(several / "folds")["r1"]
        train_run(corpus, parts, out, 0, changed(selection="average", epochs=4), Path())

    train(tmp_path / "whole")
    real, calls = getattr(fine_tuning, stop), []

    def broken(*arguments):
        calls.append(arguments)
        if len(calls) == (4 if stop == "write_history" else 2):
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(fine_tuning, stop, broken)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut")
    train(tmp_path / "cut")
    whole, again = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_a_network_of_one_hidden_layer_follows_its_weights():
    x, y = np.ones((40, 3), np.float32), np.array([0, 1] * 20)
    model = MLP(8, 100.0, 200, 10, 0.01, 0).fit(x, y, np.where(y == 0, 1.8, 0.2))
    assert model.predict_proba(x)[0] == pytest.approx([0.88, 0.12], abs=0.03)  # 90 %, less the smoothing


@pytest.mark.parametrize("class_balanced", [False, True])
def test_a_network_is_trained_on_as_many_crops_of_each(several, tmp_path, monkeypatch, class_balanced):
    corpus, parts = read_corpus(several, SMALL.input, CPU), folds.read(several / "folds")["r1"]
    drawn, weights, batch, objective = [], [], fine_tuning.Augmented.batch, fine_tuning.Objective

    def noted(self, index, generator):
        drawn.extend(corpus.utterances[i] for i in index.tolist())
        return batch(self, index, generator)

    monkeypatch.setattr(fine_tuning.Augmented, "batch", noted)
    monkeypatch.setattr(
        fine_tuning, "Objective", lambda *own, **more: weights.append(more["class_weights"]) or objective(*own, **more)
    )
    settings = changed(corpus_balanced=True, class_balanced=class_balanced)
    train_run(corpus, parts, tmp_path / "out", 0, settings, Path())
    assert Counter(corpus.corpora[name] for name in drawn) == {"small": 16, "big": 16}  # two epochs of 16
    assert weights == [None]  # classes are drawn, and not weighed as well


def test_an_interrupted_balanced_training_goes_on_to_the_bit_identical_end(several, tmp_path, monkeypatch):
    def train(out):
        corpus, parts = read_corpus(several, SMALL.input, CPU), folds.read(several / "folds")["r1"]
        train_run(corpus, parts, out, 0, changed(corpus_balanced=True), Path())

    train(tmp_path / "whole")
    train(tmp_path / "again")
    real, calls = fine_tuning.Augmented.batch, []

    def broken(*arguments):
        calls.append(arguments)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(fine_tuning.Augmented, "batch", broken)
    monkeypatch.setattr("steps.training.loop.SAVE_EVERY", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut")
    train(tmp_path / "cut")
    for name in ("scores", "scores.last", "model.safetensors", "history.tsv"):
        whole = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "again" / name).read_bytes() == whole and (tmp_path / "cut" / name).read_bytes() == whole


def test_without_the_table_or_with_holes_in_it_one_line_says_so(several, tmp_path, type_in):
    words = ["steps/finetune.py", *WORDS, "--runs", "r1", several, tmp_path / "sys"]
    type_in(*words[:-2], several, tmp_path / "other")
    balanced = [*words[:-2], "--training.corpus_balanced", "true", *words[-2:]]
    type_in(*balanced)
    table = read_table(several / "utt2corpus")
    write_table(several / "utt2corpus", table | {"s0-0": "small"})
    assert "out of date (corpora changed)" in type_in(*balanced).stderr
    assert "finished and up to date" in type_in(*words[:-2], several, tmp_path / "other").stdout
    write_table(several / "utt2corpus", {name: corpus for name, corpus in table.items() if name > "s0-2"})
    done = type_in(*balanced, code=1)
    assert done.stderr == f"finetune.py: {several}/utt2corpus: 3 utterances have no corpus (s0-0, …)\n"
    (several / "utt2corpus").unlink()
    done = type_in(*balanced, code=1)
    assert f"needs to know which corpus an utterance is of: {several}/utt2corpus is not there\n" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_F_minus_learns_the_corpora_of_training_utterances_alone(several, tmp_path, monkeypatch):
    settings = dataclasses.replace(changed(L_AD_minus_corpus=True), network=Network(width=2, AD=True, D=2))
    table = read_table(several / "utt2corpus")
    write_table(several / "utt2corpus", {name: f"of {name[:2]}" for name in table})  # s0 and s1 train
    run, built, build = partition(several), [], fine_tuning.build_objective
    assert run.corpora == ["of s0", "of s1"]
    assert run.y_c.tolist() == [0] * 8 + [1] * 8 + [-1] * 16
    monkeypatch.setattr(fine_tuning, "build_objective", lambda *own: built.append(build(*own)) or built[-1])
    parts = folds.read(several / "folds")["r1"]
    train_run(read_corpus(several, SMALL.input, CPU), parts, tmp_path / "first", 0, settings, Path())
    assert built[0].dual_spaces[0].fc_corpus.out_features == 2
    model = (tmp_path / "first/model.safetensors").read_bytes()
    write_table(several / "utt2corpus", {name: f"of {name[:2]}" if name < "s2" else "elsewhere" for name in table})
    train_run(read_corpus(several, SMALL.input, CPU), parts, tmp_path / "second", 0, settings, Path())
    assert (tmp_path / "second/model.safetensors").read_bytes() == model
    plain = dataclasses.replace(SMALL, network=settings.network)
    train_run(read_corpus(several, SMALL.input, CPU), parts, tmp_path / "plain", 0, plain, "")
    assert (tmp_path / "plain/model.safetensors").read_bytes() != model


def test_one_corpus_alone_cannot_be_told_apart(several, tmp_path, type_in):
    (tmp_path / "conf/systems").mkdir(parents=True)
    base = "network: {width: 2, AD: true, D: 2}\ninput: {crop: 40}\ntraining: {epochs: 1, batch: 4}\n"
    (tmp_path / "conf/systems/ad.yaml").write_text(base)
    (tmp_path / "conf/systems/ad_corpus.yaml").write_text("parent: ad\ntraining: {L_AD_minus_corpus: true}\n")
    words = ["steps/finetune.py", "--conf", tmp_path / "conf", "--systems"]
    said = f"tells corpora apart, and all that trains in run r2 is of one ({several}/utt2corpus)"  # s2 and s3
    done = type_in(*words, "all", several, tmp_path / "exp")
    assert f"finetune.py: ad_corpus {said}; it is left out\n" in done.stderr
    assert (tmp_path / "exp/ad/r2_seed0/scores").exists() and not (tmp_path / "exp/ad_corpus").exists()
    assert type_in(*words, "ad_corpus", several, tmp_path / "exp", code=1).stderr == f"finetune.py: ad_corpus {said}\n"
    type_in(*words, "ad_corpus", "--runs", "r1", several, tmp_path / "exp")
    assert (tmp_path / "exp/ad_corpus/r1_seed0/scores").exists()
    done = type_in(*words, "all", "--training.L_AD_minus", "false", several, tmp_path / "exp", code=1)
    assert "L_AD_minus_corpus is a part of L_AD⁻, and L_AD_minus is false" in done.stderr


def test_what_takes_up_what_takes_up_what_is_lacking_is_left_out(several, tmp_path, type_in):
    systems = tmp_path / "conf/systems"
    systems.mkdir(parents=True)
    vectors = "backend: {kind: linear, sees: given, C: [1.0]}\ntraining: {epochs: 0}\n"
    made = {"a": "of: [b, d]", "b": "of: [c, d]"}
    for name, of in made.items():
        (systems / f"{name}.yaml").write_text(f"backend: {{kind: mean, {of}}}\n")
    (systems / "c.yaml").write_text(vectors)
    (systems / "d.yaml").write_text(vectors.replace("given", "functionals"))
    done = type_in("steps/finetune.py", "--conf", systems.parent, "--systems", "all", several, tmp_path / "exp")
    assert "finetune.py: a takes up b, which takes up c, which needs vectors" in done.stderr
    assert sorted(path.name for path in (tmp_path / "exp").iterdir() if path.name in "abcd") == ["d"]


def test_what_a_system_needs_and_has_not_stops_it_by_name_or_leaves_it_out(several, tmp_path, type_in):
    words = [
        "--conf",
        ROOT / "egs/iemocap/conf",
        "--network.width",
        "2",
        "--input.crop",
        "40",
        "--training.epochs",
        "1",
    ]
    words += [several, tmp_path / "exp"]
    (several / "utt2corpus").unlink()
    said = type_in("steps/finetune.py", "--systems", "ad_corpus", *words, code=1).stderr
    assert "ad_corpus needs to know which corpus an utterance is of" in said and not (tmp_path / "exp").exists()
    done = type_in("steps/finetune.py", "--systems", "ad_corpus", "--lenient", "true", *words)
    assert "no system can be trained on" in done.stdout and "it is left out" in done.stderr
