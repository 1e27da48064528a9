"""The results of one corpus as Markdown: tables, findings, and the conditions under which they were made."""

from __future__ import annotations

from collections.abc import Sequence

from steps.evaluation import tables
from steps.evaluation.evidence import Evidence
from steps.evaluation.findings import findings
from steps.evaluation.summary import Summary
from steps.evaluation.tables import Table
from utils import config


def lay_out(table: Table) -> list[str]:
    """The rows alone, as a Markdown table."""
    rows = [table.head, ["---", *["---:"] * (len(table.head) - 1)], *table.rows]
    return [f"| {' | '.join(cells)} |" for cells in rows] if table.rows else []


def section(table: Table, level: int = 2) -> list[str]:
    """A heading, the table, its note."""
    rows = lay_out(table)
    return [f"{'#' * level} {table.title}", "", *rows, *[""] * bool(rows), table.note, ""]


def settings(summaries: Sequence[Summary]) -> list[str]:
    """What the systems have in common, and what each has for itself, from the configuration beside their scores."""
    flat = {
        one.name: config.flatten(config.read_yaml(next(iter(one.places.values())) / "config.yaml")) for one in summaries
    }
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
    seconds = 0
    for place in (place for one in summaries for place in one.places.values()):
        said = config.read_yaml(place / "environment.yaml")
        seconds += int(said.pop("seconds", 0))
        pretrained = said.pop("pretrained", [])
        said.pop("command", "")
        for key, value in [*said.items(), *(("pre-trained extractor", line) for line in pretrained)]:
            if str(value) not in found.setdefault(key, []):
                found[key].append(str(value))
    lines = [f"- {key}: {', '.join(values)}" for key, values in found.items()]
    return [*lines, f"- all runs together: {seconds / 60:.0f} minutes"]


def commands(evidence: Evidence) -> dict[str, list[str]]:
    """Row → the commands that made it; the rows of the leak table, too."""
    rows = {one.name: one for one in evidence.summaries}
    rows |= {f"{one.name}, {kind}": one for kind, found in evidence.leaking.items() for one in found}
    said = {
        name: [config.read_yaml(place / "environment.yaml").get("command", "") for place in one.places.values()]
        for name, one in rows.items()
    }
    return {name: list(dict.fromkeys(filter(None, lines))) for name, lines in said.items()}


def all_tables(evidence: Evidence) -> list[Table]:
    """Everything below the main table."""
    made = evidence.summaries
    return [
        tables.comparisons(evidence.comparisons),
        tables.probes(evidence.probes),
        tables.leaks(made, evidence.leaking, evidence.oracle),
        tables.roles(made),
        tables.of_classes(made),
        tables.of_runs(made),
        tables.by_speaker(made),
        tables.confusion_table(made),
    ]


def report(evidence: Evidence) -> str:
    """The whole document."""
    made = evidence.summaries
    main = tables.results(made, evidence.published)
    lines = [f"# {evidence.title}", "", *lay_out(main), "", main.note, ""]
    if evidence.unfinished:
        lines += [f"Not finished, and not in the table: {'; '.join(evidence.unfinished)}.", ""]
    lines += ["## What matters and what does not", "", *(f"- {line}" for line in findings(evidence)), ""]
    for table in all_tables(evidence):
        lines += section(table)
    lines += ["## How it was made", "", "Settings:", "", *settings(made), "", "Conditions:", "", *conditions(made), ""]
    lines += ["```"]
    for name, typed in commands(evidence).items():
        lines += [f"# {name}", *typed]
    return "\n".join([*lines, "```"]) + "\n"
