"""How sure a figure is: intervals and tests with the speaker as the unit, as utterances of a speaker are not
independent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from steps.evaluation.metrics import Metrics, of_confusions

# scipy and statsmodels are imported where they are used: that takes longer than a table needs.

RESAMPLES, SEED = 10_000, 0
MANY = 2000  # speakers: of more, those are drawn together that are a multiple of it apart, which costs no certainty
FEW = 8  # speakers: below, intervals and tests over them are too sure


class Interval(NamedTuple):
    """A figure and its 95 % interval; low and high are nan where there is one unit."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


@lru_cache(maxsize=4)
def draws(speakers: int) -> np.ndarray:
    """(RESAMPLES, speakers): how often each speaker is drawn. The same for all systems, so that differences are
    paired."""
    return np.random.default_rng(SEED).multinomial(speakers, np.full(speakers, 1 / speakers), RESAMPLES).astype(float)


def resample(counts: np.ndarray) -> Metrics:
    """The pooled metrics of every resample of the speakers or, where these are many, of MANY groups of them,
    (RESAMPLES, seeds) each; counts: (speakers, seeds, classes, classes)."""
    groups = np.stack([counts[first::MANY].sum(axis=0) for first in range(min(MANY, len(counts)))])
    return of_confusions(np.tensordot(draws(len(groups)), groups.astype(float), axes=1))  # floats: exact, and faster


def percentiles(value: float, values: np.ndarray, speakers: int) -> Interval:
    """`value` with the 95 % percentile interval of (RESAMPLES,) resampled ones."""
    low, high = np.percentile(values, [2.5, 97.5]) if speakers > 1 else (math.nan, math.nan)
    return Interval(value, float(low), float(high))


def signed_ranks(system: np.ndarray, reference: np.ndarray) -> float:
    """Two-sided p of Wilcoxon's test of (speakers,) figures; exact for few speakers without ties. With ten it cannot be
    below 0.002."""
    from scipy.stats import wilcoxon

    if np.allclose(system, reference):
        return 1.0
    return float(wilcoxon(system, reference).pvalue)


def mcnemar(only_system: int, only_reference: int) -> float:
    """p of McNemar's exact test of how many utterances one of two systems alone got right: a description, as it takes
    utterances for independent."""
    from statsmodels.stats.contingency_tables import mcnemar as test

    return float(test([[0, only_system], [only_reference, 0]], exact=True).pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's correction of the p of one family."""
    from statsmodels.stats.multitest import multipletests

    return [float(value) for value in multipletests(p, method="holm")[1]] if p else []


def over_runs(values: Mapping[str, float], reference: Mapping[str, float] | None = None) -> Interval:
    """The mean over runs, or that of the difference values − reference over the runs of both, with Student's 95 %
    interval; both: run → figure. Runs share most of their training speakers, so that it is somewhat too narrow."""
    from scipy.stats import t

    if reference is not None:
        values = {run: value - reference[run] for run, value in values.items() if run in reference}
    runs = np.array(list(values.values()))
    half = t.ppf(0.975, len(runs) - 1) * runs.std(ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.nan
    return Interval(float(runs.mean()), float(runs.mean() - half), float(runs.mean() + half))
