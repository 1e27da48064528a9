"""What every job runner has in common: its command line, what it tells its jobs, and what it says of a failure.

A job that starts several processes does so by `torchrun PROGRAM ...`, with no options of torchrun's own: every job
finds in its environment what torchrun would be told by them (`launch_environment`), whatever runs it:

  PET_NNODES          machines of this job (--nodes)           PET_MASTER_ADDR   where the first of them is reached
  PET_NODE_RANK       which of them this is, from 0            PET_MASTER_PORT   and by which port
  PET_NPROC_PER_NODE  processes on each: its GPUs (--gpu), or one

On every machine of a job its command is started once. A machine without the GPUs that were asked for starts as many
processes on the CPU, and one that ends with another code than 0 takes the job down."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from utils.cli import UserError, warn
from utils.files import plain
from utils.hold import held
from utils.job_log import succeeded, tail

EPILOG = """\
Options stand before LOG, and each takes a value; what stands after LOG belongs to the command, which is started as it
stands, without a shell. With JOB=1:n the command runs n times, and the word JOB in it and in LOG is the job's number
('feats.JOB.ark', not 'JOBS' or 'my_JOB'); NAME=one,two,three likewise runs it once for each of these words. LOG holds
host, start, git revision and command, then the output, then '# Accounting: time=T threads=N' and
'# Ended (code N) at ...'. Exit status: 0 when every job ended with code 0; 1 when one did not, with the end of the
first failing log; 130 or 143 when interrupted, after ending every job."""

MOST = 100_000  # jobs of an array
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Request:
    """A runner's command line."""

    options: argparse.Namespace
    variable: str  # "JOB" for JOB=1:n; "" where there is one job only
    values: list[str]  # what it stands for, job by job: numbers or words
    log: str  # as typed: the variable is still in it
    command: list[str]  # likewise
    queue_options: list[str]  # what else was given, for the queue

    def fill(self, text: str, value: str) -> str:
        """`text` with `value` for the variable, where it stands as a word."""
        return re.sub(rf"\b{self.variable}\b", lambda _: value, text, flags=re.ASCII) if self.variable else text

    def log_of(self, value: str) -> Path:
        return Path(self.fill(self.log, value))

    def command_of(self, value: str) -> list[str]:
        return [self.fill(word, value) for word in self.command]

    def picked(self) -> list[str]:
        """The values of the jobs to run: all, or with --pick failed those whose log does not end with code 0."""
        return [v for v in self.values if self.options.pick == "all" or not succeeded(self.log_of(v))]

    def make_room(self, values: Sequence[str]) -> None:
        """Remove the logs of the jobs `values`, before any starts: one from before must not pass for one of this
        time."""
        for value in values:
            self.log_of(value).parent.mkdir(parents=True, exist_ok=True)
            plain(self.log_of(value)).unlink(missing_ok=True)

    @property
    def logs(self) -> str:
        """Where all logs are, in a form that a shell understands."""
        return self.fill(self.log, "*")

    def failure(self, failed: Mapping[str, str], total: int) -> str:
        """What is said when `failed` (and why, where more is known than an exit code) of `total` jobs failed: where
        the logs are, which failed for a reason of its own, and the end of the first one's log."""
        lines = [f"{len(failed)} / {total} failed, log is in {self.logs}"]
        for reason in sorted(set(failed.values()) - {""}):
            which = " ".join(value for value in self.values if failed.get(value) == reason)
            lines.append(f"{self.variable} {which}: {reason}" if self.variable else reason)
        path = self.log_of(next(value for value in self.values if value in failed))
        return "\n".join([*lines, f"==> {path} <==", *tail(path)])


class Parser(argparse.ArgumentParser):
    """The options every runner takes. A runner may add its own, as long as each takes a value. Where it has a queue
    behind it, options that are not known go there; `flags` are those of the queue's that take no value."""

    def __init__(self, description: str, queue: bool = False, flags: Sequence[str] = ()) -> None:
        self.queue, self.flags = queue, flags
        usage = "%(prog)s [--option value ...] [JOB=1:n] LOG COMMAND ..."
        raw = argparse.RawDescriptionHelpFormatter
        super().__init__(usage=usage, description=description, epilog=EPILOG, formatter_class=raw, allow_abbrev=False)
        self.add_argument("--gpu", type=count, default=0, metavar="N", help="GPUs for each job (default: 0)")
        self.add_argument("--nodes", type=positive, default=1, metavar="N", help="machines for each job (default: 1)")
        self.add_argument("--mem", type=memory, metavar="4G", help="memory for each job, where a queue enforces it")
        self.add_argument("--num-threads", type=positive, metavar="N", help="threads of each job (default: its own)")
        self.add_argument("--max-jobs-run", type=positive, metavar="N", help="how many jobs run at once")
        self.add_argument("--time", type=duration, metavar="T", help="end a job after M, M:S, H:M:S, D-H[:M[:S]]")
        self.add_argument("--pick", choices=["all", "failed"], default="all", help="failed: those not ended well yet")

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see --help)")

    def parse(self, words: Sequence[str]) -> Request:
        """Take a command line apart. Raises UserError for whatever is wrong with it."""
        rest, variable, values = list(words), "", ["1"]
        options: list[str] = []
        others: list[str] = []
        while rest:
            if rest[0].startswith("-"):
                known = rest[0].partition("=")[0] in self._option_string_actions
                takes_value = "=" not in rest[0] and rest[0] not in ("-h", "--help", *self.flags)
                (options if known or not self.queue else others).extend(rest[: 1 + takes_value])
                del rest[: 1 + takes_value]
            elif match := re.fullmatch(r"([A-Za-z_]\w*)=(.*)", rest[0], re.ASCII):
                variable, values = match[1], job_values(rest.pop(0))
            else:
                break
        namespace = self.parse_args(options)
        if len(rest) < 2:
            self.error("no log and command given" if not rest else f"no command given after the log {rest[0]}")
        request = Request(namespace, variable, values, rest[0], rest[1:], others)
        if len(values) > 1 and request.log_of(values[0]) == request.log_of(values[-1]):
            self.error(f"{len(values)} jobs would share the log {rest[0]}: put {variable} into its name")
        return request


def free_variable(words: Iterable[object]) -> str:
    """A name for the number of a job that stands in none of `words` as a word: JOB, or where a path has that, JOB2 and
    so on. Else a folder called JOB would be another for each job."""
    text, number = " ".join(map(str, words)), 1
    while re.search(rf"\b{(name := f'JOB{number}' if number > 1 else 'JOB')}\b", text, flags=re.ASCII):
        number += 1
    return name


def count(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"expected a number, found '{text}'")
    return int(text)


def positive(text: str) -> int:
    if (number := count(text)) == 0:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return number


def matching(pattern: str, expected: str) -> Callable[[str], str]:
    """An argparse `type=`: text of one form."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise argparse.ArgumentTypeError(f"expected {expected}, found '{text}'")
        return text

    return check


memory = matching(r"\d{1,9}[KMGT]?", "a size such as 4G or 500M")
# Slurm's ways to write a duration: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S; 0 is no limit.
duration = matching(r"(\d{1,9}-)?\d{1,9}(:\d{1,9}){0,2}", "minutes, H:M:S or D-H:M:S")


def seconds(text: str) -> int:
    """A duration in seconds."""
    days, _, clock = text.rpartition("-")
    fields = [int(field) for field in clock.split(":")]
    hours, minutes, rest = ([*fields, 0, 0] if days or len(fields) == 3 else [0, *fields, 0])[:3]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + rest


def job_values(text: str) -> list[str]:
    """`JOB=1:4` as the words 1 to 4, `JOB=3` as 3 alone, `NAME=one,two` as one and two."""
    value = text.partition("=")[2]
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", value, re.ASCII)
    if match and int(match[2]) - int(match[1]) >= MOST:
        raise UserError(f"{text}: {MOST:,} jobs are the most")
    words = list(map(str, range(int(match[1]), int(match[2]) + 1))) if match else value.split(",")
    if not words or len(set(words)) < len(words) or not all(re.fullmatch(r"[^:]+", word) for word in words):
        raise UserError(f"{text}: expected JOB=first:last, such as JOB=1:4, or NAME=one,two,...")
    return words


def run_all(parser: Parser, run_jobs: Callable[[Request, list[str], list[int]], dict[str, str]]) -> None:
    """A runner's whole course. `run_jobs(request, values, interrupts)` runs the jobs `values` and returns those that
    failed, each with the reason where it is not just its exit code; once a signal stands in `interrupts`, it ends
    every job and returns, or raises UserError where it cannot be sure of that."""
    request = parser.parse(sys.argv[1:])
    interrupts: list[int] = []
    for number in INTERRUPTS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves SIGHUP
            signal.signal(number, lambda number, frame: interrupts.append(number))
    values, began = request.picked(), time.monotonic()
    name = Path(sys.argv[0]).name
    if len(values) > 1:
        print(f"{name}: {len(values)} jobs, log is in {request.logs}", flush=True)
    try:
        failed = run_jobs(request, values, interrupts)
    except UserError as error:
        if not interrupts:
            raise
        warn(f"interrupted: {error}, log is in {request.logs}")
        sys.exit(128 + interrupts[0])
    if interrupts:
        warn(f"interrupted: every job was ended, log is in {request.logs}")
        sys.exit(128 + interrupts[0])
    if failed:
        raise UserError(request.failure(failed, len(values)))
    if request.variable or not values:
        total, before = len(request.values), len(request.values) - len(values)
        note = f" ({before} before) in" if before else " in"
        print(f"{name}: {total} / {total} done{note} {time.monotonic() - began:.0f} s, log is in {request.logs}")


def launch_environment(request: argparse.Namespace, rank: int, address: str, port: int) -> dict[str, str]:
    """What torchrun is told (see above): this is machine `rank` of those that the options `request` ask for, and the
    first of them is reached at `address`, `port`."""
    values = {"NNODES": request.nodes, "NODE_RANK": rank, "NPROC_PER_NODE": max(1, request.gpu)}
    values |= {"MASTER_ADDR": address, "MASTER_PORT": port}
    return {f"PET_{name}": str(value) for name, value in values.items()}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def runner_of(text: str) -> list[str]:
    """The words of a job runner, as $train_cmd names one. Raises UserError where there is no such program."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"--cmd '{text}': is no command ({error})") from None
    if not words or not shutil.which(words[0]):
        raise UserError(
            f"--cmd '{text}': no such program here; start in the root or in egs/<recipe>, where utils/run.py is"
        )
    return words


def call(runner: str, *words: str) -> bool:
    """Run jobs by `runner`, as $train_cmd names one, and return whether all of them ended well. Where this program is
    interrupted, it ends after the runner, which has its jobs to end. Where it is killed, the folders that it holds stay
    held until the runner ends."""
    process = subprocess.Popen([*runner_of(runner), *words], pass_fds=list(held))
    try:
        return process.wait() == 0
    except BaseException:
        process.terminate()
        process.wait()
        raise
