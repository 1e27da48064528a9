"""The environment that path.sh sets up, by the standard library alone; path.sh says `make FOLDER` or `check FOLDER`.

make: install requirements.txt into the virtual environment FOLDER, from the folder `wheels` beside it alone where there
is one. A copy of requirements.txt in FOLDER, written last, says that all of it is installed; without that copy an
earlier call was interrupted, and everything begins anew. The file `place` says where FOLDER was: the programs of one
that was moved still name its old place, and are mended. A lock keeps two calls apart.
check: whether the environment FOLDER, which runs this program, holds what requirements.txt lists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from utils.cli import UserError, run, warn
from utils.hold import hold

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
WHEELS = REQUIREMENTS.parent / "wheels"
LOG = "install.log"
PIP = ["-m", "pip", "--disable-pip-version-check"]


def unmet(requirements: str) -> list[str]:
    """The lines of a requirements file that the running Python's environment does not meet."""
    missing = []
    for name, wanted in re.findall(r"^[ \t]*([A-Za-z0-9][\w.-]*)([^;#\n]*)", requirements, re.MULTILINE):
        line = f"{name}{wanted.rstrip()}"
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(line)
        else:
            missing += [] if meets(version, wanted) else [f"{line} (there is {version})"]
    return missing


def meets(version: str, wanted: str) -> bool:
    """Whether a version is one of those wanted. Without `packaging`, and of a URL or extras, being there is enough."""
    try:
        from packaging.specifiers import SpecifierSet

        return SpecifierSet(wanted).contains(version, prereleases=True)
    except (ImportError, ValueError):
        return True


def check(folder: Path) -> None:
    if missing := unmet(REQUIREMENTS.read_text()):
        raise UserError(
            f"the active environment {folder} lacks {', '.join(missing)}: "
            f"'{folder}/bin/python -m pip install -r {REQUIREMENTS}' installs it; "
            "or deactivate it, and path.sh makes one of its own"
        )


class Maker:
    """Makes or updates one environment, with everything that other programs say in a log."""

    def __init__(self, folder: Path, locks: list[int]) -> None:
        self.folder, self.locks = folder, locks
        self.log, self.python = folder / LOG, str(folder / "bin" / "python")
        self.log.write_bytes(b"")
        # What the user has set for other environments does not concern this one.
        others = {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "VIRTUAL_ENV", "CONDA_PREFIX"}
        self.env = {name: os.environ[name] for name in os.environ.keys() - others} | {"PIP_USER": "0"}

    def works(self, *command: str) -> bool:
        """Run a command, its output into the log; whether it exists and succeeds."""
        with open(self.log, "ab", buffering=0) as log:
            log.write(f"$ {' '.join(command)}\n".encode(errors="surrogateescape"))
            try:
                done = subprocess.run(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env, pass_fds=self.locks
                )
                return done.returncode == 0
            except OSError as error:
                log.write(f"{error}\n".encode(errors="surrogateescape"))
                return False

    def create(self) -> None:
        """An empty environment, with pip in it where this Python can (Debian's cannot without python3-venv)."""
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name not in (".lock", self.log.name):
                path.unlink()
        venv = [sys.executable, "-m", "venv", str(self.folder)]
        if self.works(sys.executable, "-c", "import ensurepip, venv"):
            made = self.works(*venv)
        else:
            virtualenv = ["virtualenv", "--python", sys.executable, str(self.folder)]
            made = self.works(*virtualenv) or self.works(*venv, "--without-pip")
        if not made:
            raise UserError(f"{sys.executable} cannot make a virtual environment; the reason is in {self.log}")

    def install(self, requirements: Path) -> None:
        """Install with the environment's own pip, or else with this Python's pip, or with uv; from the folder WHEELS
        alone, where there is one."""
        into = ["--python", self.python]
        if self.works(self.python, *PIP, "--version"):
            installer = [self.python, *PIP, "install"]
        elif self.works(sys.executable, *PIP, *into, "--version"):
            installer = [sys.executable, *PIP, *into, "install"]
        elif self.works("uv", "--version"):
            installer = ["uv", "pip", "install", *into]
        else:
            needed = "install one of python3-venv, pip, virtualenv, uv"
            raise UserError(f"{sys.executable} has neither ensurepip nor pip: {needed}")
        here = ["--no-index", "--find-links", str(WHEELS)] if WHEELS.is_dir() else []
        if not self.works(*installer, *here, "-r", str(requirements)):
            lines = self.log.read_text(errors="replace").splitlines()
            why = [line for line in lines if line.lower().startswith("error")] or lines
            raise UserError(f"requirements.txt could not be installed: {why[-1].strip()} (all of it: {self.log})")


def mend(folder: Path, place: Path) -> None:
    """Have the programs of a moved environment start with its own Python; `place`: the file that says where it was."""
    old, new = place.read_text().strip().encode(), str(folder).encode()
    for path in (folder / "bin").iterdir():
        if path.is_file() and not path.is_symlink() and old in (content := path.read_bytes()) and b"\0" not in content:
            path.write_bytes(content.replace(old, new))
    place.write_text(f"{folder}\n")
    warn(f"{folder} was moved from {old.decode(errors='replace')}, and works here now")


def make(folder: Path) -> None:
    stamp, place, wanted = folder / "requirements.txt", folder / "place", folder / "requirements.tmp"
    if (folder / "pyvenv.cfg").exists() and not stamp.exists() and not (folder / LOG).exists():
        raise UserError(f"{folder} was not made by path.sh: activate it, and it is used; or move it out of the way")
    with hold(folder, wait=True) as locks:
        requirements = REQUIREMENTS.read_bytes()
        whole = stamp.exists() and os.access(folder / "bin" / "python", os.X_OK)
        if whole and place.is_file() and os.path.realpath(place.read_text().strip()) != os.path.realpath(folder):
            mend(folder, place)
        if whole and place.is_file() and stamp.read_bytes() == requirements:
            return  # nothing more to do; or the work of another shell, meanwhile
        stamp.unlink(missing_ok=True)
        maker = Maker(folder, locks)
        if whole:
            warn(f"requirements.txt has changed: updating {folder} (log: {maker.log})")
        else:
            version = ".".join(map(str, sys.version_info[:2]))
            warn(f"making {folder} with Python {version}: once, some minutes (log: {maker.log})")
            maker.create()
        wanted.write_bytes(requirements)
        maker.install(wanted)
        place.write_text(f"{folder}\n")
        wanted.replace(stamp)
        warn("the environment is ready")


if __name__ == "__main__":
    sys.argv[0] = "path.sh"  # whom the user called
    run(lambda: {"make": make, "check": check}[sys.argv[1]](Path(sys.argv[2])))
