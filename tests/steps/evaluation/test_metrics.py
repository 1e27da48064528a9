"""Figures against hand-worked cases and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import classification_report, confusion_matrix, precision_recall_fscore_support

from steps.evaluation.metrics import by_class, classification_metrics, confusion, majority, of_confusions
from steps.evaluation.scores import parse, pool, read_scores, speakers_in, write_scores
from steps.evaluation.summary import summarise
from steps.evaluation.verification import eer, min_dcf
from utils import runs
from utils.cli import UserError


def test_metrics_are_scikit_learns():
    rng = np.random.default_rng(0)
    labels, decisions = rng.integers(0, 4, (2, 500))
    report = classification_report(labels, decisions, output_dict=True)
    found = classification_metrics(labels, decisions)
    assert found.wf1 == pytest.approx(100 * report["weighted avg"]["f1-score"])
    assert found.ua == pytest.approx(100 * report["macro avg"]["recall"])
    assert found.wa == pytest.approx(100 * report["accuracy"])
    assert found.mf1 == pytest.approx(100 * report["macro avg"]["f1-score"])
    counts = confusion(labels, decisions, 4)
    assert (counts == confusion_matrix(labels, decisions)).all()
    for key, values in by_class(counts).items():
        name = key.replace("f1", "f1-score")
        assert values == pytest.approx([100 * report[str(number)][name] for number in range(4)])


def test_figures_of_confusion_matrices_are_those_of_the_decisions():
    rng = np.random.default_rng(1)
    cases = [rng.integers(0, 4, (2, 60)) for _ in range(20)]
    cases[0][0][cases[0][0] == 3] = 0  # a class that does not occur, yet is decided for
    cases[1][1][:] = 2  # one class for all
    counts = np.array([confusion(labels, decisions, 4) for labels, decisions in cases]).reshape(4, 5, 4, 4)
    found = np.array(of_confusions(counts)).reshape(4, 20).T
    assert found == pytest.approx(np.array([classification_metrics(*case) for case in cases]))
    for case, *own in zip(cases, *(values.reshape(20, 4) for values in by_class(counts).values())):
        theirs = precision_recall_fscore_support(*case, labels=range(4), zero_division=0)
        assert np.array(own) == pytest.approx(100 * np.array(theirs[:3]))


def test_metrics_by_hand():
    # class 0: precision 2/3, recall 2/3; class 1: precision 1/2, recall 1/2
    found = classification_metrics(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0]))
    mean = 100 * (2 / 3 + 1 / 2) / 2
    assert found == pytest.approx((100 * (3 * 2 / 3 + 2 * 1 / 2) / 5, mean, 60, mean))


@pytest.mark.parametrize(
    ("counts", "wf1"),
    [
        ([289, 284, 1099, 608], 31.4),
        ([289, 663, 1099, 608], 24.2),
        ([289, 947, 1099, 608], 20.3),
        ([192, 192, 96, 192], 12.7),
    ],
)
def test_the_majority_rows_of_iemocap_and_ravdess(counts, wf1):
    assert majority(np.repeat(np.arange(4), counts)).wf1 == pytest.approx(wf1, abs=0.05)


def test_eer_by_hand():
    # Targets 0.9 0.8 0.4, others 0.5 0.3 0.2 0.1. Just above 0.4: misses 1/3, false alarms 1/4; at 0.4: 0 and 1/4.
    # Between the two, misses fall from 1/3 to 0 and cross 1/4.
    scores = np.array([0.9, 0.8, 0.4, 0.5, 0.3, 0.2, 0.1])
    targets = np.array([1, 1, 1, 0, 0, 0, 0])
    assert eer(scores, targets) == pytest.approx(0.25)


def test_eer_of_perfect_useless_and_reversed_scores():
    targets = np.array([1, 1, 0, 0])
    assert eer(np.array([4.0, 3.0, 2.0, 1.0]), targets) == 0
    assert eer(np.array([1.0, 1.0, 1.0, 1.0]), targets) == 0.5
    assert eer(np.array([1.0, 2.0, 3.0, 4.0]), targets) == 1


def test_min_dcf_by_hand():
    scores, targets = np.array([0.9, 0.8, 0.4, 0.5, 0.3, 0.2, 0.1]), np.array([1, 1, 1, 0, 0, 0, 0])
    # Accept 0.9 and 0.8 alone: misses 1/3, no false alarm: 0.01 / 3, over the 0.01 of rejecting all.
    assert min_dcf(scores, targets) == pytest.approx(1 / 3)
    # With targets as likely as others it is better to accept the third too, at one false alarm in four.
    assert min_dcf(scores, targets, p_target=0.5) == pytest.approx((1 / 4 * 0.5) / 0.5)


CLASSES = ["ang", "neu"]


def write(path, right, wrong, speaker="a", first=0):
    """A score file of `right` good and `wrong` bad decisions."""
    names = [f"{speaker}-{first + i:03d}" for i in range(right + wrong)]
    rows = {name: np.array([0.9, 0.1] if i < right else [0.2, 0.8]) for i, name in enumerate(names)}
    write_scores(path, CLASSES, rows, dict.fromkeys(names, speaker), dict.fromkeys(names, "ang"))


def test_score_files_are_read_as_written(tmp_path):
    write(tmp_path / "scores", 2, 1)
    text = (tmp_path / "scores").read_text().splitlines()
    assert text[:2] == ["# utt spk label ang neu", "a-000 a ang 0.900000 0.100000"]
    scores = read_scores(tmp_path / "scores")
    assert scores.decisions.tolist() == [0, 0, 1] and scores.labels.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not begin with '# utt spk label <class names>'"),
        ("# utt spk label\n", "does not begin with"),
        ("# utt spk label ang\nx y\n", "wrong number of fields"),
        ("# utt spk label ang neu\n", "wrong number of fields"),
        ("# utt spk label ang neu\na b sad 0.1 0.9\n", "'a' is 'sad', and the classes are"),
        ("# utt spk label ang neu\na b ang 0.1 x\n", "could not convert"),
        ("# utt spk label ang neu\nz b ang 0 1\na b ang 0.1 nan\n", "the posteriors of 'a' are not finite"),
    ],
)
def test_what_is_no_score_file_is_refused(tmp_path, text, message):
    (tmp_path / "scores").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        read_scores(tmp_path / "scores")
    assert "\n" not in str(error.value) and str(tmp_path / "scores") in str(error.value)


def test_labels_that_are_withheld_come_from_the_data_dir():
    text = "# utt spk label ang neu\na s - 0.1 0.9\nb s - 0.8 0.2\n"
    assert parse(text, "f", {"a": "neu", "b": "ang"}).labels.tolist() == [1, 0] and speakers_in(text, "f") == {"s"}
    for emotions, message in (
        (None, "f: holds no labels.*--data DIR"),
        ({"a": "neu"}, "says no emotion of 'b'"),
        ({"a": "sad", "b": "ang"}, "'a' is 'sad'"),
    ):
        with pytest.raises(UserError, match=message):
            parse(text, "f", emotions)


def test_an_utterance_scored_twice_is_refused(tmp_path):
    write(tmp_path / "scores", 2, 1)
    with pytest.raises(UserError, match="two runs"):
        pool([read_scores(tmp_path / "scores")] * 2)


@pytest.fixture
def system(tmp_path):
    """Two runs of unlike size with two seeds: right / all are 8/10 and 1/2, then 6/10 and 2/2."""
    for run, seed, right, wrong in (("r1", 0, 8, 2), ("r2", 0, 1, 1), ("r1", 1, 6, 4), ("r2", 1, 2, 0)):
        for name in ("scores", "scores.last"):
            write(tmp_path / f"sys/{run}_seed{seed}/{name}", right, wrong, speaker=run)
        (tmp_path / f"sys/{run}_seed{seed}/config.yaml").write_text("epochs: 50\n")
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
    with pytest.raises(UserError, match="r2_seed1: has scores and no config.yaml"):
        summary(system)


def test_a_run_that_another_seed_has_is_missed_by_name(system):
    (system / "r2_seed1/scores").unlink()
    with pytest.raises(UserError, match="r2_seed1"):
        summary(system)
    assert len(summary(system, ["r1"]).texts) == 2


def test_seeds_that_were_scored_on_other_utterances_or_classes_are_refused(system):
    path = system / "r2_seed1/scores"
    text = path.read_text()
    path.write_text(text.rpartition("\nr2-")[0] + "\n")
    with pytest.raises(UserError, match="sys: its seeds were not scored on the same utterances"):
        summary(system)
    path.write_text(text.replace("ang neu", "neu ang"))
    with pytest.raises(UserError, match="sys: score files with different classes"):
        summary(system)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_posteriors_that_are_not_finite_are_not_written(tmp_path, value):
    rows = {"s1-0": np.array([0.5, 0.5]), "s1-1": np.array([value, 0.5])}
    with pytest.raises(UserError, match="the posteriors of 's1-1' are not finite"):
        write_scores(tmp_path / "scores", CLASSES[:2], rows, dict.fromkeys(rows, "s1"), dict.fromkeys(rows, "ang"))
    assert not list(tmp_path.iterdir())
