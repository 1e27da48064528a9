"""Figures against hand-worked cases and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import classification_report, confusion_matrix, precision_recall_fscore_support

from steps.evaluation.metrics import by_class, classification_metrics, confusion, majority, of_confusions


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
