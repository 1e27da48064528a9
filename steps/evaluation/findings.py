"""When something is wrong with a corpus, how much so, and how it is written down: the rows `findings` of audit.json,
whose layout stands in steps/evaluation/audit.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
SEVERITIES = ("error", "warning", "note")
FIRST = 5  # of what is found, so many are named


@dataclass(frozen=True)
class Limits:
    """When something is wrong, and how much so; gains are of 1, from chance to certainty."""

    p: float = 0.05  # after Holm's correction: below, guessing is better than chance
    gain: float = 0.1  # from here on, a property that is not speech is a warning, a cue of emotion a note
    cue: float = 0.5  # from here on, a cue of emotion (duration, level, share of speech) is a warning
    tells: float = 0.8  # from here on, a property that is not speech is an error
    short: float = 0.5  # seconds
    long: float = 30.0  # seconds
    silent: float = -60.0  # dB of full scale; below, a recording is as good as silent
    clipped: float = 0.001  # share of samples at the ends of the range
    many: float = 0.05  # share of utterances from which such recordings are a warning


LIMITS = Limits()


def finding(what: str, severity: str, count: int, of: int, unit: str, first: Sequence[str], **more: Any) -> Json:
    """One row of `findings`; the names in `first` are cut to the first few."""
    empty = {"value": None, "chance": None, "gain": None, "p": None, "effect": None}
    row = {"what": what, "severity": severity} | empty | {"count": count, "of": of, "unit": unit}
    return row | {"first": [str(name) for name in first[:FIRST]]} | more
