"""How numbers are written, in tables and in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Results = dict[str, Any]  # results.json: its layout stands in steps/evaluation/results.py
Interval = Mapping[str, Any]  # value, low, high

DASH = "–"


def number(value: float | None, sd: float | None = None, digits: int = 2, sign: str = "-") -> str:
    """`68.19`, `68.19 ± 0.42` where there is a spread, a dash where there is nothing."""
    if value is None:
        return DASH
    spread = "" if sd is None else f" ± {sd:.{digits}f}"
    return f"{value:{sign}.{digits}f}{spread}".replace("-", "−")


def signed(value: float | None, digits: int = 2) -> str:
    return number(value, digits=digits, sign="+")


def bounds(interval: Interval) -> str:
    """`61.0 to 66.2`, or a dash where there is no interval; a second digit where the first would show a 0 that is
    none: on which side of it a bound lies is what counts."""
    ends = [interval[end] for end in ("low", "high")]
    return DASH if None in ends else " to ".join(number(end, digits=1 + (0 < abs(end) < 0.05)) for end in ends)


def change(interval: Interval, digits: int = 1) -> str:
    """`+5.3 (0.4 to 10.1)`."""
    text = signed(interval["value"], digits)
    return text if interval["low"] is None else f"{text} ({bounds(interval)})"


def percent(interval: Interval, times: float = 100) -> dict[str, Any]:
    """An interval of shares of 1, times 100."""
    return {key: None if interval[key] is None else times * interval[key] for key in ("value", "low", "high")}


def p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def compact(count: float | None) -> str:
    """`1.1 M` of 1 098 204."""
    if count is None:
        return DASH
    size, unit = next((pair for pair in ((1e9, " G"), (1e6, " M"), (1e3, " k")) if count >= pair[0]), (1, ""))
    return f"{count / size:.3g}{unit}"


def names(words: Sequence[str], most: int = 6) -> str:
    """`a, b and c`; of very many, the first and how many more."""
    if len(words) > most + 1:
        words = [*words[:most], f"{len(words) - most} more"]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else "none"


def off_zero(interval: Interval) -> bool:
    return interval["low"] is not None and (interval["low"] > 0 or interval["high"] < 0)
