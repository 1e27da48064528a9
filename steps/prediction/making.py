"""From labelled recordings to a model folder's figures: the model, its calibration, and how good it is on speakers, and
on corpora, that it has not heard."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from steps.evaluation import calibration
from steps.evaluation.metrics import classification_metrics
from steps.prediction.head import Head
from steps.prediction.model import own_scale
from steps.prediction.training import Labelled, leaving_out
from steps.systems.system import Backend

UNLIKE = 99  # percentile of unseen speakers' recordings that the threshold of `unlike` is
TRIED, FEW = 300, 30  # recordings that are changed on purpose; sounds of each kind


class Unseen(NamedTuple):
    """Outputs for all recordings, each of a head that has not heard its group."""

    logits: np.ndarray  # (N, classes)
    unlike: np.ndarray  # (N,)
    heads: dict[Any, Head]  # by group


def outputs(known: Labelled, groups: np.ndarray, backend: Backend, C: float, seed: int, own: bool = False) -> Unseen:
    """own: each group's descriptors are brought to its own scale (see `own_scale`)."""
    logits = np.zeros((len(known.y), len(known.classes)))
    unlike, heads = np.zeros(len(known.y)), {}
    for group, head in leaving_out(known, groups, backend, C, seed):
        chosen = groups == group
        x = own_scale(known.x[chosen], head.mean, head.scale) if own else known.x[chosen]
        logits[chosen], unlike[chosen], heads[group] = head.logits(x), head.unlike(x), head
    return Unseen(logits, unlike, heads)


def loss(known: Labelled, unseen: Unseen) -> float:
    """Cross-entropy at the best temperature, each corpus and class counting alike."""
    weights = known.weights(np.ones(len(known.y), bool))
    posteriors = calibration.softmax(unseen.logits, calibration.temperature(unseen.logits, known.y, weights))
    return float(-(weights * np.log(posteriors[np.arange(len(known.y)), known.y].clip(1e-12))).mean())


def cross_calibrated(known: Labelled, logits: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """(N, classes) posteriors; the temperature of each part is fitted on the others."""
    weights, posteriors = known.weights(np.ones(len(known.y), bool)), np.zeros_like(logits)
    for part in np.unique(parts):
        own = parts == part
        T = calibration.temperature(logits[~own], known.y[~own], weights[~own])
        posteriors[own] = calibration.softmax(logits[own], T)
    return posteriors


def figures(posteriors: np.ndarray, y: np.ndarray, unlike: np.ndarray, threshold: float) -> dict[str, float]:
    """Of some recordings; all but `recordings` are shares of 1 in percent, ECE a share of 1."""
    metrics = classification_metrics(y, posteriors.argmax(axis=1))
    return {
        "recordings": len(y),
        "wf1": metrics.wf1,
        "ua": metrics.ua,
        "ece": calibration.ece(posteriors, y),
        "unlike": 100 * float((unlike > threshold).mean()),
    }


def groups_of(
    known: Labelled, more: dict[str, dict[str, str]], seconds: dict[str, float], level: dict[str, float]
) -> dict[str, dict[str, np.ndarray]]:
    """By what recordings are told apart on the card → the name of a group → (N,) whether a recording is in it. more:
    what → utterance → group (of genders, say); seconds, level: of each utterance, cut into thirds."""
    found = {"corpus": {str(name): known.corpora == name for name in np.unique(known.corpora)}}
    found["class"] = {name: known.y == k for k, name in enumerate(known.classes)}
    for what, table in more.items():
        values = np.array([table.get(name, "") for name in known.names])
        found[what] = {str(value): values == value for value in np.unique(values) if value}
    for what, table in (("seconds", seconds), ("level, dB of full scale", level)):
        if set(known.names) <= set(table):
            values = np.array([table[name] for name in known.names])
            low, high = np.percentile(values, [100 / 3, 200 / 3])
            found[what] = {f"below {low:.1f}": values < low, f"{low:.1f} to {high:.1f}": (values >= low) & (values < high), f"from {high:.1f}": values >= high}  # fmt: skip
    return found
