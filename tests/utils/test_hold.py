"""utils/hold.py: who works in a folder, and what becomes of what they started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from utils.cli import UserError
from utils.hold import hold

ROOT = Path(__file__).resolve().parents[2]
# A script whose program starts another one, as finetune.py starts a job runner; each notes its process.
SCRIPT = """#!/usr/bin/env bash
set -euo pipefail
stop_stage=1  # last
stage=        # first
exp=$PWD/exp
. {root}/utils/parse_options.sh
. {root}/utils/stages.sh
echo $$ >script
{python} -c 'import os, subprocess; open("program", "w").write(str(os.getpid())); subprocess.run(["bash", "job.sh"])'
echo done >ended
"""
JOB = "trap 'sleep 0.1; echo asked >asked; exit 143' TERM INT HUP\necho $$ >job\nwhile :; do sleep 0.05; done\n"


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "utils").symlink_to(ROOT / "utils")
    (tmp_path / "run.sh").write_text(SCRIPT.format(root=ROOT, python=sys.executable))
    (tmp_path / "job.sh").write_text(JOB)
    return ["bash", "run.sh"]


def wait_for(path):
    deadline = time.monotonic() + 30
    while not path.exists() or not path.read_text().strip():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)
    return int(path.read_text())


def gone(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def start(script):
    running = subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return running, {name: wait_for(Path(name)) for name in ("script", "program", "job")}


ASKED = [(whom, number) for whom in ("supervisor", "script", "program") for number in (signal.SIGTERM, signal.SIGHUP)]


@pytest.mark.parametrize(("whom", "number"), [*ASKED, ("supervisor", signal.SIGINT)])
def test_whoever_is_asked_to_end_all_of_them_end_and_only_then_is_the_folder_free(script, whom, number):
    running, processes = start(script)
    os.kill({"supervisor": running.pid, **processes}[whom], number)
    while not gone(processes["job"]):
        assert Path("exp/.lock").exists()
        time.sleep(0.001)
    assert running.wait(30) != 0 and all(map(gone, processes.values()))
    assert Path("asked").exists() and not Path("exp").exists()


def test_what_is_killed_takes_its_children_with_it(script):
    for whom in ("script", "program"):
        running, processes = start(script)
        os.kill(processes[whom], signal.SIGKILL)
        assert running.wait(30) == 137 and all(map(gone, processes.values())) and not Path("exp").exists()
        for name in processes:
            Path(name).unlink()


def test_where_the_supervisor_is_killed_the_next_one_is_told_who_is_still_there(script):
    running, processes = start(script)
    os.kill(running.pid, signal.SIGKILL)
    running.wait(30)
    second = subprocess.run(script, capture_output=True, text=True)
    assert second.returncode == 1 and second.stderr.startswith(f"run.sh: {Path.cwd()}/exp is in use by run.sh on ")
    assert len(second.stderr.splitlines()) == 1
    for name in ("script", "program", "job"):
        os.kill(processes[name], signal.SIGKILL)
    while not all(map(gone, processes.values())):
        time.sleep(0.01)
    with hold(Path("exp")):
        pass  # a .lock that was left behind is no obstacle


def test_status_and_arguments_are_the_scripts_own(script, tmp_path):
    head = (
        SCRIPT.format(root=ROOT, python=sys.executable).partition("echo $$")[0].replace("exp=", "word=x  # one\nexp=")
    )
    Path("run.sh").write_text(head + 'printf "%s|" "$word" "$PWD"; exit 7\n')
    done = subprocess.run([*script, "--word", "a b"], capture_output=True, text=True)
    assert done.returncode == 7 and done.stdout == f"a b|{tmp_path}|" and done.stderr == ""


def test_two_programs_in_one_folder(tmp_path):
    folder = tmp_path / "new/folder"
    with hold(folder):
        assert " on " in (folder / ".lock").read_text()
        with pytest.raises(UserError, match="is in use by .*, process"), hold(folder):
            pass
        (folder / "kept").touch()
    assert [path.name for path in folder.iterdir()] == ["kept"]


def test_who_waits_goes_on_when_the_other_has_left(tmp_path):
    code = "import sys; from pathlib import Path; from utils.hold import hold\n"
    code += f"with hold(Path({str(tmp_path)!r}), wait=True): print('in')"
    with hold(tmp_path):
        waiting = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert "waiting for" in waiting.stderr.readline()
    assert waiting.stdout.read() == "in\n" and waiting.wait(30) == 0


def test_readers_share_a_folder_and_keep_writers_out(tmp_path):
    with hold(tmp_path, shared=True):
        with hold(tmp_path, shared=True):
            pass
        with pytest.raises(UserError, match="is in use by"), hold(tmp_path):
            pass
    with hold(tmp_path), pytest.raises(UserError, match="is in use by"), hold(tmp_path, shared=True):
        pass
    assert not any(tmp_path.iterdir())


def test_a_folder_stays_held_by_the_runner_of_a_program_that_was_killed(tmp_path):
    code = "from pathlib import Path; from utils import hold, jobs\n"
    code += f"with hold.hold(Path({str(tmp_path)!r})): jobs.call('sh -c', 'echo; read end')"
    killed = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    killed.stdout.readline()  # the runner is there
    killed.kill()
    killed.wait()
    with pytest.raises(UserError, match=r"still there: \d+ sh -c\)"), hold(tmp_path):
        pass
    killed.stdin.close()  # and now it ends
    with hold(tmp_path, wait=True):
        pass
