"""The results of one corpus as Markdown."""

from __future__ import annotations

from steps.evaluation import tables
from steps.evaluation.evidence import Evidence
from steps.evaluation.findings import findings
from steps.evaluation.making import commands, conditions, settings
from steps.evaluation.tables import Table


def lay_out(table: Table) -> list[str]:
    """The rows alone, as a Markdown table."""
    rows = [table.head, ["---", *["---:"] * (len(table.head) - 1)], *table.rows]
    return [f"| {' | '.join(cells)} |" for cells in rows] if table.rows else []


def section(table: Table, level: int = 2) -> list[str]:
    """A heading, the table, its note."""
    rows = lay_out(table)
    return [f"{'#' * level} {table.title}", "", *rows, *[""] * bool(rows), table.note, ""]


def all_tables(evidence: Evidence) -> list[Table]:
    """Everything below the main table."""
    made = evidence.summaries
    return [
        tables.comparisons(evidence.comparisons),
        tables.probes(evidence.probes, {one.name: one.spaces for one in made}),
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
    for table in (everything := all_tables(evidence)):
        lines += section(table)
    if lacking := [
        *evidence.lacking,
        *(f"{table.title}: left out, with the reason there" for table in everything if not table.rows),
    ]:
        lines += ["## Not in these tables", "", *(f"- {line}" for line in lacking), ""]
    lines += ["## How it was made", "", "Settings, of what is switched on:", "", *settings(made), ""]
    lines += ["Conditions:", "", *conditions(made), "", "```", *commands(evidence), "```"]
    return "\n".join(lines) + "\n"
