#!/usr/bin/env python3
"""Hold a folder while a command works in it, so that nobody else writes there.

  utils/hold.py [--from FOLDER] FOLDER COMMAND...

The folder is held until the command and all that it started here have ended. Asked to end, by Ctrl-C, SIGTERM or
SIGHUP, this program asks all of them, and waits for the last; and when the command ends, however it does, what it has
left running is asked to end too."""

from __future__ import annotations

import argparse
import fcntl
import os
import platform
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils.cli import UserError, run, warn

MARK = "HOLD_PY"  # the variable by which the processes of a command are known
HELD = "HOLD_PY_FOLDERS"  # the variable that tells them which folders are held for them, a line each
held: set[int] = set()  # the locks of this program, handed on to its job runner in case that it is killed
GRACE = 90.0  # seconds between asking processes to end and killing them: a job runner's own grace is shorter


@contextmanager
def hold(folder: Path, wait: bool = False, shared: bool = False) -> Iterator[int]:
    """Keep others out of `folder` within the block; with `shared`, for reading, those alone who would write. Gives the
    lock's descriptor, for child processes to hold it as well. Where somebody is there, raises UserError that says who,
    or, with `wait`, waits.

    What keeps others out is the system's lock (flock) on the file .lock, which ends with the processes that hold it,
    however they end: a .lock that was left behind is no obstacle. On a network file system it holds between machines as
    far as that one has locks; where there are none, a warning is all there is. A folder that is held for this program
    by `utils/hold.py` is its own."""
    if str(folder.resolve()) in os.environ.get(HELD, "").splitlines():
        yield -1
        return
    if shared and not os.access(folder, os.W_OK):  # nobody writes there, or it is not there at all
        yield -1
        return
    new = not folder.exists()
    path, kind = folder / ".lock", fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = path.read_text(errors="replace").strip() if path.is_file() else ""
            if not wait:
                os.close(lock)
                there = ", ".join(processes(path)) or "none on this machine"
                raise UserError(
                    f"{folder} is in use by {holder or 'another program'} (still there: {there}); wait for it, end it, "
                    "or use another folder"
                ) from None
            warn(f"waiting for {holder}, who works in {folder}")
            fcntl.flock(lock, kind)
        except OSError:
            warn(f"{folder}: its file system has no locks: see that nobody else works there")
        with suppress(FileNotFoundError):  # whoever held it may have removed the file meanwhile, and with it the lock
            if os.path.samestat(os.stat(path), os.fstat(lock)):
                break
        os.close(lock)
    try:
        who = f"{Path(sys.argv[0]).name} on {platform.node()}, process {os.getpid()}"
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{who}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode(errors="replace"), 0)
        held.add(lock)
        yield lock
    finally:
        held.discard(lock)
        with suppress(OSError):
            if shared:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the last reader removes the file
            path.unlink(missing_ok=True)
        os.close(lock)
        if new:
            with suppress(OSError):
                folder.rmdir()  # nothing came of it


def processes(path: Path) -> list[str]:
    """The processes of this machine that have the file open, as `25410 python3 run.py`."""
    found = {}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # another user's, or just gone
            if os.path.samestat(link.stat(), path.stat()):
                process = link.parents[1]
                words = (process / "cmdline").read_text(errors="replace").split("\0")
                found[process.name] = " ".join([process.name, *(Path(word).name for word in words[:2])])
    return list(found.values())


def send(mark: str, number: int) -> bool:
    """Send a signal (0: none) to all processes of this machine that have `mark` in their environment; whether there
    were any (none where there is no /proc)."""
    any_left = False
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # another user's, or just gone
            if mark.encode() in environment.read_bytes():
                os.kill(int(environment.parent.name), number)
                any_left = True
    return any_left


def supervise(command: list[str], folder: Path, lock: int, start: Path | None) -> int:
    """Run `command`, for which `folder` is held by `lock`, and return its exit status, once nothing of it is left."""
    mark = f"<{secrets.token_hex(8)}>"
    interrupts: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        # From a terminal Ctrl-C reaches them all by itself; asking twice does no harm.
        send(mark, signal.SIGTERM if number == signal.SIGHUP else number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves SIGHUP
            signal.signal(number, pass_on)
    environment = os.environ | {MARK: os.environ.get(MARK, "") + mark}
    environment[HELD] = f"{os.environ.get(HELD, '')}\n{folder.resolve()}"
    process = subprocess.Popen(command, env=environment, pass_fds=[lock], cwd=start)
    status = process.wait()
    kill_at = time.monotonic() + GRACE
    send(mark, signal.SIGTERM)
    while send(mark, signal.SIGKILL if time.monotonic() > kill_at else 0):
        time.sleep(0.05)
    if interrupts:
        return 128 + interrupts[0]
    return status if status >= 0 else 128 - status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", type=Path, dest="start", metavar="FOLDER", help="where the command is started")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("command", metavar="COMMAND")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="...")
    options = parser.parse_args()
    command = [options.command, *options.words]
    sys.argv[0] = next((word for word in command if word.endswith(".sh")), command[0])  # whom the user called
    with hold(options.folder) as lock:
        status = supervise(command, options.folder, lock, options.start)
    sys.exit(status)


if __name__ == "__main__":
    run(main)
