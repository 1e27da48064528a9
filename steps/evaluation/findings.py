"""What matters and what does not: each claim made from figures, with its interval."""

from __future__ import annotations

from steps.evaluation.evidence import Evidence
from steps.evaluation.families import PLANNED
from steps.evaluation.probe_files import over_runs
from steps.evaluation.significance import Comparison, Interval
from steps.evaluation.tables import between, figure, p_value, signed

UNSEEN = ("speaker", "unseen", "probe")


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


def points(found: Interval) -> str:
    """A difference of shares, in points."""
    return f"{signed(100 * found.value)} points ({between(100 * found.low, 100 * found.high)})"


def of_spaces(evidence: Evidence) -> list[str]:
    """Whether the parts of a split differ in what they tell of unseen speakers, and whether AD takes it away."""
    lines = []
    for system, means in evidence.probes.items():
        plus, minus = (means.get((space, *UNSEEN)) for space in ("embedding", "embedding_minus"))
        if plus and minus:
            found = over_runs(minus.by_run, plus.by_run)
            words = "tells" if found.low > 0 else "tells less of" if found.high < 0 else "tells no more of"
            what = "more of two unseen speakers" if words == "tells" else "two unseen speakers"
            lines.append(f"{system}: pool(F⁻) {words} {what} than pool(F⁺), {points(found)} by the probe.")
    ours, before = (evidence.probes.get(name, {}).get(("embedding", *UNSEEN)) for name in PLANNED)
    if ours and before:
        found = over_runs(ours.by_run, before.by_run)
        words = "more than" if found.low > 0 else "less than" if found.high < 0 else "as much as"
        lines.append(
            f"The embedding of {PLANNED[0]} tells {words} that of {PLANNED[1]} of two unseen speakers, {points(found)} "
            "by the probe."
        )
    return lines


def of_leaks(evidence: Evidence) -> list[str]:
    honest = {one.name: one.pooled.wf1 for one in evidence.summaries}
    lines = [
        f"{one.name}: {kind} are worth {signed(one.pooled.wf1 - honest[one.name])} points of wF1."
        for kind, found in evidence.leaking.items()
        for one in found
        if one.name in honest
    ]
    return lines + [
        f"{name}: choosing the epoch on the test speakers is worth {signed(found.wf1 - honest[name])} points of wF1."
        for name, found in evidence.oracle.items()
    ]


def findings(evidence: Evidence) -> list[str]:
    """One claim a line; the planned comparison first, then what makes a difference, then what does not."""
    made = sorted(
        evidence.comparisons,
        key=lambda one: (one.family != "planned", not one.difference.excludes_zero, -abs(one.difference.value)),
    )
    lines = [("Planned: " if one.family == "planned" else "") + of_comparison(one) for one in made]
    lines += [*of_spaces(evidence), *of_leaks(evidence)]
    best = max(evidence.summaries, key=lambda one: one.pooled.wf1)
    lines.append(f"Highest wF1: {best.name}, {figure(best.pooled.wf1, best.pooled_sd.wf1)}.")
    return lines
