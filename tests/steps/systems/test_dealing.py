"""How trainings are dealt over jobs."""

import pytest

from steps.systems.dealing import deal, read_list, write_list
from utils.cli import UserError
from utils.runs import Run

RUNS = [Run(system, run, seed) for system in ("a", "b", "c") for run in ("r1", "r2") for seed in (0, 1, 2)]


@pytest.mark.parametrize("jobs", [1, 2, 4, 5, 18])
def test_each_task_is_dealt_once_and_evenly(jobs):
    shares = deal(RUNS, jobs)
    assert len(shares) == jobs and shares == deal(RUNS, jobs)
    assert sorted(task for share in shares for task in share) == sorted(RUNS)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    for system in "abc":  # and so is each system
        counts = [sum(task.system == system for task in share) for share in shares]
        assert max(counts) - min(counts) <= 1


def test_a_share_is_read_as_it_was_written(tmp_path):
    write_list(tmp_path / "log/1.list", RUNS[:3] + [Run("", "r1", 7)])
    assert read_list(tmp_path / "log/1.list") == RUNS[:3] + [Run("", "r1", 7)]
    (tmp_path / "log/1.list").write_text("a r1 x\n")
    with pytest.raises(UserError, match="1.list:1: expected"):
        read_list(tmp_path / "log/1.list")
