#!/usr/bin/env python3
"""How much of speaker and of emotion each space carries on generated corpora of several strengths of emotion.

  steps/truth.py [--strengths "0 1 2"] <exp-dir> <out-dir>
  steps/truth.py exp/truth results

<exp-dir>/<strength>/results.json is what the recipe made of the corpus of that strength (egs/mini/truth.sh). Every
figure goes to <out-dir>/truth.tsv, as a share of 1, with its 95 % interval; the table to <out-dir>/README.md. At
strength 0 there is nothing to learn: where something beats chance there, something leaks, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from steps.evaluation import results
from steps.reporting import page
from steps.reporting.tables import Table
from steps.reporting.words import DASH, bounds, change, off_zero, percent
from utils import cli

STRENGTH = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)  # the name of a folder
CLASSIFIER, PLUS, MINUS, DIFFERENCE = "classifier", "embedding", "embedding_minus", "difference"
ASKED = [("emotion", "unseen"), ("speaker", "train")]  # what F⁺ and F⁻ are to hold
NOTES = [
    "Generated corpora that differ in the strength of their emotions alone; one extractor, pre-trained on generated "
    "speakers.",
    "Mean recall in percent with its 95 % interval: of the classifier over speakers, of linear probes over runs (those "
    "that leave out the same speakers count once).",
    "=: does not beat chance. A classifier that is exactly at chance gives each speaker one class.",
    "F⁻ − F⁺: in points; * excludes 0.",
]
WITHOUT_ZERO = "Strength 0 is not among them, so nothing here tells whether something leaks."


class Row(NamedTuple):
    """One figure at one strength, and its 95 % interval."""

    strength: float
    system: str
    space: str  # classifier (its decisions), embedding (F⁺), embedding_minus (F⁻), difference (F⁻ − F⁺, within runs)
    attribute: str  # emotion or speaker
    of: str  # unseen or train
    value: float | None
    low: float | None
    high: float | None
    chance: float
    runs: int

    @property
    def beats_chance(self) -> bool:
        return self.low is not None and self.low > self.chance


def rows_of(strength: float, made: results.Json) -> Iterator[Row]:
    """The figures of all systems trained on the corpus of one strength; made: its results.json."""
    counts: dict[tuple[str, ...], int] = {}
    runs, chance = len(made["test"]["runs"]), 1 / len(made["test"]["classes"])
    for system, figures in made["systems"].items():
        row = partial(Row, strength, system)
        yield row(CLASSIFIER, "emotion", "unseen", **percent(figures["ua"], 0.01), chance=chance, runs=runs)
        for space, attributes in made["probes"].get(system, {}).items():
            for attribute, groups in attributes.items():
                for of, kinds in groups.items():
                    if probe := kinds.get("probe"):
                        counts[system, space, attribute, of] = count = len(probe["by_run"])
                        yield row(space, attribute, of, **percent(probe, 1), chance=probe["chance"], runs=count)
        for found in made["probe_differences"]:
            if found["system"] == found["against"] == system:
                key = found["attribute"], found["of"]
                count = counts[(system, found["space"]) + key]
                yield row(DIFFERENCE, *key, **percent(found["difference"], 1), chance=0.0, runs=count)


def cell(row: Row | None) -> str:
    """`39.1 (33.4 to 45.0)`."""
    if row is None:
        return DASH
    interval = percent(row._asdict())
    if row.space == DIFFERENCE:
        return change(interval) + " *" * off_zero(interval)
    return f"{interval['value']:.1f} ({bounds(interval)}){'' if row.beats_chance else ' ='}"


def written(value: object) -> str:
    """As truth.tsv has it."""
    return "nan" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def table(rows: Sequence[Row]) -> Table:
    """Systems and strengths down; across, what the classifier decides and what each space tells."""
    by_key = {row[:5]: row for row in rows}
    head, columns = ["system", "strength", "UA"], [(CLASSIFIER, "emotion", "unseen")]
    for attribute, of in ASKED:
        head += [f"{attribute}, {of.replace('train', 'training')}: F⁺", "F⁻", "F⁻ − F⁺"]
        columns += [(space, attribute, of) for space in (PLUS, MINUS, DIFFERENCE)]
    cells = [
        [system, f"{strength:g}", *(cell(by_key.get((strength, system, *column))) for column in columns)]
        for system, strength in sorted({(row.system, row.strength) for row in rows})
    ]
    levels = {f"{100 * row.chance:.1f} for {row.attribute}s" for row in rows if row.space == PLUS and row.of == "train"}
    notes = [*NOTES, *[f"Chance: {', '.join(sorted(levels))}."] * bool(levels)]
    return Table(head, cells, [*notes, *[WITHOUT_ZERO] * all(row.strength for row in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strengths", default="", help="those to tell of, separated by spaces [all that are there]")
    parser.add_argument("exp", type=cli.path_of, help="folder with a folder for each strength")
    parser.add_argument("out", type=cli.path_of, help="folder for truth.tsv and README.md")
    options = parser.parse_args()
    names, folders = dict.fromkeys(options.strengths.split()), dict[float, Path]()
    if odd := [name for name in names if not STRENGTH.fullmatch(name)]:
        raise cli.UserError(f"--strengths '{odd[0]}': expected numbers separated by spaces, as the folders are called")
    for name in names or sorted(path.name for path in options.exp.glob("*/") if STRENGTH.fullmatch(path.name)):
        if (other := folders.setdefault(float(name), options.exp / name)).name != name:
            raise cli.UserError(f"{options.exp / name} and {other.name}: are two folders of one strength")
    if not folders:
        raise cli.UserError(f"{options.exp}: expected <strength>/results.json here")
    rows = [
        row
        for strength, folder in sorted(folders.items())
        for row in rows_of(strength, results.read(folder / results.NAME))
    ]
    lines = ["\t".join(map(written, row)) for row in (Row._fields, *rows)]
    page.write(options.out / "truth.tsv", "\n".join([*lines, ""]))
    shown = table(rows)
    text = page.document("Against the truth, on generated speech", "steps/truth.py", {"": [shown.markdown()]})
    page.write(options.out / "README.md", text)
    print(shown.plain())
    leaking = [row for row in rows if row.strength == 0 and row[3:5] == ("emotion", "unseen") and row.beats_chance]
    if said := ", ".join(f"{row.space} of {row.system} {cell(row)}" for row in leaking if row.space != DIFFERENCE):
        raise cli.UserError(f"{options.out}: at strength 0 something beats chance, so something leaks: {said}")


if __name__ == "__main__":
    cli.run(main)
