#!/usr/bin/env python3
"""Mend a data dir: sort its tables and keep the utterances that all of them have. The old files go to DIR/.backup."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Collection
from pathlib import Path

from utils.cli import UserError, run
from utils.data_dir import COMPLETE, check_prefixes, keyed_on, rows, spk2utt, tables, write_lines
from utils.files import whole
from utils.validate_data_dir import VALUES


def fix(data: Path | str) -> None:
    """Mend the data dir `data` in place, saying what is dropped. Raises UserError, with nothing changed, where no
    utterance would remain or where renaming is needed (see `check_prefixes`)."""
    data = Path(data)
    if not (data / "utt2spk").is_file():
        raise UserError(f"{data}: not a data dir (no utt2spk)")
    utt2spk = _values(data / "utt2spk")
    recording = {}
    segments = (data / "segments").is_file()
    if segments:
        recording = {utterance: value.split(None, 1)[0] for utterance, value in _values(data / "segments").items()}
    keep = dict(utt2spk)
    # Recordings last: whether an utterance has one is known once `segments` has been gone through.
    for path in sorted(tables(data), key=lambda path: keyed_on(path.name, segments) == "recording"):
        kind = keyed_on(path.name, segments)
        if kind and path.name in COMPLETE - {"utt2spk"}:
            has = _values(path).keys()
            name = {"utterance": str, "speaker": utt2spk.get, "recording": recording.get if segments else str}[kind]
            if lost := [utterance for utterance in keep if name(utterance) not in has]:
                _say(f"{len(lost)} utterances dropped, as {path.name} lacks a (good) line for them: {_first(lost)}")
                for utterance in lost:
                    del keep[utterance]
    if not keep:
        raise UserError(f"{data}: no utterance is in all tables, so nothing is changed")
    check_prefixes(keep, data / "utt2spk")

    kept: dict[str, Collection[str]] = {"utterance": keep, "speaker": set(keep.values()), "recording": keep}
    if segments:
        kept["recording"] = {recording[utterance] for utterance in keep}
    changed = False
    for path in tables(data):
        kind = keyed_on(path.name, segments)
        if not kind or path.name == "spk2utt":
            continue
        old = [line for _, line in rows(path)]
        new = _mended(path, kept[kind])
        if new != old:
            changed = changed or _back_up(data)
            write_lines(path, new)
    new = [f"{speaker} {names}\n" for speaker, names in spk2utt(keep).items()]
    if not (data / "spk2utt").is_file() or new != [line for _, line in rows(data / "spk2utt")]:
        changed = changed or _back_up(data)
        write_lines(data / "spk2utt", new)
    dropped = (
        f"{len(keep)} utterances out of {len(utt2spk)}" if len(keep) < len(utt2spk) else f"all {len(keep)} utterances"
    )
    _say(f"kept {dropped}" + (f"; the old files are in {data / '.backup'}" if changed else ""))


def _good(path: Path, line: str) -> bool:
    """Whether a line is worth keeping: it has a value, which for durations and frames is a number above 0."""
    fields = line.split(None, 1)
    if path.name in ("utt2dur", "utt2num_frames"):
        return len(fields) == 2 and VALUES[path.name][0](fields[1].strip())
    return len(fields) == 2 or (path.name == "text" and len(fields) == 1)


def _values(path: Path) -> dict[str, str]:
    """Key → value of the good lines of a table; of a key that stands twice, the first."""
    table: dict[str, str] = {}
    for key, line in rows(path):
        if _good(path, line):
            table.setdefault(key, line.strip()[len(key) :].strip())
    return table


def _mended(path: Path, keys: Collection[str]) -> list[str]:
    """The lines of a table that are good and whose key is in `keys`; sorted and unique, unless it is `folds`."""
    found: dict[str, str] = {}
    bad, twice, others = [], [], []
    for key, line in rows(path):
        line = line.strip() + "\n"
        name = line if path.name == "folds" else key
        if not key or not _good(path, line):
            bad.append(line.strip())
        elif key not in keys:
            others.append(key)
        elif name in found:
            twice.append(key)
        else:
            found[name] = line
    for dropped, reason in ((bad, "no good value"), (twice, "a key that stood before"), (others, "a key not kept")):
        if dropped:
            _say(f"{path.name}: {len(dropped)} lines dropped that had {reason}: {_first(dropped)}")
    if path.name == "folds":
        return list(found.values())
    if (order := sorted(found)) != list(found):
        _say(f"{path.name}: sorted")
    return [found[key] for key in order]


def _back_up(data: Path) -> bool:
    with whole(data / ".backup") as backup:
        backup.mkdir()
        for path in tables(data):
            shutil.copy2(path, backup)
    return True


def _first(names: list[str]) -> str:
    return " ".join(names[:5]) + " …" * (len(names) > 5)


def _say(message: str) -> None:
    print(f"fix_data_dir.py: {message}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("data", type=Path, help="data dir")
    fix(parser.parse_args().data)


if __name__ == "__main__":
    run(main)
