#!/usr/bin/env python3
"""End the Slurm jobs that a killed utils/slurm.py has left in the queue, before what they read is changed.

  utils/slurm_left.py FOLDER

These are the jobs of this user whose logs lie in FOLDER or below, and whom no utils/slurm.py looks after any more (it
holds the folder where it meets them). They are cancelled, and waited for. Where a controller is silent while there may
be any, it is asked until it answers; where there is nothing of slurm.py in FOLDER, nobody is asked."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import slurm_scheduler as scheduler
from utils.cli import UserError, path_of, run, warn
from utils.hold import InUse, hold
from utils.slurm_scheduler import Patience

SCRIPT = "job.sh"  # what an array runs, in the folder where slurm.py meets its jobs: <folder of logs>/q/<log>
LOOK = 1.0  # seconds between looks at jobs that are to end


def clear_queue(script: str, patience: Patience, given_up: Callable[[], bool]) -> list[str]:
    """Cancel this user's jobs that `script` was submitted for, and wait until they have ended. Returns them. Raises
    UserError when it is `given_up()` before that is certain."""
    cancelled = patience.until(lambda: scheduler.in_queue().get(script, []), given_up)
    if cancelled:
        patience.until(lambda: scheduler.cancel(cancelled), given_up)
    left = cancelled
    while left and not given_up():  # these, and not what somebody may have submitted since
        time.sleep(LOOK)
        there = patience.until(lambda: scheduler.in_queue().get(script, []), given_up)
        left = None if there is None else [job for job in there if job in (cancelled or [])]
    if left is None or left:
        why = "the Slurm controller is silent" if left is None else f"{' '.join(left)} has not ended yet"
        raise UserError(f"its jobs may still run, as {why}; the same call again ends them, or scancel (squeue --me)")
    return cancelled or []


def clear_folder(folder: Path) -> None:
    """Cancel what nobody looks after of the jobs that meet their slurm.py below `folder`, and wait for their end."""
    folder, patience = folder.resolve(), Patience()
    if not any(folder.rglob(f"q/*/{SCRIPT}")):
        return
    queue = patience.until(scheduler.in_queue, lambda: False) or {}
    for script in [Path(script) for script in queue if folder in Path(script).parents]:
        with suppress(InUse), hold(script.parent):
            warn(f"cancelling job {' '.join(queue[str(script)])}, which an earlier call has left in the queue")
            clear_queue(str(script), patience, lambda: False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=path_of, metavar="FOLDER")
    clear_folder(parser.parse_args().folder)


if __name__ == "__main__":
    run(main)
