"""Embeddings of generated corpora, in which speaker and emotion are known by construction and the emotions' strength is
set: what each space carries of each, against that strength."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from steps.evaluation.probe_files import means, over_runs
from steps.evaluation.significance import Interval, interval
from steps.evaluation.summary import summarise
from steps.evaluation.tables import Table
from steps.evaluation.words import compared, points
from utils.cli import UserError
from utils.files import whole

DIFFERENCE = "difference"  # pool(F⁻) − pool(F⁺), within runs
CLASSIFIER = "classifier"  # the network's own decisions, beside the probes of its spaces
NAMES = {CLASSIFIER: "classifier", "embedding": "pool(F⁺)", "embedding_minus": "pool(F⁻)"}


CLAIMED = [("speaker", "train"), ("emotion", "unseen")]  # what AD is for


@dataclass
class Row:
    """One figure at one strength, as a share of 1; low and high: its 95 % interval."""

    strength: float
    system: str
    space: str  # embedding, embedding_minus, difference, or classifier
    attribute: str  # emotion or speaker
    of: str  # unseen or train
    value: float
    low: float
    high: float
    chance: float
    runs: int  # of a probe, those that leave out the same speakers counted once

    @property
    def beats_chance(self) -> bool:
        return self.low > self.chance

    @property
    def mute(self) -> bool:
        """Whether it could be nothing but chance: exactly that, whichever speakers are drawn, as UA is where all
        utterances of a speaker are decided alike."""
        return self.space == CLASSIFIER and self.low == self.high == self.value == self.chance


def measure(strength: float, system: Path) -> list[Row]:
    """Of one system trained on the corpus of one strength: UA of its decisions, over speakers; mean recall of linear
    probes, over runs."""
    summary = summarise(system)
    ua, found = interval(summary, "ua"), means(summary.places)
    shares = [value / 100 for value in (ua.value, ua.low, ua.high)]
    chance, runs = 1 / len(summary.classes), len(summary.runs)
    rows = [Row(strength, system.name, CLASSIFIER, "emotion", "unseen", *shares, chance, runs)]

    def add(space: str, key: tuple[str, str], share: Interval, chance: float, runs: int) -> None:
        rows.append(Row(strength, system.name, space, *key, share.value, share.low, share.high, chance, runs))

    for (space, *key, name), mean in found.items():
        if name == "probe":
            add(space, tuple(key), over_runs(mean.by_run), mean.chance, len(mean.by_run))
            if space == "embedding_minus" and (plus := found.get(("embedding", *key, name))):
                add(DIFFERENCE, tuple(key), over_runs(mean.by_run, plus.by_run), 0.0, len(mean.by_run))
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
    rows = [row for row in rows if row.space != DIFFERENCE]
    found = {(row.system, row.space, row.strength, row.attribute, row.of): row for row in rows}
    keys = sorted({key[:3] for key in found}, key=lambda key: (key[0], list(NAMES).index(key[1]), key[2]))
    cells = [
        [f"{key[0]}, {NAMES[key[1]]}", f"{key[2]:g}", *(cell(found.get((*key, *column))) for column in columns)]
        for key in keys
    ]
    runs, chance = max(row.runs for row in rows), {row.attribute: row.chance for row in rows if row.of == "train"}
    note = (
        "Generated corpora that differ in the strength of their emotions alone; the same extractor was pre-trained on "
        f"generated speakers. Mean recall in percent over {runs} runs with its 95 % interval: of the classifier over "
        "speakers, of probes over runs, of which those that leave out the same speakers count once. Chance is "
        f"{100 * chance.get('emotion', math.nan):.1f} for emotions and {100 * chance.get('speaker', math.nan):.1f} for "
        "speakers, and = marks what does not beat it. Emotions of training speakers were shown to the network with "
        "their labels: at strength 0 what it tells of them is remembered; unseen speakers say what was learnt."
    )
    return Table("Against the truth, on generated corpora", head, cells, note)


def verdict(rows: Sequence[Row]) -> list[str]:
    """Whether anything beats chance at strength 0, where there is nothing to learn; and which space carries more."""
    null = [row for row in rows if row.strength == 0 and (row.attribute, row.of) == ("emotion", "unseen")]
    null = [row for row in null if row.space != DIFFERENCE]
    loud = [f"{row.system}, {NAMES[row.space]} ({cell(row)})" for row in null if row.beats_chance]
    lines = []
    if null:
        said = f"{', '.join(loud)} beat chance: something leaks" if loud else "nothing beats chance"
        spans = "; ".join(f"{row.system}, {NAMES[row.space]} {cell(row).rstrip(' =')}" for row in null)
        lines.append(f"Emotions of strength 0, unseen speakers: {said} ({spans}; chance {100 * null[0].chance:.0f}).")
        lines += [
            f"{row.system}, strength 0: the classifier is exactly at chance whichever speakers are drawn, as one "
            "is that gives all that a speaker says one class; that it does not beat chance shows nothing."
            for row in null
            if row.mute
        ]
    for row in rows:
        if row.space == DIFFERENCE and row.strength > 0 and (row.attribute, row.of) in CLAIMED:
            found = Interval(row.value, row.low, row.high)
            lines.append(
                f"{row.system}, strength {row.strength:g}, how much pool(F⁻) tells of {row.attribute}s against "
                f"pool(F⁺) ({row.of.replace('train', 'training')} speakers): {compared(found)}, {points(found)}."
            )
    return lines
