"""Which files below a folder are recordings, which of them a table means, and how their names become ids."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from utils.cli import UserError, warn

# What libsndfile reads and recognises by itself, and what PyAV reads of other sound. Films (.mp4, .webm, .mkv, .avi)
# are read where a table names them, but are not listed by themselves: corpora ship them beside the sound that was taken
# from them, and VoxCeleb2's are silent.
AUDIO = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".sph",
         ".w64", ".m4a", ".aac", ".mka", ".weba", ".wma", ".amr", ".3gp"}  # fmt: skip
LONGEST = 4000  # bytes of a path, which no system takes longer


def files_below(root: Path, above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """All files below `root`, in a stable order, links followed, without hidden ones (`._*` above all, which macOS
    leaves beside files). A link to a folder that it lies in leads nowhere new, and is passed over. Raises OSError for a
    folder that cannot be read. above: the real paths of the folders that `root` lies in."""
    here = os.path.realpath(root)
    if here in above:
        return
    with os.scandir(root) as entries:
        seen = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    # isdir: a link that leads to itself is no folder either.
    below = [os.path.isdir(entry) if entry.is_symlink() else entry.is_dir() for entry in seen]
    yield from (Path(root, entry.name) for entry, folder in zip(seen, below) if not folder)
    for entry, folder in zip(seen, below):
        if folder:
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


def locate(paths: Iterable[str], folder: Path) -> dict[str, Path]:
    """Each path as a table has it → the file: in `folder`, or, where it is not there, the one recording of that name
    (with or without suffix) below, in a folder of the name that is written; where that is another folder than the one
    written, it is said. What is not found is not in it. Raises UserError where there are several."""
    found: dict[str, Path] = {}
    elsewhere: list[str] = []
    below: dict[str | tuple[str, str], list[Path]] | None = None  # name, or folder and name, with and without suffix
    for written in dict.fromkeys(paths):
        if not written or len(os.fsencode(written)) > LONGEST:
            continue
        if os.path.isfile(folder / written):  # False, too, for a name that no system takes
            found[written] = folder / written
            continue
        if os.path.lexists(folder / written) and not os.path.isdir(folder / written):
            continue  # a link to nothing, or a pipe: that is meant, and no other
        if below is None:
            below = {}
            for path in filter(is_audio, files_below(folder)):
                for name in (path.name, path.stem):
                    below.setdefault(name, []).append(path)
                    below.setdefault((path.parent.name, name), []).append(path)
        plain = written if "/" in written else written.replace("\\", "/")  # as Windows writes it
        name, tail = Path(plain).name, Path(stem(plain)).parts
        names = (name, Path(stem(name)).name)
        # Another file may have the name: the folder, if one is written, must be that one.
        places = next(filter(None, (below.get((tail[-2], n) if len(tail) > 1 else n) for n in names)), [])
        if len(places) > 1:
            places = [path for path in places if Path(stem(path)).parts[-len(tail) :] == tail] or places
        if len(places) > 1:
            raise UserError(f"{folder}: '{written}' may be {places[0]} or {places[1]}: write more of the path")
        if places:
            found[written] = places[0]
            if len(tail) > 1:
                elsewhere.append(written)
    if elsewhere:
        first = elsewhere[0]
        warn(
            f"{folder}: {len(elsewhere)} recordings are not where the table says, and are taken from below: '{first}' "
            f"from {found[first]}" + ", …" * (len(elsewhere) > 1)
        )
    return found
