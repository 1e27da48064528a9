"""What the job runners share."""

import time

import pytest

from utils import jobs
from utils.cli import UserError


def test_a_variable_that_no_path_has():
    assert jobs.free_variable(["/x/data", "JOBS"]) == "JOB"
    assert jobs.free_variable(["/x/JOB/data"]) == "JOB2" and jobs.free_variable(["JOB-17", "/x/JOB2.d"]) == "JOB3"


@pytest.mark.parametrize("words", ["JOB=1:1000000000", f"JOB=1:{'9' * 5000}"])
def test_more_jobs_than_there_can_be_are_refused_at_once(words):
    begun = time.monotonic()
    with pytest.raises(UserError, match="jobs are the most|expected JOB=first:last"):
        jobs.job_values(words)
    assert time.monotonic() - begun < 1


def test_a_runner_that_is_not_here_says_where_to_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"--cmd 'utils/run.py': no such program here; start in the root or in egs"):
        jobs.call("utils/run.py", "log", "true")
    with pytest.raises(UserError, match="--cmd '\"': is no command"):
        jobs.call('"', "log", "true")
