"""The other choices of roles: where two runs test each other's validation speakers, either of them could have been the
session's one run."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from steps.evaluation.metrics import Metrics, confusion, of_confusions
from steps.evaluation.scores import read_scores
from steps.evaluation.summary import Summary

MOST_PAIRS = 12  # 4096 choices


class Range(NamedTuple):
    """Over all choices of one run of each pair, mean over seeds."""

    choices: int
    lowest: Metrics
    highest: Metrics


def pairs(summary: Summary) -> list[tuple[str, str]]:
    """Runs that test each other's validation speakers; [] unless that makes pairs of all runs."""
    first = summary.seeds[0]
    tested = {run: set(summary.scores[run, first].speakers) for run in summary.runs}
    validated = {run: set(read_scores(summary.places[run, first] / "scores.valid").speakers) for run in summary.runs}
    found = [
        (a, b)
        for a, b in itertools.combinations(summary.runs, 2)
        if tested[a] == validated[b] and tested[b] == validated[a]
    ]
    return found if sorted(run for pair in found for run in pair) == sorted(summary.runs) else []


def over_roles(summary: Summary) -> Range | None:
    """The range of the pooled figures over all choices (2⁵ on IEMOCAP), from the same scores; None where the runs do
    not come in such pairs."""
    found = pairs(summary)
    if not 1 <= len(found) <= MOST_PAIRS:
        return None
    classes = len(summary.classes)

    def counts(run: str) -> np.ndarray:
        """(seeds, classes, classes)"""
        of_run = [summary.scores[run, seed] for seed in summary.seeds]
        return np.array([confusion(one.labels, one.decisions, classes) for one in of_run])

    choices = np.array([sum(map(counts, choice)) for choice in itertools.product(*found)])
    figures = np.array(of_confusions(choices)).mean(axis=-1)  # (figures, choices)
    return Range(len(choices), Metrics(*figures.min(axis=1)), Metrics(*figures.max(axis=1)))
