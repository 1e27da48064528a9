#!/usr/bin/env python3
"""The data-dir tools on a data dir of VoxCeleb1 and 2's size, against Kaldi's own or coreutils.

  python bench/data_dir_tools.py [--kaldi DIR] [--utterances 1200000] [--speakers 7205] [--rounds 3]

DIR is a recipe of Kaldi's that holds its utils (kaldi/egs/wsj/s5). Without it, coreutils do what little of the work
they can: `sort -c` of the tables for validate, `sort` for fix, `cp` for copy, `join` of them with a list for subset,
`sort -m` for combine, `split` for split.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.harness import Row, interleave, ratios, save, spawn
from utils.cli import run
from utils.data_dir import spk2utt
from utils.parts import subset
from utils.table import write_lines, write_table

ROOT = Path(__file__).resolve().parent.parent
TABLES = ["wav.scp", "utt2spk", "feats.scp", "vad.scp", "utt2dur", "utt2num_frames"]
COREUTILS = {
    "validate": "for t in {tables}; do sort -c -k1,1 {data}/$t || exit 1; done",
    "subset": "mkdir {peer}; for t in {tables}; do join {data}/list {data}/$t > {peer}/$t || exit 1; done",
    "copy": "mkdir {peer}; for t in {tables}; do cp {data}/$t {peer} || exit 1; done",
    "split": "mkdir {peer}; for t in {tables}; do split -n l/32 {data}/$t {peer}/$t. || exit 1; done",
    "combine": "mkdir {peer}; for t in {tables}; do sort -m -k1,1 {one}/$t {two}/$t > {peer}/$t || exit 1; done",
    "fix": "for t in {tables}; do sort -k1,1 -o {peer}/$t {peer}/$t || exit 1; done",
}
KALDI = {
    "validate": "utils/validate_data_dir.sh --no-text {data}",
    "subset": "utils/subset_data_dir.sh {data} {number} {peer}",
    "copy": "utils/copy_data_dir.sh {data} {peer}",
    "split": "utils/split_data.sh {data} 32",
    "combine": "utils/combine_data.sh {peer} {one} {two}",
    "fix": "utils/fix_data_dir.sh {peer}",
}
OURS = {
    "validate": "utils/validate_data_dir.py --no-text {data}",
    "subset": "utils/subset_data_dir.py {data} {number} {ours}",
    "copy": "utils/copy_data_dir.py {data} {ours}",
    "split": "utils/split_data.py {data} 32",
    "combine": "utils/combine_data.py {ours} {one} {two}",
    "fix": "utils/fix_data_dir.py {ours}",
}


def make(data: Path, utterances: int, speakers: int) -> None:
    """A data dir with tables such as a corpus's preparation and its features leave."""
    data.mkdir(parents=True)
    owners = [f"id{number * speakers // utterances:05d}" for number in range(utterances)]
    names = [f"{owner}-v{number // 8 % 100:02d}-{number:07d}" for number, owner in enumerate(owners)]
    utt2spk = dict(zip(names, owners))
    write_table(data / "utt2spk", utt2spk)
    write_table(data / "spk2utt", spk2utt(utt2spk))
    contents: dict[str, Callable[[int, str], str]] = {
        "wav.scp": lambda number, name: f"/corpora/voxceleb/wav/{name[:7]}/{name[8:11]}/{number:07d}.wav",
        "feats.scp": lambda number, name: f"/exp/fbank/raw_fbank.{number % 32}.ark:{number * 33333}",
        "vad.scp": lambda number, name: f"/exp/fbank/vad.{number % 32}.ark:{number * 1200}",
        "utt2dur": lambda number, name: f"{4 + number % 1000 / 100:.3f}",
        "utt2num_frames": lambda number, name: str(400 + number % 1000),
    }
    for table, value in contents.items():
        write_table(data / table, {name: value(number, name) for number, name in enumerate(names)})
    (data / "frame_shift").write_text("0.01\n")
    write_lines(data / "list", names[::12])


def shuffle(data: Path) -> None:
    """What fix is to mend: every table out of order."""
    for table in TABLES:
        lines = (data / table).read_text().splitlines()
        random.Random(0).shuffle(lines)
        write_lines(data / table, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kaldi", type=Path, help="folder that holds Kaldi's utils")
    parser.add_argument("--utterances", type=int, default=1_200_000)
    parser.add_argument("--speakers", type=int, default=7205)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    peer = "Kaldi" if chosen.kaldi else "coreutils"
    rows, memory, all_times = [], {}, {}
    with tempfile.TemporaryDirectory() as name:
        places = {word: Path(name) / word for word in ("data", "ours", "peer", "one", "two", "shuffled")}
        make(places["data"], chosen.utterances, chosen.speakers)
        halves = sorted((places["data"] / "utt2spk").read_text().splitlines())
        subset(places["data"], places["one"], [line.split()[0] for line in halves[: len(halves) // 2]])
        subset(places["data"], places["two"], [line.split()[0] for line in halves[len(halves) // 2 :]])
        shutil.copytree(places["data"], places["shuffled"])
        shuffle(places["shuffled"])
        words = {**places, "number": chosen.utterances // 12, "tables": " ".join(TABLES)}
        env = os.environ | {"PATH": f"utils:{os.environ['PATH']}"}

        def timed(tool: str, command: str, target: Path, cwd: Path) -> Callable[[], float]:
            def once() -> float:
                for leftover in (target, places["data"] / "split32"):
                    shutil.rmtree(leftover, ignore_errors=True)
                if tool == "fix":
                    shutil.copytree(places["shuffled"], target)
                usage = spawn(
                    ["bash", "-c", command.format(**words)],
                    cwd=cwd,
                    env=env,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                if target == places["ours"]:
                    memory[tool] = max(memory.get(tool, 0), usage.memory)
                return usage.cpu

            return once

        theirs = (KALDI, chosen.kaldi) if chosen.kaldi else (COREUTILS, Path(name))
        for tool, command in OURS.items():
            work = {
                f"{tool}: ours": timed(tool, command, places["ours"], ROOT),
                f"{tool}: {peer}": timed(tool, theirs[0][tool], places["peer"], theirs[1]),
            }
            times = interleave(work, chosen.rounds, "own", warm_up=0)
            all_times |= times
            rows.append(Row(f"{tool}, against {peer}", ratios(times, f"{tool}: {peer}", f"{tool}: ours"), reach=1))
    largest = max(memory, key=memory.__getitem__)
    rows.append(Row(f"largest memory ({largest})", [memory[largest] / 1e9], "GB", 2, at_most=True))
    clock = f"CPU time of the command and its children; {chosen.utterances} utterances, {chosen.speakers} speakers"
    save("data_dir_tools", "Data-dir tools", rows, clock=clock, times=all_times, packages=[], load=load)


if __name__ == "__main__":
    run(main)
