"""A training on a machine in a bad state ends in the right result, or in one clear line and then in the right one."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
TRAIN = [sys.executable, "steps/finetune.py", "--network.width", "2", "--input.crop", "40", "--training.epochs", "2"]
TRAIN += ["--training.batch", "8", "--runs", "r1", "--nj", "1", "--cmd", "utils/run.py --num-threads 1"]


@pytest.fixture
def train(emotional, monkeypatch):
    """train(out, before): train into `out`, in a shell that did `before` first; mounts are its own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    if os.geteuid() or not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"]).returncode:
        pytest.skip("mounting needs root")

    def run(out, before="true"):
        command = ["unshare", "-m", "bash", "-c", f'{before} && exec "$@"', "-", *TRAIN, emotional, out]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)

    return run


@pytest.fixture
def right(train, tmp_path):
    """The scores that are right."""
    done = train(tmp_path / "right")
    assert done.returncode == 0, done.stderr
    return (tmp_path / "right/r1_seed0/scores").read_bytes()


def test_a_tiny_shared_memory_is_no_obstacle(train, right, tmp_path):
    done = train(tmp_path / "exp", "mount -t tmpfs -o size=4k,nr_inodes=2 tmpfs /dev/shm")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "exp/r1_seed0/scores").read_bytes() == right


def test_a_clock_that_was_set_back_changes_nothing(train, right, tmp_path, emotional):
    """All files are of next year."""
    later = time.time() + 3e7
    for path in [*tmp_path.rglob("*"), *emotional.rglob("*")]:
        os.utime(path, (later, later), follow_symlinks=False)
    assert "up to date" in train(tmp_path / "right").stdout
    (tmp_path / "right/r1_seed0/scores").unlink()
    done = train(tmp_path / "right")
    assert done.returncode == 0 and (tmp_path / "right/r1_seed0/scores").read_bytes() == right, done.stderr


def test_a_disk_without_inodes_is_named_and_what_was_done_goes_on_when_there_are_more(train, right, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=50m,nr_inodes=12", "tmpfs", disk], check=True)
    try:
        done = train(disk / "exp")
        assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
        assert "No space left on device" in done.stderr and str(disk) in done.stderr
        subprocess.run(["mount", "-o", "remount,nr_inodes=1000", disk], check=True)
        done = train(disk / "exp")
        assert done.returncode == 0 and (disk / "exp/r1_seed0/scores").read_bytes() == right, done.stderr
    finally:
        subprocess.run(["umount", disk], check=True)
