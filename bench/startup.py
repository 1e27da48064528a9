#!/usr/bin/env python3
"""From typing a command to its answer, `--help` of every step and tool; and to the first useful second of every stage.

python bench/startup.py [--rounds 5]

A stage is at work once its program has written the first byte of a result or of its log, behind the log's own head. It
is measured from the start of run.sh, on two generated corpora, and interrupted as soon as it is known."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bench.harness import Row, interleave, save, spawn
from utils.cli import run

TITLE = "Starting up"
ROOT = Path(__file__).resolve().parent.parent
NEEDS_TORCH = ("report.py",)  # it draws what networks do


SMALL = "network: {width: 4}\ntraining: {epochs: 1, batch: 64}\n"


def work_done(folder: Path) -> set[tuple[str, int, int]]:
    """What the stages' programs have written under `folder`: (path, size, time) of every file; of a log, the lines
    that are not its head. Locks, lists and records are the scripts' own."""
    found = set()
    with suppress(FileNotFoundError):  # what is renamed meanwhile is met at the next look
        for path in folder.rglob("*"):
            # By parts of names, since a file has another one until it is whole.
            own = any(part in path.name for part in (".lock", ".list", ".made_from", ".yaml")) or "/split" in str(path)
            if own or not path.is_file():
                continue
            if path.suffix == ".log":
                lines = sum(not line.startswith(b"#") for line in path.read_bytes().splitlines())
                found |= {(str(path), lines, 0)} if lines else set()
            elif (status := path.stat()).st_size:
                found.add((str(path), status.st_size, status.st_mtime_ns))
    return found


def first_useful_second(finished: Path, folder: Path, words: list[str | Path]) -> float:
    """Seconds from the start of a run.sh, given with its options, until something comes of it under `folder`, where
    before it all is as in the folder `finished`."""
    shutil.rmtree(folder)
    shutil.copytree(finished, folder)
    for record in folder.rglob(".made_from.data"):  # a data dir that is up to date would stay as it is
        record.unlink()
    before, start = work_done(folder), time.perf_counter()
    recipe = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, start_new_session=True)
    while not work_done(folder) - before:
        if recipe.poll() is not None:
            raise RuntimeError(f"{words}: ended with {recipe.returncode}, and has done nothing")
        time.sleep(0.01)
    seconds = time.perf_counter() - start
    os.killpg(recipe.pid, signal.SIGTERM)
    recipe.wait()
    return seconds


def stages(folder: Path) -> dict[str, Callable[[], float]]:
    """Each stage of egs/voxceleb1 and egs/iemocap, whose earlier stages are run here first, in `folder`."""
    work: dict[str, Callable[[], float]] = {}
    for corpus, file in (("voxceleb1", "pretrain"), ("iemocap", "finetune")):
        spawn([sys.executable, ROOT / "local/mini.py", corpus, folder / "corpora" / corpus], cwd=ROOT)
        conf, own = folder / "conf" / corpus, folder / corpus
        (conf / "systems").mkdir(parents=True)
        (conf / "fbank.yaml").write_bytes((ROOT / f"egs/mini/conf/{corpus}/fbank.yaml").read_bytes())
        (conf / f"{file}.yaml").write_text(SMALL)
        (conf / "systems/resnet18.yaml").write_text("")
        (conf / "systems/svm.yaml").write_bytes((ROOT / "egs/iemocap/conf/systems/svm.yaml").read_bytes())
        words = [ROOT / f"egs/{corpus}/run.sh", f"--{corpus}", folder / "corpora" / corpus, "--check-counts", "false"]
        words += ["--conf", conf, "--data", own / "data", "--exp", own / "exp"]
        words += ["--controls", "svm", "--systems", "resnet18", "--runs", "Ses01F"] if corpus == "iemocap" else []
        spawn(words, stdout=subprocess.DEVNULL)
        finished = Path(shutil.copytree(own, folder / "finished" / corpus))
        for stage in "12345" if corpus == "iemocap" else "1234":
            one = (finished, own, [*words, "--stage", stage, "--stop-stage", stage])
            work[f"egs/{corpus}, stage {stage}"] = lambda one=one: first_useful_second(*one)
    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds, load = parser.parse_args().rounds, os.getloadavg()[0]
    programs = [*sorted(ROOT.glob("steps/*.py")), *sorted(ROOT.glob("utils/*.py")), *sorted(ROOT.glob("local/*.py"))]
    programs = [path for path in programs if "ArgumentParser(" in (text := path.read_text()) and "run(main)" in text]
    programs += [path for path in sorted(ROOT.glob("steps/*.py")) if "config.arguments" in path.read_text()]
    programs = sorted(set(programs))

    def answer(path: Path) -> float:
        return spawn([sys.executable, path, "--help"], cwd=ROOT, stdout=subprocess.DEVNULL).cpu

    named = {str(path.relative_to(ROOT)): path for path in programs}
    times = interleave({name: lambda path=path: answer(path) for name, path in named.items()}, rounds, "own")
    rows = [
        Row(name, times[name], "s", 3 if path.name in NEEDS_TORCH else 0.5, at_most=True)
        for name, path in named.items()
    ]
    with tempfile.TemporaryDirectory() as name:
        took = interleave(stages(Path(name)), rounds, "own", warm_up=0)
    # Stage 1 is over within that time; the others load torch, or scikit-learn.
    rows += [Row(name, took[name], "s", None if name.endswith("1") else 3, at_most=True) for name in sorted(took)]
    save(
        "startup", TITLE, rows, clock="CPU time of --help; wall clock from run.sh to a stage's first output", load=load
    )


if __name__ == "__main__":
    run(main)
