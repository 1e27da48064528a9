"""How trainings are dealt over jobs."""

import pytest

from steps.training.tasks import Task, deal, read_tasks, write_tasks
from utils.cli import UserError

TASKS = [Task(system, run, seed) for system in ("a", "b", "c") for run in ("r1", "r2") for seed in (0, 1, 2)]


@pytest.mark.parametrize("jobs", [1, 2, 4, 5, 18])
def test_each_task_is_dealt_once_and_evenly(jobs):
    shares = deal(TASKS, jobs)
    assert len(shares) == jobs and shares == deal(TASKS, jobs)
    assert sorted(task for share in shares for task in share) == sorted(TASKS)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    for system in "abc":  # and so is each system
        counts = [sum(task.system == system for task in share) for share in shares]
        assert max(counts) - min(counts) <= 1


def test_a_share_is_read_as_it_was_written(tmp_path):
    write_tasks(tmp_path / "log/1.list", TASKS[:3] + [Task("", "r1", 7)])
    assert read_tasks(tmp_path / "log/1.list") == TASKS[:3] + [Task("", "r1", 7)]
    (tmp_path / "log/1.list").write_text("a r1 x\n")
    with pytest.raises(UserError, match="1.list:1: expected"):
        read_tasks(tmp_path / "log/1.list")
