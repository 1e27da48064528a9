"""A system that is the mean of others: of each run and seed, the mean of their posteriors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from steps.systems.system import Config
from utils import config, runs
from utils.cli import UserError
from utils.files import whole
from utils.scores import read_scores, write_scores


def mean_run(parts: Sequence[Path], out: Path, settings: Config) -> None:
    """Leave in `out` what a run has, made from the same run of other systems, finished in `parts`; `scores` is the last
    of the files. Raises UserError where they do not score the same utterances."""
    config.save(settings, out / runs.CONFIG)
    known = [yaml.safe_load((part / runs.ENVIRONMENT).read_text(encoding="utf-8")) for part in parts]
    costs: Counter[str] = Counter()
    for environment in known:
        costs.update(environment["cost"])
    with whole(out / runs.ENVIRONMENT) as temporary:
        temporary.write_text(yaml.safe_dump(known[0] | {"seconds": 0, "cost": dict(costs)}, sort_keys=False))
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
        write_scores(out / name, first.classes, rows, speakers, dict(zip(first.utterances, labels)))
