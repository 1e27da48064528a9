"""What a user names on the command line → the recordings that are meant."""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from utils.audio_files import files_below, is_audio, locate
from utils.cli import UserError
from utils.columns import column_names, person, records, seconds
from utils.recordings import Source
from utils.table import read_table

FILMS = {".mp4", ".webm", ".mkv", ".mov", ".avi"}  # of which a folder's are taken, too: somebody put them there
LONGEST = 1 << 16  # bytes of a path
TABLES = {".tsv", ".csv", ".jsonl"}
OF_TABLES = ("speaker", "begin", "end")  # what a column may tell beside the path


class Named(NamedTuple):
    """A recording, or a stretch of one."""

    name: str  # as the user wrote it; of a wav.scp, its id
    source: Source
    speaker: str | None = None  # as its table tells, which may know of nobody (""); None: no table tells
    table: str = ""  # which

    @property
    def whose(self) -> str | None:
        """Its speaker, of its table, as another's may be called the same; where no table tells, the folder that it lies
        in. None: nobody known."""
        if self.speaker is None:
            return os.path.realpath(os.path.dirname(os.path.abspath(self.source.path)))
        return f"{self.table} {self.speaker}" if self.speaker else None


def recordings(words: Iterable[str]) -> Iterator[Named]:
    """Each word is a recording, a folder of some, a wav.scp (*.scp), a table with a column that is the path (*.tsv,
    *.csv, *.jsonl; speaker, begin and end, in seconds, if it has them), or "-": paths from standard input, a line each,
    or between null bytes. Raises UserError, before the first, for what is none of it."""
    found = [None if word == "-" else list(of_word(word)) for word in words]
    for some in found:
        yield from typed() if some is None else some


def of_word(word: str) -> Iterator[Named]:
    if not word:
        raise UserError("'': an empty name is no recording")
    path = Path(word)
    if os.path.isdir(path):
        found = [file for file in files_below(path) if is_audio(file) or file.suffix.lower() in FILMS]
        if not found:
            raise UserError(f"{word}: holds no recordings")
        yield from (Named(str(file), Source(str(file))) for file in found)
    elif path.suffix == ".scp":
        yield from of_scp(path)
    elif path.suffix.lower() in TABLES:
        yield from of_table(path)
    else:
        yield Named(word, Source(word))


def typed() -> Iterator[Named]:
    """What standard input names, as it comes. Raises UserError for what is longer than any name, and for UTF-16."""
    rest, begun = b"", False
    while block := os.read(sys.stdin.fileno(), 1 << 16):
        if not begun:
            if re.match(rb"\xff\xfe[^\0]\0|\xfe\xff\0|([^\0]\0){6}|(\0[^\0]){6}", block):
                raise UserError("-: is UTF-16: expected paths in UTF-8, one a line")
            block = block.removeprefix(codecs.BOM_UTF8)
        begun = True
        *whole, rest = re.split(rb"[\n\0]", rest + block)
        yield from map(named, filter(bytes.strip, whole))
        if len(rest) > LONGEST:
            raise UserError(f"-: a name of more than {LONGEST} bytes; expected a path a line, or between null bytes")
    yield from map(named, filter(bytes.strip, [rest]))


def named(name: bytes) -> Named:
    text = os.fsdecode(name.removesuffix(b"\r"))
    return Named(text, Source(text))


def of_scp(path: Path) -> Iterator[Named]:
    """Each line; speakers are those of a utt2spk beside it. Raises UserError for a pipe: nothing is run."""
    beside = path.parent / "utt2spk"
    speakers = read_table(beside) if beside.is_file() else None
    for name, file in read_table(path).items():
        if file.endswith("|"):
            raise UserError(f"{path}: '{name}': a pipe is not run; name a file")
        yield Named(name, Source(file), None if speakers is None else speakers.get(name, ""), str(beside))


def of_table(path: Path) -> Iterator[Named]:
    """The rows of a table, whose paths begin in its folder; of those that are not there, what is where the user is, and
    what lies below under that name (`locate`)."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    rows = records(path)
    columns = column_names(name for _, row in rows for name in row)
    if "path" not in columns:
        known = ", ".join(dict.fromkeys(name for _, row in rows for name in row))
        raise UserError(f"{path}: no column is the path (path, file, filename, …); there are: {known or 'no rows'}")
    names = [row.get(columns["path"], "") for _, row in rows]
    here = {name for name in names if os.path.isfile(name) and not os.path.isfile(path.parent / name)}
    files = locate((name for name in names if name not in here), path.parent)
    for name, (number, row) in zip(names, rows):
        if not name:
            raise UserError(f"{path}:{number}: names no recording")
        file = str(files.get(name, name))
        speaker, begin, end = (row.get(columns[what], "") if what in columns else None for what in OF_TABLES)
        first, last = (seconds(text or "", f"{path}:{number}") for text in (begin, end))
        if last is not None and (first or 0) >= last:
            raise UserError(f"{path}:{number}: begin '{begin}' and end '{end}' are no stretch")
        whose = None if speaker is None else person(speaker)
        yield Named(name, Source(file, first or 0.0, last), whose, str(path))
