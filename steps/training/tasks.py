"""What is to be trained: systems × runs × seeds, and how that is dealt over jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from utils.cli import UserError
from utils.files import whole


class Task(NamedTuple):
    """One system, trained on one run of the fold list with one seed."""

    system: str  # "" where there is one only, whose folder is known
    run: str
    seed: int

    def place(self, exp: Path) -> Path:
        return exp / self.system / f"{self.run}_seed{self.seed}"


def deal(tasks: Sequence[Task], jobs: int) -> list[list[Task]]:
    """A share of `tasks` for each job, of equal size but for one task. They are dealt in turn, so that every job gets
    some of each system, whose costs differ."""
    return [list(tasks[job::jobs]) for job in range(jobs)]


def write_tasks(path: Path, tasks: Sequence[Task]) -> None:
    with whole(path) as temporary:
        temporary.write_text("".join(f"{task.system or '-'} {task.run} {task.seed}\n" for task in tasks))


def read_tasks(path: Path | str) -> list[Task]:
    """The tasks that `write_tasks` wrote. Raises UserError for a line of another form."""
    tasks = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        fields = line.split()
        if len(fields) != 3 or not fields[2].isdigit():
            raise UserError(f"{path}:{number}: expected '<system> <run> <seed>', found '{line}'")
        tasks.append(Task("" if fields[0] == "-" else fields[0], fields[1], int(fields[2])))
    return tasks
