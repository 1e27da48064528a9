"""What matters and what does not: each claim made from figures, with its interval."""

from __future__ import annotations

import numpy as np

from steps.evaluation.evidence import Evidence
from steps.evaluation.families import PLANNED, TITLES
from steps.evaluation.probe_files import Mean, Means, over_runs
from steps.evaluation.scores import read_scores
from steps.evaluation.significance import Comparison, difference, gain, interval, shared_counts
from steps.evaluation.summary import Summary
from steps.evaluation.words import between, compared, figure, p_value, points, signed

CEILING = 0.9  # of a probe: above it, spaces cannot differ by much


def verdict(one: Comparison) -> str:
    """A difference within its interval is none; one that does not survive the correction is a hint."""
    if not one.difference.excludes_zero:
        return "no difference is shown"
    if one.p_corrected >= 0.05:
        return f"{'better' if one.difference.value > 0 else 'worse'}, though not beyond doubt"
    return "better" if one.difference.value > 0 else "worse"


def of_comparison(one: Comparison) -> str:
    words = f"{signed(one.difference.value)} points of wF1 ({between(one.difference.low, one.difference.high)}"
    words += f"; p {p_value(one.p_corrected)}{'' if one.family == 'planned' else ', corrected'})"
    return f"{one.system} against {one.reference}: {verdict(one)}, {words}."


def of_planned(one: Comparison) -> str:
    """With its difference seed by seed: the interval holds for these seeds."""
    seeds = ", ".join(f"{signed(value)} with seed {seed}" for seed, value in one.by_seed.items())
    return f"Planned: {of_comparison(one).removesuffix('.')}; {seeds}."


def of_comparisons(evidence: Evidence) -> list[str]:
    """The planned comparison, then what makes a difference, the largest first, each by itself; what makes none, a line
    a family."""
    planned = [one for one in evidence.comparisons if one.family == "planned"]
    others = [one for one in evidence.comparisons if one.family != "planned"]
    shown = sorted((one for one in others if one.difference.excludes_zero), key=lambda one: -abs(one.difference.value))
    lines = [of_planned(one) for one in planned] + [of_comparison(one) for one in shown]
    for family in dict.fromkeys(one.family for one in others):
        none = [one for one in others if one.family == family and not one.difference.excludes_zero]
        words = [
            f"{one.system} against {one.reference} {signed(one.difference.value)} "
            f"({between(one.difference.low, one.difference.high)})"
            for one in none
        ]
        if words:
            lines.append(f"No difference is shown, {TITLES[family]}, in points of wF1: {'; '.join(words)}.")
    return lines


def told_apart(one: Mean, other: Mean) -> str:
    found = over_runs(one.by_run, other.by_run)
    levels = f"{100 * one.value:.1f} against {100 * other.value:.1f}"
    near = ", near the probe's ceiling" if min(one.value, other.value) > CEILING else ""
    return f"{compared(found)}, {points(found)}, {levels}{near}"


def speakers_in(one: Means, space: str, other: Means, other_space: str) -> str:
    """What the speaker probe says of one space against another, of training speakers and of pairs of unseen ones; empty
    where nothing was probed."""
    said = []
    for of, whose in (("train", "training speakers"), ("unseen", "pairs of unseen speakers")):
        pair = (one.get((space, "speaker", of, "probe")), other.get((other_space, "speaker", of, "probe")))
        if all(pair):
            kind = "" if of == "train" else f" ({pair[0].how.rpartition(', ')[2]})"
            said.append(f"{whose}{kind}: {told_apart(*pair)}")
    return "; ".join(said)


def of_spaces(evidence: Evidence) -> list[str]:
    """Whether the parts of a split differ in what they tell of speakers, and whether AD takes it away."""
    names, lines = {one.name: one.spaces for one in evidence.summaries}, []
    for system, means in evidence.probes.items():
        if said := speakers_in(means, "embedding_minus", means, "embedding"):
            plus, minus = names[system]
            lines.append(f"{system}, how much {minus} tells of speakers against {plus}: {said}.")
    pair = [evidence.probes.get(name, {}) for name in PLANNED]
    if said := speakers_in(pair[0], "embedding", pair[1], "embedding"):
        lines.append(
            f"How much the embedding of {PLANNED[0]} tells of speakers, whom AD is to take away, against that of "
            f"{PLANNED[1]}: {said}."
        )
    return lines


def of_leaks(evidence: Evidence) -> list[str]:
    """What each mistake adds: paired by speaker where the speakers are true, else beside its own interval."""
    honest, lines = {one.name: one for one in evidence.summaries}, []
    for name, found in evidence.oracle.items():
        worth = difference(*shared_counts(found, honest[name]))
        lines.append(
            f"{name}: choosing the epoch on the test speakers is worth {signed(worth.value)} points of wF1 "
            f"({between(worth.low, worth.high)})."
        )
    for kind, systems in evidence.leaking.items():
        for one in systems:
            if one.name in honest:
                worth, own = gain(one, honest[one.name]), interval(one)
                lines.append(
                    f"{one.name}: {kind} are worth {signed(worth)} points of wF1 (wF1 {figure(one.pooled.wf1)}, "
                    f"{between(own.low, own.high)}, over speakers that are not true)."
                )
    return lines


def of_selection(evidence: Evidence) -> list[str]:
    """What choosing the epoch on the validation speakers was worth, of the systems whose network decides."""
    deciding = [one for one in evidence.summaries if one.settings.get("backend.kind", "network") == "network"]
    chosen = [one for one in deciding if one.settings.get("training.selection") != "last"]
    if not chosen:
        return []
    later = [one.last.wf1 - one.pooled.wf1 for one in chosen]
    place = next(iter(chosen[0].places.values()))
    speakers = len(set(read_scores(place / "scores.valid").speakers))
    return [
        f"The last epoch has a higher wF1 than the selected one for {sum(gained > 0 for gained in later)} of "
        f"{len(chosen)} networks, by {signed(float(np.mean(later)))} points in the mean over all of them: the "
        f"validation speakers that select it are few ({speakers} in a run)."
    ]


def of_best(evidence: Evidence) -> list[str]:
    """The highest figure, and from which others it is not told apart."""
    best = max(evidence.summaries, key=lambda one: one.pooled.wf1)
    others = [one for one in evidence.summaries if one is not best]

    def told(other: Summary) -> bool:
        pair = shared_counts(best, other)
        return bool(pair[0].shape[1]) and difference(*pair).excludes_zero

    alike = [one.name for one in others if not told(one)]
    line = f"Highest wF1: {best.name}, {figure(best.pooled.wf1, best.pooled_sd.wf1)}"
    if alike:
        whom = "any other system" if len(alike) == len(others) > 1 else ", ".join(alike)
        line += f"; no difference is shown between it and {whom}"
    return [f"{line}{'; the highest of several is so in part by chance' * (len(others) > 1)}."]


def findings(evidence: Evidence) -> list[str]:
    """One claim a line; the planned comparison first, then what makes a difference, then what does not."""
    parts = (of_comparisons, of_spaces, of_leaks, of_selection, of_best)
    return [line for part in parts for line in part(evidence)]
