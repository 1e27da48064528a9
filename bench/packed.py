#!/usr/bin/env python3
"""Packed inputs at the size of corpora: how soon pre-training begins, what memory a process has for itself, how fast
crops are read, and what two processes on one machine share.

    python bench/packed.py [--sizes 1000 10000 100000 1000000 5000000] [--folder /tmp]

Each size is a made-up data dir: its tables are real, and so are the index and the record of its packed inputs, so that
nothing is packed again; the archives, and the frames, are sparse files. What begins is steps/pretrain.py itself, in a
process of its own, up to its first step. A cold disk is tried on one size whose frames are really written: the system
is asked to forget the file's pages (posix_fadvise), as caches of other programs are left alone."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import Row, interleave, save, spawn
from steps.frontend import packed
from steps.training.pretraining import Config
from utils import config
from utils.cli import run

ROOT = Path(__file__).resolve().parent.parent
CONF = ROOT / "egs/voxceleb1/conf/pretrain.yaml"
BINS, BATCH, BATCHES = 41, 128, 60
SPEAKER, VIDEO, ARKS = 150, 10, 32  # utterances of a speaker, of one of the speaker's videos; archives
LARGEST = 5_000_000
CLOCK = "Wall clock, and CPU time, which other programs disturb less"
ALPHABET = np.frombuffer(b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", np.uint8)


def make_data_dir(folder: Path, size: int, real: bool = False) -> Path:
    """A data dir of `size` utterances with ids as VoxCeleb's (25 characters); `real`: its frames are written."""
    data, rng, options = folder / "train", np.random.default_rng(0), config.load(Config, CONF).input
    data.mkdir()
    codes = np.sort(rng.choice(ALPHABET, (size // VIDEO + 1, 11)).copy().view("S11").ravel())
    videos = [code.decode() for code in codes]
    owners = [f"id{10000 + i // SPEAKER:05d}" for i in range(size)]
    names = sorted(f"{owners[i]}-{videos[i // VIDEO]}-{i % VIDEO + 1:05d}" for i in range(size))
    (data / "utt2spk").write_text("".join(f"{name} {name[:7]}\n" for name in names))
    for what in ("fbank", "vad"):
        arks = [folder / f"{what}/raw_{what}_train.{number}.ark" for number in range(1, ARKS + 1)]
        arks[0].parent.mkdir()
        for ark in arks:
            with open(ark, "wb") as file:
                file.truncate(1 << 21)
        with open(data / f"{'feats' if what == 'fbank' else what}.scp", "w") as scp:
            scp.writelines(f"{name} {arks[i * ARKS // size]}:{i * 41_026 + 26}\n" for i, name in enumerate(names))
    home = data / "packed" / packed.way(options)
    home.mkdir(parents=True)
    lengths = rng.integers(150, 1000, size).astype(np.int32)
    np.save(home / packed.LENGTHS, lengths)
    with open(home / packed.FRAMES, "wb") as file:
        left = int(lengths.sum()) * BINS
        file.truncate(2 * left)
        while real and left:
            block = rng.standard_normal(min(left, 1 << 22), np.float32).astype(np.float16)
            left -= len(block)
            file.write(block.tobytes())
        os.fsync(file.fileno())
    packed.origin(data, options).write(home)
    (home / packed.STATES).write_text(packed.states(data, options, home))
    return data


def memory() -> dict[str, float]:
    """MB of this process: `own`, which no other has; `frames`, its share of the packed frames that it has looked at."""
    found, ours = {"own": 0, "frames": 0}, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
            ours = line.endswith(f"/{packed.FRAMES}")
        elif ours and line.startswith("Pss:"):
            found["frames"] += int(line.split()[1])
        elif line.startswith("Private_") and (not ours or line.startswith("Private_Dirty:")):
            found["own"] += int(line.split()[1])
    return {name: kilobytes / 1024 for name, kilobytes in found.items()}


def say(**values: Any) -> None:
    print(json.dumps(values), file=sys.__stdout__, flush=True)


def begin(data: Path, began: float) -> None:
    """Pre-train, up to the first step; `began`: when this process was started, on the monotonic clock."""
    import runpy

    from steps.training.distributed import Ranks

    def first_step(*_: object) -> None:
        say(wall=time.monotonic() - began, cpu=time.process_time(), **memory())
        os._exit(0)

    Ranks.backward = first_step  # type: ignore[method-assign]
    config = ["--config", str(CONF)]
    sys.argv = ["steps/pretrain.py", *config, str(data), str(data / "none"), str(data.parent / "exp")]
    os.chdir(ROOT)
    with contextlib.redirect_stdout(sys.stderr):
        runpy.run_path(sys.argv[0], run_name="__main__")


def read(data: Path, cold: bool, wait: bool) -> None:
    """Read batches of random crops, twice the same; then `wait` for a word before memory is told."""
    import torch

    from steps.frontend.crops import Crops

    options = config.load(Config, CONF).input
    inputs = packed.pack(data, options)
    with open(data / "packed" / packed.way(options) / packed.FRAMES, "rb") as file:
        if cold:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    crops = Crops(inputs, options.crop, torch.device("cpu"))
    pieces = torch.randint(len(crops), (BATCHES, BATCH), generator=torch.Generator().manual_seed(1))
    rates = []
    for _ in range(4):
        generator, start = torch.Generator().manual_seed(2), time.perf_counter()
        for index in pieces:
            crops.batch(index, generator)
        rates.append(BATCHES * BATCH / (time.perf_counter() - start))
    say(first=rates[0], again=max(rates[1:]))
    if wait:
        input()
        say(**memory())
        input()


def started(*words: object) -> subprocess.Popen[str]:
    """This program, as one of the processes that are measured."""
    command = [sys.executable, __file__, *map(str, words)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> dict[str, float]:
    """The next line of it."""
    assert process.stdout
    if not (line := process.stdout.readline()):
        raise RuntimeError(f"{process.args}: ended with {process.wait()}")
    return json.loads(line)


def shared(data: Path, count: int) -> tuple[float, float]:
    """MB of frames that `count` processes have between them, and the largest that one has for itself."""
    processes = [started("--read", data, "--wait") for _ in range(count)]
    for process in processes:
        told(process)
    for process in processes:  # all have read, and none has gone
        print(file=process.stdin, flush=True)
    found = [told(process) for process in processes]
    for process in processes:
        process.communicate("\n")
    return sum(one["frames"] for one in found), max(one["own"] for one in found)


def measure(folder: Path, size: int, rounds: int, cold: bool) -> list[Row]:
    """All of one size."""
    start = time.perf_counter()
    data = make_data_dir(folder, size, cold)
    print(f"{size:,} utterances, made in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    starts = [told(started("--begin", data, "--began", time.monotonic())) for _ in range(rounds + 1)][1:]
    rates = [told(started("--read", data)) for _ in range(rounds)]
    one, two = shared(data, 1), shared(data, 2)
    name, most = f"{size:,} utterances", 3 if size < LARGEST else 10
    rows = [
        Row(f"{name}: first step, wall clock", [one["wall"] for one in starts], "s", most, at_most=True),
        Row(f"{name}: first step, CPU time", [one["cpu"] for one in starts], "s", most, at_most=True),
        Row(f"{name}: memory of its own", [one["own"] for one in starts], "MB", 1500, at_most=True),
        Row(f"{name}: reading, pages in memory", [one["again"] for one in rates], "crops/s", 20_000),
        Row(f"{name}: frames that two have in memory, against one", [two[0] / one[0]], reach=1.05, at_most=True),
    ]
    if cold:
        there = [told(started("--read", data, "--from-disk")) for _ in range(rounds)]
        rows.append(Row(f"{name}: reading, from a cold disk", [one["first"] for one in there], "crops/s"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000, LARGEST])
    parser.add_argument("--cold", type=int, default=100_000, help="the size whose frames are really written")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the data dirs are made, and removed")
    for what in ("begin", "read"):  # what this program calls itself with
        parser.add_argument(f"--{what}", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--wait", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--from-disk", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.begin:
        begin(options.begin, options.began)
        return
    if options.read:
        read(options.read, options.from_disk, options.wait)
        return
    load = os.getloadavg()[0]
    libraries = [sys.executable, "-c", "import torch, torch._dynamo"]  # an optimiser loads the second
    alone = interleave({"": lambda: spawn(libraries).cpu}, options.rounds, "own")[""]
    rows = [Row("importing torch, without which nothing begins, CPU time", alone, "s")]
    for size in options.sizes:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            rows += measure(Path(name), size, options.rounds, size == options.cold)
    save("packed", "Packed inputs at the size of corpora", rows, clock=CLOCK, load=load)


if __name__ == "__main__":
    run(main)
