#!/usr/bin/env python3
"""Pre-training in two processes of one machine, as torchrun starts them, against one process on the same cores.

    python bench/processes.py [--rounds 3] [--epochs 6]

Both train the same network on the same made-up features, by the same global batch; start-up, some seconds of either, is
taken off by a run of one epoch.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.harness import Row, interleave, save, spawn
from bench.training import make_data_dir
from utils.cli import run

ROOT = Path(__file__).resolve().parent.parent
SPEAKERS, EACH = 16, 24
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def pretraining(starter: list[str], data: Path, epochs: int, threads: int) -> Callable[[], float]:
    """A call that pre-trains, and returns the seconds that it took."""

    def call() -> float:
        with tempfile.TemporaryDirectory() as out:
            options = [
                "--training.epochs",
                str(epochs),
                "--training.batch",
                "64",
                "--training.bn_group",
                "32",
                "--input.vad",
                "false",
            ]
            words = [*starter, "steps/pretrain.py", *options, str(data), str(data), f"{out}/exp"]
            environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
            return spawn(words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wall

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    chosen = parser.parse_args()
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        data = make_data_dir(Path(name), SPEAKERS, EACH)
        ways = {"one process": ([sys.executable], cores), "two processes": (TORCHRUN, max(1, cores // 2))}
        work = {
            f"{way}, {epochs} epochs": pretraining(starter, data, epochs, threads)
            for way, (starter, threads) in ways.items()
            for epochs in (1, 1 + chosen.epochs)
        }
        times = interleave(work, chosen.rounds, "own", warm_up=0)
    short, long, two_short, two_long = times.values()
    one, two = ([b - a for a, b in zip(*pair)] for pair in ((short, long), (two_short, two_long)))
    crops = chosen.epochs * SPEAKERS * EACH
    rows = [
        Row("two processes, of the rate of one", [100 * a / b for a, b in zip(one, two)], "%", 90),
        Row("one process", [crops / seconds for seconds in one], "crops/s"),
        Row("two processes", [crops / seconds for seconds in two], "crops/s"),
    ]
    save("processes", "Pre-training in two processes", rows, clock=f"Wall clock, {cores} cores", times=times, load=load)


if __name__ == "__main__":
    run(main)
