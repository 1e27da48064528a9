#!/usr/bin/env python3
"""Results of emotion systems, from their score files: a table, and every figure in <exp-dir>/results.json.

  steps/score.py [options] <exp-dir>
  steps/score.py --systems "main vgg5_ad" --conf conf exp

Systems that are still in training are left out by name. <exp-dir>/<system>/result holds a line to grep for; what
results.json holds is said in steps/evaluation/results.py. Which systems are compared with which stands in
<conf>/systems and <conf>/groups.yaml. steps/report.py makes the pages.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from steps.evaluation import results, sealed
from steps.reporting import answers, tables
from steps.reporting.page import write
from utils import cli, runs


def result_line(system: dict[str, Any], test: dict[str, Any], place: Path) -> str:
    """The line that a Kaldi user greps for."""
    metrics = " ".join(f"%{name.upper()} {system[name]['value']:.2f}" for name in ("wf1", "ua", "wa"))
    seeds = f"mean of {len(system['seeds'])} seeds" if len(system["seeds"]) > 1 else "1 seed"
    seeds = "deterministic" if system["deterministic"] else seeds
    return f"{metrics} [ {test['utterances']} utterances, {len(test['speakers'])} speakers, {seeds} ] {place}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exp", type=cli.path_of, help="folder that holds the systems' folders, or archives of them")
    parser.add_argument("--systems", default="", help="systems and groups of <conf>/groups.yaml [all]")
    parser.add_argument("--runs", default="", help="runs to score, which all systems must have [all]")
    parser.add_argument("--seeds", default="", help="seeds to score, which all systems must have [all]")
    parser.add_argument("--conf", type=cli.path_of, default=Path("conf"), help="folder of the configuration [conf]")
    parser.add_argument("--title", default="", help="what the results are of [<exp-dir>; if exp, what holds it]")
    parser.add_argument("--data", type=cli.path_of, help="the data dir, for score files without labels")
    options = parser.parse_args()
    exp, seeds = options.exp, cli.numbers("--seeds", options.seeds)
    content = sealed.plain(
        results.make(exp, options.conf, options.title, options.systems, options.runs.split(), seeds, options.data)
    )
    for name, system in content["systems"].items():
        if (exp / name).is_dir():
            write(exp / name / runs.RESULT, result_line(system, content["test"], exp / name))
    for row in content["unfinished"]:  # what was said of it before is no longer so
        (exp / row["system"] / runs.RESULT).unlink(missing_ok=True)
    results.write(exp / results.NAME, content)
    table = tables.systems(content, content["systems"], tables.SCORED)
    print(f"{content['corpus']}\n\n{table.plain()}\n")
    for answer in answers.answers(content):
        if not answer.said.startswith(answers.NOT):
            print(str(answer).replace("**", ""))
    alone = ", which is now of these runs alone" * bool(options.runs.split())
    print(f"\nAll figures: {exp / results.NAME}{alone}")


if __name__ == "__main__":
    cli.run(main)
