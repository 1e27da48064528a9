"""Every system under egs/iemocap/conf/systems, cut down, from its YAML to its score files."""

import dataclasses
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from steps.frontend.utterances import read_corpus
from steps.nnet.architecture import Network
from steps.nnet.networks import Classifier
from steps.systems import backend
from steps.systems.checks import check_starts
from steps.systems.speaker_mean import less_speakers
from steps.systems.system import Config
from steps.systems.train_run import train_run
from utils import config, folds, systems
from utils.archive import read_array
from utils.scores import read_scores
from utils.table import read_table, write_table

CONF = Path(__file__).resolve().parents[3] / "egs/iemocap/conf"
OPEN = CONF.parents[1] / "open"
# Those that take up others are tested with steps/finetune.py.
SYSTEMS = [name for name in systems.select(CONF, "all") if "backend.of" not in systems.describe(CONF, name).differs]
SMALL = {"width": 2, "D": 2}


def small(name):
    """The system's configuration with a tiny network, a short crop and one epoch at most."""
    own = config.read_files([CONF / "finetune.yaml", CONF / f"systems/{name}.yaml"], Config)
    epochs = min(1, own["training"].get("epochs", 1))
    over = {
        "network": SMALL,
        "input": {"crop": 40},
        "augmentation": {"neutral": "ang"},
        "training": {"epochs": epochs, "batch": 8},
        "backend": {"epochs": 2},
    }
    parser = config.fields_only(Config)
    chosen = parser.instantiate(parser.parse_object(config.merge(own, over)))
    return Config(**{name: chosen[name] for name in ("network", "input", "augmentation", "training", "backend")})


@pytest.fixture(autouse=True)
def one_thread():
    """For networks this small, sharing the work costs more than it saves."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def save_extractor(folder, **network):
    """A pre-trained extractor."""
    torch.manual_seed(1)
    save_file(Classifier(Network(width=2, **network), classes=7).state_dict(), folder / "model.safetensors")


@pytest.fixture
def speakers(tmp_path):
    """The folder of one."""
    folder = tmp_path / "speakers"
    folder.mkdir()
    save_extractor(folder)
    return folder


def test_the_extractors_that_come_with_the_recipe_fit_the_systems_that_start_from_them():
    for name in SYSTEMS:
        files = [OPEN / "conf/finetune.yaml", CONF / f"systems/{name}.yaml"]
        settings = config.build(Config, config.read_files(files, Config), files[-1])
        check_starts([settings], range(6), SimpleNamespace(pretrained=OPEN / "pretrained"), [])


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_leaves_scores_and_embeddings(name, emotional, speakers, tmp_path):
    settings, out = small(name), tmp_path / "out"
    save_extractor(speakers, extractor=settings.network.extractor)
    vectors = {name: np.array([i, i % 2, 1.0]) for i, name in enumerate(read_table(emotional / "utt2spk"))}
    write_table(emotional / "utt2corpus", {name: "ab"[i % 2] for i, name in enumerate(vectors)})
    given = None if settings.reads_features else vectors
    corpus = read_corpus(emotional, settings.input, torch.device("cpu"), given)
    parts = folds.read(emotional / "folds")["r1"]
    train_run(corpus, parts, out, 0, settings, speakers)
    files = {"scores": "s3", "scores.valid": "s2"}
    if settings.backend.kind not in ("linear", "svm", "mlp"):  # which have no epochs, of which one is the last
        files["scores.last"] = "s3"
    assert {path.name for path in out.glob("scores*")} == files.keys()
    for file, speaker in files.items():
        scores = read_scores(out / file)
        assert set(scores.speakers) == {speaker} and np.isfinite(scores.posteriors).all()
        assert scores.posteriors.sum(axis=1) == pytest.approx(1, abs=1e-5)
    vectors = {key: read_array(entry) for key, entry in read_table(out / "embedding.scp").items()}
    assert len(vectors) == len(corpus.utterances) and all(np.isfinite(v).all() for v in vectors.values())
    assert (out / "embedding_minus.scp").exists() == (
        settings.network.AD and settings.backend.kind == "network" or settings.backend.kind == "autoencoders"
    )
    assert config.load(Config, out / "config.yaml") == settings and not (out / "checkpoint.pt").exists()
    if settings.network.frozen == "all":
        given, found = load_file(speakers / "model.safetensors"), load_file(out / "model.safetensors")
        assert all(torch.equal(found[key], given[key]) for key in given if key.startswith("extractor."))


def test_a_network_that_is_not_trained_is_heard_once_for_all_runs_and_seeds_in_which_it_is_the_same(
    emotional, speakers, tmp_path
):
    settings = small("linear")
    corpus, every = read_corpus(emotional, settings.input, torch.device("cpu")), folds.read(emotional / "folds")
    for run in ("r1", "r2"):
        for seed in (0, 1):
            train_run(corpus, every[run], tmp_path / f"{run}{seed}", seed, settings, speakers)
    assert len(corpus.embeddings) == 1
    random = dataclasses.replace(settings, training=dataclasses.replace(settings.training, pretrained=False))
    for seed in (0, 1):
        train_run(corpus, every["r1"], tmp_path / f"random{seed}", seed, random, speakers)
    assert len(corpus.embeddings) == 3  # whatever folder --pretrained names


def test_of_autoencoders_the_last_epoch_is_kept_beside_the_selected_one(emotional, speakers, tmp_path, monkeypatch):
    settings = small("autoencoders")
    corpus = read_corpus(emotional, settings.input, torch.device("cpu"))
    parts, merits = folds.read(emotional / "folds")["r1"], iter([1.0, 0.0])
    train_run(corpus, parts, tmp_path / "two", 0, settings, speakers)
    monkeypatch.setattr(backend, "merit", lambda *_: (next(merits), 0.0))  # the first of the two is selected
    train_run(corpus, parts, tmp_path / "out", 0, settings, speakers)
    assert (tmp_path / "out/scores.last").read_text() == (tmp_path / "two/scores.last").read_text()
    assert (tmp_path / "out/scores.last").read_text() != (tmp_path / "out/scores").read_text()


def test_every_system_is_in_one_family_and_every_name_in_a_family_is_a_system():
    named = [name for family in systems.read_groups(CONF).families.values() for name in family]
    assert sorted(named) == sorted(path.stem for path in (CONF / "systems").glob("*.yaml"))


def test_committed_runs_of_earlier_configurations_load_with_todays_defaults(tmp_path):
    with tarfile.open(CONF.parent.parent / "open/results/earlier/ravdess/resnet18_pretrain_ad.tar.xz") as archive:
        archive.extract("run01_seed0/config.yaml", tmp_path, filter="data")
    old = config.load(Config, tmp_path / "run01_seed0/config.yaml")
    assert old.network == Network(AD=True) and old.backend.kind == "network"
    names = {name.partition(".")[0] for name in Classifier(old.network, 4).state_dict()}
    assert names == {"extractor", "disentanglement", "classifier"}


def test_what_is_a_speakers_is_taken_from_each_vector_by_the_number_of_them():
    drawn = np.random.default_rng(0)
    vectors, centre = 5 + drawn.normal(size=(13, 3)), drawn.normal(size=3)
    names = [*"ccccdc", *"cccccce"]
    made = less_speakers(vectors, names, centre)
    for who, share in {"c": 11 / 15, "d": 1 / 5, "e": 1 / 5}.items():
        rows = [row for row, name in enumerate(names) if name == who]
        expected = share * (vectors[rows].mean(axis=0) - centre)
        assert vectors[rows] - made[rows] == pytest.approx(np.tile(expected, (len(rows), 1)))


def test_a_system_that_knows_who_speaks_sees_vectors_without_it(emotional, tmp_path):
    drawn, speakers = np.random.default_rng(0), read_table(emotional / "utt2spk")
    own = {who: 10 * drawn.normal(size=3) for who in set(speakers.values())}
    vectors = {name: own[who] + drawn.normal(size=3) for name, who in speakers.items()}
    corpus = read_corpus(emotional, Config().input, torch.device("cpu"), vectors)
    parts, seen = folds.read(emotional / "folds")["r1"], {}
    for name in ("descriptors", "descriptors_speaker"):
        train_run(corpus, parts, tmp_path / name, 0, small(name), tmp_path)
        seen[name] = {key: read_array(line) for key, line in read_table(tmp_path / name / "embedding.scp").items()}
    assert seen["descriptors"].keys() == seen["descriptors_speaker"].keys() == vectors.keys()
    centre = np.mean([x for name, x in vectors.items() if speakers[name] in parts["train"]], axis=0)
    for who in own:
        rows = [name for name in vectors if speakers[name] == who]
        before, after = (np.mean([seen[name][row] for row in rows], axis=0) - centre for name in seen)
        assert after == pytest.approx(before * 4 / (len(rows) + 4), abs=1e-4)
