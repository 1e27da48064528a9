"""Slurm's answers: what sbatch, squeue, scontrol and sacct say, taken apart; and patience with a controller that says
nothing."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from utils.cli import UserError, warn

T = TypeVar("T")

# What a command says when the controller did not answer, as against when it did and refused.
SILENCE = re.compile(
    r"unable to contact|connect failure|connection (refused|reset|timed out)|timed out|zero bytes|not responding"
    r"|temporarily unable|try again|no route to host|backup controller",
    re.IGNORECASE,
)
# States of a job that has yet to run, or to run again, or to end.
ALIVE = {
    "PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "STOPPED", "COMPLETING", "REQUEUED", "REQUEUE_FED",
    "REQUEUE_HOLD", "RESV_DEL_HOLD", "RESIZING", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT",
}  # fmt: skip
RETRY = 2.0  # seconds between questions to a silent controller


class Silence(Exception):
    """The controller did not answer."""


@dataclass(frozen=True)
class Verdict:
    """How the scheduler says that a job ended."""

    state: str  # COMPLETED, FAILED, TIMEOUT, OUT_OF_MEMORY, NODE_FAIL, CANCELLED, PREEMPTED, …
    code: int = 0  # exit code
    signal: int = 0  # the signal that ended it; 0: none
    node: str = ""

    @property
    def exit_code(self) -> int:
        """What a shell would make of it; never 0 for a job that did not complete."""
        return self.code or (128 + self.signal if self.signal else int(self.state != "COMPLETED"))

    @property
    def reason(self) -> str:
        """Why it ended, where that is more than an exit code."""
        where = f" on {self.node}" if self.node else ""
        if self.state == "FAILED" and self.signal:
            return f"ended by signal {self.signal}, {signal.strsignal(self.signal)}{where}"
        return "" if self.state in ("COMPLETED", "FAILED") else f"{self.state}{where}"


FORGOTTEN = Verdict("UNKNOWN: it left no exit code, and the scheduler no longer knows it")


def ask(*command: str, environment: Mapping[str, str] | None = None, timeout: float = 120) -> str:
    """What one of Slurm's commands answers. Raises Silence where the controller does not, and UserError where it
    refuses or there is no such command."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env=environment,
            timeout=timeout,
            start_new_session=True,  # Ctrl-C shall not end sbatch between submitting a job and saying which
        )
    except FileNotFoundError:
        raise UserError(f"{command[0]}: not found; slurm.py needs a machine that belongs to a Slurm cluster") from None
    except subprocess.TimeoutExpired:
        raise Silence(f"{command[0]} has said nothing for {timeout:g} s") from None
    message = " ".join(done.stderr.split())
    if done.returncode and SILENCE.search(message):
        raise Silence(message)
    if done.returncode:
        raise UserError(message or f"{command[0]} ended with code {done.returncode}")
    if message:
        warn(message)  # sites have their submission scripts tell users things
    return done.stdout


class Patience:
    """Asks until there is an answer, and says so when it has to wait and when that is over."""

    def __init__(self) -> None:
        self.waiting = False

    def once(self, question: Callable[[], T]) -> T | None:
        """An answer, or None where the controller is silent."""
        try:
            answer = question()
        except Silence as silence:
            if not self.waiting:
                warn(f"{silence}; running jobs go on; waiting for the Slurm controller")
            self.waiting = True
            return None
        if self.waiting:
            warn("the controller answers again")
        self.waiting = False
        return answer

    def until(self, question: Callable[[], T], given_up: Callable[[], bool]) -> T | None:
        """An answer, however long it takes; None as soon as `given_up()`."""
        while (answer := self.once(question)) is None and not given_up():
            time.sleep(RETRY)
        return answer


def tasks(job: str) -> dict[int, tuple[str, str]]:
    """Number → (state, why it waits) of the tasks of an array that the controller still remembers."""
    try:
        listing = ask("squeue", "-h", "-a", "-r", "-t", "all", "-j", job, "-o", "%K|%T|%r")
    except UserError as error:
        if "Invalid job id" in str(error):  # ended so long ago that it has been forgotten
            return {}
        raise Silence(str(error)) from None  # whatever ails it: the jobs run, and are not to be given up for that
    rows = [line.split("|") for line in listing.splitlines()]
    return {int(index): (state, reason) for index, state, reason in rows if index.isdigit()}


def in_queue() -> dict[str, list[str]]:
    """Script → this user's jobs in the queue (arrays: as a whole) that it was submitted for."""
    scripts: dict[str, list[str]] = {}
    for line in sorted(set(ask("squeue", "-h", "-a", "--me", "-o", "%F|%o").splitlines())):
        job, _, script = line.partition("|")
        scripts.setdefault(script, []).append(job)
    return scripts


def cancel(jobs: list[str]) -> bool:
    """Cancel jobs."""
    try:
        ask("scancel", *jobs)
    except UserError as error:
        warn(str(error))  # they have just ended, say
    return True


def has_gpus() -> bool:
    """Whether any node has a GPU to hand out."""
    return "gpu" in ask("sinfo", "-h", "-a", "-o", "%G")


def max_array_size() -> int:
    """How many tasks an array may have, numbered from 1."""
    limit = re.search(r"^MaxArraySize\s*=\s*(\d+)", ask("scontrol", "show", "config"), re.MULTILINE)
    return max(1, int(limit[1]) - 1) if limit else 1000


def verdict(task: str) -> Verdict:
    """How the task `task`, such as 12_3, ended: from the accounting where there is one, else from the controller."""
    accounting = ["sacct", "-n", "-P", "-X", "-j", task, "-o", "State,ExitCode,NodeList"]
    for read, question in ((read_sacct, accounting), (read_scontrol, ["scontrol", "-o", "show", "job", task])):
        with suppress(UserError):  # there is no accounting; or the controller has forgotten the job
            if (ending := read(ask(*question))) and ending.state not in ALIVE:
                return ending
    return FORGOTTEN


def read_sacct(answer: str) -> Verdict | None:
    """`CANCELLED by 1000|0:15|node7`; of several lines (a job that was requeued) the last."""
    lines = [line.split("|") for line in answer.splitlines() if line.count("|") == 2]
    if not lines:
        return None
    state, code, node = lines[-1]
    return Verdict(state.split()[0], *split_code(code), node="" if node.startswith("None") else node)


def read_scontrol(answer: str) -> Verdict | None:
    """`JobId=… JobState=TIMEOUT … ExitCode=0:15 … NodeList=node7 …` on one line."""
    fields = dict(word.partition("=")[::2] for word in answer.split())
    if "JobState" not in fields:
        return None
    node = fields.get("NodeList", "").replace("(null)", "")
    return Verdict(fields["JobState"], *split_code(fields.get("ExitCode", "0:0")), node=node)


def split_code(text: str) -> tuple[int, int]:
    """`7:0`: exit code and signal."""
    code, _, number = text.partition(":")
    return int(code or 0), int(number or 0)
