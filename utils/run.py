#!/usr/bin/env python3
"""Run a command on this machine: once, or n jobs at a time, each with its own log.

--max-jobs-run defaults to the CPUs divided by --num-threads. With --gpu N each running job is handed N devices of its
own (CUDA_VISIBLE_DEVICES) and waits until they are free; with --jobs-per-gpu M, M jobs share a device, as one small
network leaves most of it idle. A machine without a GPU runs such jobs on the CPU: those of an array side by side, of
one thread each, and a single one with all cores. --mem is not enforced here. What a job leaves running when it ends is
ended with it, and all jobs end with this program, even when it is killed."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from utils import job_log, jobs
from utils.cli import UserError, run, warn

GRACE = 30.0  # seconds between asking a job to end and killing it: time to save a checkpoint, as by default in Slurm


MARK = "RUN_PY_JOBS"  # the variable by which the processes of a job are known, whatever session they are in


def processes(mark: str) -> list[int]:
    """Those that bear `mark` (none where there is no /proc)."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environment.read_bytes():
                found.append(int(environment.parent.name))
        except OSError:  # another user's, or just gone
            continue
    return found


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
    while left := processes(mark):
        for process in left:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
    os._exit(0)


class Job:
    """A started job: its processes (a session of their own), its log, the GPUs it holds."""

    def __init__(self, request: jobs.Request, value: str, mark: str, threads: int, devices: list[str] | None) -> None:
        """Start it. `threads` 0: as many as it likes; `devices` None: it did not ask for any; []: it did, and there
        are none."""
        self.value, self.devices, self.options = value, devices or [], request.options
        self.mark, self.threads = mark, threads
        self.code, self.note, self.kill_at = 0, "", None
        self.limit = jobs.seconds(self.options.time or "0")
        self.process: subprocess.Popen[bytes] | None = None
        environment = os.environ | jobs.launch_environment(self.options, 0, "127.0.0.1", jobs.free_port())
        environment[MARK] = os.environ.get(MARK, "") + mark  # that of a run.py around this one stays legible
        if threads:
            environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        if devices is not None:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
        command, path = request.command_of(value), request.log_of(value)
        self.started = time.monotonic()
        self.log = open(path, "ab", buffering=0)  # noqa: SIM115 (closed by close())
        self.log.write(job_log.header(command, devices=self.devices))
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
        found = False
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)
            found = True
        for process in processes(self.mark):
            with suppress(ProcessLookupError, PermissionError):
                if os.getpgid(process) != self.process.pid:  # it was not reached just now
                    os.kill(process, number)
                found = True
        return found

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
        elif self.limit and time.monotonic() > self.started + self.limit:
            self.end(124, f"Time limit of {self.limit} s reached")
        if self.kill_at is None:
            return False
        if time.monotonic() > self.kill_at:
            self.signal(signal.SIGKILL)
            return self.process.poll() is not None
        return not self.signal(0)

    def show(self) -> None:
        """Copy to stdout what the job has written since the last call."""
        job_log.to_stdout(self.output.read())

    def close(self) -> None:
        duration = time.monotonic() - self.started
        self.log.write(job_log.footer(self.code, duration, self.threads or 1, self.note))
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


def plan(request: jobs.Request) -> tuple[int, int, list[str]]:
    """How many jobs may run at once, the threads of each (0: as many as it likes), and the GPUs they share."""
    options, threads = request.options, request.options.num_threads or 0
    if options.nodes > 1:
        raise UserError(f"--nodes {options.nodes}: there is one machine here; name a cluster in cmd.sh")
    slots = options.max_jobs_run or max(1, cpus() // (threads or 1))
    if not options.gpu:
        return slots, threads, []
    devices = visible_devices()
    if not devices:
        warn("no GPU to be seen (CUDA_VISIBLE_DEVICES, nvidia-smi -L): running on the CPU")
        # However many jobs there are, each has as many threads: their number can show in the last bit of a result.
        return (slots, threads or 1, []) if request.variable else (1, threads, [])
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
    waiting, running, failed, pause = deque(enumerate(values)), [], {}, 0.001
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
            job.signal(signal.SIGKILL)
        os.close(end_of_guard)
    return failed


def main() -> None:
    parser = jobs.Parser(__doc__)
    parser.add_argument("--jobs-per-gpu", type=jobs.positive, default=1, metavar="M", help="jobs that share a GPU")
    jobs.run_all(parser, run_jobs)


if __name__ == "__main__":
    run(main)
