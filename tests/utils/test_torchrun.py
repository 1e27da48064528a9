"""utils/torchrun.py: processes that work together, their logs, and what becomes of them when one dies."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def start(tmp_path, script, **environment):
    command = [ROOT / "utils/torchrun.py", tmp_path / "log/p.log", "bash", "-c", script]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PET_NPROC_PER_NODE": "2", **environment}
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_single_process_is_the_program_itself(tmp_path):
    alone = start(tmp_path, "echo ${RANK:-none}; exit 3", PET_NPROC_PER_NODE="1")
    assert alone.communicate(timeout=60)[0] == "none\n" and alone.returncode == 3
    assert not list(tmp_path.iterdir())


def test_each_rank_has_its_log_and_knows_its_place(tmp_path):
    both = start(tmp_path, "echo $RANK of $WORLD_SIZE")
    assert both.communicate(timeout=60)[0] == "0 of 2\n" and both.returncode == 0
    assert (tmp_path / "log/p.log.rank1").read_text() == "1 of 2\n"


def test_a_rank_that_dies_takes_the_others_down_and_its_log_is_named(tmp_path):
    began = time.monotonic()
    both = start(tmp_path, "echo at work; [ $RANK = 0 ] || kill -9 $BASHPID; exec sleep 300")
    said, _ = both.communicate(timeout=90)
    assert both.returncode == 1 and time.monotonic() - began < 60 and "Traceback" not in said
    log = tmp_path / "log/p.log.rank1"
    assert f"torchrun.py: rank 1 was ended by signal 9, Killed; its log is {log}\n==> {log} <==\nat work\n" in said


def test_sigterm_reaches_all(tmp_path):
    script = "trap 'echo told; exit 143' TERM; touch started$RANK; while :; do sleep 0.05; done"
    both = start(tmp_path, f"cd {tmp_path}; {script}")
    while not all((tmp_path / f"started{rank}").exists() for rank in (0, 1)):
        assert both.poll() is None
        time.sleep(0.05)
    both.send_signal(signal.SIGTERM)
    said, _ = both.communicate(timeout=60)
    assert both.returncode == 143 and "told\n" in said and "told\n" in (tmp_path / "log/p.log.rank1").read_text()


@pytest.mark.parametrize(("words", "code"), [(["--help"], 0), ([], 1), (["log"], 1)])
def test_it_says_how_it_is_called(words, code):
    done = subprocess.run(
        [ROOT / "utils/torchrun.py", *words], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert "torchrun.py LOG COMMAND" in done.stdout and done.returncode == code
