"""How good class decisions are, by scikit-learn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score


class Metrics(NamedTuple):
    """In percent."""

    wf1: float  # F1 of each class, weighted by its share: the paper's figure
    ua: float  # unweighted accuracy: the mean of the classes' recalls
    wa: float  # weighted accuracy: the share of right decisions


def classification_metrics(labels: np.ndarray, decisions: np.ndarray) -> Metrics:
    """(N,) true and decided class indices. Only classes that occur among `labels` count towards the mean recall."""
    present = np.unique(labels)
    return Metrics(
        wf1=100 * f1_score(labels, decisions, average="weighted", labels=present, zero_division=0),
        ua=100 * recall_score(labels, decisions, average="macro", labels=present, zero_division=0),
        wa=100 * accuracy_score(labels, decisions),
    )


def majority(labels: np.ndarray) -> Metrics:
    """What always deciding for the commonest class gives."""
    return classification_metrics(labels, np.full_like(labels, np.bincount(labels).argmax()))
