#!/usr/bin/env python3
"""What something was made from, as a record to be kept beside it, and what has changed since.

  utils/made_from.py NAME=VALUE...                 print the record of these; NAME?=VALUE: an empty one is not known
  utils/made_from.py --since RECORD NAME=VALUE...  print what differs from the file RECORD; nothing where nothing does

A value is an option's, or names a file or folder. Of a configuration (*.yaml) its settings count, of another file its
content, and of a folder where it is and what it was made from itself. When they were written is never looked at."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils import cli, config

Record = dict[str, Any]
RECORD = ".made_from."  # files of this name and a stage's number lie beside a stage's results (utils/stages.sh)


def digest(*paths: Path) -> str:
    """A hash of the files' contents, of those that are there."""
    total = hashlib.sha256()
    for path in paths:
        if path.is_file():
            total.update(f"{path.name} {path.stat().st_size}\n".encode())
            with open(path, "rb") as file:
                while block := file.read(1 << 20):
                    total.update(block)
    return total.hexdigest()[:16]


def record(name: str, value: str) -> Record:
    """The lines of a record that stand for one NAME=VALUE."""
    if name.endswith("?"):
        return record(name[:-1], value) if value else {name[:-1]: None, f"{name[:-1]}, content": None}
    path = Path(value)
    if value and path.is_dir():
        return {name: str(path.resolve()), f"{name}, content": digest(*sorted(path.glob(f"{RECORD}*")))}
    if value and path.is_file() and path.suffix == ".yaml":
        return {f"{name}: {key}": setting for key, setting in settings(path).items()}
    return {f"{name}, content": digest(path)} if value and path.is_file() else {name: value}


def settings(path: Path) -> dict[str, Any]:
    """The keys of a configuration file, dotted, over those of the file that it names as its parent."""
    own = config.read_yaml(path)
    parent = own.pop("parent", None)
    return (settings(path.with_name(f"{parent}.yaml")) if parent else {}) | config.flatten(own)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In words, in which lines two records differ; "" where they do not. None is what is not known, and so equal to
    everything."""
    found = []
    for name in [*now, *(name for name in before if name not in now)]:
        old, new = before.get(name, "not set"), now.get(name, "not set")
        if old != new and old is not None and new is not None:
            what, is_hash = name.removesuffix(", content"), name.endswith(", content")
            found.append(f"{what} changed" if is_hash else f"{what} was {old}, is {new}")
    return "; ".join(found[:3]) + (f"; and {len(found) - 3} more" if len(found) > 3 else "")


def read(path: Path) -> Record | None:
    """A record, or None where there is none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def text(content: Mapping[str, Any]) -> str:
    """A record as it is kept: JSON, a line each."""
    return json.dumps(content, indent=0, ensure_ascii=False, default=str) + "\n"


def main() -> None:
    words = sys.argv[1:]
    since = Path(words[1]) if words[:1] == ["--since"] and len(words) > 1 else None
    now: Record = {}
    for word in words[2:] if since else words:
        name, equals, value = word.partition("=")
        if not equals:
            raise cli.UserError(f"'{word}': expected NAME=VALUE")
        now |= record(name, value)
    if since is None:
        print(text(now), end="")
    elif (before := read(since)) is not None:
        print(changes(before, json.loads(text(now))))


if __name__ == "__main__":
    cli.run(main)
