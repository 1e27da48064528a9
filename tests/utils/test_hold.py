"""utils/hold.py: who works in a folder, and what becomes of what they started."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
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


@pytest.mark.parametrize("kind", ["link", "dangling link", "fifo", "folder"])
@pytest.mark.parametrize("shared", [False, True])
def test_a_lock_that_is_no_plain_file_is_named_and_left_as_it_is(tmp_path, kind, shared):
    precious, lock, folder = tmp_path / "precious", tmp_path / "data/.lock", tmp_path / "data"
    precious.write_text("years of work\n")
    folder.mkdir()
    if "link" in kind:
        lock.symlink_to(precious if kind == "link" else tmp_path / "nowhere")
    else:
        os.mkfifo(lock) if kind == "fifo" else lock.mkdir()
    with pytest.raises(UserError, match=r"data/\.lock is no plain file.*: remove it"), hold(folder, shared=shared):
        pass
    assert precious.read_text() == "years of work\n" and not (tmp_path / "nowhere").exists()
    assert os.path.lexists(lock), "whoever has put it there may want it"


def test_a_lock_that_somebody_deletes_still_keeps_others_out(tmp_path):
    with hold(tmp_path):
        (tmp_path / ".lock").unlink()
        for shared in (False, True):
            said = rf"is in use by another program \(still there: {os.getpid()} "
            with pytest.raises(UserError, match=said), hold(tmp_path, shared=shared):
                pass
    with hold(tmp_path):
        pass
    assert not any(tmp_path.iterdir())


def test_a_folder_that_is_replaced_while_it_is_held_is_the_next_ones(tmp_path):
    """As a data dir that is made anew: who waited for the old one holds the new one, whose .lock nobody removes."""
    folder = tmp_path / "data"
    folder.mkdir()
    with hold(folder):
        folder.rename(tmp_path / "old")
        folder.mkdir()
        with hold(folder):
            pass
        (folder / ".lock").write_text("somebody's\n")
    assert (folder / ".lock").exists()


def as_nobody(code, *paths):
    """Run `code` as a user who owns nothing. That one needs the right to get at the interpreter and this repository,
    and may write no line coverage there."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv")
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", code]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [*command, *map(str, paths)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    if "ModuleNotFoundError" in done.stderr or "can't open" in done.stderr:
        pytest.skip("another user cannot read this repository")
    return done


HOLDS = "import sys; from pathlib import Path; from utils import cli; from utils.hold import hold\n"
HOLDS += "def main():\n  with hold(Path(sys.argv[1]), shared=sys.argv[2:] == ['shared']): print('in')\ncli.run(main)"


def test_another_users_data_dir_can_be_read_and_its_lock_is_respected(open_to_all):
    done = as_nobody(HOLDS, open_to_all, "shared")
    assert done.stdout == "in\n" and done.stderr == ""
    with hold(open_to_all, shared=True):
        assert as_nobody(HOLDS, open_to_all, "shared").stdout == "in\n", "readers share it"
    with hold(open_to_all):
        assert "is in use by" in as_nobody(HOLDS, open_to_all, "shared").stderr
    assert as_nobody(HOLDS, open_to_all).stderr == f"-c: {open_to_all}/.lock: Permission denied\n"


def test_a_lock_that_another_user_left_behind_is_no_obstacle_where_all_may_write(open_to_all):
    open_to_all.chmod(0o777)
    (open_to_all / ".lock").write_text("somebody, long ago\n")
    assert as_nobody(HOLDS, open_to_all).stdout == "in\n" and not any(open_to_all.iterdir())


@pytest.fixture
def open_to_all():
    """A folder that anybody can get at, and read."""
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        (Path(above) / "data").mkdir(mode=0o755)
        yield Path(above) / "data"


@pytest.fixture
def disk(tmp_path):
    """disk(options): a small file system of these options, for as long as the test takes."""
    mounted = tmp_path / "disk"

    def mount(options):
        mounted.mkdir(exist_ok=True)
        if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", mounted]).returncode:
            pytest.skip("no right to mount")
        return mounted

    yield mount
    subprocess.run(["umount", mounted], capture_output=True)


def test_a_data_dir_that_may_only_be_read_is_held_for_reading(disk):
    data = disk("size=1m") / "data"
    data.mkdir()
    subprocess.run(["mount", "-o", "remount,ro", data.parent], check=True)
    with hold(data, shared=True):
        with hold(data, shared=True):
            pass
        assert not any(data.iterdir())
    with pytest.raises(OSError, match=r"Read-only file system: '.*data/\.lock'"), hold(data):
        pass


def test_on_a_full_disk_a_folder_is_held_and_it_says_where_it_cannot(disk):
    folder = disk("size=64k,nr_inodes=5") / "exp"
    folder.mkdir()
    with pytest.raises(OSError), open(folder / "fill", "wb", buffering=0) as fill:
        while True:
            fill.write(bytes(4096))
    with hold(folder):
        assert (folder / ".lock").read_text() == ""
        with pytest.raises(UserError, match="is in use by another program"), hold(folder):
            pass
    for name in "ab":
        (folder / name).touch()  # and now there are no inodes either
    with hold(folder, shared=True):
        pass
    with pytest.raises(OSError, match=r"No space left on device: '.*exp/\.lock'"), hold(folder):
        pass
