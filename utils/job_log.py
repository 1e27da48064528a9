"""The log of a job: its format, and what can be read from one."""

from __future__ import annotations

import os
import platform
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO

TAIL = 20  # lines of a failed job's log that come to the terminal
SUCCESS = b"# Ended (code 0) at "


@cache
def revision() -> str:
    """Short hash of the commit this code is at, with -dirty where a file differs from it; unknown outside git."""
    root = Path(__file__).resolve().parent.parent
    git = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    if not (root / ".git").exists():  # a copy inside somebody else's repository has none of its own
        return "unknown"
    try:
        return subprocess.check_output(
            git, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, timeout=30
        ).strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %Z")


def header(command: Sequence[str], where: str = "", devices: Sequence[str] = (), code: str = "") -> bytes:
    """The beginning of a log: `where` on this host the job is, the GPUs it was handed, and the git revision `code`,
    where it is not to be looked up."""
    host = platform.node() + where + (f", GPU {','.join(devices)}" if devices else "")
    lines = [f"Host: {host}", f"Started at {now()}", f"Git revision: {code or revision()}"]
    text = "".join(f"# {line}\n" for line in [*lines, f"Command: {shlex.join(command)}"])
    return text.encode(errors="surrogateescape")


def write(log: BinaryIO, text: bytes) -> None:
    """Write `text` into a log. An OSError, as of a full disk, says into which."""
    try:
        log.write(text)
    except OSError as error:
        error.filename = log.name
        raise


def start(
    command: Sequence[str], log: BinaryIO, environment: Mapping[str, str], session: bool = False
) -> subprocess.Popen[bytes] | int:
    """Start `command`, with its output into `log`, perhaps in a `session` of its own. Where it cannot be started,
    returns the code that a shell would end with."""
    try:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=session
        )
    except OSError as error:
        write(log, f"{command[0]}: {error.strerror}\n".encode(errors="surrogateescape"))
        return 127 if isinstance(error, FileNotFoundError) else 126


def ending(status: int) -> tuple[int, str]:
    """The exit code that a shell makes of a process's `status`, and a note where a signal ended it."""
    if status >= 0:
        return status, ""
    why = " (out of memory?)" if status == -signal.SIGKILL else ""
    return 128 - status, f"Ended by signal {-status}, {signal.strsignal(-status)}{why}"


def footer(code: int, duration: float, threads: int, note: str = "") -> bytes:
    """The end of a log: `note` (one line, where there is something to explain), accounting, exit code."""
    lines = [f"# {note}"] if note else []
    lines += [f"# Accounting: time={duration:.0f} threads={threads}", f"# Ended (code {code}) at {now()}", ""]
    return "\n".join(lines).encode()


def add_ending(path: Path, notes: Sequence[str], code: int) -> None:
    """What a job could not write itself at the end of its log `path`."""
    notes = notes if path.exists() else ["This job never started", *notes]
    lines = "".join(f"# {line}\n" for line in [*notes, f"Ended (code {code}) at {now()}"])
    with open(path, "ab", buffering=0) as log:
        write(log, lines.encode(errors="surrogateescape"))


class Follower:
    """Shows on stdout, line by line, what a job elsewhere writes into its log."""

    def __init__(self, path: Path) -> None:
        self.path, self.shown = path, 0

    def show(self) -> None:
        """What is new, without the runner's own lines."""
        if not self.path.exists():
            return
        with open(self.path, "rb") as log:
            log.seek(self.shown)
            new = log.read()
        new = new[: new.rfind(b"\n") + 1]
        self.shown += len(new)
        to_stdout(b"".join(line for line in new.splitlines(keepends=True) if not line.startswith(b"# ")))


def to_stdout(text: bytes) -> None:
    try:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # nobody is reading any more: the job goes on, into its log
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def last_bytes(path: Path, size: int) -> bytes:
    with open(path, "rb") as log:
        log.seek(max(0, log.seek(0, 2) - size))
        return log.read()


def succeeded(path: Path) -> bool:
    """Whether the log `path` is there and its last line says code 0."""
    return path.is_file() and last_bytes(path, 200).rstrip(b"\n").rpartition(b"\n")[2].startswith(SUCCESS)


def tail(path: Path) -> list[str]:
    """The last lines of a log, as text."""
    return last_bytes(path, 20_000).decode(errors="replace").splitlines()[-TAIL:]
