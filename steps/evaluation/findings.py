"""What matters and what does not: each claim made from figures, with its interval."""

from __future__ import annotations

from steps.evaluation.evidence import Evidence
from steps.evaluation.families import PLANNED, TITLES
from steps.evaluation.probe_files import Mean, Means, over_runs
from steps.evaluation.significance import Comparison, Interval, difference, interval
from steps.evaluation.tables import between, figure, p_value, signed

UNSEEN, TRAIN = ("speaker", "unseen", "probe"), ("speaker", "train", "probe")


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


def of_comparisons(evidence: Evidence) -> list[str]:
    """The planned comparison, then what makes a difference, the largest first, each by itself; what makes none, a line
    a family."""
    planned = [one for one in evidence.comparisons if one.family == "planned"]
    others = [one for one in evidence.comparisons if one.family != "planned"]
    shown = sorted((one for one in others if one.difference.excludes_zero), key=lambda one: -abs(one.difference.value))
    lines = ["Planned: " + of_comparison(one) for one in planned] + [of_comparison(one) for one in shown]
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


def points(found: Interval) -> str:
    """A difference of shares, in points."""
    return f"{signed(100 * found.value)} points ({between(100 * found.low, 100 * found.high)})"


def speaker_probe(means: Means, space: str) -> tuple[Mean | None, str]:
    """Of unseen speakers of one gender where a run has such pairs, else of the training speakers; and whose it is."""
    unseen = means.get((space, *UNSEEN))
    if unseen and "same gender" in unseen.how:
        return unseen, "unseen speakers"
    return means.get((space, *TRAIN)), "training speakers"


def comparative(found: Interval) -> str:
    return "more of" if found.low > 0 else "less of" if found.high < 0 else "as much of"


def of_spaces(evidence: Evidence) -> list[str]:
    """Whether the parts of a split differ in what they tell of speakers, and whether AD takes it away."""
    lines = []
    for system, means in evidence.probes.items():
        (plus, whose), (minus, _) = (speaker_probe(means, space) for space in ("embedding", "embedding_minus"))
        if plus and minus:
            found = over_runs(minus.by_run, plus.by_run)
            words = f"{comparative(found)} {whose} {'as' if found.low <= 0 <= found.high else 'than'}"
            lines.append(f"{system}: pool(F⁻) tells {words} pool(F⁺), {points(found)} by the probe.")
    pair = [speaker_probe(evidence.probes.get(name, {}), "embedding") for name in PLANNED]
    if all(mean for mean, _ in pair):
        found = over_runs(*(mean.by_run for mean, _ in pair))
        words = f"{comparative(found)} {pair[0][1]} {'as' if found.low <= 0 <= found.high else 'than'}"
        lines.append(f"The embedding of {PLANNED[0]} tells {words} that of {PLANNED[1]}, {points(found)} by the probe.")
    return lines


def of_leaks(evidence: Evidence) -> list[str]:
    """What each mistake adds: paired by speaker where the speakers are true, else beside its own interval."""
    honest, lines = {one.name: one for one in evidence.summaries}, []
    for name, found in evidence.oracle.items():
        worth = difference(found.counts, honest[name].counts)
        lines.append(
            f"{name}: choosing the epoch on the test speakers is worth {signed(worth.value)} points of wF1 "
            f"({between(worth.low, worth.high)})."
        )
    for kind, systems in evidence.leaking.items():
        for one in systems:
            if one.name in honest:
                worth, own = one.pooled.wf1 - honest[one.name].pooled.wf1, interval(one)
                lines.append(
                    f"{one.name}: {kind} are worth {signed(worth)} points of wF1 (wF1 {figure(one.pooled.wf1)}, "
                    f"{between(own.low, own.high)}, over speakers that are not true)."
                )
    return lines


def findings(evidence: Evidence) -> list[str]:
    """One claim a line; the planned comparison first, then what makes a difference, then what does not."""
    lines = [*of_comparisons(evidence), *of_spaces(evidence), *of_leaks(evidence)]
    best = max(evidence.summaries, key=lambda one: one.pooled.wf1)
    lines.append(f"Highest wF1: {best.name}, {figure(best.pooled.wf1, best.pooled_sd.wf1)}.")
    return lines
