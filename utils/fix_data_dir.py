#!/usr/bin/env python3
"""Mend a data dir: sort its tables and keep the utterances that all of them have. The old files go to DIR/.backup."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from utils.cli import UserError, run
from utils.data_dir import COMPLETE, check_prefixes, keyed_on, spk2utt, tables
from utils.files import whole
from utils.table import aligned, columns, key_of, lines_of, read_lines, read_text, write_lines
from utils.validate_data_dir import VALUES


def fix(data: Path | str) -> None:
    """Mend the data dir `data` in place, saying what is dropped. Raises UserError, with nothing changed, where no
    utterance would remain or where renaming is needed (see `check_prefixes`)."""
    data = Path(data)
    if not (data / "utt2spk").is_file():
        raise UserError(f"{data}: not a data dir (no utt2spk)")
    utt2spk = _first_values(data / "utt2spk")
    segments = _first_values(data / "segments") if (data / "segments").is_file() else {}
    recordings = {utterance: segment.split(None, 1)[0] for utterance, segment in segments.items()}
    owners: dict[str, dict[str, str]] = {"utterance": {}, "speaker": utt2spk, "recording": recordings}
    # What each table is keyed on; recordings last, so that whoever lacks a segment is said to lack that.
    kinds = {path: kind for path in tables(data) if (kind := keyed_on(path.name, (data / "segments").is_file()))}
    kinds = dict(sorted(kinds.items(), key=lambda item: item[1] == "recording"))

    keep = dict(utt2spk)
    starts = [f"{utterance} " for utterance in sorted(keep)]
    for path, kind in kinds.items():
        if path.name in COMPLETE:
            lines = read_lines(path)
            if kind == "utterance" and _all_good(sorted(lines), starts, path.name):
                continue
            has = set(_keys(lines, path.name))
            if lost := [utterance for utterance in keep if owners[kind].get(utterance, utterance) not in has]:
                _say(f"{len(lost)} utterances dropped, as {path.name} has no good line for them: {_some(lost)}")
                for utterance in lost:
                    del keep[utterance]
    if not keep:
        raise UserError(f"{data}: no utterance is in all tables, so nothing is changed")
    check_prefixes(keep, data / "utt2spk")

    starts = [f"{utterance} " for utterance in sorted(keep)]
    kept = {kind: {owner.get(utterance, utterance) for utterance in keep} for kind, owner in owners.items()}
    gone = utt2spk.keys() - keep
    named = {kind: {owner.get(utterance, utterance) for utterance in gone} for kind, owner in owners.items()}
    changed = False
    for path in {**kinds, data / "spk2utt": "speaker"}:
        text = read_text(path) if path.is_file() else ""
        if path.name == "spk2utt":
            lines = [f"{speaker} {utterances}" for speaker, utterances in spk2utt(keep).items()]
        else:
            lines = _mended(lines_of(text), path.name, kept[kinds[path]], named[kinds[path]], starts)
        if text != "\n".join([*lines, ""]):
            changed = changed or _back_up(data)
            write_lines(path, lines)
    count = f"all {len(keep)} utterances" if len(keep) == len(utt2spk) else f"{len(keep)} utterances of {len(utt2spk)}"
    _say(f"kept {count}" + (f"; the old files are in {data / '.backup'}" if changed else ""))


def _keys(lines: Sequence[str], name: str) -> list[str]:
    """Of each line of the table `name` its key, or "" where it is not worth keeping: a line has a value; for durations
    and frames, one above 0."""
    if name == "folds":
        return [key_of(line, name) for line in lines]
    keys, values = columns(lines)
    if name == "text":
        return keys
    good = VALUES[name][0] if name in ("utt2dur", "utt2num_frames") else bool
    fine = {value for value in set(values) if good(value)}
    return [key if value in fine else "" for key, value in zip(keys, values)]


def _all_good(lines: Sequence[str], starts: Sequence[str], name: str) -> bool:
    """Whether the lines are good, and those of exactly the utterances whose keys are `starts`: the usual case, fast."""
    if not aligned(lines, starts):
        return False
    values = map(str.removeprefix, lines, starts)
    if name not in ("utt2dur", "utt2num_frames"):
        return all(map(str.strip, values))
    return all(VALUES[name][0](value.strip()) for value in set(values))


def _first_values(path: Path) -> dict[str, str]:
    """Key → value of the good lines of a table; of a key that stands twice, the first."""
    lines = read_lines(path)
    table: dict[str, str] = {}
    for key, value in zip(_keys(lines, path.name), columns(lines)[1]):
        if key:
            table.setdefault(key, value)
    return table


def _mended(
    lines: Sequence[str], name: str, keys: Collection[str], named: Collection[str], starts: Sequence[str]
) -> list[str]:
    """The good lines of the table `name` whose key is in `keys`; sorted and unique, but `folds` in its own order. What
    is dropped is counted and named, unless its key is in `named`: that was done."""
    ordered = sorted(lines)
    if name != "folds" and _all_good(ordered, starts, name):
        if ordered != lines:
            _say(f"{name}: sorted")
        return list(map(str.rstrip, ordered))
    found: dict[str, str] = {}
    bad, twice, others = [], [], []
    for line, key in zip(map(str.strip, lines), _keys(lines, name)):
        unique = line if name == "folds" else key
        if not key:
            bad.append(line)
        elif key not in keys:
            if key not in named:
                others.append(key)
        elif unique in found:
            twice.append(key)
        else:
            found[unique] = line
    for dropped, reason in ((bad, "no good value"), (twice, "a key that stood before"), (others, "an unknown key")):
        if dropped:
            _say(f"{name}: {len(dropped)} lines dropped that had {reason}: {_some(dropped)}")
    order = list(found) if name == "folds" else sorted(found)
    if order != list(found):
        _say(f"{name}: sorted")
    return [found[key] for key in order]


def _back_up(data: Path) -> bool:
    with whole(data / ".backup") as backup:
        backup.mkdir()
        for path in tables(data):
            shutil.copy2(path, backup)
    return True


def _some(names: list[str]) -> str:
    return " ".join(names[:5]) + " …" * (len(names) > 5)


def _say(message: str) -> None:
    print(f"fix_data_dir.py: {message}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("data", type=Path, help="data dir")
    fix(parser.parse_args().data)


if __name__ == "__main__":
    run(main)
