"""A file or folder that has its final name is whole: it is written under another name and renamed last."""

from __future__ import annotations

import errno
import glob
import os
import platform
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from utils.cli import UserError

BACKUP = ".backup"  # folder of what was set aside; the names of later ones begin so
STRAY = 3600.0  # seconds for which a temporary file of another host has lain untouched when it counts as left behind


@contextmanager
def whole(path: Path | str) -> Iterator[Path]:
    """`with whole("a/feats.scp") as temporary:` — write to `temporary` (a file, or a folder that you make); it becomes
    `path` when the block ends, replacing what was there, and vanishes when the block fails. The file is on the disk
    before it bears the name, so that not even a power cut leaves half of it there. An OSError of the block that does
    not say which file it is about, as a full disk's, is given this one's name; what is in `temporary`, its place in
    `path`."""
    path = plain(Path(path))
    path = path if path.name else path.resolve()  # "." has no name
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_strays(path)
    temporary = path.with_name(f".{path.name}.tmp-{platform.node()}-{os.getpid()}")
    before = temporary.with_name(f"{temporary.name}.before")
    try:
        yield temporary
        if temporary.is_file():
            to_disk(temporary)
        elif path.is_dir():  # aside first: a folder that is being removed is not whole
            path.rename(before)
        temporary.replace(path)
        to_disk(path.parent)
    except OSError as error:
        said = str(error.filename or temporary)
        if error.errno and (said == str(temporary) or said.startswith(f"{temporary}/")):
            error.filename = f"{path}{said[len(str(temporary)) :]}"
        raise
    finally:
        if before.exists() and not path.exists():  # interrupted between the two names, or the second was refused
            before.rename(path)
        remove(temporary)
        remove(before)


def plain(path: Path) -> Path:
    """The same path, to be written. Raises UserError for a device or a pipe, whose name is not ours to take away."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UserError(f"{path}: is a device or a pipe, and a file is to be written: name another")
    return path


def copy(source: Path, path: Path) -> None:
    """Copy a file, so that `path` is whole or as it was."""
    with open(source, "rb") as content, whole(path) as temporary, open(temporary, "wb") as out:
        shutil.copyfileobj(content, out)


def free_backup(folder: Path) -> Path:
    """<folder>/.backup; where that is there already, .backup.2, and so on."""
    number, backup = 1, folder / BACKUP
    while backup.exists():
        number += 1
        backup = folder / f"{BACKUP}.{number}"
    return backup


def set_aside(folder: Path, keep: Collection[str] = ()) -> Path:
    """Move what is in `folder`, but for the names in `keep`, to its `free_backup`, which is returned."""
    backup = free_backup(folder)
    backup.mkdir(parents=True)
    for path in sorted(folder.iterdir()):
        if path.name not in keep and not path.name.startswith(BACKUP):
            path.rename(backup / path.name)
    return backup


def to_disk(path: Path) -> None:
    """Have the system write a file's content, or a folder's names, to the disk now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot, for a folder
            raise
    finally:
        os.close(descriptor)


def remove_strays(path: Path) -> None:
    """Remove what killed programs left while they wrote `path`: temporary files of processes that this host no longer
    has, and old ones of other hosts. A folder that was aside when its program was killed goes back to its place."""
    for stray in path.parent.glob(f".{glob.escape(path.name)}.tmp-*"):
        host, _, process = stray.name.removesuffix(".before").rpartition(".tmp-")[2].rpartition("-")
        with suppress(FileNotFoundError):  # its writer has just renamed it
            if host == platform.node():
                left = not process.isdigit() or int(process) == os.getpid() or not alive(int(process))
            else:
                left = time.time() - stray.stat().st_mtime > STRAY
            if left and stray.name.endswith(".before") and not path.exists():
                stray.rename(path)
            elif left:
                remove(stray)


def alive(process: int) -> bool:
    """Whether this host has such a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def remove(path: Path) -> None:
    """Remove a file or a folder; nothing is said where there is none or it cannot be done."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):  # of a file system that has gone or may only be read, whoever writes to it is told
        path.unlink(missing_ok=True)
