#!/usr/bin/env python3
"""Results of emotion systems, from their score files: exp/<system>/result and a table of all.

  steps/score.py [options] <exp-dir>
  steps/score.py --systems "resnet18 vgg5" --published conf/published.yaml exp

The table goes to <exp-dir>/RESULTS.md and to the terminal.
"""

from __future__ import annotations

import argparse
import datetime
import math
import platform
from importlib.metadata import version
from pathlib import Path

from steps.evaluation.metrics import majority
from steps.evaluation.summary import Summary, find_runs, summarise
from utils import cli, config
from utils.files import whole
from utils.jobs import revision


def figure(mean: float, sd: float = math.nan) -> str:
    """`68.19`, or `68.19 ± 0.42` where there is a spread."""
    return f"{mean:.2f}" if math.isnan(sd) else f"{mean:.2f} ± {sd:.2f}"


def result_line(summary: Summary, place: Path) -> str:
    """The line that a Kaldi user greps for."""
    figures = " ".join(f"%{name.upper()} {value:.2f}" for name, value in summary.pooled._asdict().items())
    seeds = f"mean of {len(summary.seeds)} seeds" if len(summary.seeds) > 1 else "1 seed"
    return f"{figures} [ {summary.utterances} utterances, {summary.speakers} speakers, {seeds} ] {place}\n"


def table(summaries: list[Summary], published: dict[str, float]) -> list[str]:
    """The results as a Markdown table, with the majority row, and the published wF1 beside ours where there is one."""
    heads = [
        "system",
        "wF1",
        "UA",
        "WA",
        "wF1 over folds",
        "wF1, last epoch",
        *(["wF1 in the paper"] if published else []),
    ]
    rows = [heads, ["---", *["---:"] * (len(heads) - 1)]]

    def row(name: str, pooled: list[str], folds: str, last: str) -> None:
        paper = [f"{published[name]:.2f}" if name in published else "–"] if published else []
        rows.append([name, *pooled, folds, last, *paper])

    baseline = majority(summaries[0].labels)
    row("majority class", [figure(value) for value in baseline], "–", "–")
    for one in summaries:
        pooled = [figure(mean, sd) for mean, sd in zip(one.pooled, one.pooled_sd)]
        row(one.name, pooled, figure(one.folds.wf1, one.folds_sd.wf1), figure(one.last.wf1))
    return [f"| {' | '.join(cells)} |" for cells in rows]


def settings(places: dict[str, Path]) -> list[str]:
    """What the systems have in common, and what each has for itself, from the configuration beside their scores."""
    flat = {name: config.flatten(config.read_yaml(place / "config.yaml")) for name, place in places.items()}
    first = next(iter(flat.values()))
    shared = {key for key in first if all(own.get(key) == first[key] for own in flat.values())}

    def words(own: dict[str, object], keys: set[str]) -> str:
        return ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in own.items() if key in keys)

    lines = [f"- All: {words(first, shared)}"]
    if len(flat) > 1:
        lines += [f"- {name}: {words(own, own.keys() - shared)}" for name, own in flat.items()]
    return lines


def report(summaries: list[Summary], options: argparse.Namespace, places: dict[str, Path]) -> str:
    """RESULTS.md: the table and the conditions under which it was made."""
    one = summaries[0]
    published = config.read_yaml(options.published) if options.published and options.published.exists() else {}
    lines = [f"# {options.corpus or options.exp}", "", *table(summaries, published), ""]
    seeds = f"{len(one.seeds)} seeds" if len(one.seeds) > 1 else "1 seed"
    lines += [
        f"{one.utterances} utterances of {one.speakers} speakers, tested in {len(one.runs)} runs with {seeds}. In percent: "
        + "wF1 (weighted F1), UA (mean recall) and WA (accuracy) of the pooled predictions for all test speakers, mean "
        + "± sd over seeds; the mean ± sd of wF1 over runs; wF1 of the last epoch instead of the one selected on the "
        + "validation speakers.",
        "",
        "## Conditions",
        "",
        *settings(places),
        *(f"- Pre-trained extractor: {line}" for line in pretraining(options.pretraining)),
        f"- {datetime.date.today()}, revision {revision()}, Python {platform.python_version()}, "
        + f"torch {version('torch')}, {platform.machine()}",
        *([f"- `{options.command}`"] if options.command else []),
    ]
    return "\n".join(lines) + "\n"


def pretraining(place: Path | None) -> list[str]:
    """What egs/voxceleb1/run.sh found out about the model in `place`, where it lies there."""
    files = [place / "result", place / "trials" / "result"] if place else []
    return [file.read_text().partition("]")[0] + "]" for file in files if file.is_file()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exp", type=Path, help="folder that holds the systems' folders")
    parser.add_argument("--systems", default="", help="systems, in the table's order, separated by spaces [all]")
    parser.add_argument("--runs", default="", help="runs to score [all]")
    parser.add_argument("--seeds", default="", help="seeds to score [all]")
    parser.add_argument("--corpus", default="", help="the corpus's name, for the heading")
    parser.add_argument("--published", type=Path, help="YAML file of published wF1 by system; may be absent")
    parser.add_argument("--pretraining", type=Path, help="folder of the pre-trained extractor, to quote its results")
    parser.add_argument("--command", default="", help="the command line that made these results")
    options = parser.parse_args()
    systems = options.systems.split() or sorted(
        {path.parent.parent.name for path in options.exp.glob("*/*_seed*/scores")}
    )
    if not systems:
        raise cli.UserError(f"{options.exp}: there are no scored systems here")
    runs, seeds = options.runs.split(), [int(seed) for seed in options.seeds.split()]
    summaries = [summarise(options.exp / system, runs, seeds) for system in systems]
    if len({tuple(one.labels) for one in summaries}) > 1:
        raise cli.UserError(
            f"{options.exp}: the systems were not scored on the same utterances; name --runs that all have"
        )
    for one in summaries:
        with whole(options.exp / one.name / "result") as temporary:
            temporary.write_text(result_line(one, options.exp / one.name))
    places = {one.name: next(iter(find_runs(options.exp / one.name, runs, seeds).values())) for one in summaries}
    with whole(options.exp / "RESULTS.md") as temporary:
        temporary.write_text(report(summaries, options, places))
    print((options.exp / "RESULTS.md").read_text(), end="")


if __name__ == "__main__":
    cli.run(main)
