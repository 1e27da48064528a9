#!/usr/bin/env python3
"""How much of speaker and of emotion each space carries on generated corpora of several strengths: one small table.

  steps/truth.py <exp-dir> <out.tsv>
  steps/truth.py exp/truth results/truth.tsv

<exp-dir>/<strength>/<system>/<run>_seed<k>/ hold the scores and probes of systems trained on the corpus of that
strength (egs/mini/truth.sh trains them). At strength 0 there is nothing to learn, so that what beats chance there is a
leak; it is said, and the exit status is 1 then.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from steps.evaluation.evidence import scored
from steps.evaluation.markdown import section
from steps.evaluation.truth import measure, table, verdict, write_rows
from utils import cli


def number(name: str) -> float | None:
    try:
        return float(name)
    except ValueError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exp", type=Path, help="folder with a folder for each strength")
    parser.add_argument("out", type=Path, help="the table to write")
    options = parser.parse_args()
    places = [(number(path.name), path) for path in options.exp.glob("*") if number(path.name) is not None]
    rows = [row for strength, path in sorted(places) for name in scored(path) for row in measure(strength, path / name)]
    if not rows:
        raise cli.UserError(f"{options.exp}: expected <strength>/<system>/<run>_seed<k>/scores here")
    write_rows(options.out, rows)
    said = verdict(rows)
    print("\n".join([*section(table(rows)), *said]))
    if any("something leaks" in line for line in said):
        raise cli.UserError(f"{options.out}: at strength 0 something beats chance")


if __name__ == "__main__":
    cli.run(main)
