"""A comparison of two systems, as results.json and together.json hold it: where it stands, how sure it is, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steps.reporting.words import DASH, bounds, off_zero, p_value

ALONE = ("only_system", "only_reference")  # utterances that one alone got right
NO_DIFFERENCE = "No difference is shown"
LEADS = {  # certainty of a difference → of one downwards, of one upwards
    "difference": ("No, the opposite", "Yes"),
    "one training": ("Not here: lower, by a single training", "Yes here, by a single training"),
    "hint": ("A hint of the opposite", "A hint that it does"),
    "no difference": (NO_DIFFERENCE, NO_DIFFERENCE),
}


def comparison(compared: Mapping[str, Any], system: str, reference: str | None) -> dict[str, Any] | None:
    """The comparison of the two in results.json, or in together.json, whichever of them it is written of."""
    pairs = {(row["system"], row["reference"]): row for row in compared.get("comparisons", [])}
    if not (row := pairs.get((system, reference))) and (other := pairs.get((reference, system))):
        return turned(other)
    return row


def turned(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same comparison, of the reference against the system."""
    value, low, high = (row["difference"][key] for key in ("value", "low", "high"))
    ends = {"low": None if high is None else -high, "high": None if low is None else -low}
    return {
        **row,
        "system": row["reference"],
        "reference": row["system"],
        "difference": {"value": -value, **ends},
        "by_seed": {seed: -own for seed, own in row["by_seed"].items()},
        "by_speaker": -row["by_speaker"],
        **{key: row[key][::-1] for key in ("means", "trained", "models") if key in row},
        **{ALONE[not at]: row[key] for at, key in enumerate(ALONE) if key in row},
    }


def corrected(row: Mapping[str, Any], planned: bool) -> str:
    """`p 0.001, 0.010 after Holm's correction among 30`, which is not for the planned comparison."""
    size = row.get("family_size", DASH)  # of what was kept long ago, it is not known
    more = f"{p_value(row['p_corrected'])} after Holm's correction among {size}"
    said = "planned, not corrected" if planned else "alone in its family" if size == 1 else more
    return f"p {p_value(row['p'])}, {said}"


def holm(row: Mapping[str, Any], planned: bool) -> str:
    """The same for a cell: `0.010 (30)`."""
    return "planned" if planned else f"{p_value(row['p_corrected'])} ({row.get('family_size', DASH)})"


def certainty(row: Mapping[str, Any]) -> str:
    """Of a comparison: a difference where its interval excludes 0, its p stays below 0.05 and no training points the
    other way (but where either system has a single training, it is that of "one training", whatever the interval over
    speakers); a hint where either of the first two is so."""
    value = row["difference"]["value"]
    small = row["p_corrected"] < 0.05 and row["by_speaker"] * value > 0  # what is tested points the same way
    if not off_zero(row["difference"]):
        return "hint" if small else "no difference"
    if not small or any(own * value <= 0 for own in row["by_seed"].values()):
        return "hint"
    return "one training" if 1 in row["trained"] else "difference"


def lead(row: Mapping[str, Any]) -> str:
    """What a comparison answers, in a few words."""
    return LEADS[certainty(row)][row["difference"]["value"] > 0]


def beyond(row: Mapping[str, Any]) -> str:
    """The interval of a difference that covers other trainings as well as other speakers; "" where it is not known."""
    wide = row.get("beyond_speakers") or {"low": None}
    return "" if wide["low"] is None else bounds(wide)


def trainings(row: Mapping[str, Any]) -> str:
    """How many of the system's and of the reference's a difference rests on: `6 on 3` of six on three pre-trainings,
    `6 on 3 against 1` where the two sides are unlike, a dash where nothing depends on a seed."""
    models = row.get("models", [0, 0])  # of what was kept long ago, it is not known
    of, against = (f"{own or DASH}" + f" on {on}" * bool(on) for own, on in zip(row["trained"], models))
    return of if of == against else f"{of} against {against}"
