"""What to use, of all systems that were run on several corpora."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from steps.reporting.answers import about, best_of, informed
from steps.reporting.comparisons import certainty, comparison
from steps.reporting.tables import Table, sees_given, short
from steps.reporting.words import DASH, Results, bounds, names


def recommended(results_of: Mapping[str, Results], compared: Mapping[str, Any] | None) -> Table:
    """A row each: the recipe's system of the highest mean of wF1 over the corpora, that where it is known who speaks,
    and that on each corpus; and from which others no difference is shown (over all corpora, by `compared`, of
    together.json)."""
    every, rows, notes = list(results_of.values()), [], []
    everywhere = [name for name in every[0]["systems"] if all(name in results["systems"] for results in every)]
    means = {name: sum(own["systems"][name]["wf1"]["value"] for own in every) / len(every) for name in everywhere}
    aside = {name: means[name] for results in every for name in informed(results) if name in means}
    known = sorted(means.keys() - aside, key=lambda name: (-means[name], name))
    given = [name for name in known if sees_given(every[0], name)]
    if ranked := [name for name in known if name not in given] or given:
        first = ranked[0]
        pairs = {name: comparison(compared or {}, first, name) for name in known}
        alike = {name: means[name] for name, pair in pairs.items() if pair and certainty(pair) == "no difference"}
        system = f"{first}{about(every[0], first)}"
        rows.append(["all of these corpora", system, str(len(ranked)), f"{means[first]:.1f}", listed(alike)])
        notes.append(
            "all of these corpora: the mean of their wF1, of the systems"
            f"{' of this recipe' * (len(ranked) < len(known))} that were run on all"
            f"{' and need not know who speaks' * bool(aside)}."
        )
        for told in best_of(aside, means[first]):
            system = f"{told}{about(every[0], told)}"
            rows.append(["the same, if it is known who speaks", system, str(len(aside)), f"{means[told]:.1f}", DASH])
            notes.append(
                "if it is known who speaks: several utterances of each speaker must be there, of varying emotions."
            )
        if compared and alike:
            developed = " (those that systems were developed on are left out)" * bool(compared["left_out"])
            notes.append(
                "no difference is shown from: on a corpus, of all systems; over all, of those that were compared "
                f"there, on {compared['speakers']} speakers{developed}. Few speakers show little."
            )
    for corpus, results in results_of.items():
        name, scored = results["best"]["system"], results["systems"]
        equals = {other: scored[other]["wf1"]["value"] for other in results["best"]["not_told_from"]}
        order = sorted(equals, key=lambda other: (other not in short(results), -equals[other]))  # the table's first
        wf1 = scored[name]["wf1"]
        span = "" if wf1["low"] is None else f" ({bounds(wf1)})"
        where = f"{corpus} ({len(results['test']['speakers'])} speakers)"
        also = listed({other: equals[other] for other in order})
        rows.append([where, name, str(results["best"]["of"]), f"{wf1['value']:.1f}{span}", also])
    notes.append("best of: how many were compared, on the very speakers of the figure, which is somewhat too high so.")
    if given:
        notes.append(f"{names(given)}: on vectors of other tools (`--embeddings`).")
    return Table(["corpora", "system", "best of", "wF1", "no difference is shown from"], rows, notes)


def at_once(table: Table, corpora: Collection[str]) -> list[str]:
    """In sentences, what `recommended` says of all corpora together."""
    said = []
    for where, system, of, wf1, *alike in table.rows[: len(table.rows) - len(corpora)]:
        high = f", as the best of {of} somewhat too high" * (of != "1")
        besides = "; no difference is shown from " + alike[0] if alike and alike[0] != DASH else ""
        said.append(f"{where[0].upper()}{where[1:]}: {system}, wF1 {wf1}{high}{besides}.")
    return said


def listed(wf1: Mapping[str, float]) -> str:
    """`good 60.0 and poor 50.0`."""
    return names([f"{name} {value:.1f}" for name, value in wf1.items()]) if wf1 else DASH
