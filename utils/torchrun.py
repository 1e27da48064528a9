#!/usr/bin/env python3
"""Run a program in several processes that work together, as torchrun does; with one, the program alone.

  utils/torchrun.py LOG COMMAND...
  $cuda_cmd --gpu 4 --nodes 2 exp/pretrain.log utils/torchrun.py exp/pretrain.log steps/pretrain.py ...

How many there are, and where they meet, is told by the environment that a job finds (see utils/jobs.py). Process
(rank) 0 writes where this program does, rank 1 to LOG.rank1, and so on. When one fails all are ended, and its number,
its log and the log's end are shown. SIGTERM goes to all."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import cli, jobs

# What each process does first: $0 is LOG, "$@" the command.
TO_OWN_LOG = '[ "$RANK" = 0 ] || exec >"$0.rank$RANK" 2>&1; exec "$@"'


def launch(log: Path, command: list[str]) -> None:
    """Run the ranks of this machine to their end. Raises UserError when one fails."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    logging.disable()  # what torch says beside what is said here
    log.parent.mkdir(parents=True, exist_ok=True)
    options = parse_args(["--no-python", "bash", "-c", TO_OWN_LOG, str(log), *command])  # and from the environment
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(options.nproc_per_node))))
    try:
        run(options)
    except ChildFailedError as error:
        raise cli.UserError(obituary(log, *error.get_first_failure())) from None
    except SignalException as error:
        sys.exit(128 + error.sigval)


def obituary(log: Path, rank: int, failure: Any) -> str:
    """What is said of a rank that failed."""
    code = failure.exitcode
    how = f"was ended by signal {-code}, {signal.strsignal(-code)}" if code < 0 else f"ended with code {code}"
    if rank == 0:
        return f"rank 0 {how}; its log is this one"
    own = Path(f"{log}.rank{rank}")
    return "\n".join([f"rank {rank} {how}; its log is {own}", f"==> {own} <==", *jobs.tail(own)])


def main() -> None:
    if len(sys.argv) < 3 or sys.argv[1] in ("-h", "--help"):
        print(__doc__)
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 1)
    log, *command = sys.argv[1:]
    if os.environ.get("PET_NNODES", "1") == os.environ.get("PET_NPROC_PER_NODE", "1") == "1":
        os.execvp(command[0], command)
    launch(Path(log), command)


if __name__ == "__main__":
    cli.run(main)
