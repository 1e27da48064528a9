"""What is left in the queue when nobody is there any more to look after it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.slurm.conftest import ROOT, queue, run, start, wait_for

RUN_SH = """#!/usr/bin/env bash
set -euo pipefail
stage=           # first
stop_stage=2     # last
exp=$PWD/exp     # folder
. utils/parse_options.sh
. utils/stages.sh
if run_stage 1 "Features"; then
  for job in reads.*; do echo "$job $(ps -o stat= -p "$(cat "$job")")" >>seen; done
fi
if run_stage 2 "Training"; then
  job='echo $$ >reads.JOB; until [ -e go ]; do sleep 0.1; done'
  utils/slurm.py --max-jobs-run 1 JOB=1:2 "$exp/log/x.JOB.log" bash -c "$job"
fi
"""


def there(path):
    return lambda: Path(path).exists() and Path(path).read_text()


@pytest.fixture
def recipe(cluster):
    """recipe(words): start a run.sh, whose second stage trains in the queue."""
    Path("utils").symlink_to(ROOT / "utils")
    Path("run.sh").write_text(RUN_SH)

    def start_run(*words):
        pipe = subprocess.PIPE
        command = ["bash", "run.sh", *words]
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)

    return start_run


def test_what_a_killed_recipe_left_has_ended_before_the_next_one_changes_what_it_reads(cluster, recipe):
    """Killed are run.sh and all of its children, at once: one task trains, one waits."""
    killed = recipe("--stage", "2")
    wait_for(there("reads.1"))
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert len(queue(cluster)) == 2, "Slurm's jobs outlive their submission"
    after = recipe("--stop-stage", "1")
    _, said = after.communicate(timeout=60)
    assert after.returncode == 0 and queue(cluster) == []
    assert Path("seen").read_text().strip() == "reads.1", "its process is gone"
    assert said.startswith("slurm_left.py: cancelling job ") and "which an earlier call has left in the queue" in said
    assert len(said.splitlines()) == 1


def test_jobs_that_somebody_looks_after_are_left_alone(cluster, recipe):
    """As those of a recipe whose folder lies in this one's."""
    inner = recipe("--stage", "2", "--exp", "exp/inner")
    wait_for(there("reads.1"))
    outer = recipe("--stop-stage", "1")
    assert outer.communicate(timeout=60)[1] == "" and outer.returncode == 0 and len(queue(cluster)) == 2
    Path("go").touch()
    assert inner.wait(60) == 0


def test_one_log_is_one_callers(cluster):
    words = ["x.log", "bash", "-c", "echo >on; until [ -e go ]; do sleep 0.1; done"]
    first = start(*words)
    wait_for(there("on"))
    said = run(*words, code=1).stderr
    assert "q/x.log is in use by slurm.py on " in said and len(said.splitlines()) == 1
    Path("go").touch()
    assert first.wait(60) == 0 and not Path("q").exists()
