"""Embeddings of generated corpora, in which speaker and emotion are known by construction and the emotions' strength is
set: what each space carries of each, against that strength."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from steps.evaluation.probe_files import means, over_runs
from steps.evaluation.significance import interval
from steps.evaluation.summary import complete_seeds, find_runs, summarise
from steps.evaluation.tables import Table
from utils.cli import UserError
from utils.files import whole

CLASSIFIER = "classifier"  # the network's own decisions, beside the probes of its spaces
NAMES = {CLASSIFIER: "classifier", "embedding": "pool(F⁺)", "embedding_minus": "pool(F⁻)"}


@dataclass
class Row:
    """One figure at one strength, as a share of 1; low and high: its 95 % interval."""

    strength: float
    system: str
    space: str  # embedding, embedding_minus, or classifier
    attribute: str  # emotion or speaker
    of: str  # unseen or train
    value: float
    low: float
    high: float
    chance: float
    runs: int

    @property
    def beats_chance(self) -> bool:
        return self.low > self.chance


def measure(strength: float, system: Path) -> list[Row]:
    """Of one system trained on the corpus of one strength: UA of its decisions, over speakers; mean recall of linear
    probes, over runs."""
    runs = sorted({run for run, _ in find_runs(system, seeds=complete_seeds(system, ()))})
    summary = summarise(system)
    ua = interval(summary, "ua")
    shares = [value / 100 for value in (ua.value, ua.low, ua.high)]
    rows = [Row(strength, system.name, CLASSIFIER, "emotion", "unseen", *shares, 1 / len(summary.classes), len(runs))]
    for (space, attribute, of, name), mean in means(summary.places).items():
        if name == "probe":
            found = over_runs(mean.by_run)
            figures = (found.value, found.low, found.high, mean.chance, len(mean.by_run))
            rows.append(Row(strength, system.name, space, attribute, of, *figures))
    return rows


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    with whole(path) as temporary, open(temporary, "w", encoding="utf-8") as out:
        out.write("\t".join(field.name for field in fields(Row)) + "\n")
        for row in rows:
            cells = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in astuple(row)]
            out.write("\t".join(cells) + "\n")


def read_rows(path: Path) -> list[Row]:
    """Raises UserError for a file that is not as `write_rows` leaves it."""
    try:
        head, *lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
        kinds = [{"float": float, "int": int, "str": str}[field.type] for field in fields(Row)]
        return [Row(*(kind(text) for kind, text in zip(kinds, line, strict=True))) for line in lines]
    except ValueError as error:
        raise UserError(f"{path}: is not a table of strengths ({error})") from None


def cell(row: Row | None) -> str:
    if row is None:
        return "–"
    bounds = "" if math.isnan(row.low) else f" ({100 * row.low:.0f} to {100 * row.high:.0f})"
    return f"{100 * row.value:.1f}{bounds}{'' if row.beats_chance else ' ='}"


def table(rows: Sequence[Row]) -> Table:
    """Strengths down, what is told of whom across; "=" marks what does not beat chance."""
    columns = [("emotion", "unseen"), ("emotion", "train"), ("speaker", "train")]
    head = ["system, space", "strength", *(f"{what}, {of.replace('train', 'training')}" for what, of in columns)]
    found = {(row.system, row.space, row.strength, row.attribute, row.of): row for row in rows}
    keys = sorted({key[:3] for key in found}, key=lambda key: (key[0], list(NAMES).index(key[1]), key[2]))
    cells = [
        [f"{key[0]}, {NAMES[key[1]]}", f"{key[2]:g}", *(cell(found.get((*key, *column))) for column in columns)]
        for key in keys
    ]
    runs, chance = max(row.runs for row in rows), {row.attribute: row.chance for row in rows if row.of == "train"}
    note = (
        "Generated corpora that differ in the strength of their emotions alone; the same extractor was pre-trained on "
        f"generated speakers. Mean recall in percent over {runs} runs with its 95 % interval (of the classifier, over "
        f"speakers); chance is {100 * chance.get('emotion', math.nan):.1f} for emotions and "
        f"{100 * chance.get('speaker', math.nan):.1f} for speakers, and = marks what does not beat it. Emotions of "
        "training speakers were shown to the network with their labels: at strength 0 what it tells of them is "
        "remembered, and only unseen speakers say what was learnt. A little below chance is what cross-validation "
        "does where there is nothing: the more of a class is held out, the less of it is there to learn from."
    )
    return Table("Against the truth, on generated corpora", head, cells, note)


def verdict(rows: Sequence[Row]) -> list[str]:
    """Whether anything beats chance at strength 0, where there is nothing to learn; and which space carries more."""
    null = [row for row in rows if row.strength == 0 and row.attribute == "emotion" and row.of == "unseen"]
    loud = [f"{row.system}, {NAMES[row.space]} ({cell(row)})" for row in null if row.beats_chance]
    lines = []
    if null:
        said = f"{', '.join(loud)} beat chance: something leaks" if loud else "nothing beats chance"
        spans = "; ".join(f"{row.system}, {NAMES[row.space]} {cell(row).rstrip(' =')}" for row in null)
        lines.append(f"Emotions of strength 0, unseen speakers: {said} ({spans}; chance {100 * null[0].chance:.0f}).")
    for attribute, of in (("speaker", "train"), ("emotion", "unseen")):
        pairs: dict[tuple[str, float], dict[str, Row]] = {}
        for row in rows:
            if (row.attribute, row.of) == (attribute, of) and row.space != CLASSIFIER and row.strength > 0:
                pairs.setdefault((row.system, row.strength), {})[row.space] = row
        for (system, strength), both in pairs.items():
            if len(both) == 2:
                plus, minus = both["embedding"], both["embedding_minus"]
                lines.append(
                    f"{system}, strength {strength:g}: of {attribute}s ({of.replace('train', 'training')} speakers) "
                    f"pool(F⁺) carries {cell(plus)}, pool(F⁻) {cell(minus)}."
                )
    return lines
