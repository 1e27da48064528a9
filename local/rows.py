"""A row of a table of recordings as its makers write it, and the utterance that it means."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.labels import LONGEST as LONGEST_CLASS
from local.labels import class_of
from utils import cli, make_folds
from utils.audio_files import safe, stem
from utils.columns import LONGEST, NOBODY, person, seconds
from utils.data_dir import Utterance

LONGEST_ID = 100  # characters of a speaker's id, which names files
GENDERS = {"f": "f", "female": "f", "w": "f", "woman": "f", "m": "m", "male": "m", "man": "m"}
PARTS = {  # of a column `fold` that names parts
    "train": ["train", "training"],
    "valid": ["valid", "validation", "val", "dev", "devel", "development"],
    "test": ["test", "test1", "eval"],  # MSP-Podcast's first test set
    "": ["test2", "test3"],  # its others, which are left out
}
PART_OF = {name: part for part, names in PARTS.items() for name in names}
LeftOut = defaultdict[str, list[str]]  # reason → where


@dataclass
class Row:
    """What is known of one utterance, as its makers write it."""

    where: str  # for messages: the table and its line, or the file
    path: str
    speaker: str
    label: str
    gender: str = ""
    session: str = ""
    sentence: str = ""
    begin: str = ""
    end: str = ""
    fold: str = ""
    heard: str = ""


def one_word(text: str) -> str:
    """What was said as one word; a long sentence ends in a sum of it."""
    word = safe("_".join(text.lower().split()), "-")
    return word if len(word) <= 40 else f"{word[:31]}_{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def select(rows: Iterable[Row], files: dict[str, Path], labels: dict[str, str], left_out: LeftOut) -> list[Row]:
    """The rows that can be used, with `label` as the class; the others by reason in `left_out`. Raises UserError for
    one recording with two labels or two speakers."""
    taken: dict[tuple[str, float, float | None], Row] = {}
    for row in rows:
        row.label, written = class_of(row.label, labels), row.label
        if row.path not in files:
            left_out["recording not found"].append(f"{row.where} ({row.path})")
        elif not row.label:
            left_out[f"label '{written}'"].append(row.where)
        elif not person(row.speaker):
            left_out["speaker not known"].append(row.where)
        elif len(row.label) > LONGEST_CLASS:
            raise cli.UserError(f"{row.where}: '{row.label[:60]}…' is no class: it has {len(row.label)} characters")
        elif (other := taken.setdefault(stretch(row, files), row)) is not row:
            if (other.label, other.speaker) != (row.label, row.speaker):
                raise cli.UserError(f"{row.where} and {other.where} are one recording with two labels or speakers")
            left_out["stands twice"].append(row.where)
    if pairs := [f"{row.where} and {other.where}" for row, other in overlapping(taken)]:
        more = f", and {len(pairs) - 1} more pairs," * (len(pairs) > 1)
        cli.warn(f"{pairs[0]}{more} overlap by more than half, with other labels or speakers")
    return list(taken.values())


def stretch(row: Row, files: Mapping[str, Path]) -> tuple[str, float, float | None]:
    """File, begin and end, in seconds; None: to the file's own end."""
    return os.path.normpath(files[row.path]), seconds(row.begin, row.where) or 0.0, seconds(row.end, row.where)


def overlapping(taken: Mapping[tuple[str, float, float | None], Row]) -> Iterator[tuple[Row, Row]]:
    """Neighbouring stretches of a recording that share more than half of the shorter and differ in label or speaker."""
    stretches: dict[str, list[tuple[float, float, Row]]] = {}
    for (path, begin, end), row in taken.items():
        if begin or end is not None:
            stretches.setdefault(path, []).append((begin, LONGEST if end is None else end, row))
    for found in stretches.values():
        found.sort(key=lambda stretch: stretch[:2])
        for (a, b, row), (c, d, other) in zip(found, found[1:]):
            if 2 * (min(b, d) - c) > min(b - a, d - c) and (row.label, row.speaker) != (other.label, other.speaker):
                yield row, other


def speaker_ids(rows: Iterable[Row]) -> dict[str, str]:
    """Speaker as written → id. Raises UserError where two would get the same, and for what can be no id."""
    ids: dict[str, str] = {}
    written: dict[str, str] = {}
    for row in rows:
        one = ids.setdefault(row.speaker, safe(row.speaker))
        if not one.strip(".") or len(one) > LONGEST_ID:
            raise cli.UserError(
                f"{row.where}: speaker '{row.speaker[:60]}' cannot be an id, which has at most {LONGEST_ID} characters "
                "and not dots alone"
            )
        if (other := written.setdefault(one, row.speaker)) != row.speaker:
            raise cli.UserError(f"speakers '{other}' and '{row.speaker}' would both be called '{one}': rename one")
    return ids


def genders_of(rows: Iterable[Row]) -> dict[str, str]:
    """Speaker as written → f or m, where any of the speaker's rows says it; contradictions, and what is not understood,
    are said and not taken."""
    found: dict[str, dict[str, Row]] = {}
    strange: list[Row] = []
    for row in rows:
        if gender := GENDERS.get(row.gender.lower()):
            found.setdefault(row.speaker, {}).setdefault(gender, row)
        elif row.gender.lower() not in NOBODY:
            strange.append(row)
    if strange:
        first = strange[0]
        cli.warn(f"{first.where}: gender '{first.gender}' is none of f, female, m, male ({len(strange)} such rows)")
    for speaker, said in found.items():
        if len(said) > 1:
            f, m = said["f"].where, said["m"].where
            cli.warn(f"speaker '{speaker}' is female in {f} and male in {m}: neither is taken")
    return {speaker: next(iter(said)) for speaker, said in found.items() if len(said) == 1}


def times(row: Row, path: Path) -> tuple[float, float]:
    """Begin and end of a row, in seconds; the recording's own where the table does not say."""
    begin, end = (seconds(text, row.where) for text in (row.begin, row.end))
    if end is None:
        from steps.frontend.decoding import Unusable, duration

        try:
            end = duration(path)
        except Unusable as reason:
            raise cli.UserError(f"{row.where}: has no end, and {path} cannot be used: {reason}") from None
    if end - (begin or 0) < 0.001:
        raise cli.UserError(f"{row.where}: begins at {begin or 0.0} s, and ends at {end} s")
    return begin or 0.0, end


def utterances(rows: Sequence[Row], files: dict[str, Path], cut: bool = False) -> list[Utterance]:
    """The utterances that `rows` mean; cut: as stretches, even where each is a whole recording."""
    ids, cut = speaker_ids(rows), cut or any(row.begin or row.end for row in rows)
    genders = genders_of(rows)
    names = Counter((row.speaker, Path(stem(row.path)).name) for row in rows)
    heard_in: defaultdict[str, set[str]] = defaultdict(set)  # recording → speakers
    for row in rows:
        heard_in[row.path].add(row.speaker)
    result = []
    for row in rows:
        path, speaker = files[row.path], ids[row.speaker]
        short = Path(stem(row.path)).name
        name = safe(short if cut or names[row.speaker, short] == 1 else stem(row.path).replace("/", "_"), "-")
        begin, end = times(row, path) if cut else (0.0, 0.0)
        name += f"-{begin * 1000:07.0f}-{end * 1000:07.0f}" if cut else ""
        session = safe(row.session, "-") if row.session else speaker
        if not row.session and len(heard_in[row.path]) > 1:  # a dialog
            session = safe(stem(row.path), "-")
        gender = genders.get(row.speaker, "")
        said = one_word(row.sentence)
        full = f"{speaker}-{name}"
        result.append(Utterance(full, path, speaker, session, gender, row.label, said, row.heard, begin, end))
    return result


def groups_of(rows: Sequence[Row], where: str) -> list[make_folds.Line]:
    """The fold list that a table's column `fold` means: parts (train, valid, test), or groups, each tested in turn.
    [] without one. Raises UserError where a speaker stands in two."""
    home: dict[str, str] = {}
    for row in rows:
        if home.setdefault(safe(row.speaker), row.fold) != row.fold:
            raise cli.UserError(
                f"{row.where}: speaker '{row.speaker}' stands in fold '{row.fold}' and in '{home[safe(row.speaker)]}', "
                f"so that training would hear who is tested; --folds {make_folds.GROUPS} makes others"
            )
    if not any(home.values()):
        return []
    if nowhere := [row for row in rows if not row.fold]:
        raise cli.UserError(
            f"{nowhere[0].where}: speaker '{nowhere[0].speaker}' has no fold, and others have; "
            f"--folds {make_folds.GROUPS} makes folds of its own"
        )
    parts = {speaker: PART_OF.get(fold.lower(), "") for speaker, fold in home.items()}
    if all(parts.values()):
        if lacking := set(make_folds.PARTS) - set(parts.values()):
            raise cli.UserError(f"{where}: no row is {min(lacking)}; --folds {make_folds.GROUPS} makes other folds")
        return [("run01", part, who) for part in make_folds.PARTS for who in sorted(parts) if parts[who] == part]
    if any(fold.lower() in PART_OF for fold in home.values()):
        strange = next(fold for fold in home.values() if fold.lower() not in PART_OF)
        raise cli.UserError(
            f"{where}: fold '{strange}' is none of train, valid, test; --folds {make_folds.GROUPS} makes others"
        )
    folds = sorted(set(home.values()), key=lambda fold: (len(fold), fold))
    return make_folds.rotate([sorted(who for who in home if home[who] == fold) for fold in folds])
