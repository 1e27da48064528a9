#!/usr/bin/env python3
"""Results of emotion systems, from their score files: exp/<system>/result and a table of all.

  steps/score.py [options] <exp-dir>
  steps/score.py --systems "resnet18 vgg5" --published conf/published.yaml exp

The table goes to <exp-dir>/RESULTS.md and to the terminal.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from steps.evaluation.report import report
from steps.evaluation.summary import Summary, summarise
from utils import cli, config
from utils.files import whole


def result_line(summary: Summary, place: Path) -> str:
    """The line that a Kaldi user greps for."""
    figures = " ".join(f"%{name.upper()} {value:.2f}" for name, value in summary.pooled._asdict().items())
    seeds = f"mean of {len(summary.seeds)} seeds" if len(summary.seeds) > 1 else "1 seed"
    return f"{figures} [ {len(summary.utterances)} utterances, {summary.speakers} speakers, {seeds} ] {place}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exp", type=Path, help="folder that holds the systems' folders")
    parser.add_argument("--systems", default="", help="systems, in the table's order, separated by spaces [all]")
    parser.add_argument("--runs", default="", help="runs to score [all]")
    parser.add_argument("--seeds", default="", help="seeds to score [all]")
    parser.add_argument("--published", type=Path, help="YAML file of published wF1 by system; may be absent")
    parser.add_argument("--title", default="Results", help="heading of the table")
    options = parser.parse_args()
    found = sorted({path.parent.parent.name for path in options.exp.glob("*/*_seed*/scores")})
    systems = options.systems.split() or found
    if not systems:
        raise cli.UserError(f"{options.exp}: there are no scored systems here")
    runs, seeds = options.runs.split(), [int(seed) for seed in options.seeds.split()]
    summaries = [summarise(options.exp / system, runs, seeds) for system in systems]
    for one in summaries:
        with whole(options.exp / one.name / "result") as temporary:
            temporary.write_text(result_line(one, options.exp / one.name))
    published = config.read_yaml(options.published) if options.published and options.published.exists() else {}
    text = report(options.title, summaries, published)
    with whole(options.exp / "RESULTS.md") as temporary:
        temporary.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    cli.run(main)
