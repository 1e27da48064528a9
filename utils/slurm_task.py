#!/usr/bin/env python3
"""The inside of a Slurm job: one task of an array that utils/slurm.py submitted. It writes the job's log as every
runner does, and its exit code into a file of its own, which utils/slurm.py looks for.

  utils/slurm_task.py FOLDER           run the task SLURM_ARRAY_TASK_ID of FOLDER/jobs.json
  utils/slurm_task.py FOLDER NUMBER    be one machine of several that run task NUMBER (started by srun)
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import cli, job_log, jobs
from utils.files import whole


def first_address(nodes: str) -> str:
    """Where the first of `nodes` (`node[3-4]`) is reached."""
    name = subprocess.run(["scontrol", "show", "hostnames", nodes], capture_output=True, text=True).stdout.split()[0]
    shown = subprocess.run(["scontrol", "show", "node", name], capture_output=True, text=True).stdout
    address = re.search(r"NodeAddr=(\S+)", shown)
    return address[1] if address else name


def environment(options: argparse.Namespace) -> dict[str, str]:
    """The job's own, and threads as many as the CPUs it was given."""
    threads = str(options.num_threads or os.environ.get("SLURM_CPUS_ON_NODE", "1"))
    return os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)


def launch_environment(options: argparse.Namespace) -> dict[str, str]:
    address = first_address(os.environ["SLURM_JOB_NODELIST"]) if options.nodes > 1 else "127.0.0.1"
    port = 10_000 + int(os.environ["SLURM_JOB_ID"]) % 20_000  # jobs that share a machine have different numbers
    return jobs.launch_environment(options, int(os.environ.get("SLURM_NODEID", 0)), address, port)


def command_line(folder: Path, number: str, task: dict, options: argparse.Namespace) -> list[str]:
    """What is started here: the command, or srun, which starts it on every machine of this job."""
    if options.nodes == 1:
        return task["command"]
    threads = [f"--cpus-per-task={options.num_threads}"] if options.num_threads else []
    srun = ["srun", f"--ntasks={options.nodes}", "--ntasks-per-node=1", "--kill-on-bad-exit=1", *threads]
    return [*srun, sys.executable, __file__, str(folder), number]


def run_task(folder: Path, number: str, spec: dict, options: argparse.Namespace) -> int:
    task, code_file = spec["tasks"][number], folder / f"{number}.code"
    code_file.unlink(missing_ok=True)
    for signum in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # Slurm tells every process of a job; this one stays to write it down
        signal.signal(signum, lambda *_: None)
    variables = environment(options) | launch_environment(options)
    began = time.monotonic()
    restarts = int(os.environ.get("SLURM_RESTART_COUNT", 0))
    where = f", Slurm job {os.environ['SLURM_ARRAY_JOB_ID']}_{number} on {os.environ['SLURM_JOB_NODELIST']}"
    devices = list(filter(None, os.environ.get("CUDA_VISIBLE_DEVICES", "").split(","))) if options.gpu else []
    with open(task["log"], "ab", buffering=0) as log:
        if restarts:
            job_log.write(log, f"# Requeued by Slurm: start number {restarts + 1} of this job\n".encode())
        job_log.write(log, job_log.header(task["command"], where, devices, spec["revision"]))
        process = job_log.start(command_line(folder, number, task, options), log, variables)
        code, note = job_log.ending(process if isinstance(process, int) else process.wait())
        job_log.write(log, job_log.footer(code, time.monotonic() - began, int(variables["OMP_NUM_THREADS"]), note))
    with whole(code_file) as temporary:
        temporary.write_text(f"{code}\n")
    return code


def main() -> None:
    folder = Path(sys.argv[1])
    spec = json.loads((folder / "jobs.json").read_text())
    options = argparse.Namespace(**spec["options"])
    if len(sys.argv) > 2:
        command = spec["tasks"][sys.argv[2]]["command"]
        os.execvpe(command[0], command, os.environ | launch_environment(options))
    sys.exit(run_task(folder, os.environ["SLURM_ARRAY_TASK_ID"], spec, options))


if __name__ == "__main__":
    cli.run(main)
