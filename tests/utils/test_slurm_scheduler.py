"""utils/slurm.py on recorded answers of Slurm's commands, for what takes a real one minutes, or a database."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from utils import slurm_scheduler
from utils.slurm_scheduler import Silence, Verdict, read_sacct, read_scontrol

ROOT = Path(__file__).resolve().parents[2]
SCONTROL = (
    "JobId=7 ArrayJobId=7 ArrayTaskId=2 JobName=x UserId=me(1000) GroupId=me(1000) Priority=42 Account=(null) "
    "JobState={state} Reason={reason} Dependency=(null) Requeue=1 Restarts=0 BatchFlag=1 ExitCode={code} "
    "RunTime=00:01:21 TimeLimit=00:01:00 Partition=debug NodeList={node} BatchHost=n1 Command=/home/a=b/job.sh"
)
NO_ACCOUNTING = "Slurm accounting storage is disabled"


@pytest.mark.parametrize(
    ("sacct", "scontrol", "state", "reason", "code"),
    [
        (NO_ACCOUNTING, ("TIMEOUT", "TimeLimit", "0:15", "n1"), "TIMEOUT", "TIMEOUT on n1", 143),
        (NO_ACCOUNTING, ("NODE_FAIL", "NodeDown", "1:0", "n1"), "NODE_FAIL", "NODE_FAIL on n1", 1),
        (NO_ACCOUNTING, ("PREEMPTED", "None", "0:0", "n1"), "PREEMPTED", "PREEMPTED on n1", 1),
        (
            NO_ACCOUNTING,
            ("FAILED", "RaisedSignal:9(Killed)", "0:9", "n2"),
            "FAILED",
            "ended by signal 9, Killed on n2",
            137,
        ),
        (NO_ACCOUNTING, ("CANCELLED", "None", "0:0", "(null)"), "CANCELLED", "CANCELLED", 1),
        (NO_ACCOUNTING, ("COMPLETED", "None", "0:0", "n1"), "COMPLETED", None, 0),
        ("OUT_OF_MEMORY|0:125|node07", None, "OUT_OF_MEMORY", "OUT_OF_MEMORY on node07", 253),
        ("CANCELLED by 1000|0:15|node07", None, "CANCELLED", "CANCELLED on node07", 143),
        ("PREEMPTED|0:15|node07\nTIMEOUT|0:0|node08", None, "TIMEOUT", "TIMEOUT on node08", 1),
        ("RUNNING|0:0|node07", ("TIMEOUT", "TimeLimit", "0:15", "n1"), "TIMEOUT", "TIMEOUT on n1", 143),
    ],
)
def test_the_reason_is_the_schedulers(play, sacct, scontrol, state, reason, code):
    """The second of two jobs ends so, and leaves no exit code."""
    play("sacct", sacct, code=int(sacct == NO_ACCOUNTING))
    fields = dict(zip(("state", "reason", "code", "node"), scontrol or ("COMPLETED", "None", "0:0", "n1")))
    play("scontrol", SCONTROL.format(**fields), only="job")
    play("squeue", f"1|COMPLETED|None\n2|{state}|x", only="-j")
    done = call()
    if reason is None:
        assert done.returncode == 0 and "2 / 2 done" in done.stdout
        return
    assert done.stderr.splitlines()[:3] == [
        "slurm.py: 1 / 2 failed, log is in x.*.log",
        f"JOB 2: {reason}",
        "==> x.2.log <==",
    ]
    assert f"# {reason}\n# Ended (code {code}) at " in Path("x.2.log").read_text()


def test_what_the_scheduler_has_forgotten_is_not_waited_for_for_ever(play):
    play("sacct", NO_ACCOUNTING, code=1)
    play("scontrol", "slurm_load_jobs error: Invalid job id specified", code=1, only="job")
    play("squeue", "slurm_load_jobs error: Invalid job id specified", code=1, only="-j")
    assert "JOB 2: UNKNOWN: it left no exit code, and the scheduler no longer knows it" in call().stderr


def test_a_lost_answer_of_sbatch_is_not_a_second_submission(play):
    """The first call times out, and the job is in the queue all the same."""
    script = Path.cwd().resolve() / "q/x.JOB.log/job.sh"
    Path("bin/sbatch").unlink()
    play("sbatch", "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", code=1)
    play("squeue", f"33|{script}\n34|/other/job.sh", only="--me", first="")
    play("squeue", "1|COMPLETED|None\n2|COMPLETED|None", only="-j")
    play("sacct", "COMPLETED|0:0|n1")
    done = call()
    assert "Socket timed out on send/recv operation; running jobs go on; waiting" in done.stderr
    assert "submitted as Slurm job 33" in done.stdout and done.returncode == 0
    assert Path("sbatch.calls").read_text().count("--parsable") == 1


def test_jobs_that_a_silent_controller_keeps_are_not_said_to_have_ended(play):
    """It falls silent once the jobs are there; then comes Ctrl-C."""
    play("squeue", "slurm_load_jobs error: Unable to contact slurm controller", code=1, only="--me", first="")
    play("squeue", "1|RUNNING|None\n2|RUNNING|None", only="-j")
    program = "import sys; from utils import cli, slurm; slurm.CANCELLING = 0; sys.argv[0] = 'slurm.py'; "
    words = ["JOB=1:2", "x.JOB.log", "bash", "-c", "[ JOB = 2 ] || exit 3"]
    command = [sys.executable, "-c", f"{program}cli.run(slurm.main)", *words]
    runner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert any("submitted as Slurm job 77" in line for line in runner.stdout)
    Path("x.2.log").write_text("it runs\n")
    runner.send_signal(signal.SIGINT)
    assert runner.communicate(timeout=60)[1].splitlines()[1:] == [
        "slurm.py: interrupted: its jobs may still run, as the Slurm controller is silent; the same call again ends "
        "them, or scancel (squeue --me), log is in x.*.log"
    ]
    assert runner.returncode == 130 and Path("x.2.log").read_text() == "it runs\n"


@pytest.fixture
def play(tmp_path, monkeypatch):
    """play(name, text): let the command `name` answer `text`, `only` where that word is among its arguments (and
    `first` the first time); an answer with another code than 0 goes to stderr. sbatch runs the first task at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "bin").mkdir()

    def play(name, text, code=0, only="", first=None):
        path, answer = tmp_path / "bin" / name, tmp_path / "bin" / f"answer{len(list(tmp_path.glob('bin/*')))}"
        answer.write_text(text + "\n" if text else "")
        head = f'#!/bin/bash\necho "$*" >> {tmp_path}/{name}.calls\n'
        block = f'if [[ " $* " == *" {only} "* ]]; then\n' if only else "if true; then\n"
        if first is not None:
            block += f"  [[ -e {answer}.given ]] || {{ touch {answer}.given; echo -n '{first}'; exit; }}\n"
        block += f"  cat {answer} >&{2 if code else 1}\n  exit {code}\nfi\n"
        path.write_text(head + block + (path.read_text().removeprefix(head) if path.exists() else ""))
        path.chmod(0o755)

    play("squeue", "", only="--me")
    play("sinfo", "(null)")
    play("scontrol", "MaxArraySize            = 1001", only="config")
    variables = "SLURM_JOB_ID=78 SLURM_ARRAY_JOB_ID=77 SLURM_ARRAY_TASK_ID=1 SLURM_JOB_NODELIST=n1"
    (tmp_path / "bin/sbatch").write_text(f'#!/bin/bash\n{variables} sh "${{@: -1}}"\necho 77\n')
    (tmp_path / "bin/sbatch").chmod(0o755)
    return play


def call():
    words = ["--gpu", "1", "JOB=1:2", "x.JOB.log", "echo", "JOB"]
    done = subprocess.run([sys.executable, ROOT / "utils/slurm.py", *words], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    assert "no node of this cluster has a GPU" in done.stderr
    done.stderr = done.stderr.partition("\n")[2]
    return done


def test_answers_are_taken_apart():
    assert read_sacct("") is None and read_sacct("\n") is None
    assert read_sacct("CANCELLED by 0|0:0|None assigned\n") == Verdict("CANCELLED")
    assert read_scontrol("slurm_load_jobs error") is None
    assert read_scontrol("JobState=FAILED ExitCode=7:0 NodeList=n[1-2]") == Verdict("FAILED", 7, 0, "n[1-2]")


@pytest.mark.parametrize(
    "said",
    [
        "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
        "slurm_load_jobs error: Connection refused",
    ],
)
def test_silence_is_told_from_refusal(said):
    with pytest.raises(Silence):
        slurm_scheduler.ask("sh", "-c", 'echo "$1" >&2; exit 1', "-", said)
    with pytest.raises(slurm_scheduler.UserError, match="Invalid partition"):
        slurm_scheduler.ask("sh", "-c", "echo 'sbatch: error: Invalid partition name specified' >&2; exit 1")
