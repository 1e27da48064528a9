#!/usr/bin/env python3
"""Mend a data dir: sort its tables and keep the utterances that all of them have. The old files go to DIR/.backup, or
.backup.2 and so on."""

from __future__ import annotations

import argparse
import shutil
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from io import BytesIO
from itertools import compress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils.cli import UserError, path_of, run
from utils.data_dir import COMPLETE, keyed_on, members, tables
from utils.files import free_backup, whole
from utils.hold import hold
from utils.table import columns, content_of, follows, key_of, lines_of, read_content, read_lines
from utils.validate_data_dir import VALUES


def fix(data: Path | str) -> None:
    """Mend the data dir `data` in place, saying what is dropped. Raises UserError, with nothing changed, where no
    utterance would remain or where renaming is needed (see `check_prefixes`)."""
    data = Path(data)
    if not (data / "utt2spk").is_file():
        raise UserError(f"{data}: not a data dir (no utt2spk)")
    utt2spk = _first_values(data / "utt2spk")
    has_segments = (data / "segments").is_file()
    segments = _first_values(data / "segments") if has_segments else {}
    recordings = {utterance: segment.split(None, 1)[0] for utterance, segment in segments.items()}
    # A row for each utterance: its key in the tables of each kind.
    rows = everything = {
        "utterance": list(utt2spk),
        "speaker": list(utt2spk.values()),
        "recording": [recordings.get(utterance, utterance) for utterance in utt2spk] if has_segments else [],
    }
    # What each table is keyed on; recordings last, so that whoever lacks a segment is said to lack that.
    kinds = {path: kind for path in tables(data) if (kind := keyed_on(path.name, has_segments))}
    kinds = dict(sorted(kinds.items(), key=lambda item: item[1] == "recording"))

    utterances = sorted(utt2spk)
    good: dict[Path, tuple[bytes, bool]] = {}  # tables without a bad line, sorted, and whether they were not
    for path, kind in kinds.items():
        if kind == "utterance" and (ordered := _ordered(path, utterances)):
            good[path] = ordered
        elif path.name in COMPLETE:
            has = set(_keys(read_content(path), path.name))
            stays = [key in has for key in rows[kind]]
            if lost := [utterance for utterance, stay in zip(rows["utterance"], stays) if not stay]:
                _say(f"{len(lost)} utterances dropped, as {path.name} has no good line for them: {_some(lost)}")
                rows = {kind: list(compress(keys, stays)) for kind, keys in rows.items()}
    keep = sorted(rows["utterance"])
    if not keep:
        raise UserError(f"{data}: no utterance is in all tables, so nothing is changed")
    spk2utt = members(keep, [utt2spk[utterance] for utterance in keep], data / "utt2spk")

    kept = list(map(set(keep).__contains__, utterances))
    backup = ""
    # utt2spk first: killed in the middle, other tables have lines too many, and none too few.
    for path in {data / "utt2spk": "utterance", data / "spk2utt": "speaker", **kinds}:
        old = path.read_bytes() if path.is_file() else b""
        if path.name == "spk2utt":
            content = content_of(f"{speaker} {' '.join(names)}" for speaker, names in spk2utt.items())
        elif path in good:
            content, moved = good[path]
            if moved:
                _say(f"{path.name}: sorted")
            if not all(kept):
                content = content_of(compress(lines_of(content), kept))
        else:
            content = _mended(
                old.removeprefix(BOM_UTF8), path.name, set(rows[kinds[path]]), set(everything[kinds[path]])
            )
        if content != old:
            backup = backup or _back_up(data)
            with whole(path) as temporary:
                temporary.write_bytes(content)
    count = f"all {len(keep)} utterances" if len(keep) == len(utt2spk) else f"{len(keep)} utterances of {len(utt2spk)}"
    _say(f"kept {count}" + (f"; the old files are in {backup}" if backup else ""))


def _ordered(path: Path, utterances: Sequence[str]) -> tuple[bytes, bool] | None:
    """A table with its lines sorted, and whether they were not: where they are good, and of exactly the `utterances`,
    as those of most tables; else None."""
    lines = list(map(str.strip, read_lines(path)))
    ordered = sorted(lines)
    content = content_of(ordered)
    good = _good(path.name)
    if follows(BytesIO(content), utterances, lambda values: all(map(good, values))):
        return content, ordered != lines
    return None


def _good(name: str) -> Callable[[str], object]:
    """Whether a value of the table `name` is worth keeping: there must be one; of durations and frames, one above 0."""
    return VALUES[name][0] if name in ("text", "utt2dur", "utt2num_frames") else bool


def _keys(content: bytes, name: str) -> list[str]:
    """Of each line of the table `name` its key, or "" where the line is not worth keeping."""
    if name == "folds":
        return [key_of(line, name) for line in lines_of(content)]
    good = _good(name)
    return [key if good(value) else "" for key, value in zip(*columns(content))]


def _first_values(path: Path) -> dict[str, str]:
    """Key → value of the good lines of a table; of a key that stands twice, the first."""
    table: dict[str, str] = {}
    for key, value in zip(*columns(read_content(path))):
        if value:
            table.setdefault(key, value)
    return table


def _mended(content: bytes, name: str, keys: Collection[str], known: Collection[str]) -> bytes:
    """The good lines of the table `name` whose key is in `keys`; sorted and unique, but `folds` in its own order. What
    is dropped is counted and named, unless its key is `known`: that was done."""
    lines: dict[str, str] = {}
    dropped: dict[str, list[str]] = {}
    for line, key in zip(map(str.strip, lines_of(content)), _keys(content, name)):
        unique = line if name == "folds" else key
        if not key:
            dropped.setdefault("no good value", []).append(line)
        elif key not in keys:
            if key not in known:
                dropped.setdefault("an unknown key", []).append(key)
        elif unique in lines:
            dropped.setdefault("a key that stood before", []).append(key)
        else:
            lines[unique] = line
    for reason, names in dropped.items():
        _say(f"{name}: {len(names)} lines dropped that had {reason}: {_some(names)}")
    order = list(lines) if name == "folds" else sorted(lines)
    if order != list(lines):
        _say(f"{name}: sorted")
    return content_of(lines[key] for key in order)


def _back_up(data: Path) -> str:
    """Where the tables are kept as they are now."""
    with whole(place := free_backup(data)) as backup:
        backup.mkdir()
        for path in tables(data):
            shutil.copy2(path, backup)
    return str(place)


def _some(names: list[str]) -> str:
    return " ".join(names[:5]) + " …" * (len(names) > 5)


def _say(message: str) -> None:
    print(f"fix_data_dir.py: {message}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("data", type=path_of, help="data dir")
    data = parser.parse_args().data
    with hold(data) if data.is_dir() else nullcontext():  # `fix` says what it is else
        fix(data)


if __name__ == "__main__":
    run(main)
