"""What results.json (steps/evaluation/results.py) says of one system by itself."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np

from steps.evaluation.metrics import by_class, of_confusions
from steps.evaluation.summary import Summary, sd
from utils import runs, scores, systems
from utils.cli import UserError
from utils.runs import Texts

Json = dict[str, Any]
MOST_PAIRS = 12  # of roles: 4096 choices


def entry(summary: Summary, conf: Path, family: str, majority_wf1: float, chance: float) -> Json:
    """The entry; conf: the folder of the configuration."""
    parent, differs, description = systems.describe(conf, summary.name)
    matrices = summary.counts.sum(axis=0)  # (seeds, classes, classes)
    shares = {key: values.mean(axis=0) for key, values in by_class(matrices).items()}
    runs_wf1 = summary.by_run.wf1
    conditions, cost, commands = conditions_of(summary)
    return {
        "family": family,
        "parent": parent,
        "differs": differs,
        "description": description,
        "settings": summary.settings,
        "seeds": summary.seeds,
        "deterministic": summary.deterministic,
        **{
            name: interval._asdict() | {"sd": spread}
            for name, interval, spread in zip(summary.sd._fields, summary.intervals, summary.sd)
        },
        "over_folds": {"value": float(runs_wf1.mean()), "sd": sd(summary.by_run).wf1},
        "last_epoch": summary.last.wf1,
        "by_class": {
            name: {key: float(values[index]) for key, values in shares.items()}
            for index, name in enumerate(summary.classes)
        },
        "by_run": {run: float(value) for run, value in zip(summary.runs, runs_wf1)},
        "by_speaker": {
            who: float(value) for who, value in zip(summary.speakers, summary.of_speakers.wf1.mean(axis=-1))
        },
        "confusion": matrices.mean(axis=0).tolist(),
        "roles": roles(summary),
        "not_above_majority": not summary.intervals.wf1.low > majority_wf1,
        "not_above_chance": not summary.intervals.ua.low > chance,
        "cost": cost,
        "conditions": conditions,
        "commands": commands,
        "spaces": list(summary.spaces),
        "curves": curves([read_history(files) for files in summary.texts.values()]),
    }


def role_pairs(summary: Summary) -> list[tuple[str, str]]:
    """Runs that test each other's validation speakers; [] unless that makes pairs of all runs."""
    seed = summary.seeds[0]
    tested = {run: set(summary.scores[run, seed].speakers) for run in summary.runs}
    selecting = {run: summary.selecting[run, seed] for run in summary.runs}
    pairs = [
        (first, second)
        for first, second in itertools.combinations(summary.runs, 2)
        if tested[first] == selecting[second] and tested[second] == selecting[first]
    ]
    return pairs if sorted(run for pair in pairs for run in pair) == sorted(summary.runs) else []


def roles(summary: Summary) -> Json | None:
    """The range over the choices of roles (2⁵ on IEMOCAP), mean over seeds: where two runs test each other's validation
    speakers, either of them could have been the session's one run."""
    pairs = role_pairs(summary)
    if not 1 <= len(pairs) <= MOST_PAIRS:
        return None
    counts = dict(zip(summary.runs, summary.run_counts))
    choices = np.array([sum(counts[run] for run in choice) for choice in itertools.product(*pairs)])
    means = {name: values.mean(axis=-1) for name, values in of_confusions(choices)._asdict().items()}
    return {"choices": len(choices)} | {
        name: [float(means[name].min()), float(means[name].max())] for name in ("wf1", "ua", "wa")
    }


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def conditions_of(summary: Summary) -> tuple[Json, Json | None, list[str]]:
    """Where and when the runs of a system were made, what it costs, and the commands typed for it."""
    values: dict[str, list[str]] = {"pretrained": []}
    seconds, costs, commands = 0, [], []
    for files in summary.texts.values():
        said = files.mapping(runs.ENVIRONMENT)
        said.pop(scores.SUMS, None)
        taken, own, starts = said.pop("seconds", 0), said.pop("cost", None) or {}, said.pop("pretrained", None) or []
        numbers = [taken, *own.values()] if isinstance(own, dict) else ["none"]
        if not isinstance(starts, list) or not all(number is None or is_number(number) for number in numbers):
            place = files.place / runs.ENVIRONMENT
            raise UserError(f"{place}: is not as training leaves it; remove the run and redo it")
        seconds += int(taken or 0)
        costs.append(own)
        commands.append(str(said.pop("command", "")))
        lines = [("pretrained", line) for line in starts]
        for key, value in [*said.items(), *lines]:
            if str(value) not in values.setdefault(key, []):
                values[key].append(str(value))
    known = [cost for cost in costs if cost]
    factors = [cost["real_time_factor"] for cost in known if cost.get("real_time_factor") is not None]
    fixed = {key: known[0].get(key) for key in ("parameters", "multiplications")} if known else {}
    cost = fixed | {"real_time_factor": min(factors, default=None)} if known else None
    return {**values, "seconds": seconds}, cost, list(dict.fromkeys(filter(None, commands)))


def read_history(files: Texts) -> dict[str, np.ndarray]:
    """Column → (epochs,) of a run's history.tsv; {} where there is none."""
    if (text := files.read(runs.HISTORY)) is None:
        return {}
    try:
        head, *lines = text.splitlines()
        return dict(zip(head.split("\t"), np.array([line.split("\t") for line in lines], dtype=float).T, strict=True))
    except ValueError as error:
        raise UserError(f"{files.place / runs.HISTORY}: is not a table of epochs ({error})") from None


def curves(histories: list[dict[str, np.ndarray]]) -> Json | None:
    """Of the epochs and columns that all runs with a history have; to six digits, as histories are."""
    histories, result = [history for history in histories if history], {}
    for column in histories[0] if histories else []:
        if column != "epoch" and all(column in history for history in histories):
            length = min(len(history[column]) for history in histories)
            values = np.array([history[column][:length] for history in histories])
            lines = {"mean": values.mean(axis=0), "low": values.min(axis=0), "high": values.max(axis=0)}
            result[column] = {key: [float(f"{value:.6g}") for value in line] for key, line in lines.items()}
    return result or None
