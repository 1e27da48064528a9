"""What can happen to jobs in a queue: they are killed, cancelled, requeued; the controller goes away; Ctrl-C."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.slurm.conftest import ROOT, output_of, queue, run, start, wait_for

# A job that counts to ten and keeps its place, as a training keeps its checkpoint.
COUNTS = (
    "n=$(cat place 2>/dev/null || echo 0); while [ $n -lt 10 ]; do n=$((n+1)); echo $n | tee place; sleep 0.2; done"
)


def there(path):
    return lambda: Path(path).exists() and Path(path).read_text()


def alive(pid):
    return Path(f"/proc/{pid}").exists() and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_a_job_that_takes_too_much_memory(cluster):
    Path("big.py").write_text(
        "print('so far so good', flush=True)\nx = bytearray(400 << 20)\nimport time; time.sleep(60)"
    )
    done = run("--mem", "100M", "JOB=1:2", "x.JOB.log", "bash", "-c", "[ JOB = 1 ] || exec python big.py", code=1)
    lines = done.stderr.splitlines()
    assert lines[0] == "slurm.py: 1 / 2 failed, log is in x.*.log"
    assert re.match(r"JOB 2: (out of memory: ended by signal 9, Killed|OUT_OF_MEMORY) on n[12]", lines[1])
    assert lines[2] == "==> x.2.log <==" and "so far so good" in lines
    assert any("memory" in line for line in lines[3:]), "what Slurm says of it stands in the log"
    assert lines[-1].startswith("# Ended (code 137) at ")


def test_a_job_that_somebody_cancels(cluster):
    runner = start("JOB=1:2", "x.JOB.log", "bash", "-c", "touch on.JOB; [ JOB = 1 ] || exec sleep 60")
    wait_for(Path("on.2").exists)
    cluster.call("scancel", queue(cluster)[-1])
    said = runner.communicate(timeout=60)[1].splitlines()
    assert runner.returncode == 1
    assert said[0].startswith("slurm.py: 1 / 2 failed") and re.match(r"JOB 2: CANCELLED on n[12]", said[1])
    assert "# CANCELLED on n" in Path("x.2.log").read_text()


def test_a_job_that_is_cancelled_before_it_ran(cluster):
    runner = start("--hold", "JOB=1:2", "x.JOB.log", "true")
    wait_for(lambda: len(queue(cluster)) == 2)
    cluster.call("scancel", queue(cluster)[0].partition("_")[0])
    assert "slurm.py: 2 / 2 failed" in runner.communicate(timeout=60)[1]
    assert Path("x.1.log").read_text().splitlines()[:2] == ["# This job never started", "# CANCELLED"]


def test_a_requeued_job_goes_on_from_where_it_was_and_its_log_says_so(cluster):
    runner = start("JOB=1:2", "x.JOB.log", "bash", "-c", f"mkdir -p JOB; cd JOB; {COUNTS} 2>/dev/null")
    wait_for(there("2/place"))
    task = next(task for task in queue(cluster) if task.endswith("_2"))
    cluster.call("scontrol", "requeue", task)
    assert runner.wait(60) == 0, runner.stderr.read()
    assert output_of("x.1.log") == [str(n) for n in range(1, 11)]
    log = Path("x.2.log").read_text()
    assert "# Requeued by Slurm: start number 2 of this job\n# Host: " in log
    numbers = [int(line) for line in output_of("x.2.log")]
    assert numbers[-1] == 10 and len(numbers) in (10, 11), "nothing was done twice"
    assert log.splitlines()[-1].startswith("# Ended (code 0) at ")


def test_a_requeued_training_goes_on_from_its_checkpoint(cluster, emotional, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "a.yaml").write_text("network: {width: 2}\ninput: {crop: 40}\ntraining: {epochs: 30, batch: 4}\n")
    finetune = [str(ROOT / "steps/finetune.py"), "--config", "a.yaml", "--runs", "r1", str(emotional)]
    runner = start("--mem", "2G", "cut.log", *finetune, "cut")
    wait_for(Path("cut/r1_seed0/checkpoint.pt").exists)
    cluster.call("scontrol", "requeue", queue(cluster)[0])
    assert runner.wait(120) == 0, runner.stderr.read()
    assert re.search(r"# Requeued by Slurm.*\ngoing on ", Path("cut.log").read_text(), re.DOTALL)
    assert len(Path("cut/r1_seed0/scores").read_text().splitlines()) == 9, "a header and the test speaker's utterances"


def test_a_controller_that_restarts_is_waited_for_and_the_jobs_go_on(cluster):
    runner = start(
        "JOB=1:2", "x.JOB.log", "bash", "-c", "touch on.JOB; until [ -e go ]; do sleep 0.1; done; [ JOB = 1 ] || exit 5"
    )
    wait_for(lambda: Path("on.1").exists() and Path("on.2").exists())
    cluster.stop("slurmctld")
    assert "; running jobs go on; waiting for the Slurm controller" in runner.stderr.readline()
    later = start("y.log", "echo", "later")
    assert "waiting for the Slurm controller" in later.stderr.readline()
    Path("go").touch()
    time.sleep(1)
    cluster.start("slurmctld")
    said = runner.communicate(timeout=90)[1].splitlines()
    assert said[:2] == ["slurm.py: the controller answers again", "slurm.py: 1 / 2 failed, log is in x.*.log"]
    assert "later\n" in later.communicate(timeout=60)[0]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_cancels_every_job(cluster, number, code):
    script = "echo $$ > job.JOB; sleep 60 & echo $! > child.JOB; wait $!"
    runner = start("--max-jobs-run", "2", "JOB=1:3", "x.JOB.log", "bash", "-c", script)
    wait_for(lambda: there("child.1")() and there("child.2")())
    os.killpg(runner.pid, number)
    assert "slurm.py: interrupted: every job was ended" in runner.communicate(timeout=60)[1]
    assert runner.returncode == code and queue(cluster) == []
    for n in (1, 2):
        assert not alive(Path(f"job.{n}").read_text().strip()) and not alive(Path(f"child.{n}").read_text().strip())
        assert f"# Ended (code {code}) at " in Path(f"x.{n}.log").read_text().splitlines()[-1]
    assert not Path("x.3.log").exists()


def test_what_a_killed_call_left_in_the_queue_goes_before_it_is_done_anew(cluster):
    script = "echo $$ > job; until [ -e go ]; do sleep 0.1; done"
    runner = start("x.log", "bash", "-c", script)
    wait_for(there("job"))
    first = Path("job").read_text()
    os.killpg(runner.pid, signal.SIGKILL)
    assert len(queue(cluster)) == 1, "Slurm's jobs outlive their submission"
    Path("job").unlink()
    again = start("x.log", "bash", "-c", script)
    wait_for(there("job"))
    assert not alive(first.strip())
    Path("go").touch()
    assert "which an earlier call had left in the queue" in again.communicate(timeout=60)[1]
    assert again.returncode == 0


@pytest.mark.slow
def test_a_time_limit(cluster):
    runner = start("--time", "1", "a.log", "bash", "-c", "echo begun; sleep 300")
    said = runner.communicate(timeout=240)[1].splitlines()
    assert runner.returncode == 1
    assert re.match(r"TIMEOUT on n[12]", said[1]), said
    assert "begun" in said and any("TIME LIMIT" in line for line in said)


@pytest.mark.slow
def test_a_node_that_dies(cluster):
    """Its job is requeued, elsewhere, and goes on."""
    runner = start(
        "x.log", "bash", "-c", "echo $SLURMD_NODENAME > node; touch on; until [ -e go ]; do sleep 1; done; echo done"
    )
    wait_for(Path("on").exists)
    node = Path("node").read_text().strip()
    cluster.stop(node, signal.SIGKILL)
    try:
        wait_for(lambda: Path("node").read_text().strip() != node, timeout=300)
        Path("go").touch()
        assert runner.wait(60) == 0
        assert "# Requeued by Slurm: start number 2" in Path("x.log").read_text()
    finally:
        cluster.start(node)
