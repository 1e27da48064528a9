"""Work in a process for each core: in order, and none of them outlives its program."""

import os
import signal
import subprocess
import sys
import time

import pytest

from utils.cores import on_all_cores

SLEEPERS = """
import os, sys, time
from utils.cores import on_all_cores

def sleep(path):
    open(path, "w").write(str(os.getpid()))
    time.sleep(100)

if __name__ == "__main__":
    from utils import cli
    cli.run(lambda: list(on_all_cores(sleep, sys.argv[1:])))
"""


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def double(number):
    time.sleep(0.05 * (number == 0))  # what comes first ends last
    return 2 * number


def end(number):
    os.kill(os.getpid(), signal.SIGKILL) if number == 3 else None


@pytest.mark.parametrize("count", [0, 1, 7])
def test_results_come_in_order(count):
    assert list(on_all_cores(double, range(count))) == [2 * number for number in range(count)]


def test_a_process_that_was_killed_is_a_lack_of_memory():
    with pytest.raises(MemoryError, match="a process was killed"):
        list(on_all_cores(end, range(6)))


MANY = """
import sys, time
from utils.cores import on_all_cores

def nap(number):
    time.sleep(0.05)

def main():
    for count, _ in enumerate(on_all_cores(nap, range(1000))):
        print(count, flush=True)

if __name__ == "__main__":
    from utils import cli
    cli.run(main)
"""


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_program_that_is_ended_while_much_is_left_to_do_says_nothing_of_its_threads(tmp_path, sent):
    if os.cpu_count() < 2:
        pytest.skip("one core")
    (tmp_path / "many.py").write_text(MANY)
    for wait in range(4):
        program = subprocess.Popen(
            ["taskset", "-c", "0,1", sys.executable, tmp_path / "many.py"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.getcwd()},
        )  # fmt: skip
        program.stdout.readline()
        time.sleep(0.02 * wait)
        program.send_signal(sent)
        said = program.communicate(timeout=20)[1]
        assert "Exception" not in said and "Traceback" not in said, said


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_no_process_is_left_when_the_program_is_ended(tmp_path, sent, code):
    (tmp_path / "sleepers.py").write_text(SLEEPERS)
    places = [tmp_path / name for name in "ab"]
    program = subprocess.Popen(
        ["taskset", "-c", ",".join(map(str, range(os.cpu_count()))), sys.executable, tmp_path / "sleepers.py", *places],
        stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.getcwd()}, start_new_session=True,
    )  # fmt: skip
    if os.cpu_count() < 2:
        pytest.skip("one core")
    deadline = time.monotonic() + 60
    while not all(place.is_file() and place.read_text() for place in places) and time.monotonic() < deadline:
        time.sleep(0.05)
    program.send_signal(sent) if sent == signal.SIGTERM else os.killpg(program.pid, sent)
    said = program.communicate(timeout=20)[1]
    assert program.returncode == code and "Traceback" not in said, said
    for place in places:
        with pytest.raises(ProcessLookupError):
            os.kill(int(place.read_text()), 0)
