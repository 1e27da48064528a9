"""Which files below a folder are recordings, and how their names become ids."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

# What libsndfile reads and recognises by itself, and what PyAV reads of other sound. Films (.mp4, .webm, .mkv, .avi)
# are read where a table names them, but are not listed by themselves: corpora ship them beside the sound that was taken
# from them, and VoxCeleb2's are silent.
AUDIO = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".sph",
         ".w64", ".m4a", ".aac", ".mka", ".weba", ".wma", ".amr", ".3gp"}  # fmt: skip


def files_below(root: Path, above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """All files below `root`, in a stable order, links followed, without hidden ones (`._*` above all, which macOS
    leaves beside files). A link to a folder that it lies in leads nowhere new, and is passed over. Raises OSError for a
    folder that cannot be read. above: the real paths of the folders that `root` lies in."""
    here = os.path.realpath(root)
    if here in above:
        return
    with os.scandir(root) as entries:
        seen = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    yield from (Path(root, entry.name) for entry in seen if not entry.is_dir())
    for entry in seen:
        if entry.is_dir():
            yield from files_below(Path(root, entry.name), above | {here})


def is_audio(path: Path | str) -> bool:
    return os.path.splitext(path)[1].lower() in AUDIO


def stem(path: Path | str) -> str:
    """A path without the suffix of a recording; another ending is part of the name."""
    return os.path.splitext(path)[0] if is_audio(path) else str(path)


def safe(name: str, keep: str = "") -> str:
    """`name` as part of an id: what is no letter, digit, "_" or "." becomes "_". A speaker may not have a "-", or
    utterance-ids would sort differently from their speakers; what follows may keep it."""
    return re.sub(rf"[^\w.{keep}]", "_", name)
