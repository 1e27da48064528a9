"""The rows of a table of recordings (utils/columns.py), and which file each means."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from local.labels import LETTERS
from local.rows import Row
from utils.audio_files import files_below, is_audio, stem
from utils.cli import UserError, warn
from utils.columns import COLUMNS, NOTHING, column_names, person, records, tidy

NEEDED = ("path", "speaker", "emotion")
LONGEST = 4000  # bytes of a path, which no system takes longer


def read(path: Path, speaker: str = "") -> list[Row]:
    """The rows of a table of recordings; speaker: a regular expression whose first group, in the path, is the speaker.
    Raises UserError where it does not say path, speaker or emotion."""
    table = records(path)
    if not table:
        raise UserError(f"{path}: has no rows")
    header = list(dict.fromkeys(name for _, row in table for name in row))
    columns = column_names(header)
    if speaker:
        columns.pop("speaker", None)
    for what in NEEDED:
        if what not in columns and not (what == "speaker" and speaker):
            known = ", ".join(COLUMNS[what].split()[:4])
            hint = "; or say how the path tells it: --speaker '([0-9]+)_'" if what == "speaker" else ""
            raise UserError(
                f"{path}: no column is the {what} ({known}, …); there are: {', '.join(filter(None, header))}. "
                f"Add a column '{what}'{hint}"
            )
    rows = []
    for number, values in table:
        said = {what: values.get(name, "") for what, name in columns.items()}
        said["label"] = said.pop("emotion")
        if speaker:
            said["speaker"] = matched(speaker, said["path"])
        said = {what: text if what == "path" else tidy(text) for what, text in said.items()}
        for what in ("session", "sentence", "fold"):
            if said.get(what, "").lower() in NOTHING:
                said[what] = ""
        said["speaker"] = person(said["speaker"])
        rows.append(Row(where=f"{path}:{number}", **said))
    if speaker and not any(row.speaker for row in rows):
        raise UserError(f"--speaker '{speaker}': is found in no path, such as '{rows[0].path}'")
    if unread := [name for name in header if name and name not in columns.values()]:
        print(f"{path}: read {', '.join(f'{what} from {name}' for what, name in columns.items())}; "
              f"not read: {', '.join(unread)}")  # fmt: skip
    if re.sub("[ _-]", "", columns["emotion"]).lower() == "emoclass":  # MSP-Podcast's letters
        for row in rows:
            row.label = LETTERS.get(row.label.lower(), row.label)
    return rows


def matched(pattern: str, path: str) -> str:
    """The first group of a regular expression in a path; "" where it is not found."""
    try:
        match = re.search(pattern, path)
        return (match[1] or "") if match else ""
    except (re.error, IndexError) as error:
        raise UserError(f"--speaker '{pattern}': expected a regular expression with one group ( ): {error}") from None


def locate(rows: Iterable[Row], folder: Path) -> dict[str, Path]:
    """The path of each row as it is written → the file: in `folder`, or, where it is not there, the one recording of
    that name (with or without suffix) below, in a folder of the name that is written; where that is another folder
    than the one written, it is said. What is not found is not in it. Raises UserError where there are several."""
    found: dict[str, Path] = {}
    elsewhere: list[str] = []
    below: dict[str | tuple[str, str], list[Path]] | None = None  # name, or folder and name, with and without suffix
    for written in dict.fromkeys(row.path for row in rows):
        if not written or len(os.fsencode(written)) > LONGEST:
            continue
        if os.path.isfile(folder / written):  # False, too, for a name that no system takes
            found[written] = folder / written
            continue
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
