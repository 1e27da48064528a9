#!/usr/bin/env python3
"""How cost grows: extraction with hours of audio, splitting with utterances, a training step with the corpus, scoring
with utterances, systems and seeds.

  python bench/growth.py [--rounds 3] DIR

DIR holds recordings at 16 kHz, at any depth, which are listed as often as the amount of audio asks.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch

from bench.harness import RESULTS, Row, Usage, interleave, ratios, save, spawn
from steps.frontend.crops import Crops
from steps.frontend.packed import Packed
from steps.nnet.architecture import Network
from steps.nnet.networks import Classifier
from utils.cli import UserError, run
from utils.data_dir import Utterance, write_data_dir
from utils.scores import write_scores

ROOT = Path(__file__).resolve().parent.parent
SIZES = [1000, 10_000, 100_000, 1_000_000]  # utterances
HOURS = [1, 2, 4, 8]
TABLES = {"a table": (2000, 8, 1), "utterances": (8000, 8, 1), "systems": (2000, 32, 1), "seeds": (2000, 8, 4)}


def listed(paths: list[Path], count: int, speakers: int) -> list[Utterance]:
    """`count` utterances of `speakers` speakers, of the recordings in turn."""
    owners = [f"id{number * speakers // count:05d}" for number in range(count)]
    return [
        Utterance(f"{owner}-{number:07d}", paths[number % len(paths)], owner, owner)
        for number, owner in enumerate(owners)
    ]


def command(data: Path, *words: str, used: dict[Path, Usage]) -> Callable[[], float]:
    """A call that runs a program on `data`, notes what it used, and returns its CPU time."""

    def call() -> float:
        for leftover in data.glob("split*"):
            shutil.rmtree(leftover)
        used[data] = spawn(words, cwd=ROOT, stdout=subprocess.DEVNULL)
        return used[data].cpu

    return call


def step(utterances: int) -> Callable[[], None]:
    """Twenty training steps of 32 short crops from a corpus of so many utterances of 20 frames."""
    torch.manual_seed(0)
    crops = Crops(Packed.of([np.zeros((20, 41), np.float16)] * utterances), 16, torch.device("cpu"))
    model = Classifier(Network(), 100)
    optimiser, generator = torch.optim.SGD(model.parameters(), lr=0.1), torch.Generator()

    def call() -> None:
        for index in torch.randint(utterances, (20, 32)):
            loss = model(crops.batch(index, generator)).logits.square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return call


def results(exp: Path, utterances: int, systems: int, seeds: int) -> None:
    """Score files of so many systems under `exp`, of ten runs with a speaker each."""
    (exp / "conf/systems").mkdir(parents=True)
    random, classes = np.random.default_rng(0), ["ang", "hap", "neu", "sad"]
    for system in range(systems):
        for number in range(10):
            for seed in range(seeds):
                names = [f"s{number}-{i:05d}" for i in range(utterances // 10)]
                labels = {name: classes[i % 4] for i, name in enumerate(names)}
                posteriors = dict(zip(names, random.dirichlet(np.ones(4), len(names))))
                place = exp / f"system{system:02d}" / f"run{number}_seed{seed}"
                for name in ("scores", "scores.valid", "scores.last"):
                    write_scores(
                        place / name,
                        classes,
                        posteriors,
                        dict.fromkeys(names, "s_valid" if name == "scores.valid" else f"s{number}"),
                        labels,
                    )
                (place / "config.yaml").write_text("network: {width: 16}\n")
                (place / "environment.yaml").write_text("date: '2026-01-01'\ntorch: '0'\nseconds: 1\ncommand: none\n")


def draw(curves: dict[str, tuple[list[float], list[float]]]) -> None:
    """results/growth.png, where matplotlib is at hand."""
    try:
        from matplotlib import pyplot
    except ImportError:
        return
    figure, axes = pyplot.subplots(1, len(curves), figsize=(4 * len(curves), 3), layout="constrained")
    for axis, (title, (sizes, seconds)) in zip(axes, curves.items()):
        axis.loglog(sizes, seconds, "o-")
        axis.set(xlabel=title, ylabel="CPU time (s)", ylim=(min(seconds) / 2, max(seconds) * 2))
    figure.savefig(RESULTS / "growth.png", dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("folder", type=Path, metavar="DIR")
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    torch.set_num_threads(1)
    paths = sorted(path for path in chosen.folder.rglob("*") if path.suffix in (".flac", ".ogg", ".wav"))[:500]
    if not paths:
        raise UserError(f"{chosen.folder}: holds no recordings")
    per_hour = 3600 / (sum(soundfile.info(path).duration for path in paths) / len(paths))
    used: dict[Path, Usage] = {}
    with tempfile.TemporaryDirectory() as name:
        work = {}
        for hours in HOURS:
            data = Path(name) / f"{hours}h"
            write_data_dir(data, listed(paths, round(hours * per_hour), 4))
            job = ["steps/make_fbank.py", "--redo", "true", "--cmd", "utils/run.py", "--nj", "1", str(data)]
            work[f"extraction, {hours} h"] = command(data, *job, used=used)
        extraction = interleave(work, chosen.rounds, "own", warm_up=0)
        memory = [used[Path(name) / f"{hours}h"].memory / 2**20 for hours in (HOURS[0], HOURS[-1])]
        work = {}
        for size in SIZES:
            data = Path(name) / f"{size}u"
            write_data_dir(data, listed(paths, size, max(40, size // 166)))
            work[f"splitting, {size} utterances"] = command(data, "utils/split_data.py", str(data), "32", used=used)
        splitting = interleave(work, chosen.rounds, "own", warm_up=0)
        work = {}
        for what, size in TABLES.items():
            exp = Path(name) / f"exp_{what}"
            results(exp, *size)
            job = ["steps/score.py", "--conf", str(exp / "conf"), str(exp)]
            work[f"scoring, {size[0]} utterances × {size[1]} systems × {size[2]} seeds"] = command(exp, *job, used=used)
        scoring = interleave(work, chosen.rounds, "own", warm_up=0)
    steps = interleave({f"20 steps, {size} utterances": step(size) for size in SIZES}, chosen.rounds, "cpu")

    first, _, third, last = extraction.values()
    # Of the hours before as many as there are: one alone, the difference of two short runs, is mostly noise.
    further = [(d - c) / (c - a) * 3 / 4 for a, c, d in zip(first, third, last)]
    names = list(splitting)
    n_log_n = SIZES[3] * math.log(SIZES[3]) / (SIZES[2] * math.log(SIZES[2]))
    rows = [
        Row("extraction: an hour from 4 to 8, against one from 1 to 4", further, reach=1.2, at_most=True),
        Row(f"extraction: memory at {HOURS[0]} h", [memory[0]], "MB"),
        Row(f"extraction: memory at {HOURS[3]} h", [memory[1]], "MB", 1.1 * memory[0], at_most=True),
        Row(
            "splitting: 10⁶ against 10⁵ utterances, by n log n",
            [ratio / n_log_n for ratio in ratios(splitting, names[3], names[2])],
            reach=1.2,
            at_most=True,
        ),
        Row(
            "training step: 10⁶ against 10³ utterances",
            ratios(steps, list(steps)[3], list(steps)[0]),
            reach=1.2,
            at_most=True,
        ),
    ]
    one, *larger = scoring
    for what, table in zip(list(TABLES)[1:], larger):
        growth = [ratio / 4 for ratio in ratios(scoring, table, one)]
        rows.append(Row(f"scoring: four times the {what}, of four times the time", growth, reach=1.2, at_most=True))
    times = extraction | splitting | steps | scoring
    median = {name: float(np.median(values)) for name, values in times.items()}
    draw(
        {
            "extraction: hours of audio": ([float(hours) for hours in HOURS], [median[name] for name in extraction]),
            "splitting: utterances": ([float(size) for size in SIZES], [median[name] for name in splitting]),
            "20 training steps: utterances": ([float(size) for size in SIZES], [median[name] for name in steps]),
        }
    )
    save("growth", "How cost grows", rows, clock="CPU time", times=times, load=load)


if __name__ == "__main__":
    run(main)
