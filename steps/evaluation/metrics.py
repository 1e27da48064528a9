"""How good class decisions are, from confusion matrices."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Metrics(NamedTuple):
    """In percent; each a number, or an array of them."""

    wf1: Any  # F1 of each class, weighted by its share: the paper's figure
    ua: Any  # unweighted accuracy: the mean of the classes' recalls
    wa: Any  # weighted accuracy: the share of right decisions
    mf1: Any  # the plain mean of the classes' F1


def classification_metrics(labels: np.ndarray, decisions: np.ndarray) -> Metrics:
    """The metrics of (N,) true and decided class indices, by scikit-learn. Only classes that occur among `labels` count
    towards the means."""
    from sklearn.metrics import accuracy_score, f1_score, recall_score  # takes a second that --help need not wait for

    present = np.unique(labels)
    return Metrics(
        wf1=100 * f1_score(labels, decisions, average="weighted", labels=present, zero_division=0),
        ua=100 * recall_score(labels, decisions, average="macro", labels=present, zero_division=0),
        wa=100 * accuracy_score(labels, decisions),
        mf1=100 * f1_score(labels, decisions, average="macro", labels=present, zero_division=0),
    )


def confusion(labels: np.ndarray, decisions: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) counts; rows are true, columns decided."""
    return np.bincount(labels * classes + decisions, minlength=classes**2).reshape(classes, classes)


def of_confusions(counts: np.ndarray) -> Metrics:
    """The same metrics of many confusion matrices (…, classes, classes) at once, each an array (…). A bootstrap takes
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


def by_class(counts: np.ndarray) -> dict[str, np.ndarray]:
    """precision, recall and f1 of each class, in percent, each (…, classes), of confusion matrices (…, classes,
    classes); 0 where there is nothing to divide by."""
    true, decided, right = counts.sum(-1), counts.sum(-2), np.diagonal(counts, axis1=-2, axis2=-1)
    return {
        "precision": 100 * (right / np.maximum(decided, 1)),
        "recall": 100 * (right / np.maximum(true, 1)),
        "f1": 100 * (2 * right / np.maximum(true + decided, 1)),
    }


def majority(labels: np.ndarray) -> Metrics:
    """What always deciding for the commonest class gives; labels: (N,) class indices."""
    counts = np.bincount(labels)
    return of_confusions(confusion(labels, np.full_like(labels, counts.argmax()), len(counts)))
