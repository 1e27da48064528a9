"""How figures are written, in tables and in sentences."""

from __future__ import annotations

import math

from steps.evaluation.significance import Interval

DASH = "–"


def figure(mean: float, sd: float = math.nan) -> str:
    """`68.19`, `68.19 ± 0.42` where there is a spread, or a dash where there is no figure."""
    if math.isnan(mean):
        return DASH
    return f"{mean:.2f}" if math.isnan(sd) else f"{mean:.2f} ± {sd:.2f}"


def between(low: float, high: float) -> str:
    """`61.0 to 66.2`, or a dash where there is no interval."""
    return DASH if math.isnan(low) else f"{low:.1f} to {high:.1f}".replace("-", "−")


def signed(value: float) -> str:
    return DASH if math.isnan(value) else f"{value:+.2f}".replace("-", "−")


def p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def compared(found: Interval) -> str:
    """A difference within its interval is none."""
    if not found.excludes_zero:
        return "no difference is shown"
    return "more" if found.value > 0 else "less"


def points(found: Interval) -> str:
    """A difference of shares (of 1), in points: `+6.9 points (4.1 to 9.7)`."""
    value = f"{100 * found.value:+.1f}".replace("-", "−")
    return f"{value} points ({between(100 * found.low, 100 * found.high)})"
