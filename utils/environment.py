"""The environment that path.sh sets up (standard library only; path.sh says `make FOLDER` or `check FOLDER`).

make: install requirements.txt into the virtual environment FOLDER. Its last act is to leave a copy of requirements.txt
in FOLDER; where that is missing, an earlier call was interrupted and everything begins anew. A lock keeps two calls
apart. check: whether the environment FOLDER, which runs this program, holds what requirements.txt lists."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from utils.cli import UserError, run

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
PIP = ["-m", "pip", "--disable-pip-version-check"]


def say(message: str) -> None:
    print(f"path.sh: {message}", file=sys.stderr, flush=True)


def unmet(requirements: str) -> list[str]:
    """The lines of a requirements file that the running Python's environment does not meet."""
    try:
        from packaging import specifiers
    except ImportError:  # then it is enough that a distribution is there
        specifiers = None
    missing = []
    for line in requirements.splitlines():
        line = re.split(r"\s#|^#|;", line)[0].strip()
        name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line)
        if not name:
            continue
        try:
            version = metadata.version(name[0])
        except metadata.PackageNotFoundError:
            missing.append(line)
            continue
        try:
            if specifiers and not specifiers.SpecifierSet(line[name.end() :]).contains(version, prereleases=True):
                missing.append(f"{line} (there is {version})")
        except specifiers.InvalidSpecifier:  # a URL, or extras: being there is enough
            pass
    return missing


def check(folder: Path) -> None:
    if missing := unmet(REQUIREMENTS.read_text()):
        raise UserError(
            f"the active environment {folder} lacks {', '.join(missing)}: "
            f"'{folder}/bin/python -m pip install -r {REQUIREMENTS}' installs it; "
            "or deactivate it, and path.sh makes one of its own"
        )


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold a lock on the file `path`; gives its descriptor, for child processes to hold the lock as well."""
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another shell is making the environment: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks
        yield lock.fileno()


class Maker:
    """Makes or updates one environment, with everything that other programs say in a log."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder, self.lock = folder, lock
        self.log, self.python = folder / "install.log", str(folder / "bin" / "python")
        self.log.write_bytes(b"")
        # What the user has set for other environments does not concern this one.
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "VIRTUAL_ENV", "CONDA_PREFIX")
        } | {"PIP_USER": "0"}

    def works(self, *command: str) -> bool:
        """Run a command, its output into the log; whether it exists and succeeds."""
        with open(self.log, "ab", buffering=0) as log:
            log.write(f"$ {' '.join(command)}\n".encode(errors="surrogateescape"))
            try:
                done = subprocess.run(
                    command,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[self.lock],
                )
            except OSError as error:
                log.write(f"{error}\n".encode(errors="surrogateescape"))
                return False
        return done.returncode == 0

    def create(self) -> None:
        """An empty environment, with pip in it where this Python can (Debian's cannot without python3-venv)."""
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name not in ("lock", self.log.name):
                path.unlink()
        if self.works(sys.executable, "-c", "import ensurepip, venv"):
            made = self.works(sys.executable, "-m", "venv", str(self.folder))
        else:
            made = self.works("virtualenv", "--python", sys.executable, str(self.folder)) or self.works(
                sys.executable, "-m", "venv", "--without-pip", str(self.folder)
            )
        if not made:
            raise UserError(f"{sys.executable} cannot make a virtual environment; its words are in {self.log}")

    def install(self, requirements: Path) -> None:
        """Install with the environment's own pip, or else with this Python's pip, or with uv."""
        if self.works(self.python, *PIP, "--version"):
            installer = [self.python, *PIP, "install"]
        elif self.works(sys.executable, *PIP, "--python", self.python, "--version"):
            installer = [sys.executable, *PIP, "--python", self.python, "install"]
        elif self.works("uv", "--version"):
            installer = ["uv", "pip", "install", "--python", self.python]
        else:
            raise UserError(
                f"{sys.executable} has neither ensurepip nor pip: install one of python3-venv, pip, virtualenv, uv"
            )
        if not self.works(*installer, "-r", str(requirements)):
            said = self.log.read_text(errors="replace").splitlines()
            why = [line for line in said if re.match("error", line, re.IGNORECASE)] or said
            raise UserError(f"requirements.txt could not be installed: {why[-1].strip()} (all of it: {self.log})")


def make(folder: Path) -> None:
    stamp, lock, wanted = folder / "requirements.txt", folder / "lock", folder / "requirements.tmp"
    if (folder / "pyvenv.cfg").exists() and not stamp.exists() and not lock.exists():
        raise UserError(f"{folder} was not made by path.sh: activate it, and it is used; or move it out of the way")
    folder.mkdir(exist_ok=True)
    with locked(lock) as descriptor:
        requirements, found = REQUIREMENTS.read_bytes(), stamp.read_bytes() if stamp.exists() else None
        usable = os.access(folder / "bin" / "python", os.X_OK)
        if found == requirements and usable:
            return  # the work of another shell, meanwhile
        stamp.unlink(missing_ok=True)
        maker = Maker(folder, descriptor)
        if found is not None and usable:
            say(f"requirements.txt has changed: updating {folder} (log: {maker.log})")
        else:
            version = ".".join(map(str, sys.version_info[:2]))
            say(f"making {folder} with Python {version}: once, some minutes (log: {maker.log})")
            maker.create()
        wanted.write_bytes(requirements)
        maker.install(wanted)
        wanted.replace(stamp)
        say("the environment is ready")


if __name__ == "__main__":
    sys.argv[0] = "path.sh"  # whom the user called
    run(lambda: {"make": make, "check": check}[sys.argv[1]](Path(sys.argv[2])))
