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

from utils.cli import UserError, path_of, run, warn

MARK = "HOLD_PY"  # the variable by which the processes of a command are known
HELD = "HOLD_PY_FOLDERS"  # the variable that tells them which folders are held for them, a line each
held: set[int] = set()  # the locks of this program, handed on to its job runner in case that it is killed
LOCK = ".lock"  # the file in a folder that says who holds it
GRACE = 90.0  # seconds between asking processes to end and killing them: a job runner's own grace is shorter


class InUse(UserError):
    """Somebody else holds the folder."""


@contextmanager
def hold(folder: Path, wait: bool = False, shared: bool = False) -> Iterator[list[int]]:
    """Keep others out of `folder` within the block; with `shared`, for reading, those alone who would write. Gives the
    locks' descriptors, for child processes to hold them as well. Where somebody is there, raises InUse, which says
    who, or, with `wait`, waits.

    What keeps others out are the system's locks (flock), which end with the processes that hold them, however they end.
    One is on the folder itself, for all of this machine: it needs no right to write, and nobody can delete it. The
    other is on its file .lock, which says who is there: on a network file system it holds between machines as far as
    that one has locks; where there are none, a warning is all there is. A folder that is held for this program by
    `utils/hold.py` is its own."""
    if str(folder.resolve()) in os.environ.get(HELD, "").splitlines() or (shared and not folder.exists()):
        yield []
        return
    new, path = not folder.exists(), folder / LOCK
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            locks = take(folder, path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, wait)
        except BlockingIOError:
            there = ", ".join(processes(folder)) or "none on this machine"
            raise InUse(
                f"{folder} is in use by {holder(path)} (still there: {there}); wait for it, end it, "
                "or use another folder"
            ) from None
        if all(is_at(lock, place) for lock, place in zip(locks, (folder, path))):
            break
        close(locks)  # whoever held it has replaced the folder meanwhile, or removed the file, and with it the lock
    try:
        note(locks[1:])
        held.update(locks)
        yield locks
    finally:
        held.difference_update(locks)
        with suppress(OSError):
            if shared:
                fcntl.flock(locks[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)  # the last reader removes the file
            if is_at(locks[-1], path):
                path.unlink()
        close(locks)
        if new:
            with suppress(OSError):
                folder.rmdir()  # nothing came of it


def take(folder: Path, path: Path, kind: int, wait: bool) -> list[int]:
    """Lock the folder and then its file `path`, where whoever only reads may have one. Raises BlockingIOError where
    somebody has either, or, with `wait`, waits."""
    locks: list[int] = []
    try:
        for place in (folder, path):
            lock = os.open(folder, os.O_RDONLY) if place == folder else open_file(path, kind == fcntl.LOCK_SH)
            if lock is None:
                break
            locks.append(lock)
            try:
                fcntl.flock(lock, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if not wait:
                    raise
                warn(f"waiting for {holder(path)}, who works in {folder}")
                fcntl.flock(lock, kind)
            except OSError:
                if place == path:
                    warn(f"{folder}: its file system has no locks: see that nobody else works there")
    except BaseException:
        close(locks)
        raise
    return locks


def open_file(path: Path, reads: bool) -> int | None:
    """The file .lock, made where there is none; None where it can neither be made nor read (a disk that is full or may
    only be read) by one who only `reads` the folder, and whom the folder's own lock has to do for."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UserError(f"{path} is no plain file, and so cannot say who works there: remove it, and start again")
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError:
        with suppress(OSError):  # another user's, who may have been killed
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        if reads:
            return None
        raise


def note(locks: list[int]) -> None:
    """Write into .lock who is there; on a full disk it stays empty, and the lock holds all the same."""
    who = f"{Path(sys.argv[0]).name} on {platform.node()}, process {os.getpid()}"
    with suppress(OSError):
        for lock in locks:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{who}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode(errors="replace"), 0)


def holder(path: Path) -> str:
    """Who is there, by the file .lock."""
    words = path.read_text(errors="replace").strip() if path.is_file() else ""
    return words or "another program"


def is_at(lock: int, path: Path) -> bool:
    """Whether the open file `lock` is still the one that `path` names."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(lock))
    except FileNotFoundError:
        return False


def close(locks: list[int]) -> None:
    for lock in locks:
        os.close(lock)


def processes(path: Path) -> list[str]:
    """The processes of this machine that have the file or folder open, as `25410 python3 run.py`."""
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


def supervise(command: list[str], folder: Path, locks: list[int], start: Path | None) -> int:
    """Run `command`, for which `folder` is held by `locks`, and return its exit status, once nothing of it is left."""
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
    process = subprocess.Popen(command, env=environment, pass_fds=locks, cwd=start)
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
    parser.add_argument("--from", type=path_of, dest="start", metavar="FOLDER", help="where the command is started")
    parser.add_argument("folder", type=path_of, metavar="FOLDER")
    parser.add_argument("command", metavar="COMMAND")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="...")
    options = parser.parse_args()
    command = [options.command, *options.words]
    sys.argv[0] = next((word for word in command if word.endswith(".sh")), command[0])  # whom the user called
    with hold(options.folder) as locks:
        status = supervise(command, options.folder, locks, options.start)
    sys.exit(status)


if __name__ == "__main__":
    run(main)
