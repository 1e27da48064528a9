#!/usr/bin/env python3
"""Run a command on this machine: once, or n jobs at a time, each with its own log.

--max-jobs-run defaults to the CPUs divided by --num-threads. With --gpu N each running job is handed N devices of its
own (CUDA_VISIBLE_DEVICES) and waits until they are free; a machine without a GPU runs such jobs on the CPU, one after
another. --mem is not enforced here. What a job leaves running when it ends is ended with it."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque

from utils import jobs
from utils.cli import UserError, run, warn

GRACE = 5.0  # seconds between asking a job to end and killing it
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Job:
    """A started job: its processes (a session of their own), its log, the GPUs it holds."""

    def __init__(self, request: jobs.Request, value: str, devices: list[str] | None) -> None:
        """Start it. `devices` None: it did not ask for any; []: it did, and there are none."""
        self.value, self.devices, self.options = value, devices or [], request.options
        self.code, self.note, self.kill_at = 0, "", None
        self.process: subprocess.Popen[bytes] | None = None
        environment = dict(os.environ)
        if self.options.num_threads:
            environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(self.options.num_threads))
        if devices is not None:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
        command, path = request.command_of(value), request.log_of(value)
        self.started = time.monotonic()
        self.log = open(path, "ab", buffering=0)  # noqa: SIM115 (closed by close())
        self.log.write(jobs.header(command, self.devices))
        self.output = open(path, "rb")  # noqa: SIM115
        self.output.seek(0, os.SEEK_END)
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:  # a shell's exit codes for it
            self.code = 127 if isinstance(error, FileNotFoundError) else 126
            self.log.write(f"{command[0]}: {error.strerror}\n".encode(errors="surrogateescape"))

    def signal(self, number: int) -> bool:
        """Send a signal (0: none) to all processes of the job; whether there were any."""
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def end(self, code: int, note: str) -> None:
        """Ask all processes of the job to end; `code` and `note` go into the log."""
        if self.kill_at is None:
            self.kill_at, self.code, self.note = time.monotonic() + GRACE, code, note
            self.signal(signal.SIGTERM)

    def gone(self) -> bool:
        """Whether all processes of the job have ended; to be asked again and again, as it sees to time limits too."""
        if self.process is None:
            return True
        status = self.process.poll()
        if status is not None and status >= 0:
            self.end(status, "")
        elif status is not None:
            why = " (out of memory?)" if status == -signal.SIGKILL else ""
            self.end(128 - status, f"Ended by signal {-status}, {signal.strsignal(-status)}{why}")
        elif self.options.time and time.monotonic() > self.started + self.options.time:
            self.end(124, f"Time limit of {self.options.time} s reached")
        if self.kill_at is None:
            return False
        if time.monotonic() > self.kill_at:
            self.signal(signal.SIGKILL)
            return self.process.poll() is not None
        return not self.signal(0)

    def show(self) -> None:
        """Copy to stdout what the job has written since the last call."""
        try:
            sys.stdout.buffer.write(self.output.read())
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # nobody is reading any more: the job goes on, into its log
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def close(self) -> None:
        duration = time.monotonic() - self.started
        self.log.write(jobs.footer(self.code, duration, self.options.num_threads or 1, self.note))
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


def cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def plan(options: argparse.Namespace) -> tuple[int, list[str]]:
    """How many jobs may run at once, and the GPUs they share."""
    slots = options.max_jobs_run or max(1, cpus() // (options.num_threads or 1))
    if not options.gpu:
        return slots, []
    devices = visible_devices()
    if not devices:
        warn("no GPU to be seen (CUDA_VISIBLE_DEVICES, nvidia-smi -L): running on the CPU")
        return slots if options.num_threads else options.max_jobs_run or 1, []
    if options.gpu > len(devices):
        raise UserError(f"--gpu {options.gpu}: this machine has {len(devices)} to use")
    return min(slots, len(devices) // options.gpu), devices


def run_jobs(request: jobs.Request, values: list[str], interrupts: list[int]) -> list[str]:
    """Run the jobs `values`, and return those that failed. As soon as a signal stands in `interrupts`, no more are
    started, and those that run are ended."""
    slots, free = plan(request.options)
    for value in values:  # first of all: a log from before must not pass for a result of this time
        request.log_of(value).parent.mkdir(parents=True, exist_ok=True)
        request.log_of(value).unlink(missing_ok=True)
    waiting, running, failed, pause = deque(values), [], [], 0.001
    try:
        while running or (waiting and not interrupts):
            while waiting and len(running) < slots and not interrupts:
                own = [free.pop(0) for _ in range(request.options.gpu)] if free else []
                running.append(Job(request, waiting.popleft(), own if request.options.gpu else None))
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
                    failed.extend([job.value] if job.code else [])
                    pause = 0.001
            time.sleep(pause if running else 0)
            pause = min(2 * pause, 0.05)
    finally:  # nothing is left here, unless this program itself could not go on (a full disk)
        for job in running:
            job.signal(signal.SIGKILL)
    return sorted(failed)


def main() -> None:
    request = jobs.Parser(__doc__).parse(sys.argv[1:])
    if request.options.nodes > 1:
        raise UserError(f"--nodes {request.options.nodes}: there is one machine here; name a cluster in cmd.sh")
    interrupts: list[int] = []
    for number in INTERRUPTS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves SIGHUP
            signal.signal(number, lambda number, frame: interrupts.append(number))
    values = request.picked()
    began = time.monotonic()
    if len(values) > 1:
        print(f"run.py: {len(values)} jobs, log is in {request.fill(request.log, '*')}", flush=True)
    failed = run_jobs(request, values, interrupts)
    if interrupts:
        warn(f"interrupted: every job was ended, log is in {request.fill(request.log, '*')}")
        sys.exit(128 + interrupts[0])
    if failed:
        raise UserError(request.failure(failed, len(values)))
    if request.variable or not values:
        before = len(request.values) - len(values)
        note = f" ({before} before)" if before else ""
        print(
            f"run.py: {len(request.values)} / {len(request.values)} done{note} in {time.monotonic() - began:.0f} s, "
            f"log is in {request.fill(request.log, '*')}"
        )


if __name__ == "__main__":
    run(main)
