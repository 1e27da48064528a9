"""What a YAML of local/open says: an open corpus, by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import unquote, urlsplit

from local.rows import Row
from utils import config
from utils.audio_files import files_below, is_audio, stem
from utils.cli import UserError
from utils.columns import records
from utils.yaml_file import read_yaml

FOLDER = Path(__file__).parent / "open"
FOUR = ["ang", "hap", "neu", "sad"]  # the classes of the paper's experiments on IEMOCAP


@dataclass(frozen=True)
class Table:
    """A table of the makers, in the corpus's folder: CSV or TSV with a header, or lines of another form."""

    file: str
    """Its path, from the corpus's folder; where it is not there, it is looked for below; "*" is any text."""
    id: str = ""
    """Column of the key: the speaker, or the recording's name with or without its suffix."""
    column: str = ""
    """Column of the value."""
    line: str = ""
    """Of a file without columns: regular expression of a line, with groups id and value; other lines mean nothing."""
    names: dict[str, str] = field(default_factory=dict)
    """Value → what it means."""

    def __post_init__(self) -> None:
        if self.line and (self.id or self.column) or not self.line and not (self.id and self.column):
            raise ValueError(f"{self.file}: needs id and column, or line")
        if self.line and set(_groups("line", self.line)) != {"id", "value"}:
            raise ValueError(f"{self.file}: line needs the groups (?P<id>…) and (?P<value>…)")


@dataclass(frozen=True)
class Download:
    """One file that the makers offer to everybody."""

    url: str
    """Its address, of http or https."""
    file: str = ""
    """Its name here; empty: as its address ends."""
    size: int = 0
    """Bytes; 0: not published."""
    md5: str = ""
    """Checksum that its makers publish; empty: none."""
    sha256: str = ""
    """The same, of the other kind."""

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(f"download: '{self.url}' is no address of http or https")
        if not self.name or Path(self.name).name != self.name or self.name.startswith("."):
            raise ValueError(f"download: '{self.url}' ends in no name for a file: give one by the key file")

    @property
    def name(self) -> str:
        """What the file is called."""
        return self.file or unquote(urlsplit(self.url).path.rpartition("/")[2])

    @property
    def unpacked(self) -> str:
        """The folder that an archive is unpacked to; another file's own name."""
        return re.sub(r"\.(zip|tar|tar\.gz|tgz)$", "", self.name)


@dataclass(frozen=True)
class OpenCorpus:
    """How recordings' paths become speaker, emotion, gender, session and sentence, and what to know of the corpus."""

    title: str
    """What people call it."""
    licence: str
    """The terms, in a few words."""
    address: str
    """Where to get it."""
    cite: str
    """Whom to cite."""
    language: str = ""
    """What is spoken."""
    path: str = ""
    """Regular expression of the end of a recording's path, from a "/" on and without the suffix; its groups are speaker
    and emotion, and if known gender (the letter f or m), session and sentence; key is what tables call the recording,
    if not by its name. Empty: no emotional corpus."""
    emotions: dict[str, str] = field(default_factory=dict)
    """What the group emotion may be → class, in three letters."""
    classes: list[str] = field(default_factory=lambda: list(FOUR))
    """Classes that are taken if none are asked for."""
    counts: dict[str, int] = field(default_factory=dict)
    """How many utterances the release has, by class, of all classes."""
    speakers: int = 0
    """How many speakers the release has."""
    genders: dict[str, list[str]] = field(default_factory=dict)
    """f, m → speakers, where names do not say it."""
    gender: Table | None = None
    """Table of the speakers' genders."""
    labels: Table | None = None
    """Table of the recordings' emotions, where names do not say them."""
    heard: Table | None = None
    """Table of what raters heard in the voice alone; classes joined by ":" in a tie."""
    bad: dict[str, str] = field(default_factory=dict)
    """Recording, without folder and suffix → why it is left out."""
    folds: list[list[str]] = field(default_factory=list)
    """Groups of speakers: run k tests group k, selects on group k + 1, trains on the others. Empty: they are made."""
    size: str = ""
    """How much it is to fetch."""
    download: list[Download] = field(default_factory=list)
    """Files that anybody may fetch (local/get_data.py)."""
    how: str = ""
    """How to come by it, where no such file is offered."""

    def __post_init__(self) -> None:
        groups = set(_groups("path", self.path))
        if self.path and "speaker" not in groups or self.path and not self.labels and "emotion" not in groups:
            raise ValueError("path has no group (?P<speaker>…), or no (?P<emotion>…)")
        if strange := groups - {"speaker", "emotion", "gender", "session", "sentence", "key"}:
            raise ValueError(f"path has a group {min(strange)}, which means nothing")
        if unknown := set(self.classes) - set(self.known):
            raise ValueError(f"classes: '{min(unknown)}' is none of: {' '.join(self.known)}")

    @property
    def known(self) -> list[str]:
        """All of its classes."""
        return sorted(set((self.labels.names if self.labels else self.emotions).values())) or self.classes


def _groups(what: str, pattern: str) -> list[str]:
    """The names of a regular expression's groups."""
    try:
        return list(re.compile(pattern).groupindex)
    except re.error as error:
        raise ValueError(f"{what} is no regular expression: {error}") from None


def names() -> list[str]:
    """The open corpora that can be prepared."""
    return [path.stem for path in sorted(FOLDER.glob("*.yaml")) if read(path.stem).path]


def read(name: str) -> OpenCorpus:
    """The corpus `name`. Raises UserError where there is none of that name."""
    path = FOLDER / f"{name}.yaml"
    if "/" in name or not path.is_file():  # a path is no name
        known = sorted(other.stem for other in FOLDER.glob("*.yaml"))
        raise UserError(f"'{name}' is no corpus of local/open{config.nearest(name, known)}")
    return config.build(OpenCorpus, read_yaml(path), path)


def rows(corpus: OpenCorpus, folder: Path) -> tuple[list[Row], list[Path]]:
    """The corpus's recordings in `folder`, path by path from there, with their classes for labels; and the other files
    that look like recordings. Raises UserError where the folder or a table is missing."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; {corpus.title} is at {corpus.address}")
    pattern = re.compile(rf"(?:.*/)?{corpus.path}")
    gender, labels, heard = (_lookup(table, folder) for table in (corpus.gender, corpus.labels, corpus.heard))
    of_speaker = {speaker: letter for letter, speakers in corpus.genders.items() for speaker in speakers}
    found, others = [], []
    for file in filter(is_audio, files_below(folder)):
        path = file.relative_to(folder)
        match = pattern.fullmatch(str(path.with_suffix("")))
        known = match.groupdict() if match else {}
        key = known.get("key") or path.stem
        label = labels.get(key, "") if corpus.labels else corpus.emotions.get(known.get("emotion", ""), "")
        if not match or not label:
            others.append(file)
            continue
        speaker = known["speaker"]
        sex = known.get("gender") or of_speaker.get(speaker) or gender.get(speaker, "")
        session, sentence = (known.get(name) or "" for name in ("session", "sentence"))
        found.append(Row(str(file), str(path), speaker, label, sex, session, sentence, heard=heard.get(key, "")))
    return found, others


def _lookup(table: Table | None, folder: Path) -> dict[str, str]:
    """Key, without a recording's suffix → what the table's value means. Raises UserError where it is not there."""
    if not table:
        return {}
    name = Path(table.file)
    places = [folder / name, *(path for path in files_below(folder) if fnmatch(path.name, name.name))]
    if not (path := next(filter(Path.is_file, places), None)):
        raise UserError(f"{folder}: {name} is missing, a table of the corpus's makers")
    pairs = []
    if table.line:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
        pairs = [match.group("id", "value") for line in text.splitlines() if (match := re.fullmatch(table.line, line))]
    else:
        for number, row in records(path):
            if table.id not in row or table.column not in row:
                raise UserError(f"{path}:{number}: expected columns {table.id} and {table.column}")
            pairs.append((row[table.id], row[table.column]))
    return {stem(key): ":".join(table.names.get(word, word) for word in value.split(":")) for key, value in pairs}
