#!/usr/bin/env python3
"""From typing a command to its answer: `--help` of every step and tool. python bench/startup.py [--rounds 5]"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from bench.harness import Row, interleave, save, spawn
from utils.cli import run

ROOT = Path(__file__).resolve().parent.parent
NEEDS_TORCH = ("embed.py", "pretrain.py", "report.py")  # their configuration is a network's


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
    save("startup", "--help of every program", rows, clock="CPU time of the process", load=load)


if __name__ == "__main__":
    run(main)
