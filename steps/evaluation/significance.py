"""How sure a figure is: intervals and tests with the speaker as the unit, as utterances of a speaker are not
independent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steps.evaluation.metrics import of_confusions
from steps.evaluation.summary import Summary
from utils.cli import UserError

# scipy and statsmodels are imported where they are used: that takes longer than a step's --help may.

RESAMPLES, SEED = 10_000, 0


@dataclass
class Interval:
    """A figure and its 95 % interval; nan, nan where there is one speaker."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass
class Comparison:
    """`system` against `reference`, tested on the same utterances."""

    family: str
    system: str
    reference: str
    difference: Interval  # of the pooled wF1, in points, mean over the seeds of `by_seed`
    by_seed: dict[int, float]  # the same with each seed that both have
    p: float  # Wilcoxon's signed ranks of the speakers' wF1, two-sided
    p_corrected: float  # by Holm within its family; p itself of the planned comparison
    only_system: int  # utterances that only `system` got right, with the first of these seeds
    only_reference: int
    p_mcnemar: float  # of these two counts: a description, as it takes utterances for independent


def draws(speakers: int) -> np.ndarray:
    """(RESAMPLES, speakers): how often each speaker is drawn. The same for all systems, so that differences are
    paired."""
    return np.random.default_rng(SEED).multinomial(speakers, np.full(speakers, 1 / speakers), RESAMPLES)


def resampled(counts: np.ndarray, figure: str) -> np.ndarray:
    """(RESAMPLES,) of a pooled figure, mean over seeds; counts: (speakers, seeds, classes, classes)."""
    return getattr(of_confusions(np.tensordot(draws(len(counts)), counts, axes=1)), figure).mean(axis=-1)


def pooled(counts: np.ndarray, figure: str) -> float:
    """The same of the speakers as they are."""
    return float(getattr(of_confusions(counts.sum(axis=0)), figure).mean())


def percentiles(value: float, values: np.ndarray, speakers: int) -> Interval:
    """The 95 % percentile interval."""
    low, high = np.percentile(values, [2.5, 97.5]) if speakers > 1 else (math.nan, math.nan)
    return Interval(value, float(low), float(high))


def interval(summary: Summary, figure: str = "wf1") -> Interval:
    """A pooled figure of a system, with the interval of a bootstrap over speakers."""
    counts = summary.counts
    return percentiles(pooled(counts, figure), resampled(counts, figure), len(counts))


def difference(one: np.ndarray, other: np.ndarray, figure: str = "wf1") -> Interval:
    """one − other, over the same resampled speakers."""
    value = pooled(one, figure) - pooled(other, figure)
    return percentiles(value, resampled(one, figure) - resampled(other, figure), len(one))


def shared_seeds(one: Summary, other: Summary) -> list[int]:
    """Those that both have: what differs between seeds cancels in no other comparison. What depends on no seed goes
    with each of the other's."""
    if one.deterministic:
        return other.seeds[:1] if other.deterministic else other.seeds
    return one.seeds if other.deterministic else [seed for seed in one.seeds if seed in other.seeds]


def at(summary: Summary, seed: int) -> int:
    """Where a seed of `shared_seeds` is among the system's own."""
    return 0 if summary.deterministic else summary.seeds.index(seed)


def shared_counts(one: Summary, other: Summary) -> tuple[np.ndarray, np.ndarray]:
    """The counts of both, (speakers, seeds, classes, classes), of the seeds that both have."""
    seeds = shared_seeds(one, other)
    first, second = (side.counts[:, [at(side, seed) for seed in seeds]] for side in (one, other))
    return first, second


def gain(one: Summary, other: Summary) -> float:
    """How much higher the pooled wF1 of `one` is, in points, on the seeds that both have; nan without such a seed."""
    pair = shared_counts(one, other)
    return pooled(pair[0], "wf1") - pooled(pair[1], "wf1") if pair[0].shape[1] else math.nan


def of_speakers(counts: np.ndarray, figure: str = "wf1") -> np.ndarray:
    """(speakers,) each one's own figure, mean over seeds."""
    return getattr(of_confusions(counts), figure).mean(axis=-1)


def signed_ranks(one: np.ndarray, other: np.ndarray) -> float:
    """Two-sided p of Wilcoxon's test; exact for few speakers without ties. With ten it cannot be below 0.002."""
    from scipy.stats import wilcoxon

    if np.allclose(one, other):
        return 1.0
    return float(wilcoxon(one, other).pvalue)


def compare(system: Summary, reference: Summary, family: str) -> Comparison:
    """Uncorrected, on the seeds that both have. Raises UserError where they have none in common, or were tested on
    different utterances."""
    from statsmodels.stats.contingency_tables import mcnemar

    if system.utterances != reference.utterances:
        raise UserError(f"{system.name} and {reference.name} were not scored on the same utterances")
    if not (seeds := shared_seeds(system, reference)):
        raise UserError(f"{system.name} and {reference.name} have no seed in common")
    one, other = shared_counts(system, reference)
    by_seed = [of_confusions(side.sum(axis=0)).wf1 for side in (one, other)]  # (seeds,) each
    p = signed_ranks(of_speakers(one), of_speakers(other))
    hit, also = (side.together[at(side, seeds[0])].decisions == side.labels for side in (system, reference))
    table = [[int((hit & also).sum()), int((hit & ~also).sum())], [int((~hit & also).sum()), int((~hit & ~also).sum())]]
    return Comparison(
        family=family,
        system=system.name,
        reference=reference.name,
        difference=difference(one, other),
        by_seed={seed: float(a - b) for seed, a, b in zip(seeds, *by_seed)},
        p=p,
        p_corrected=p,
        only_system=table[0][1],
        only_reference=table[1][0],
        p_mcnemar=float(mcnemar(table, exact=True).pvalue),
    )


def correct(comparisons: Sequence[Comparison]) -> None:
    """Holm's correction, in place, of comparisons that are one family."""
    from statsmodels.stats.multitest import multipletests

    if comparisons:
        corrected = multipletests([one.p for one in comparisons], method="holm")[1]
        for one, p in zip(comparisons, corrected):
            one.p_corrected = float(p)
