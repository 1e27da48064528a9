"""Kaldi's data directory: tables of one line a key, sorted under LC_ALL=C, kept by what each is keyed on."""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from operator import le
from pathlib import Path

from utils.cli import UserError, warn
from utils.files import whole
from utils.hold import LOCK, hold
from utils.record import Origin, listing, outdated, total
from utils.table import columns, content_of, read_content, read_table

# Tables that, where they are, have a line for every utterance, speaker or recording. Others may cover only some.
COMPLETE = {
    "utt2spk", "wav.scp", "segments", "text", "feats.scp", "vad.scp", "utt2dur", "utt2num_frames", "utt2lang",
    "utt2uniq", "utt2emo", "utt2session", "utt2corpus", "utt2hash", "utt2sound", "spk2gender",
    "cmvn.scp", "reco2dur", "reco2file_and_channel",
}  # fmt: skip


@dataclass(frozen=True, slots=True)  # of a million
class Utterance:
    """One recording as a corpus's data preparation hands it over (`write_data_dir` makes the tables)."""

    name: str  # utterance-id; must begin with `speaker` and a "-"
    wav: Path
    speaker: str
    session: str  # what one recording session shares: a VoxCeleb video, an IEMOCAP dialog
    gender: str = ""  # "m", "f", or "" where the corpus does not say
    emotion: str = ""  # class name, or "" for a corpus without emotions
    sentence: str = ""  # what was said, or its number: one word, or "" where that is not known
    heard: str = ""  # what raters heard in the voice alone: a class, or some joined by ":" in a tie; "" without
    begin: float = 0.0  # where it begins in `wav`, and where it ends, in seconds; an end of 0: all of `wav`
    end: float = 0.0


def tables(data: Path | str) -> list[Path]:
    """The files of a data dir, by name. Folders (`split4`) and hidden ones (`.backup`) are none of its tables. Raises
    UserError for a link to nothing, and for a folder that is called as a table is."""
    paths = sorted(path for path in Path(data).iterdir() if not path.name.startswith("."))
    if odd := [path for path in paths if not path.is_file() and (path.name in COMPLETE or not path.exists())]:
        kind = "a folder" if odd[0].is_dir() else "a link to nothing"
        raise UserError(f"{odd[0]}: is {kind}, and no table: remove it")
    return [path for path in paths if path.is_file()]


def check_whole(data: Path) -> dict[str, str]:
    """The utt2spk of a data dir. Raises UserError where it is empty, and where a table that is to have a line for each
    utterance, speaker or recording has one more or one less."""
    utt2spk = read_table(data / "utt2spk")
    if not utt2spk:
        raise UserError(f"{data}/utt2spk: holds no utterance")
    segments = read_table(data / "segments") if (data / "segments").is_file() else {}
    of: dict[str, Set[str]] = {
        "utterance": utt2spk.keys(),
        "speaker": set(utt2spk.values()),
        "recording": {value.split()[0] for value in segments.values()},
    }
    for path in tables(data):
        kind = keyed_on(path.name, bool(segments))
        if kind and path.name in COMPLETE:
            names = set(columns(read_content(path))[0])
            if lacking := of[kind] - names:
                said = f"{len(lacking)} {kind}s missing, first '{min(lacking)}'"
            elif strange := names - of[kind]:
                said = f"{len(strange)} {kind}s that utt2spk does not know, first '{min(strange)}'"
            else:
                continue
            raise UserError(f"{path}: {said}: put them back, or let utils/fix_data_dir.py {data} drop them everywhere")
    return utt2spk


def keyed_on(name: str, segments: bool = False) -> str:
    """What a line of the table `name` is about: an "utterance", a "speaker" or, in a data dir with `segments`, a
    "recording"; "" where the file is about the data dir as a whole (`frame_shift`, and whatever is not known)."""
    if name.startswith("spk2") or name in ("cmvn.scp", "folds"):
        return "speaker"
    if segments and (name.startswith("reco2") or name == "wav.scp"):
        return "recording"
    if name.startswith(("utt2", "reco2")) or name.endswith(".scp") or name in ("text", "segments"):
        return "utterance"
    return ""


def speakers(utt2spk: Mapping[str, str]) -> dict[str, list[str]]:
    """speaker → its utterances; both sorted."""
    names: dict[str, list[str]] = {speaker: [] for speaker in sorted(set(utt2spk.values()))}
    for utterance in sorted(utt2spk):
        names[utt2spk[utterance]].append(utterance)
    return names


def spk2utt(utt2spk: Mapping[str, str]) -> dict[str, str]:
    """The inverse of `utt2spk`: speaker → its utterances, sorted, joined by spaces."""
    return {speaker: " ".join(names) for speaker, names in speakers(utt2spk).items()}


def check_prefixes(utt2spk: Mapping[str, str], where: Path | str) -> None:
    """Raises UserError, beginning with `where`, unless each utterance-id begins with its speaker-id and sorting by
    utterance sorts by speaker too: what lets a program read a data dir speaker by speaker."""
    names = sorted(utt2spk)
    members(names, [utt2spk[name] for name in names], where)


def members(names: Sequence[str], owners: Sequence[str], where: Path | str) -> dict[str, Sequence[str]]:
    """speaker → its utterances, both sorted, from the two columns of a sorted utt2spk. Raises UserError as
    `check_prefixes` does."""
    if not all(map(str.startswith, names, owners)):
        name, owner = next((name, owner) for name, owner in zip(names, owners) if not name.startswith(owner))
        raise UserError(f"{where}: utterance '{name}' does not begin with its speaker-id '{owner}'")
    if not all(map(le, owners, owners[1:])):
        at = next(at for at in range(1, len(owners)) if owners[at] < owners[at - 1])
        raise UserError(
            f"{where}: sorted by utterance, '{names[at]}' of speaker '{owners[at]}' comes after the utterances of "
            f"speaker '{owners[at - 1]}': rename one of the speakers, or end speaker-ids with '-' in the utterance-ids"
        )
    return {owner: names[bisect_left(owners, owner) : bisect_right(owners, owner)] for owner in dict.fromkeys(owners)}


def replaceable(dest: Path | str, *sources: Path | str) -> Path:
    """Where a data dir may be written, links followed. Raises UserError if `dest` is or holds one of `sources`, or
    something that is not a data dir, which replacing it would delete. What a killed program left of its hold is nothing
    to keep."""
    path = Path(dest).resolve()
    for source in map(Path, sources):
        if path in (own := source.resolve(), *own.parents):
            holds = "" if path == own else f", or holds what is read ({source})"
            raise UserError(f"{dest}: is read{holds}, so it cannot be the data dir to write")
    empty = not path.exists() or (path.is_dir() and {one.name for one in path.iterdir()} <= {LOCK})
    if not empty and not (path / "utt2spk").is_file():
        raise UserError(f"{dest}: exists and is not a data dir (no utt2spk), so it is not replaced")
    return path


@contextmanager
def replacing(dest: Path | str, *sources: Path | str) -> Iterator[Path]:
    """`whole` of a data dir that is `replaceable`, and held meanwhile."""
    there = replaceable(dest, *sources)
    with hold(there), whole(there) as temporary:
        yield temporary


def write_data_dir(
    path: Path | str,
    utterances: Iterable[Utterance],
    folds: Iterable[tuple[str, str, str]] = (),
    others: Mapping[str, Sequence[str]] | None = None,
    redo: bool = False,
) -> None:
    """Make the data dir `path` from what a corpus holds: wav.scp, utt2spk, spk2utt, utt2session and, where known,
    spk2gender, utt2emo, utt2sentence, utt2heard, `folds` (lines of run, train|valid|test, speaker) and `others` (file →
    lines); where utterances are stretches of recordings, segments, and a sum for the name of a recording. A data dir of
    that name is replaced, unless it was made of the same, from recordings of the same sizes and times: then it stays,
    but with `redo`.
    Raises UserError for names that make no valid data dir, of files too, and where only some utterances have an
    emotion."""
    rows = sorted(utterances, key=lambda row: row.name)
    if not rows:
        raise UserError(f"{path}: no utterances to write")
    _check_rows(path, rows)
    genders = {row.speaker: row.gender for row in rows}
    unknown = [speaker for speaker, gender in genders.items() if not gender]
    if 0 < len(unknown) < len(genders):
        warn(f"{path}: no gender for speaker '{unknown[0]}': spk2gender is not written")
    utt2spk = {row.name: row.speaker for row in rows}
    check_prefixes(utt2spk, path)
    segments: dict[str, str] = {}
    if any(row.end for row in rows):
        # By a sum of its path: no two data dirs that are combined call two recordings the same.
        of_path = {path: total([path])[:16] for path in sorted({os.path.abspath(row.wav) for row in rows})}
        recordings = {name: path for path, name in of_path.items()}
        for row in rows:
            segments[row.name] = f"{of_path[os.path.abspath(row.wav)]} {row.begin:.3f} {row.end:.3f}"
    else:
        recordings = {row.name: os.path.abspath(row.wav) for row in rows}
    if odd := [
        name for name in recordings.values() if name != name.rstrip() or name[-1] == "|" or set("\r\n") & set(name)
    ]:
        raise UserError(f"{path}: {odd[0]!r}: a file whose name has a line break, or ends in a blank or '|': rename it")
    contents = {
        name: content_of(f"{key} {table[key]}" for key in sorted(table))
        for name, table in {
            "wav.scp": recordings,
            "segments": segments,
            "utt2spk": utt2spk,
            "spk2utt": spk2utt(utt2spk),
            "utt2session": {row.name: row.session for row in rows},
            "spk2gender": {} if unknown else genders,
            "utt2emo": {row.name: row.emotion for row in rows if row.emotion},
            "utt2sentence": {row.name: row.sentence for row in rows if row.sentence},
            "utt2heard": {row.name: row.heard for row in rows if row.heard},
        }.items()
        if table
    }
    more = {"folds": [" ".join(line) for line in folds], **(others or {})}
    contents |= {name: content_of(lines) for name, lines in more.items() if lines}
    sums = {name: total([text.decode("utf-8", "surrogateescape")]) for name, text in contents.items()}
    sums["recordings"] = listing(recordings.values())
    origin = Origin("data", 1, content=sums)
    needed = [name for name in ("utt2spk", "wav.scp", "segments", "utt2emo", "utt2session") if name in contents]
    if redo or outdated(Path(path), origin, *(Path(path) / name for name in needed)):
        with replacing(path) as temporary:
            temporary.mkdir()
            for name, table in contents.items():
                (temporary / name).write_bytes(table)
            origin.write(temporary)


def _check_rows(path: Path | str, rows: Sequence[Utterance]) -> None:
    """Raises UserError for rows, sorted by name, that make no valid data dir."""
    for row, after in zip(rows, [*rows[1:], None]):
        if after and row.name == after.name:
            raise UserError(f"{path}: utterance '{row.name}' stands for both {row.wav} and {after.wav}")
        others = [word for word in (row.emotion, row.sentence, row.heard) if word]
        if any(word.split() != [word] for word in (row.name, row.speaker, row.session, *others)):
            raise UserError(
                f"{path}: {row.wav}: ids must not be empty, and ids and classes must not contain white space: {row}"
            )
        if bool(row.end) != bool(rows[0].end) or not 0 <= row.begin <= row.end:
            raise UserError(
                f"{path}: utterance '{row.name}': from {row.begin} to {row.end} s is no stretch of {row.wav}"
            )
        if not row.name.startswith(f"{row.speaker}-"):
            raise UserError(f"{path}: utterance '{row.name}' does not begin with '{row.speaker}-', its speaker")
        if bool(row.emotion) != bool(rows[0].emotion):
            raise UserError(f"{path}: of '{row.name}' and '{rows[0].name}' only one has an emotion")
