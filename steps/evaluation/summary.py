"""From the score files of a system's runs and seeds to the figures of a results table."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from steps.evaluation.metrics import Metrics, classification_metrics
from steps.evaluation.scores import Scores, pool, read_scores
from utils import config
from utils.cli import UserError

PLACE = re.compile(r"(?P<run>.+)_seed(?P<seed>\d+)")


@dataclass
class Summary:
    """What a system achieved; spreads are sample standard deviations, nan of a single value."""

    name: str
    runs: list[str]
    seeds: list[int]
    places: list[Path]  # the folders of the runs, in the order of seeds and runs
    utterances: list[str]  # the test utterances of all runs
    speakers: int
    labels: np.ndarray  # (N,) of the pooled test utterances
    pooled: Metrics  # all test utterances of a seed together, mean over seeds
    pooled_sd: Metrics  # over seeds
    folds: Metrics  # each run by itself (mean over its seeds), mean over runs
    folds_sd: Metrics  # over runs
    last: Metrics  # pooled, with each run's last epoch instead of the selected one


def find_runs(system: Path, runs: Collection[str] = (), seeds: Collection[int] = ()) -> dict[tuple[str, int], Path]:
    """(run, seed) → folder of every finished run of a system, or of those named. Raises UserError where one that is
    asked for, or that another seed has, is missing."""
    found = {
        (match["run"], int(match["seed"])): path.parent
        for path in sorted(system.glob("*_seed*/scores"))
        if (match := PLACE.fullmatch(path.parent.name))
    }
    runs = runs or sorted({run for run, _ in found})
    seeds = seeds or sorted({seed for _, seed in found})
    missing = [f"{run}_seed{seed}" for run in runs for seed in seeds if (run, seed) not in found]
    if missing or not found:
        raise UserError(f"{system}: no scores of {', '.join(missing) or 'any run'}; train it to the end first")
    return {(run, seed): found[run, seed] for seed in seeds for run in runs}


def over(rows: list[Metrics], function: str) -> Metrics:
    """`mean` or `sd` of each figure."""
    values = np.array(rows)
    if function == "mean":
        return Metrics(*values.mean(axis=0))
    return Metrics(*(values.std(axis=0, ddof=1) if len(rows) > 1 else np.full(values.shape[1], np.nan)))


def of(scores: Scores) -> Metrics:
    """The metrics of one score file's decisions."""
    return classification_metrics(scores.labels, scores.decisions)


def summarise(system: Path, runs: Collection[str] = (), seeds: Collection[int] = ()) -> Summary:
    """Read a system's score files and condense them."""
    places = find_runs(system, runs, seeds)
    settings = {place: config.read_yaml(place / "config.yaml") for place in places.values()}
    if others := [place for place, own in settings.items() if own != next(iter(settings.values()))]:
        raise UserError(
            f"{others[0]}: was made with another configuration than {next(iter(settings))}; redo one of them"
        )
    runs, seeds = list(dict.fromkeys(run for run, _ in places)), list(dict.fromkeys(seed for _, seed in places))
    read = {key: read_scores(place / "scores") for key, place in places.items()}
    last = {key: read_scores(place / "scores.last") for key, place in places.items()}
    together = {seed: pool([read[run, seed] for run in runs]) for seed in seeds}
    by_seed = [of(scores) for scores in together.values()]
    by_run = [over([of(read[run, seed]) for seed in seeds], "mean") for run in runs]
    first = together[seeds[0]]
    return Summary(
        name=system.name,
        runs=runs,
        seeds=seeds,
        places=list(places.values()),
        utterances=first.utterances,
        speakers=len(set(first.speakers)),
        labels=first.labels,
        pooled=over(by_seed, "mean"),
        pooled_sd=over(by_seed, "sd"),
        folds=over(by_run, "mean"),
        folds_sd=over(by_run, "sd"),
        last=over([of(pool([last[run, seed] for run in runs])) for seed in seeds], "mean"),
    )
