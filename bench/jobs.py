#!/usr/bin/env python3
"""Two jobs of steps/make_fbank.py against two independent copies at once, and a job's memory as the corpus grows.

  python bench/jobs.py [--seconds 40000] [--rounds 3] DIR

DIR holds recordings at 16 kHz, at any depth; they are listed as often as the amount of audio asks.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

import soundfile

from bench.harness import Row, interleave, ratios, save, spawn
from utils.cli import UserError, run
from utils.data_dir import Utterance, write_data_dir

PROGRAM = ["steps/make_fbank.py", "--redo", "true", "--cmd", "utils/run.py"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40000, help="audio, over both jobs [40000]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("folder", type=Path, metavar="DIR")
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    paths = sorted(path for path in chosen.folder.rglob("*") if path.suffix in (".flac", ".ogg", ".wav"))[:1000]
    if not paths:
        raise UserError(f"{chosen.folder}: holds no recordings")
    amount = sum(soundfile.info(path).duration for path in paths)
    os.chdir(Path(__file__).resolve().parent.parent)
    with tempfile.TemporaryDirectory() as name:
        temporary = Path(name)

        def data_dir(name: str, speakers: str, seconds: float) -> Path:
            """A data dir of so much audio a speaker."""
            listed = [
                Utterance(f"{speaker}-{turn:04d}-{number:05d}", path, speaker, speaker)
                for speaker in speakers
                for turn in range(max(1, round(seconds / amount)))
                for number, path in enumerate(paths)
            ]
            write_data_dir(temporary / name, listed)
            return temporary / name

        half = chosen.seconds / 2
        both, one, other = data_dir("both", "ab", half), data_dir("one", "a", half), data_dir("other", "b", half)

        def copies() -> None:
            running = [
                subprocess.Popen([*PROGRAM, "--nj", "1", part], stdout=subprocess.DEVNULL) for part in (one, other)
            ]
            codes = [process.wait() for process in running]
            if any(codes):
                raise UserError("a copy of steps/make_fbank.py failed")

        work = {
            "one program, two jobs": lambda: spawn([*PROGRAM, "--nj", "2", both], stdout=subprocess.DEVNULL),
            "two copies of it at once": copies,
        }
        times = interleave(work, chosen.rounds, "wall", warm_up=0)
        memory = {}
        for times_as_much in (1, 4):
            data = data_dir("grown", "a", half / 8 * times_as_much)
            usage = spawn([*PROGRAM, "--nj", "1", data], stdout=subprocess.DEVNULL)
            memory[times_as_much] = usage.memory
    rows = [
        Row("two jobs, of the rate of two copies", [100 * r for r in ratios(times, *reversed(times))], "%", 90),
        Row(f"memory of a job, {half / 8 / 3600:.1f} h of audio", [memory[1] / 2**20], "MB"),
        Row(f"memory of a job, {half / 2 / 3600:.1f} h of audio", [memory[4] / 2**20], "MB"),
        Row("memory, four times the audio", [memory[4] / memory[1]], "×", 1.1, at_most=True),
    ]
    clock = f"Wall clock, {chosen.seconds / 3600:.1f} h of audio"
    save("jobs", "Features in two jobs", rows, clock=clock, times=times, load=load)


if __name__ == "__main__":
    run(main)
