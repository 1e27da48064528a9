"""How trainings, systems × runs × seeds, are dealt over jobs: a list for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from utils.cli import UserError
from utils.files import whole
from utils.runs import Run


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
            raise UserError(f"{path}:{number}: expected '<system> <run> <seed>', found '{line}'")
        runs.append(Run("" if fields[0] == "-" else fields[0], fields[1], int(fields[2])))
    return runs
