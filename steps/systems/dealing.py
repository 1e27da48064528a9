"""Runs dealt over jobs: a list for each, and the configuration as it is when they are dealt. Loads no torch."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from steps.systems.system import Config
from utils import cli, config, jobs
from utils.files import remove, whole
from utils.runs import Run


def train_in_jobs(options: Namespace, settings: Mapping[str, Config], todo: Sequence[Run]) -> None:
    """One array of jobs, with a list of its own for each, and the configuration as it is now: whoever edits conf/ while
    jobs wait in a queue changes none of them."""
    out, count = options.out, min(options.nj, len(todo))
    for number, share in enumerate(deal(todo, count), 1):
        write_list(out / f"log/finetune.{number}.list", share)
    remove(conf := out / "log/conf")
    for name, own in settings.items():
        config.save(own, conf / "systems" / f"{name}.yaml" if name else conf / "system.yaml")
    names = " ".join(settings)
    again = [sys.argv[0], *(["--systems", names] if names else ["--config", f"{conf}/system.yaml"])]
    for name in ("pretrained", "embeddings", "runs", "seeds"):
        again += [f"--{name}", getattr(options, name)]
    job = jobs.free_variable([out, options.data, *again])
    again += ["--conf", str(conf), "--list", f"{out}/log/finetune.{job}.list", str(options.data), str(out)]
    if not jobs.call(options.cmd, f"{job}=1:{count}", f"{out}/log/finetune.{job}.log", *again):
        raise cli.UserError(f"{out}: training failed; the log is named above")


def deal(runs: Sequence[Run], jobs: int) -> list[list[Run]]:
    """A share of `runs` for each job, of equal size but for one run. They are dealt in turn, so that every job gets
    some of each system, whose costs differ."""
    return [list(runs[job::jobs]) for job in range(jobs)]


def write_list(path: Path, runs: Sequence[Run]) -> None:
    """Write `<system> <run> <seed>` lines; the system is "-" where there is one only."""
    with whole(path) as temporary:
        temporary.write_text("".join(f"{run.system or '-'} {run.run} {run.seed}\n" for run in runs))


def read_list(path: Path | str) -> list[Run]:
    """The runs that `write_list` wrote. Raises UserError for a line of another form."""
    runs = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        fields = line.split()
        if len(fields) != 3 or not fields[2].isdigit():
            raise cli.UserError(f"{path}:{number}: expected '<system> <run> <seed>', found '{line}'")
        runs.append(Run("" if fields[0] == "-" else fields[0], fields[1], int(fields[2])))
    return runs
