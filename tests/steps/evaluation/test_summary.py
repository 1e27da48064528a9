"""From the score files of runs and seeds to a system's figures."""

import json

import numpy as np
import pytest

from steps.evaluation.metrics import classification_metrics
from steps.evaluation.summary import summarise
from utils import runs
from utils.cli import UserError
from utils.scores import write_scores

CLASSES = ["ang", "neu"]


def write(path, right, wrong, speaker="a", first=0):
    """A score file of `right` good and `wrong` bad decisions."""
    names = [f"{speaker}-{first + i:03d}" for i in range(right + wrong)]
    rows = {name: np.array([0.9, 0.1] if i < right else [0.2, 0.8]) for i, name in enumerate(names)}
    write_scores(path, CLASSES, rows, dict.fromkeys(names, speaker), dict.fromkeys(names, "ang"))


@pytest.fixture
def system(tmp_path):
    """Two runs of unlike size with two seeds: right / all are 8/10 and 1/2, then 6/10 and 2/2."""
    for run, seed, right, wrong in (("r1", 0, 8, 2), ("r2", 0, 1, 1), ("r1", 1, 6, 4), ("r2", 1, 2, 0)):
        for name in ("scores", "scores.last"):
            write(tmp_path / f"sys/{run}_seed{seed}/{name}", right, wrong, speaker=run)
        (tmp_path / f"sys/{run}_seed{seed}/config.yaml").write_text("epochs: 50\n")
        (tmp_path / f"sys/{run}_seed{seed}/environment.yaml").write_text("seconds: 1\n")
    return tmp_path / "sys"


def summary(system, *args):
    return summarise(system, runs.finished(system), *args)


def test_pooled_figures_and_figures_over_folds_differ_as_they_must(system):
    made = summary(system)
    assert (made.runs, made.seeds, len(made.utterances), made.speakers) == (["r1", "r2"], [0, 1], 12, ["r1", "r2"])
    assert made.intervals.wa.value == pytest.approx(100 * (9 / 12 + 8 / 12) / 2)
    assert made.sd.wa == pytest.approx(100 * np.std([9 / 12, 8 / 12], ddof=1))
    assert made.by_run.wa == pytest.approx([100 * (0.8 + 0.6) / 2, 100 * (0.5 + 1) / 2])
    assert made.last.wa == made.intervals.wa.value


def test_figures_are_scikit_learns_of_the_pooled_decisions(system):
    made = summary(system)
    theirs = [classification_metrics(scores.labels, scores.decisions) for scores in made.pooled]
    assert pytest.approx(np.array(theirs)) == np.array(made.by_seed).T


def test_runs_of_different_configurations_are_not_pooled(system):
    (system / "r2_seed1/config.yaml").write_text("epochs: 50\nadded: later\n")
    assert summary(system).seeds == [0, 1]
    for place, neutral in (("r1_seed0", "neu"), ("r2_seed1", "calm")):  # of an augmentation that is off
        (system / place / "config.yaml").write_text(
            f"epochs: 50\naugmentation: {{copypaste: none, neutral: {neutral}}}\n"
        )
    assert summary(system).seeds == [0, 1]
    for text, message in (
        ("epochs: 3\n", r"r2_seed1: was made with another configuration than .*r1_seed0 \(epochs\)"),
        ("epochs", "config.yaml: is not YAML of 'key: value' lines"),
    ):
        (system / "r2_seed1/config.yaml").write_text(text)
        with pytest.raises(UserError, match=message):
            summary(system)
    (system / "r2_seed1/config.yaml").unlink()
    with pytest.raises(UserError, match="r2_seed1: config.yaml is missing"):
        summary(system)


def test_a_run_that_another_seed_has_is_missed_by_name(system):
    (system / "r2_seed1/scores").unlink()
    with pytest.raises(UserError, match="r2_seed1"):
        summary(system)
    assert len(summary(system, ["r1"]).texts) == 2


def test_seeds_that_were_scored_on_other_utterances_or_classes_are_refused(system):
    path = system / "r2_seed1/scores"
    path.with_name("scores.last").unlink()
    text = path.read_text()
    path.write_text(text.rpartition("\nr2-")[0] + "\n")
    with pytest.raises(UserError, match="sys: its seeds were not scored on the same utterances"):
        summary(system)
    path.write_text(text.replace("ang neu", "neu ang"))
    with pytest.raises(UserError, match="sys: score files with different classes"):
        summary(system)


def test_runs_of_different_features_are_not_pooled(system):
    for place in system.iterdir():
        content = {"descriptors": "one", "labels": "two", "pre-trained model": place.name}
        (place / ".made_from.finetune").write_text(json.dumps({"version": 1, "content": content}))
        with open(place / "environment.yaml", "a") as out:
            out.write("sums: {}\n")
    assert summary(system).seeds == [0, 1]
    content = {"descriptors": "other", "labels": "two"}
    (system / "r2_seed1/.made_from.finetune").write_text(json.dumps({"version": 1, "content": content}))
    with pytest.raises(UserError, match="r2_seed1: was made from other descriptors than .*r1_seed0; redo one"):
        summary(system)
    (system / "r1_seed0/environment.yaml").write_text("torch: 2.13.0\n")  # cut
    with pytest.raises(UserError, match="r1_seed0/environment.yaml: holds no sums, so it is damaged"):
        summary(system)
