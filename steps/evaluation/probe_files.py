"""The file `probes` of a run: a header and a line a figure; and their means over runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from steps.evaluation.probes import Figure
from steps.evaluation.scores import read_scores
from steps.evaluation.significance import Interval
from utils.cli import UserError
from utils.files import whole

HEAD = [field.name for field in fields(Figure)]


@dataclass
class Mean:
    """One figure over runs."""

    by_run: dict[str, float]  # mean over seeds, and over runs that leave out the same speakers
    chance: float
    how: str

    @property
    def value(self) -> float:
        return float(np.mean(list(self.by_run.values())))


Means = dict[tuple[str, str, str, str], Mean]  # (space, attribute, of, measure) →


def write_figures(path: Path, figures: Iterable[Figure]) -> None:
    """Tab-separated, as `how` holds spaces."""
    with whole(path) as temporary, open(temporary, "w", encoding="utf-8") as out:
        out.write("\t".join(HEAD) + "\n")
        for row in figures:
            cells = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in astuple(row)]
            out.write("\t".join(cells) + "\n")


def read_figures(path: Path) -> list[Figure]:
    """Raises UserError for a file that is not as `write_figures` leaves it."""
    try:
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        if head.split("\t") != HEAD:
            raise ValueError("its header differs")
        rows = [line.split("\t") for line in lines]
        return [
            Figure(space, attribute, of, measure, float(value), float(chance), int(count), how)
            for space, attribute, of, measure, value, chance, count, how in rows
        ]
    except ValueError as error:
        raise UserError(f"{path}: is not a file of probes ({error}); steps/probe.py makes it") from None


def left_out(place: Path, run: str) -> str:
    """What stands for a run where figures are taken as independent: the speakers that it leaves out. IEMOCAP's runs
    come in pairs that leave out the same two, and so train alike. Where there are no scores, the run itself."""
    paths = [place / "scores", place / "scores.valid"]
    if not all(path.is_file() for path in paths):
        return run
    return " ".join(sorted({speaker for path in paths for speaker in read_scores(path).speakers}))


def means(places: Mapping[tuple[str, int], Path]) -> Means:
    """Over those of the runs, (run, seed) → folder, that have a file `probes`. What cannot be measured in a run (nan)
    is left out there."""
    found: dict[tuple[str, str, str, str], dict[str, list[Figure]]] = {}
    for (run, _), place in places.items():
        unit = left_out(place, run)
        for row in read_figures(place / "probes") if (place / "probes").is_file() else []:
            if not np.isnan(row.value):
                key = (row.space, row.attribute, row.of, row.measure)
                found.setdefault(key, {}).setdefault(unit, []).append(row)
    result = {}
    for key, runs in found.items():
        rows = [row for of_run in runs.values() for row in of_run]
        by_run = {run: float(np.mean([row.value for row in of_run])) for run, of_run in runs.items()}
        result[key] = Mean(by_run, float(np.mean([row.chance for row in rows])), rows[0].how)
    return result


def over_runs(one: Mapping[str, float], other: Mapping[str, float] | None = None) -> Interval:
    """The mean over runs (of a Mean's by_run), or that of the difference one − other over the runs of both, with
    Student's 95 % interval. Runs share most of their training speakers, so that it is somewhat too narrow."""
    from scipy.stats import t

    values = np.array([one[run] - other[run] for run in one if run in other] if other is not None else [*one.values()])
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return Interval(float(values.mean()), float(values.mean() - half), float(values.mean() + half))
