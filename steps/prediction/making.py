"""How good a model is on speakers, and on corpora, that it has not heard, and how far its posteriors are to be trusted:
told by models made in the same way, each without some speakers or without a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from steps.evaluation import calibration
from steps.evaluation.metrics import classification_metrics
from steps.prediction.head import Head
from steps.prediction.training import Labelled
from steps.systems.speaker_mean import less_speakers
from steps.systems.system import Backend

UNLIKE = 99  # percentile of the training corpora's unseen speakers that the threshold of `unlike` is
THIRDS = [100 / 3, 200 / 3]
Table = dict[str, dict[str, float]]  # row → column → figure


class Unseen(NamedTuple):
    """Outputs for all recordings, each of a head that has not heard its group."""

    logits: np.ndarray  # (N, classes)
    unlike: np.ndarray  # (N,)
    heads: dict[Any, Head]  # by group


def outputs(known: Labelled, groups: np.ndarray, backend: Backend, seed: int) -> Unseen:
    """groups: (N,) whom a recording is left out with; "": it never is."""
    logits, unlike, heads = np.zeros((len(known.y), len(known.classes))), np.zeros(len(known.y)), {}
    for group in np.unique(groups):
        if group != "":
            chosen = groups == group
            head = heads[group] = known.fit(~chosen, backend, seed)
            logits[chosen], unlike[chosen] = head.logits(known.x[chosen]), head.unlike(known.x[chosen])
    return Unseen(logits, unlike, heads)


def adapted(known: Labelled, unseen: Unseen, groups: np.ndarray, whose: np.ndarray, threshold: float) -> np.ndarray:
    """(N, classes) logits of the same heads, once what is theirs is taken from recordings, as steps/predict.py --adapt
    does; whose: (N,)."""
    logits = np.zeros_like(unseen.logits)
    for group, head in unseen.heads.items():
        own = groups == group
        x = less_speakers(known.x[own], whose[own], head.mean, unseen.unlike[own] <= threshold)
        logits[own] = head.logits(x)
    return logits


def temperature(known: Labelled, logits: np.ndarray, chosen: np.ndarray | None = None) -> float:
    """Of the `chosen` (N,) recordings [all], every corpus and class counting alike."""
    chosen = np.ones(len(known.y), bool) if chosen is None else chosen
    return calibration.temperature(logits[chosen], known.y[chosen], known.weights(chosen))


def cross_calibrated(known: Labelled, logits: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """(N, classes) posteriors; the temperature of each part is fitted on the others."""
    posteriors = np.zeros_like(logits)
    for part in np.unique(parts):
        own = parts == part
        posteriors[own] = calibration.softmax(logits[own], temperature(known, logits, ~own))
    return posteriors


def figures(posteriors: np.ndarray, y: np.ndarray, unlike: np.ndarray, threshold: float) -> dict[str, float]:
    """Of some recordings; in percent, but for their number and ECE, a share of 1."""
    metrics = classification_metrics(y, posteriors.argmax(axis=1))
    return {
        "recordings": len(y),
        "wf1": metrics.wf1,
        "ua": metrics.ua,
        "ece": calibration.ece(posteriors, y),
        "unlike": 100 * float((unlike > threshold).mean()),
    }


def by_group(known: Labelled, unseen: Unseen, posteriors: np.ndarray, threshold: float, groups: np.ndarray) -> Table:
    """Figures of each of the `groups`, (N,) names; "" is none."""
    return {
        str(group): figures(posteriors[own], known.y[own], unseen.unlike[own], threshold)
        for group in np.unique(groups)
        if group and (own := groups == group).any()
    }


def thirds(values: np.ndarray, unit: str) -> np.ndarray:
    """(N,) numbers → (N,) names of the third that each is in, in order."""
    low, high = np.percentile(values, THIRDS)
    names = np.array([f"1. below {low:.1f} {unit}", f"2. {low:.1f} to {high:.1f} {unit}", f"3. from {high:.1f} {unit}"])
    return names[(values >= low).astype(int) + (values >= high)]


def of_changes(
    known: Labelled,
    heads: Mapping[Any, Head],
    parts: np.ndarray,
    T: float,
    threshold: float,
    changed: Mapping[tuple[str, str], Mapping[str, np.ndarray]],
) -> dict[str, Table]:
    """What is changed → how → figures of the same recordings as they were ("as recorded") and then, each by the head
    that has not heard its speaker; "moved": how far the greatest posterior's class moved, in points; "same": how many
    answers stayed, in percent; "auroc": how often a recording's score of `unlike` is above that of one as recorded."""
    place = {name: k for k, name in enumerate(known.names)}
    found: dict[str, Table] = {}
    for (what, how), vectors in changed.items():
        index = np.array([place[name] for name in vectors])
        then = np.stack(list(vectors.values()))
        answers = {}
        for way, x in (("as recorded", known.x[index]), (how, then)):
            logits, unlike = np.zeros((len(index), len(known.classes))), np.zeros(len(index))
            for part, head in heads.items():
                own = parts[index] == part
                logits[own], unlike[own] = head.logits(x[own]), head.unlike(x[own])
            answers[way] = calibration.softmax(logits, T), unlike
        before = answers["as recorded"][0]
        first = before.argmax(axis=1)
        rows = np.arange(len(index))
        for way, (posteriors, unlike) in answers.items():
            row = figures(posteriors, known.y[index], unlike, threshold)
            row["moved"] = 100 * float(np.abs(posteriors[rows, first] - before[rows, first]).mean())
            row["auroc"] = calibration.auroc(answers["as recorded"][1], unlike)
            row["same"] = 100 * float((posteriors.argmax(axis=1) == first).mean())
            found.setdefault(what, {})[way] = row
    return found
