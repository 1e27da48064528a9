"""Systems that take up others, run by run: the mean of their posteriors, or a classifier of their embeddings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from steps.systems.plan import Plan
from steps.systems.system import Config
from utils import config, runs
from utils.archive import read_array, read_scp
from utils.cli import UserError
from utils.files import whole
from utils.runs import Run
from utils.scores import SUMS, format_scores, read_scores, sums, write_all


def take_up(plan: Plan, run: Run) -> None:
    """Make `run` of the same run of other systems, which are finished."""
    settings, folder = plan.settings[run.system], plan.folder(run)
    parts = [plan.folder(part) for part in plan.parts(run)]
    if settings.backend.kind == "mean":
        mean_run(parts, folder, settings)
        return
    from steps.frontend.utterances import read_corpus  # here, as torch takes seconds to load
    from steps.systems.train_run import train_run
    from steps.training.device import pick_device

    corpus = read_corpus(plan.options.data, settings.input, pick_device(), side_by_side(parts))
    train_run(corpus, plan.folds[run.run], folder, run.seed, settings, Path())
    own = read_environment(folder)
    write_environment(folder, own, [own, *map(read_environment, parts)])


def read_environment(folder: Path) -> dict[str, Any]:
    """What a finished run says of how it was made."""
    return yaml.safe_load((folder / runs.ENVIRONMENT).read_text(encoding="utf-8"))


def write_environment(folder: Path, environment: dict[str, Any], used: Sequence[dict[str, Any]]) -> None:
    """Write `environment` with the cost of all that is `used` at test time."""
    costs: Counter[str] = Counter()
    for each in used:
        costs.update(each["cost"])
    with whole(folder / runs.ENVIRONMENT) as temporary:
        temporary.write_text(yaml.safe_dump(environment | {"cost": dict(costs)}, sort_keys=False))


def side_by_side(parts: Sequence[Path]) -> dict[str, np.ndarray]:
    """utterance → its embeddings of several runs, one behind the other."""
    tables = [read_scp(part / f"{runs.EMBEDDING}.scp") for part in parts]
    shared = [name for name in tables[0] if all(name in table for table in tables)]
    return {name: np.concatenate([read_array(table[name]) for table in tables]) for name in shared}


def mean_run(parts: Sequence[Path], out: Path, settings: Config) -> None:
    """Leave in `out` what a run has, made from the same run of other systems, finished in `parts`; `scores` is the last
    of the files. Raises UserError where they do not score the same utterances."""
    config.save(settings, out / runs.CONFIG)
    contents = {}
    for name in (runs.VALID, runs.SCORES):
        every = [read_scores(part / name) for part in parts]
        first = every[0]
        for part, scores in zip(parts, every):
            if (scores.classes, scores.utterances) != (first.classes, first.utterances):
                raise UserError(f"{part / name}: has other utterances or classes than {parts[0] / name}")
        posteriors = np.mean([scores.posteriors for scores in every], axis=0)
        rows = dict(zip(first.utterances, posteriors))
        labels = (first.classes[label] for label in first.labels)
        speakers = dict(zip(first.utterances, first.speakers))
        labelled = dict(zip(first.utterances, labels))
        contents[name] = format_scores(out / name, first.classes, rows, speakers, labelled)
    known = [*map(read_environment, parts)]
    write_environment(out, known[0] | {"seconds": 0, SUMS: sums(contents)}, known)
    write_all(out, contents)
