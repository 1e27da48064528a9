#!/usr/bin/env python3
"""Check a data dir: what Kaldi's validate_data_dir.sh checks, and what this recipe relies on beyond it."""

from __future__ import annotations

import argparse
import re
import sys
from codecs import BOM_UTF8
from collections.abc import Callable
from functools import cache
from math import inf, nan
from operator import lt
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import folds
from utils.cli import UserError, path_of, run, warn
from utils.copies import is_change
from utils.data_dir import COMPLETE, keyed_on, members, tables
from utils.table import columns, follows, lines_of


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return nan  # which is neither above nor below anything


@cache
def _positive(value: str) -> bool:
    return 0 < _number(value) < inf


def _segment(value: str) -> bool:
    times = value.split()[1:]
    return len(times) == 2 and 0 <= _number(times[0]) < _number(times[1]) < inf


def _path(value: str) -> bool:
    return value[-1:] != "|" and value[:1] not in ("", "|", "~")


_word = cache(re.compile(r"\S+").fullmatch)
_count = cache(re.compile(r"0*[1-9][0-9]*").fullmatch)

# What the value of a line must be, by the table's name, or by how it ends.
VALUES: dict[str, tuple[Callable[[str], object], str]] = {
    ".scp": (_path, "a path, not a command ('|') and without '~'"),
    "text": (lambda _: True, "a value"),  # or none: an utterance without words
    "utt2spk": (_word, "one speaker"),
    "utt2emo": (_word, "one word"),
    "utt2session": (_word, "one word"),
    "utt2uniq": (_word, "one word"),
    "utt2augment": (is_change, "a change as utils/copies.py has them"),
    "utt2dur": (_positive, "a duration in seconds above 0"),
    "reco2dur": (_positive, "a duration in seconds above 0"),
    "utt2num_frames": (_count, "a whole number of frames above 0"),
    "spk2gender": (lambda value: value in ("m", "f"), "m or f"),
    "segments": (_segment, "<recording> <start> <end>, in seconds, with start below end"),
    "reco2file_and_channel": (lambda value: value.split()[1:] in (["A"], ["B"], ["1"]), "<file> and A or B"),
}


def validate(data: Path | str, feats: bool = True, wav: bool = True) -> int:
    """The number of utterances of the valid data dir `data`. `feats`, `wav`: whether feats.scp and wav.scp must be
    there; any table is checked where it is there. Raises UserError for the first thing wrong, with file and line."""
    data = Path(data)
    if not data.is_dir():
        raise UserError(f"{data}: no such data dir")
    for name in ["utt2spk", "spk2utt"] + ["wav.scp"] * wav + ["feats.scp"] * feats:
        if not (data / name).is_file():
            hint = f" (if that is intended: --no-{name[:-4]})" if name in ("wav.scp", "feats.scp") else ""
            raise UserError(f"{data / name}: no such file{hint}")
    segments = (data / "segments").is_file()
    if segments and not (data / "wav.scp").is_file():
        raise UserError(f"{data / 'segments'}: needs wav.scp, which is missing")
    utterances, owners = _read(data / "utt2spk")
    if not utterances:
        raise UserError(f"{data / 'utt2spk'}: empty file")
    spk2utt = members(utterances, owners, data / "utt2spk")
    expected = {"utterance": utterances, "speaker": list(spk2utt)}
    if segments:
        _, values = _read(data / "segments")
        expected["recording"] = sorted({value.split(None, 1)[0] for value in values})
    for path in tables(data):
        kind = keyed_on(path.name, segments)
        if not kind or path.name in ("utt2spk", "folds") or (kind == "utterance" and _usual(path, utterances)):
            continue
        keys, values = _read(path)
        if keys != expected[kind]:
            _compare(path, keys, expected[kind], kind)
        if path.name == "spk2utt":
            for speaker, names in zip(keys, values):
                if names.split() != spk2utt[speaker]:
                    raise UserError(f"{path}: speaker '{speaker}' does not have the utterances that utt2spk says")
    if (data / "folds").is_file():
        lists = folds.of_data_dir(data, complete=False)
        if lacking := [f"{run} no {part}" for run, parts in lists.items() for part in folds.PARTS if not parts[part]]:
            warn(f"{data / 'folds'}: {len(lacking)} partitions have no speaker, first {lacking[0]}; no run trains so")
        for words in folds.left_out(lists, expected["speaker"]):
            warn(f"{data / 'folds'}: {words}")
    return len(utterances)


def _usual(path: Path, utterances: list[str]) -> bool:
    """Whether a table has the keys `utterances` and is valid: seen fast, where it is so."""
    good, _ = VALUES.get(path.suffix or path.name, (bool, ""))

    def fine(values: list[str]) -> bool:
        together = "".join(values) if good is _path else "|"
        if "|" not in together and "~" not in together:
            return all(values)  # paths without these signs need not be looked at one by one
        return all(map(good, values))

    with open(path, "rb") as file:
        return follows(file, utterances, fine)


def _read(path: Path) -> tuple[list[str], list[str]]:
    """Keys and values of a table whose lines are well formed, sorted and unique."""
    content = path.read_bytes()
    if content.startswith(BOM_UTF8):
        raise UserError(
            f"{path}:1: begins with a byte order mark, as Windows writes it; utils/fix_data_dir.py {path.parent} takes "
            "it away"
        )
    keys, values = columns(content)
    good, wanted = VALUES.get(path.suffix or path.name, (bool, "a value"))
    plain = b"\r" not in content and content[-1:] in (b"\n", b"")
    if plain and all(keys) and all(map(good, values)) and all(map(lt, keys, keys[1:])):
        return keys, values
    lines = lines_of(content)
    for number, (line, before, key, value) in enumerate(zip(lines, ["", *keys], keys, values), 1):
        if "\r" in line or (not plain and number == len(lines)):
            raise UserError(f"{path}:{number}: does not end in a plain newline (Windows line ends, or a cut-off file?)")
        if not key or not good(value):
            raise UserError(f"{path}:{number}: expected '<key> <value>' with {wanted}, found '{line}'")
        if key <= before:
            wrong = "stands twice" if key == before else f"stands after '{before}': not sorted as LC_ALL=C"
            raise UserError(f"{path}:{number}: '{key}' {wrong}; utils/fix_data_dir.py {path.parent} mends it")
    raise AssertionError(path)


def _compare(path: Path, keys: list[str], expected: list[str], kind: str) -> None:
    """Raises UserError if a table has keys that are not `expected`, or lacks some that it must have."""
    unknown, missing = sorted(set(keys) - set(expected)), sorted(set(expected) - set(keys))
    if path.name not in COMPLETE | {"spk2utt"}:
        missing = []
    for names, wrong in ((missing, "missing"), (unknown, f"too many (no such {kind} in utt2spk or segments)")):
        if names:
            raise UserError(
                f"{path}: {len(names)} {kind}s {wrong}, first '{names[0]}'; "
                f"utils/fix_data_dir.py {path.parent} keeps what all tables have"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--no-feats", action="store_true", help="feats.scp need not be there")
    parser.add_argument("--no-wav", action="store_true", help="wav.scp need not be there")
    parser.add_argument("--no-text", action="store_true", help="as in Kaldi; text need never be there")
    parser.add_argument("data", type=path_of, help="data dir")
    arguments = parser.parse_args()
    validate(arguments.data, feats=not arguments.no_feats, wav=not arguments.no_wav)
    print(f"validate_data_dir.py: successfully validated data-directory {arguments.data}")


if __name__ == "__main__":
    run(main)
