"""A real Slurm for the tests of utils/slurm.py: brought up once, or the tests are skipped where it is not installed."""

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SLURM = [sys.executable, str(ROOT / "utils" / "slurm.py")]
LARGEST_ARRAY = 5


def module_of_cluster():
    spec = importlib.util.spec_from_file_location("cluster", Path(__file__).with_name("cluster.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def whole_cluster(tmp_path_factory):
    """Controller and two nodes. Under REQUIRE_SLURM=1 it is an error that there can be none."""
    cluster = module_of_cluster()
    if missing := cluster.missing():
        reason = f"Slurm is not installed: {' '.join(missing)} (Debian: slurmctld slurmd slurm-client munge)"
        (pytest.fail if os.environ.get("REQUIRE_SLURM") == "1" else pytest.skip)(reason)
    # A short path: munge's socket is in it, whose name may have 108 bytes.
    one = cluster.Cluster(tmp_path_factory.mktemp("slurm", numbered=True).resolve())
    one.configure(max_array_size=LARGEST_ARRAY + 1)
    try:
        one.up()
        yield one
    finally:
        one.down()


@pytest.fixture
def cluster(whole_cluster, tmp_path, monkeypatch):
    """The same, to a test that sits in an empty folder, and with nothing left in the queue when it ends."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLURM_CONF", str(whole_cluster.conf))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", whole_cluster.environment["PATH"])
    for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    yield whole_cluster
    whole_cluster.call("scancel", "--user", str(os.getuid()))
    wait_for(lambda: not whole_cluster.call("squeue", "-h").stdout.strip())


def run(*words, code=0):
    done = subprocess.run([*SLURM, *words], capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return done


def start(*words):
    return subprocess.Popen(
        [*SLURM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def output_of(log):
    return [line for line in Path(log).read_text().splitlines() if not line.startswith("# ")]


def wait_for(condition, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def queue(cluster):
    """The tasks in the queue, such as 12_3."""
    return cluster.call("squeue", "-h", "-r", "-o", "%F_%K").stdout.split()
