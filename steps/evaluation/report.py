"""The results of some systems as a table, and the conditions under which they were made, in Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from steps.evaluation.metrics import majority
from steps.evaluation.summary import Summary
from utils import config
from utils.cli import UserError


def figure(mean: float, sd: float = math.nan) -> str:
    """`68.19`, or `68.19 ± 0.42` where there is a spread."""
    return f"{mean:.2f}" if math.isnan(sd) else f"{mean:.2f} ± {sd:.2f}"


def table(summaries: Sequence[Summary], published: Mapping[str, float]) -> list[str]:
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


def settings(summaries: Sequence[Summary]) -> list[str]:
    """What the systems have in common, and what each has for itself, from the configuration beside their scores."""
    flat = {one.name: config.flatten(config.read_yaml(one.places[0] / "config.yaml")) for one in summaries}
    first = next(iter(flat.values()))
    shared = {key for key in first if all(own.get(key) == first[key] for own in flat.values())}

    def words(own: dict[str, object], keys: set[str]) -> str:
        return ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in own.items() if key in keys)

    lines = [f"- All: {words(first, shared)}"]
    if len(flat) > 1:
        lines += [f"- {name}: {words(own, own.keys() - shared)}" for name, own in flat.items()]
    return lines


def conditions(summaries: Sequence[Summary]) -> list[str]:
    """Where and when the runs were made, from the files beside their scores: each thing once, with all its values."""
    found: dict[str, list[str]] = {}
    seconds, commands = 0, {}
    for place in (place for one in summaries for place in one.places):
        said = config.read_yaml(place / "environment.yaml")
        seconds += int(said.pop("seconds", 0))
        pretrained = said.pop("pretrained", [])
        commands.setdefault(said.pop("command", ""))
        for key, value in [*said.items(), *(("pre-trained extractor", line) for line in pretrained)]:
            if str(value) not in found.setdefault(key, []):
                found[key].append(str(value))
    lines = [f"- {key}: {', '.join(values)}" for key, values in found.items()]
    return [*lines, f"- all runs together: {seconds / 60:.0f} minutes", "", "```", *filter(None, commands), "```"]


def report(title: str, summaries: Sequence[Summary], published: Mapping[str, Any]) -> str:
    """The table, what its columns mean, and the conditions. Raises UserError when the systems were not scored on the
    same utterances."""
    one = summaries[0]
    if any(other.utterances != one.utterances for other in summaries):
        raise UserError(f"{title}: the systems were not scored on the same utterances; name --runs that all have")
    best = max(other.pooled.wa for other in summaries)
    interval = 1.96 * math.sqrt(best * (100 - best) / len(one.utterances))  # binomial
    seeds = f"{len(one.seeds)} seeds" if len(one.seeds) > 1 else "1 seed"
    runs = f"{len(one.runs)} runs" if len(one.runs) > 1 else "1 run"
    lines = [
        f"# {title}",
        "",
        *table(summaries, published),
        "",
        f"{len(one.utterances)} utterances of {one.speakers} speakers, tested in {runs} with {seeds}. In "
        + "percent: wF1 (weighted F1), UA (mean recall) and WA (accuracy) of the pooled predictions for all test "
        + "speakers, mean ± sd over seeds; the mean ± sd of wF1 over runs; wF1 of the last epoch instead of the one "
        + "selected on the validation speakers. On so many utterances the 95 % interval of a WA is "
        + f"±{interval:.1f} points, and wider with speakers as the unit: smaller differences are none.",
        "",
        "Settings:",
        "",
        *settings(summaries),
        "",
        "Conditions:",
        "",
        *conditions(summaries),
    ]
    return "\n".join(lines) + "\n"
