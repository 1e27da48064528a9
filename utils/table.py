"""A Kaldi table: lines of a key and a value, sorted under LC_ALL=C, which is the order of code points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from utils.cli import UserError
from utils.files import whole


def read_text(path: Path | str) -> str:
    """A table as it stands. Bytes that are not UTF-8 are kept, and so is "\\r": only "\\n" ends a line."""
    return Path(path).read_bytes().decode("utf-8", "surrogateescape")


def lines_of(text: str) -> list[str]:
    """The lines of a text, without their ends."""
    return text.removesuffix("\n").split("\n") if text else []


def read_lines(path: Path | str) -> list[str]:
    """The lines of a table, without their ends."""
    return lines_of(read_text(path))


def write_lines(path: Path | str, lines: Iterable[str]) -> None:
    """Write `lines`, each with an end, in the encoding of `read_text`."""
    with whole(path) as temporary:
        temporary.write_bytes("\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))


def key_of(line: str, name: str = "") -> str:
    """What a line of the table `name` is about: its first field, or in `folds` the third; "" if there is none."""
    field = 2 if name == "folds" else 0
    fields = line.split(None, field + 1)
    return fields[field] if len(fields) > field else ""


def columns(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Of each line the first field and what follows it; "" where there is none. Where all lines are two words with a
    space between, as in utt2spk, one split of them all does it, in half the time."""
    words = "\n".join(lines).split()
    keys, values = words[::2], words[1::2]
    if len(words) == 2 * len(lines) and all(map(str.__eq__, lines, map("{} {}".format, keys, values))):
        return keys, values
    split = [line.split(None, 1) for line in lines]
    keys = [fields[0] if fields else "" for fields in split]
    return keys, [fields[1].rstrip() if len(fields) > 1 else "" for fields in split]


def aligned(lines: Sequence[str], starts: Sequence[str]) -> bool:
    """Whether line i begins with starts[i], a key and a space. In a valid data dir the tables of utterances all have
    the keys of utt2spk in its order: seen at once, that saves looking each of a million keys up."""
    return len(lines) == len(starts) and all(map(str.startswith, lines, starts))


def read_table(path: Path | str) -> dict[str, str]:
    """`<key> <rest of line>` lines as a dict, in the file's order. Raises UserError for a missing file, a line without
    a value, or a key that stands twice, naming file and line."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file")
    lines = read_lines(path)
    keys, values = columns(lines)
    table = dict(zip(keys, values))
    if not all(values) or len(table) < len(lines):
        seen = set()
        for number, (key, value) in enumerate(zip(keys, values), 1):
            if not value:
                raise UserError(f"{path}:{number}: expected '<key> <value>', found '{lines[number - 1].strip()}'")
            if key in seen:
                raise UserError(f"{path}:{number}: '{key}' stands twice")
            seen.add(key)
    return table


def write_table(path: Path | str, table: Mapping[str, str]) -> None:
    """Write `table` as `<key> <value>` lines in the order of LC_ALL=C (that of code points)."""
    write_lines(path, (f"{name} {table[name]}" for name in sorted(table)))
