"""Systems side by side, by what they decided of the same utterances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steps.evaluation.significance import Interval, holm, mcnemar, percentiles, signed_ranks
from steps.evaluation.summary import Summary
from utils.cli import UserError


def shared_seeds(system: Summary, reference: Summary) -> list[int]:
    """Those that both have: what differs between seeds cancels in no other comparison. What depends on no seed goes
    with each of the other's."""
    if system.deterministic:
        return reference.seeds[:1] if reference.deterministic else reference.seeds
    return system.seeds if reference.deterministic else [seed for seed in system.seeds if seed in reference.seeds]


def indices(summary: Summary, seeds: Sequence[int]) -> list[int]:
    """Where seeds of `shared_seeds` are among the system's own."""
    return [0 if summary.deterministic else summary.seeds.index(seed) for seed in seeds]


def difference(system: Summary, reference: Summary, metric: str = "wf1", paired: bool = True) -> Interval:
    """system − reference of a pooled metric, in points, mean over the seeds that both have (nan without one), with the
    interval over the same resampled speakers; without it unless `paired`."""
    if not (seeds := shared_seeds(system, reference)):
        return Interval(math.nan)
    sides = [(side, indices(side, seeds)) for side in (system, reference)]
    values = [float(getattr(side.by_seed, metric)[index].mean()) for side, index in sides]
    if not paired:
        return Interval(values[0] - values[1])
    drawn = [getattr(side.resampled, metric)[:, index].mean(axis=-1) for side, index in sides]
    return percentiles(values[0] - values[1], drawn[0] - drawn[1], len(system.speakers))


def spread(by_seed: Mapping[int, float], starts: Mapping[int, str], interval: Interval) -> dict[str, float | None]:
    """What a difference varies with, as standard deviations: `speakers`, over resampled ones; `fine_tuning`, over seeds
    that start from one pre-trained model; `pretraining`, over the means of models (`starts`: seed → its model), less
    what their fine-tunings explain. None where there are too few of a kind."""
    groups: dict[str, list[float]] = {}
    for seed, value in by_seed.items():
        groups.setdefault(starts.get(seed, ""), []).append(value)
    free = len(by_seed) - len(groups)
    within = sum(np.var(values) * len(values) for values in groups.values()) / free if free else None
    between = None
    if len(groups) > 1 and within is not None:
        noise = within * np.mean([1 / len(values) for values in groups.values()])
        between = max(0.0, float(np.var([np.mean(values) for values in groups.values()], ddof=1) - noise))
    width = (interval.high - interval.low) / (2 * 1.96)
    return {
        "speakers": None if math.isnan(width) else width,
        "fine_tuning": None if within is None else math.sqrt(within),
        "pretraining": None if between is None else math.sqrt(between),
    }


def check_alike(system: Summary, reference: Summary) -> None:
    """Raises UserError, naming the first, where two systems were not scored on the same utterances, or with other
    labels or speakers."""
    mine, theirs = (
        {name: (side.classes[label], who) for name, label, who in zip(side.utterances, side.labels, side.speakers)}
        for side in (system.pooled[0], reference.pooled[0])
    )
    if lacking := sorted(mine.keys() ^ theirs.keys()):
        which = system.name if lacking[0] in mine else reference.name
        count = f", the first of {len(lacking)}" if len(lacking) > 1 else ""
        raise UserError(
            f"{system.name} and {reference.name} were not scored on the same utterances: only {which} has "
            f"'{lacking[0]}'{count}"
        )
    for name, (label, who) in mine.items():
        if (label, who) != theirs[name]:
            raise UserError(
                f"'{name}' is '{label}' of speaker '{who}' in {system.name}, and '{theirs[name][0]}' of speaker "
                f"'{theirs[name][1]}' in {reference.name}"
            )


def compare(system: Summary, reference: Summary, metric: str = "wf1") -> dict[str, Any]:
    """The entry of results.json, of any metric, without family; p is not corrected. Raises UserError where the two have
    no seed in common, or were tested on different utterances."""
    check_alike(system, reference)
    if not (seeds := shared_seeds(system, reference)):
        raise UserError(f"{system.name} and {reference.name} have no seed in common")
    sides = [(side, indices(side, seeds)) for side in (system, reference)]
    by_seed = [getattr(side.by_seed, metric)[index] for side, index in sides]
    change, between = by_seed[0] - by_seed[1], difference(system, reference, metric)
    p = signed_ranks(*(getattr(side.of_speakers, metric)[:, index].mean(axis=-1) for side, index in sides))
    first_seed = [side.pooled[index[0]] for side, index in sides]
    right, reference_right = (scores.decisions == scores.labels for scores in first_seed)
    alone, reference_alone = int((right & ~reference_right).sum()), int((~right & reference_right).sum())
    return {
        "system": system.name,
        "reference": reference.name,
        "difference": between._asdict(),
        "by_seed": {str(seed): float(value) for seed, value in zip(seeds, change)},
        "deterministic": system.deterministic and reference.deterministic,
        "starts": {str(seed): system.starts.get(seed, "") for seed in seeds},
        "spread": spread(dict(zip(seeds, map(float, change))), system.starts, between),
        "p": p,
        "p_corrected": p,
        "p_mcnemar": mcnemar(alone, reference_alone),
        "only_system": alone,
        "only_reference": reference_alone,
    }


def correct(comparisons: Sequence[dict[str, Any]]) -> None:
    """Holm's correction, in place, of comparisons that are one family."""
    for comparison, p in zip(comparisons, holm([comparison["p"] for comparison in comparisons])):
        comparison["p_corrected"] = p
