#!/usr/bin/env python3
"""Results of emotion systems, from their score files: exp/<system>/result and a table of all.

  steps/score.py [options] <exp-dir>
  steps/score.py --systems "resnet18 vgg5" --conf conf exp

Tables, intervals, comparisons and findings go to <exp-dir>/RESULTS.md, the main table to the terminal as well. Which
systems are compared with which stands in <conf>/systems.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from steps.evaluation import tables
from steps.evaluation.evidence import gather
from steps.evaluation.findings import findings
from steps.evaluation.markdown import lay_out, report
from steps.evaluation.summary import Summary
from utils import cli
from utils.files import whole


def result_line(summary: Summary, place: Path) -> str:
    """The line that a Kaldi user greps for."""
    figures = " ".join(f"%{name.upper()} {getattr(summary.pooled, name):.2f}" for name in ("wf1", "ua", "wa"))
    seeds = f"mean of {len(summary.seeds)} seeds" if len(summary.seeds) > 1 else "1 seed"
    seeds = "deterministic" if summary.deterministic else seeds
    return f"{figures} [ {len(summary.utterances)} utterances, {len(summary.speakers)} speakers, {seeds} ] {place}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exp", type=Path, help="folder that holds the systems' folders")
    parser.add_argument("--systems", default="", help="systems, in the table's order, separated by spaces [all]")
    parser.add_argument("--runs", default="", help="runs to score [all]")
    parser.add_argument("--seeds", default="", help="seeds to score [all]")
    parser.add_argument("--conf", type=Path, default=Path("conf"), help="folder of systems/ and published.yaml [conf]")
    parser.add_argument("--title", default="Results", help="heading of the table")
    options = parser.parse_args()
    runs, seeds = options.runs.split(), cli.numbers("--seeds", options.seeds)
    evidence = gather(options.exp, options.conf, options.title, options.systems.split(), runs, seeds)
    for one in evidence.summaries:
        with whole(options.exp / one.name / "result") as temporary:
            temporary.write_text(result_line(one, options.exp / one.name))
    with whole(options.exp / "RESULTS.md") as temporary:
        temporary.write_text(report(evidence))
    table = tables.results(evidence.summaries, evidence.published)
    print("\n".join([f"# {options.title}", "", *lay_out(table), "", table.note, "", *findings(evidence)]))
    print(f"\nAll tables: {options.exp}/RESULTS.md")


if __name__ == "__main__":
    cli.run(main)
