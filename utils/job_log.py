"""The log of a job: its format, and what can be read from one."""

from __future__ import annotations

import platform
import shlex
import subprocess
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

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
        found = subprocess.run(git, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=True)
        return found.stdout.strip()
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


def footer(code: int, duration: float, threads: int, note: str = "") -> bytes:
    """The end of a log: `note` (one line, where there is something to explain), accounting, exit code."""
    lines = [f"# {note}"] if note else []
    lines += [f"# Accounting: time={duration:.0f} threads={threads}", f"# Ended (code {code}) at {now()}", ""]
    return "\n".join(lines).encode()


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
