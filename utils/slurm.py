#!/usr/bin/env python3
"""Run a command on a Slurm cluster: once, or n jobs as an array, each with its own log.

What is asked for here goes to sbatch in its own words (--gpu N as --gres=gpu:N, --num-threads as --cpus-per-task,
--mem, --time and --nodes as they are, --max-jobs-run as the array's %N), and any other option as it stands:
--partition, --account, --constraint, ... (a short one as '-p NAME'); what is given nowhere is the site's default. Jobs
have this program's environment and folder. A cluster without GPUs runs jobs with --gpu on CPUs. On each of several
machines (--nodes) the command is started once (see utils/jobs.py for what torchrun needs).

A job that Slurm requeues is started again, and its log goes on. When this program is interrupted it cancels its jobs;
those of one that was killed are cancelled when it is called again with the same log."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import job_log, jobs
from utils import slurm_scheduler as scheduler
from utils.cli import UserError, run, warn
from utils.files import whole
from utils.hold import LOCK, hold
from utils.slurm_left import SCRIPT, clear_queue
from utils.slurm_scheduler import Patience

# Options of sbatch that take no value, and those that would get in the way of what is done here.
FLAGS = ("--exclusive", "--requeue", "--no-requeue", "--hold", "--contiguous", "--oversubscribe", "--overcommit",
         "--spread-job", "--use-min-nodes", "--reboot", "-H", "-s", "-O")  # fmt: skip
OURS = {"--array", "-a", "--output", "-o", "--error", "-e", "--wait", "-W", "--wrap", "--parsable", "--chdir", "-D",
        "--open-mode", "--ntasks", "-n", "--test-only", "--clusters", "-M"}  # fmt: skip
OF_THE_CLUSTER = ("SLURM_CONF", "SLURM_CLUSTERS", "SLURM_TIME_FORMAT")
LOOK = 0.2  # seconds between looks at the exit-code files
QUESTIONS = (1.0, 10.0)  # seconds between questions to the controller, at first and later on
CANCELLING = 90.0  # seconds to wait for cancelled jobs to end


class Array:
    """The jobs of one submission. `folder` is where they and this program meet: what is to be done, exit codes, and
    what Slurm itself has to say of a job."""

    def __init__(self, request: jobs.Request, folder: Path, tasks: dict[int, str]) -> None:
        """`tasks`: what the variable stands for, by the number of the task in the array."""
        self.request, self.folder, self.tasks = request, folder, tasks
        self.job, self.patience = "", Patience()
        self.open = set(tasks)  # those whose end has not been seen
        self.suspects: set[int] = set()  # those that the controller said were over, once
        self.failed: dict[str, str] = {}
        self.began, self.waits_for = time.monotonic(), ""

    @property
    def script(self) -> Path:
        return self.folder / SCRIPT

    def submit(self, options: list[str], interrupts: list[int]) -> None:
        """Hand it to the queue; where the controller is silent, when it speaks again."""
        request = self.request
        empty(self.folder)
        tasks = {
            number: {"log": str(request.log_of(value)), "command": request.command_of(value)}
            for number, value in self.tasks.items()
        }
        spec = {"options": vars(request.options), "revision": job_log.revision(), "tasks": tasks}
        with whole(self.folder / "jobs.json") as temporary:
            temporary.write_text(json.dumps(spec, indent=1))
        task = Path(__file__).with_name("slurm_task.py")
        with whole(self.script) as temporary:
            temporary.write_text(f"#!/bin/sh\nexec {shlex.join([sys.executable, str(task), str(self.folder)])}\n")
        at_once = f"%{request.options.max_jobs_run}" if request.options.max_jobs_run else ""
        command = [
            "sbatch",
            "--parsable",
            "--export=ALL",
            f"--job-name={request.fill(Path(request.log).stem, '').strip('._-') or 'job'}",
            f"--array={','.join(map(str, self.tasks))}{at_once}",
            f"--output={str(self.folder).replace('%', '%%')}/%a.out",
            "--open-mode=append",
            *options,
            str(self.script),
        ]

        def question() -> str:
            # A submission whose answer was lost may have arrived all the same.
            if self.patience.waiting and (there := scheduler.in_queue().get(str(self.script))):
                return there[-1]
            return scheduler.ask(*command, environment=outside_any_job()).strip().partition(";")[0]

        self.job = self.patience.until(question, lambda: bool(interrupts)) or ""

    def watch(self, interrupts: list[int]) -> None:
        """Until all have ended, or there is an interrupt."""
        pause, asked = QUESTIONS[0], 0.0
        show = job_log.Follower(self.request.log_of(self.tasks[1])) if not self.request.variable else None
        while self.open and not interrupts:
            time.sleep(LOOK)
            codes = self.codes()
            self.open -= {number for number, code in codes.items() if code == 0}
            if show:
                show.show()
            # One that failed may yet be requeued: the controller knows.
            soon = self.suspects or self.open & codes.keys()
            if self.open and time.monotonic() > asked + (QUESTIONS[0] if soon else pause):
                states = self.patience.once(lambda: scheduler.tasks(self.job))
                asked, pause = time.monotonic(), min(1.2 * pause, QUESTIONS[1])
                if states is not None:
                    self.judge(states, codes, interrupts)
        if show:
            show.show()

    def judge(self, states: dict[int, tuple[str, str]], codes: dict[int, int], interrupts: list[int]) -> None:
        """Close those tasks that are over by the controller's word (given twice where they left no exit code)."""
        for number in sorted(self.open):
            state = states.get(number, ("", ""))[0]
            if state in scheduler.ALIVE:
                self.suspects.discard(number)
            elif number not in codes and number not in self.suspects:
                self.suspects.add(number)
            else:
                self.close(number, state, codes.get(number), interrupts)
        reasons = {states[number] for number in self.open if number in states}
        text = ", ".join(sorted(reason for _, reason in reasons))
        if reasons and {state for state, _ in reasons} == {"PENDING"} and time.monotonic() > self.began + 10:
            if text != self.waits_for:
                print(f"slurm.py: job {self.job} waits in the queue: {text}", flush=True)
            self.waits_for = text

    def close(self, number: int, state: str, code: int | None, interrupts: list[int]) -> None:
        """Task `number` is over, and did not leave the exit code 0: find out why, and write it down."""
        verdict = scheduler.Verdict("FAILED", code or 1)
        if state != "FAILED" or code is None:
            task = f"{self.job}_{number}"
            answer = self.patience.until(lambda: scheduler.verdict(task), lambda: bool(interrupts))
            verdict = answer if answer and (answer != scheduler.FORGOTTEN or code is None) else verdict
        self.open.remove(number)
        self.suspects.discard(number)
        if not (code or verdict.exit_code):
            return  # it ended well; only its word of that did not arrive
        output, value, reason = self.folder / f"{number}.out", self.tasks[number], verdict.reason
        notes = output.read_text(errors="replace").splitlines() if output.exists() else []
        if verdict.signal == signal.SIGKILL and "memory" in " ".join(notes).lower():
            reason = f"out of memory: {reason}"  # a Slurm without cgroups says so nowhere else
        notes += [reason] if reason else []
        if notes or code is None:
            job_log.add_ending(self.request.log_of(value), notes, code or verdict.exit_code)
        self.failed[value] = reason

    def codes(self) -> dict[int, int]:
        """The exit codes that tasks have left."""
        return {int(path.stem): int(path.read_text()) for path in self.folder.glob("[0-9]*.code")}

    def cancel(self, note: str, code: int) -> None:
        """Take what is open out of the queue, and wait until it has ended."""
        deadline = time.monotonic() + CANCELLING
        clear_queue(str(self.script), self.patience, lambda: time.monotonic() > deadline)
        for number in self.open - {number for number, exit_code in self.codes().items() if exit_code == 0}:
            if (log := self.request.log_of(self.tasks[number])).exists():
                job_log.add_ending(log, [note], code)


def outside_any_job() -> dict[str, str]:
    """The environment without what Slurm says of the job that this program may itself be part of."""
    return {name: value for name, value in os.environ.items() if name in OF_THE_CLUSTER or name[:6] != "SLURM_"}


def meeting_place(request: jobs.Request) -> Path:
    """A folder for the array, beside its logs; the same whenever the same is called."""
    parent = Path(request.log).parent
    while request.variable and request.fill(str(parent), "") != str(parent):
        parent = parent.parent
    return parent.resolve() / "q" / ".".join(Path(request.log).relative_to(parent).parts)


def sbatch_options(request: jobs.Request, interrupts: list[int]) -> list[str]:
    """What is asked for, in sbatch's words; last what cmd.sh says in these words itself."""
    wanted, others = request.options, request.queue_options
    for word in others:
        if word.partition("=")[0] in OURS:
            raise UserError(f"{word}: this option of sbatch is slurm.py's own; leave it out (see --help)")
    options = {"--mem": wanted.mem, "--time": wanted.time, "--cpus-per-task": wanted.num_threads}
    if wanted.nodes > 1:
        options |= {"--nodes": wanted.nodes, "--ntasks-per-node": 1}
    if wanted.gpu and Patience().until(scheduler.has_gpus, lambda: bool(interrupts)):
        options["--gres"] = f"gpu:{wanted.gpu}"
    elif wanted.gpu:
        warn("no node of this cluster has a GPU (sinfo -o %G): running on CPUs")
    return [f"{name}={value}" for name, value in options.items() if value] + others


def run_jobs(request: jobs.Request, values: list[str], interrupts: list[int]) -> dict[str, str]:
    """Run the jobs `values`, and return those that failed (see jobs.run_all)."""
    folder, options = meeting_place(request), sbatch_options(request, interrupts)
    with hold(folder):  # for as long as there is somebody to look after these jobs
        failed = run_arrays(request, values, folder, options, interrupts)
    for place in (folder, folder.parent):
        with suppress(OSError):  # where something failed, it is not empty
            place.rmdir()
    return failed


def run_arrays(
    request: jobs.Request, values: list[str], folder: Path, options: list[str], interrupts: list[int]
) -> dict[str, str]:
    """The same, by the `options` of sbatch, once `folder` is free for it."""
    patience = Patience()
    if left := clear_queue(str(folder / SCRIPT), patience, lambda: bool(interrupts)):
        warn(f"cancelled job {' '.join(left)}, which an earlier call had left in the queue")
    request.make_room(values)
    limit = patience.until(scheduler.max_array_size, lambda: bool(interrupts)) or 1
    numbers = {value: number for number, value in enumerate(request.values, 1)}
    failed: dict[str, str] = {}
    while values and not interrupts:  # in arrays as large as may be, one after the other
        now, values = values[:limit], values[limit:]
        small = max(numbers[value] for value in now) <= limit
        tasks = {numbers[value] if small else place: value for place, value in enumerate(now, 1)}
        array = Array(request, folder, tasks)
        array.submit(options, interrupts)
        if array.job and not interrupts:
            print(f"slurm.py: submitted as Slurm job {array.job}", flush=True)
            array.watch(interrupts)
        failed |= array.failed
        if interrupts:
            name = signal.Signals(interrupts[0]).name
            array.cancel(f"Interrupted by {name}: the job was cancelled", 128 + interrupts[0])
    if not failed and not interrupts:
        empty(folder)
    return failed


def empty(folder: Path) -> None:
    """Remove what is in `folder`, but for its lock."""
    for path in folder.iterdir():
        if path.name != LOCK:
            path.unlink()


def main() -> None:
    jobs.run_all(jobs.Parser(__doc__, queue=True, flags=FLAGS), run_jobs)


if __name__ == "__main__":
    run(main)
