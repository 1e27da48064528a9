#!/usr/bin/env python3
"""Run a command on this machine: once, or n jobs at a time, each with its own log.

--max-jobs-run defaults to the CPUs divided by --num-threads. Without that, jobs of an array run side by side, of one
thread each, and a single job has all cores. With --gpu N each running job is handed N devices of its own
(CUDA_VISIBLE_DEVICES) and waits until they are free; with --jobs-per-gpu M, M jobs share a device, as one small network
leaves most of it idle. A machine without a GPU runs such jobs on the CPU. --mem is not enforced here. What a job leaves
running when it ends is ended with it, and all jobs end with this program, even when it is killed."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections import deque
from math import inf
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import job_log, jobs
from utils.cli import UserError, run, warn
from utils.hold import send

GRACE = 30.0  # seconds between asking a job to end and killing it: time to save a checkpoint, as by default in Slurm


MARK = "RUN_PY_JOBS"  # the variable by which the processes of a job are known, whatever session they are in


def guard(mark: str) -> int:
    """Start a process that kills whatever bears `mark` as soon as this one has ended, however it did: it waits for the
    end of a pipe that nobody but this process holds, and which is returned. (Linux's parent-death signal would reach a
    job, but none of the processes that the job started.)"""
    reading, writing = os.pipe()
    if os.fork():
        os.close(reading)
        return writing
    os.setsid()  # out of reach of what a terminal sends
    for number in jobs.INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    os.dup2(reading, 0)
    os.close(writing)
    os.closerange(1, 1024)  # whoever reads this program's output shall not have to wait for the guard
    while os.read(0, 1):
        pass
    while send(mark, signal.SIGKILL):
        pass
    os._exit(0)


class Job:
    """A started job: its processes (a session of their own), its log, the GPUs it holds."""

    def __init__(self, request: jobs.Request, value: str, mark: str, threads: int, devices: list[str] | None) -> None:
        """Start it. `threads` 0: as many as it likes; `devices` None: it did not ask for any; []: it did, and there
        are none."""
        self.value, self.devices, self.mark, self.threads = value, devices or [], mark, threads
        self.code, self.note, self.kill_at = 0, "", inf  # when what is left of it is to be killed
        self.limit = jobs.seconds(request.options.time or "0")
        environment = os.environ | jobs.launch_environment(request.options, 0, "127.0.0.1", jobs.free_port())
        environment[MARK] = os.environ.get(MARK, "") + mark  # that of a run.py around this one stays legible
        if threads:
            environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        if devices is not None:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
        command, path = request.command_of(value), request.log_of(value)
        self.started = time.monotonic()
        self.log = open(path, "ab", buffering=0)  # noqa: SIM115 (closed by close())
        job_log.write(self.log, job_log.header(command, devices=self.devices))
        self.output = open(path, "rb")  # noqa: SIM115
        self.output.seek(0, os.SEEK_END)
        self.process = job_log.start(command, self.log, environment, session=True)

    def end(self, code: int, note: str) -> None:
        """Ask all processes of the job to end; `code` and `note` go into the log."""
        if self.kill_at == inf:
            self.kill_at, self.code, self.note = time.monotonic() + GRACE, code, note
            send(self.mark, signal.SIGTERM)

    def gone(self) -> bool:
        """Whether all processes of the job have ended; to be asked again and again, as it sees to time limits too."""
        status = self.process if isinstance(self.process, int) else self.process.poll()
        if status is not None:
            self.end(*job_log.ending(status))
        elif self.limit and time.monotonic() > self.started + self.limit:
            self.end(124, f"Time limit of {self.limit} s reached")
        if self.kill_at == inf:
            return False
        late = time.monotonic() > self.kill_at
        left = send(self.mark, signal.SIGKILL if late else 0)
        return status is not None and (late or not left)

    def show(self) -> None:
        """Copy to stdout what the job has written since the last call."""
        job_log.to_stdout(self.output.read())

    def close(self) -> None:
        duration = time.monotonic() - self.started
        job_log.write(self.log, job_log.footer(self.code, duration, self.threads or 1, self.note))
        self.log.close()
        self.output.close()


def visible_devices() -> list[str]:
    """The GPUs that may be used: those of CUDA_VISIBLE_DEVICES where it is set, else all of this machine."""
    if (chosen := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [device for device in chosen.replace(" ", "").split(",") if device not in ("", "-1")]
    try:
        query = ["nvidia-smi", "-L"]
        listing = subprocess.run(query, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    # A GPU that is cut into MIG instances can only be used through these.
    return re.findall(r"UUID: (MIG-[^)]+)\)", listing) or re.findall(r"^GPU (\d+):", listing, re.MULTILINE)


def plan(request: jobs.Request) -> tuple[int, int, list[str]]:
    """How many jobs may run at once, the threads of each (0: as many as it likes), and the GPUs they share."""
    options, threads = request.options, request.options.num_threads or 0
    # However many jobs an array has, each has as many threads: their number can show in the last bit of a result, and
    # jobs that each take all cores wait for each other, nine times as long on two.
    on_cpu = threads or int(bool(request.variable))
    if options.nodes > 1:
        raise UserError(f"--nodes {options.nodes}: there is one machine here; name a cluster in cmd.sh")
    slots = options.max_jobs_run or max(1, len(os.sched_getaffinity(0)) // (threads or 1))
    if not options.gpu:
        return slots, on_cpu, []
    devices = visible_devices()
    if not devices:
        warn("no GPU to be seen (CUDA_VISIBLE_DEVICES, nvidia-smi -L): running on the CPU")
        return slots if request.variable else 1, on_cpu, []
    if options.gpu > len(devices):
        raise UserError(f"--gpu {options.gpu}: this machine has {len(devices)} to use")
    if options.gpu > 1 and options.jobs_per_gpu > 1:
        raise UserError(f"--jobs-per-gpu {options.jobs_per_gpu} is for jobs of one GPU, and these have {options.gpu}")
    shares = devices * options.jobs_per_gpu
    return min(slots, len(shares) // options.gpu), threads, shares


def run_jobs(request: jobs.Request, values: list[str], interrupts: list[int]) -> dict[str, str]:
    """Run the jobs `values`, and return those that failed (see jobs.run_all)."""
    slots, threads, free = plan(request)
    request.make_room(values)
    waiting, pause = deque(enumerate(values)), 0.001
    running: list[Job] = []
    failed: dict[str, str] = {}
    mark = f"<{secrets.token_hex(8)}-"
    end_of_guard = guard(mark)
    try:
        while running or (waiting and not interrupts):
            while waiting and len(running) < slots and not interrupts:
                own = [free.pop(0) for _ in range(request.options.gpu)] if free else []
                number, value = waiting.popleft()
                running.append(Job(request, value, f"{mark}{number}>", threads, own if request.options.gpu else None))
            for job in list(running):
                ended = job.gone()
                if interrupts and not ended:
                    job.end(128 + interrupts[0], f"Interrupted by {signal.Signals(interrupts[0]).name}")
                if not request.variable:
                    job.show()
                if ended:
                    job.close()
                    running.remove(job)
                    free.extend(job.devices)
                    if job.code:
                        failed[job.value] = job.note
                    pause = 0.001
            time.sleep(pause if running else 0)
            pause = min(2 * pause, 0.05)
    finally:  # nothing is left here, unless this program itself could not go on (a full disk)
        for job in running:
            send(job.mark, signal.SIGKILL)
        os.close(end_of_guard)
    return failed


def main() -> None:
    parser = jobs.Parser(__doc__)
    parser.add_argument("--jobs-per-gpu", type=jobs.positive, default=1, metavar="M", help="jobs that share a GPU")
    jobs.run_all(parser, run_jobs)


if __name__ == "__main__":
    run(main)
