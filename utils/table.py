"""A Kaldi table: lines of a key and a value, sorted under LC_ALL=C, which is the order of code points."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from utils.cli import UserError
from utils.files import whole

# All bytes but what str.split takes for white space.
_INK = bytes(set(range(256)) - set(b" \t\n\r\v\f\x1c\x1d\x1e\x1f"))


def lines_of(content: bytes) -> list[str]:
    """The lines of a table, without their ends. Bytes that are not UTF-8 are kept, and so is "\\r": only "\\n" ends a
    line."""
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    return lines if lines[-1] else lines[:-1]


def check_file(path: Path | str) -> None:
    """Raise UserError where there is no file."""
    if not Path(path).is_file():
        raise UserError(f"{path}: {'is a folder, and a file is wanted' if Path(path).is_dir() else 'no such file'}")


def read_content(path: Path | str) -> bytes:
    """What a table holds, without the mark that Windows puts before UTF-8. Raises UserError where there is none, or no
    text."""
    check_file(path)
    return text_in(Path(path).read_bytes(), path).removeprefix(BOM_UTF8)


def text_in(content: bytes, path: Path | str) -> bytes:
    """The same, unless bytes of it are 0: so is every other byte of UTF-16, and what a machine that lost its power had
    not written yet. Raises UserError for such."""
    if b"\0" in content:
        raise UserError(f"{path}: is no text (it holds bytes of 0): save it as UTF-8, or make it again")
    return content


def read_lines(path: Path | str) -> list[str]:
    """The lines of a table, without their ends. Raises UserError for a missing file."""
    return lines_of(read_content(path))


def content_of(lines: Iterable[str]) -> bytes:
    """The table that holds `lines`, each with an end: the inverse of `lines_of`."""
    return "\n".join([*lines, ""]).encode("utf-8", "surrogateescape")


def write_lines(path: Path | str, lines: Iterable[str]) -> None:
    """Write `lines`, each with an end, in the encoding of `read_lines`."""
    with whole(path) as temporary:
        temporary.write_bytes(content_of(lines))


def is_text(word: str) -> bool:
    """Whether it can be written as UTF-8: not what JSON has as halves of a pair of UTF-16, nor what `read_table` makes
    of other bytes."""
    return word.isascii() or not any("\ud800" <= one <= "\udfff" for one in word)


def key_of(line: str, name: str = "") -> str:
    """What a line of the table `name` is about: its first field, or in `folds` the third; "" if there is none."""
    field = 2 if name == "folds" else 0
    fields = line.split(None, field + 1)
    return fields[field] if len(fields) > field else ""


def columns(content: bytes) -> tuple[list[str], list[str]]:
    """Of each line of a table the first field and what follows it; "" where there is none. Where the white space is one
    space and one line end in turn, and so all lines are two words, as those of most tables, one split does for all."""
    count = content.count(b"\n")
    if content.isascii() and content[-1:] == b"\n" and content.translate(None, _INK) == b" \n" * count:
        words = content.decode("ascii").split()
        if len(words) == 2 * count:  # none is empty
            return words[::2], words[1::2]
    split = [line.split(None, 1) for line in lines_of(content)]
    keys = [fields[0] if fields else "" for fields in split]
    return keys, [fields[1].rstrip() if len(fields) > 1 else "" for fields in split]


def follows(file: BinaryIO, keys: Sequence[str], good: Callable[[list[str]], bool]) -> bool:
    """Whether a table has a line for each of `keys`, in this order, with a plain line end, and `good` says yes to the
    values. It is read a few lines at a time: in the processor's cache they take a third of what all at once do."""
    count = 0
    while piece := file.read(1 << 16) + file.readline():
        names, values = columns(piece)
        if names != keys[count : count + len(names)] or b"\r" in piece or piece[-1:] != b"\n" or not good(values):
            return False
        count += len(names)
    return count == len(keys)


def lines(path: Path | str) -> Iterator[tuple[str, str]]:
    """Key and value of each line, one after the other: of millions, only a few are in memory. Raises UserError for a
    missing file and a line without a value."""
    check_file(path)
    count = 0
    with open(path, "rb") as file:
        if file.read(len(BOM_UTF8)) != BOM_UTF8:
            file.seek(0)
        while piece := file.read(1 << 16) + file.readline():
            names, values = columns(text_in(piece, path))
            if "" in values:
                number = values.index("")
                line = lines_of(piece)[number].strip()
                raise UserError(f"{path}:{count + number + 1}: expected '<key> <value>', found '{line}'")
            yield from zip(names, values)
            count += len(names)


def keys(path: Path | str) -> Iterator[str]:
    """The key of each line, as `lines` has them."""
    return (key for key, _ in lines(path))


def aligned(lines: Sequence[str], starts: Sequence[str]) -> bool:
    """Whether line i begins with starts[i], a key and a space. In a valid data dir the tables of utterances all have
    the keys of utt2spk in its order: seen at once, that saves looking each of a million keys up."""
    return len(lines) == len(starts) and all(map(str.startswith, lines, starts))


def read_table(path: Path | str) -> dict[str, str]:
    """`<key> <rest of line>` lines as a dict, in the file's order. Raises UserError for a missing file, a line without
    a value, or a key that stands twice, naming file and line."""
    content = read_content(path)
    keys, values = columns(content)
    table = dict(zip(keys, values))
    if not all(values) or len(table) < len(keys):
        seen = set()
        for number, (key, value) in enumerate(zip(keys, values), 1):
            if not value:
                line = lines_of(content)[number - 1].strip()
                raise UserError(f"{path}:{number}: expected '<key> <value>', found '{line}'")
            if key in seen:
                raise UserError(f"{path}:{number}: '{key}' stands twice")
            seen.add(key)
    return table


def write_table(path: Path | str, table: Mapping[str, str]) -> None:
    """Write `table` as `<key> <value>` lines in the order of LC_ALL=C (that of code points)."""
    write_lines(path, (f"{name} {table[name]}" for name in sorted(table)))
