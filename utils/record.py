"""What a result was made from, in one record beside it, and whether that is still true.

A record is the file `.made_from.<program>` in the result's folder, as JSON: the program and its version, the options
and the configuration, and a sum of the content of all that was read. A file's name, place and date say nothing, so that
results may be moved, copied and unpacked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from utils.cli import UserError, warn
from utils.files import BACKUP, set_aside, whole

SMALL = 1 << 20  # bytes: a file up to this size is summed each time, of a larger one the sum is kept beside it


@dataclass
class Origin:
    """What a result is made from. Records of one program are compared key by key."""

    program: str
    """Whose result it is, such as "make_fbank"."""
    version: int
    """A number that the program raises when it makes another result of the same things."""
    options: dict[str, Any] = field(default_factory=dict)
    """What was chosen, with dotted keys."""
    content: dict[str, str] = field(default_factory=dict)
    """What was read → its sum."""
    defaults: dict[str, Any] = field(default_factory=dict)
    """What options that an older record does not have were then: an option added later begins with the value that
    changes nothing."""

    def sum(self) -> str:
        """A sum of it all, but for options that change nothing (`defaults`): one that is added later changes no sum."""
        chosen = {key: value for key, value in self.options.items() if self.defaults.get(key, ...) != value}
        return total([f"{self.version} {chosen} {self.content}"])

    def path(self, folder: Path) -> Path:
        return folder / f".made_from.{self.program}"

    def write(self, folder: Path) -> None:
        """Leave the record in `folder`."""
        kept = {"program": self.program, "version": self.version, "options": self.options, "content": self.content}
        with whole(self.path(folder)) as temporary:
            temporary.write_text(json.dumps(kept, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")


def of_settings(settings: Any, without: Collection[str] = ()) -> dict[str, Any]:
    """The options of a record that stand for the dataclass instance `settings`, but for the dotted keys `without`."""
    from utils import config  # here, as the tools for data dirs do without, and start sooner

    return {key: value for key, value in config.flatten(asdict(settings)).items() if key not in without}


def outdated(folder: Path, origin: Origin, *results: Path) -> str:
    """Why the `results` in `folder` are not what `origin` makes now: "" where they are. Raises UserError where the
    record cannot be read: nothing is known then, and nothing is assumed."""
    lacking = [path for path in results if not path.exists()]
    path = origin.path(folder)
    if not path.is_file():
        nothing = lacking and len(lacking) == len(results)
        return "it is not there" if nothing else "it has no record of what it was made from"
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        version, options, content = before["version"], dict(before["options"]), dict(before["content"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{path}: cannot be read as a record; remove it, and the result is made again") from None
    if version != origin.version:
        return f"it was made by version {version} of {origin.program}, and this is version {origin.version}"
    now = json.loads(json.dumps(origin.options, default=str))
    old = origin.defaults | options
    changed = [key for key in dict.fromkeys([*now, *options]) if old.get(key) != now.get(key)]
    changes = [f"{key} was {old.get(key, 'not set')}, is {now.get(key, 'not set')}" for key in changed]
    read = dict.fromkeys([*origin.content, *content])
    changes += [f"{name} changed" for name in read if origin.content.get(name) != content.get(name)]
    if changes:
        return "; ".join(changes[:3]) + (f"; and {len(changes) - 3} more" if len(changes) > 3 else "")
    return f"{lacking[0].name} is not there" if lacking else ""


def begin(folder: Path, origin: Origin, keep: Collection[str] = ()) -> None:
    """Leave the record in `folder` before anything is made there. What is there from other things is set aside, but for
    the names in `keep`, and that is said; what is there from the same things stays, to be gone on with."""
    kept = (".lock", *keep)
    used = folder.is_dir() and any(
        path.name not in kept and not path.name.startswith(BACKUP) for path in folder.iterdir()
    )
    if used and (why := outdated(folder, origin)):
        warn(f"{folder}: out of date ({why}): moved to {set_aside(folder, kept)}, and made anew")
    origin.write(folder)


def content(*paths: Path) -> str:
    """A sum of files' contents. Raises UserError for one that is not there."""
    sums = [_sum(path) for path in paths]
    return sums[0] if len(sums) == 1 else total(sums)


def total(words: Iterable[str]) -> str:
    """A sum of `words`, in their order."""
    digest = hashlib.sha256()
    for number, word in enumerate(words):
        digest.update(f"{chr(10) * bool(number)}{word}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def sum_of(content: Mapping[str, Any]) -> str:
    """Of an object of JSON, but for its own "sum", whatever the order of keys."""
    return total([json.dumps({key: content[key] for key in content.keys() - {"sum"}}, sort_keys=True)])


def listing(paths: Iterable[str], seen: Mapping[str, str] | None = None) -> str:
    """A sum of names, sizes and times of files: what is known of a corpus without reading it. A missing file counts as
    such. seen: path → its `state` before it was read, in place of that of now."""
    seen = seen or {}
    return total(f"{path} {seen.get(path) or state(Path(path))}" for path in paths)


def state(path: Path) -> str:
    """Size and time of a file, or why they cannot be had."""
    try:
        status = path.stat()
    except OSError as error:
        return error.strerror or "unreadable"
    return f"{status.st_size} {status.st_mtime_ns}"


def _sum(path: Path) -> str:
    """The sum of one file. That of a large one is kept in `.<name>.sum` beside it, with size and time, and computed
    again where these differ."""
    now, kept = state(path), path.with_name(f".{path.name}.sum")
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    large = path.stat().st_size > SMALL
    if large and kept.is_file() and (words := kept.read_text(errors="replace").split())[:-1] == now.split():
        return words[-1]
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(SMALL):
            digest.update(block)
    if large:
        with suppress(OSError), whole(kept) as temporary:  # not in a folder that may only be read
            temporary.write_text(f"{now} {digest.hexdigest()[:32]}\n")
    return digest.hexdigest()[:32]
