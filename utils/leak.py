"""The mark of a data dir whose speakers are not true, carried by all that is trained on it: what comes of that measures
a mistake, and is never a result."""

from __future__ import annotations

import shutil
from pathlib import Path

from utils.cli import UserError
from utils.files import whole

MARK = "leak"  # a file in the data dir, and in the folder of each run; its first word is the kind
FOLDER = "leak_"  # and the kind: the folder of the exp folder that such systems are in, where the leak table looks


def kind(folder: Path) -> str:
    """What the mark in `folder` calls the lie; "" where there is no mark."""
    path = folder / MARK
    return (path.read_text(encoding="utf-8").split() or ["unnamed"])[0].rstrip(",") if path.is_file() else ""


def check_home(data: Path, exp: Path) -> None:
    """Raises UserError where systems that are trained on `data` would stand in `exp` as if they were honest."""
    if (lie := kind(data)) and not exp.resolve().name.startswith(f"{FOLDER}{lie}"):
        raise UserError(f"{data}: its speakers are not true; train on it in a folder {FOLDER}{lie}, for the leak table")


def pass_on(data: Path, run: Path) -> None:
    """Mark the folder of a run as the data dir is marked."""
    if (data / MARK).is_file():
        with whole(run / MARK) as temporary:
            shutil.copyfile(data / MARK, temporary)


def check_results(system: Path) -> None:
    """Raises UserError where a run in the folder of a system, <exp>/<system>, was made under leaking folds."""
    place, marked = system.resolve(), [path.parent for path in sorted(system.glob(f"*_seed*/{MARK}"))]
    if marked or place.name.startswith(FOLDER) or place.parent.name.startswith(FOLDER):
        raise UserError(
            f"{(marked or [system])[0]}: leaking folds make no results; the leak table shows them by itself "
            f"where they are in a folder {FOLDER}<kind> beside the honest systems"
        )
