"""Systems side by side, by what they decided of the same utterances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from steps.evaluation.significance import Interval, holm, mcnemar, percentiles, signed_ranks
from steps.evaluation.summary import Summary
from utils.cli import UserError


class Trainings(NamedTuple):
    """Those of two systems that are set against each other."""

    seeds: list[int]  # by which differences are told: of both or, where all of each count, of the one that has more
    mine: list[int]  # places among the system's own seeds
    theirs: list[int]  # among the reference's


def trainings(system: Summary, reference: Summary) -> Trainings:
    """Of the seeds that both have, as what differs between seeds cancels in no other comparison. All of each where
    there is nothing to cancel: where one depends on no seed, and where one alone starts from a pre-trained model, of
    which seeds have several. None where they have no seed in common. Of somebody's score file, which says of no
    training, nothing is known but its seed."""
    shared = [seed for seed in system.seeds if seed in reference.seeds]
    fixed = [side.deterministic for side in (system, reference)]
    started = {any(side.starts.values()) for side in (system, reference) if side.texts}
    if all(fixed):
        return Trainings(reference.seeds[:1], [0], [0])
    if system.name == reference.name and shared:  # under other folds: what looks fixed by one seed may not be
        fixed = [False, False]
    if not any(fixed) and (len(started) < 2 or not shared):
        return Trainings(shared, *([side.seeds.index(seed) for seed in shared] for side in (system, reference)))
    mine, theirs = ([0] if alone else [*range(len(side.seeds))] for alone, side in zip(fixed, (system, reference)))
    return Trainings((system if len(mine) >= len(theirs) else reference).seeds, mine, theirs)


def difference(system: Summary, reference: Summary, metric: str = "wf1", paired: bool = True) -> Interval:
    """system − reference of a pooled metric, in points, mean over `trainings` (nan without one), with the interval over
    the same resampled speakers; without it unless `paired`."""
    seeds, *index = trainings(system, reference)
    if not seeds:
        return Interval(math.nan)
    sides = [*zip((system, reference), index)]
    values = [float(getattr(side.by_seed, metric)[own].mean()) for side, own in sides]
    if not paired:
        return Interval(values[0] - values[1])
    drawn = [getattr(side.resampled, metric)[:, own].mean(axis=-1) for side, own in sides]
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


def beyond_speakers(difference: Interval, varied: Mapping[str, float | None], trained: int, models: int) -> Interval:
    """The difference with an interval for other trainings as well as for other speakers: of `spread` and of how many
    fine-tunings on how many pre-trained models, as if all three were normal. Without bounds where one is not known."""
    parts = [(varied["speakers"], 1), (varied["fine_tuning"], trained), (varied["pretraining"], models)]
    known = [sd**2 / count for sd, count in parts if sd is not None]
    if len(known) < len(parts):
        return Interval(difference.value)
    sd = math.sqrt(sum(known))
    return Interval(difference.value, difference.value - 1.96 * sd, difference.value + 1.96 * sd)


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
    seeds, *index = trainings(system, reference)
    if not seeds:
        raise UserError(f"{system.name} and {reference.name} have no seed in common")
    sides = [*zip((system, reference), index)]
    by_seed = [getattr(side.by_seed, metric)[own] for side, own in sides]
    if len({len(values) for values in by_seed}) > 1:  # no pairs: of one, the mean
        by_seed = [values if len(values) == len(seeds) else values.mean(keepdims=True) for values in by_seed]
    change, between = by_seed[0] - by_seed[1], difference(system, reference, metric)
    of_speakers = [getattr(side.of_speakers, metric)[:, own].mean(axis=-1) for side, own in sides]
    p, starts = signed_ranks(*of_speakers), (system if seeds == system.seeds else reference).starts
    trained = [0 if side.deterministic else len(own) for side, own in sides]
    models = [len({side.starts.get(side.seeds[at], "") for at in own} - {""}) for side, own in sides]
    varied = spread(dict(zip(seeds, map(float, change))), starts, between)
    first_seed = [side.pooled[own[0]] for side, own in sides]
    right, reference_right = (scores.decisions == scores.labels for scores in first_seed)
    alone, reference_alone = int((right & ~reference_right).sum()), int((~right & reference_right).sum())
    return {
        "system": system.name,
        "reference": reference.name,
        "difference": between._asdict(),
        "by_seed": {str(seed): float(value) for seed, value in zip(seeds, change)},
        "means": [float(values.mean()) for values in by_seed],
        "trained": trained,
        "models": models,
        "starts": {str(seed): starts.get(seed, "") for seed in seeds},
        "spread": varied,
        "beyond_speakers": beyond_speakers(between, varied, len(seeds), max(models))._asdict(),
        "by_speaker": float(np.mean(of_speakers[0] - of_speakers[1])),
        "p": p,
        "p_corrected": p,
        "family_size": 1,
        "p_mcnemar": mcnemar(alone, reference_alone),
        "only_system": alone,
        "only_reference": reference_alone,
    }


def correct(comparisons: Sequence[dict[str, Any]]) -> None:
    """Holm's correction, in place, of comparisons that are one family."""
    for comparison, p in zip(comparisons, holm([comparison["p"] for comparison in comparisons])):
        comparison |= {"p_corrected": p, "family_size": len(comparisons)}
