"""How good class decisions are, by scikit-learn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# scikit-learn is imported where it is used: that takes longer than all else a step does to show its --help.


class Metrics(NamedTuple):
    """In percent."""

    wf1: float  # F1 of each class, weighted by its share: the paper's figure
    ua: float  # unweighted accuracy: the mean of the classes' recalls
    wa: float  # weighted accuracy: the share of right decisions
    mf1: float  # the plain mean of the classes' F1


class OfClass(NamedTuple):
    """One class; the first three in percent."""

    precision: float
    recall: float
    f1: float
    utterances: int


def classification_metrics(labels: np.ndarray, decisions: np.ndarray) -> Metrics:
    """(N,) true and decided class indices. Only classes that occur among `labels` count towards the means."""
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    present = np.unique(labels)
    return Metrics(
        wf1=100 * f1_score(labels, decisions, average="weighted", labels=present, zero_division=0),
        ua=100 * recall_score(labels, decisions, average="macro", labels=present, zero_division=0),
        wa=100 * accuracy_score(labels, decisions),
        mf1=100 * f1_score(labels, decisions, average="macro", labels=present, zero_division=0),
    )


def per_class(labels: np.ndarray, decisions: np.ndarray, classes: int) -> list[OfClass]:
    """Each class by itself."""
    from sklearn.metrics import precision_recall_fscore_support

    found = precision_recall_fscore_support(labels, decisions, labels=np.arange(classes), zero_division=0)
    return [OfClass(100 * p, 100 * r, 100 * f, int(n)) for p, r, f, n in zip(*found)]


def confusion(labels: np.ndarray, decisions: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) counts; rows are true, columns decided."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(labels, decisions, labels=np.arange(classes))


def of_confusions(counts: np.ndarray) -> Metrics:
    """The same figures of many confusion matrices (…, classes, classes) at once, each an array (…). A bootstrap takes
    thousands of them, for which scikit-learn would need minutes."""
    true, decided, right = counts.sum(-1), counts.sum(-2), np.diagonal(counts, axis1=-2, axis2=-1)
    present = true > 0
    recall = right / np.where(present, true, 1)
    f1 = 2 * right / np.where(present, true + decided, 1)  # = 2PR / (P + R)
    occurring = present.sum(-1)
    return Metrics(
        wf1=100 * (f1 * true).sum(-1) / true.sum(-1),
        ua=100 * (recall * present).sum(-1) / occurring,
        wa=100 * right.sum(-1) / true.sum(-1),
        mf1=100 * (f1 * present).sum(-1) / occurring,
    )


def majority(labels: np.ndarray) -> Metrics:
    """What always deciding for the commonest class gives."""
    return classification_metrics(labels, np.full_like(labels, np.bincount(labels).argmax()))
