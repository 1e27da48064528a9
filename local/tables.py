"""The rows of a table of recordings (utils/columns.py)."""

from __future__ import annotations

import re
from pathlib import Path

from local.labels import LETTERS
from local.rows import Row
from utils.cli import UserError
from utils.columns import COLUMNS, NOTHING, column_names, person, records, tidy

NEEDED = ("path", "speaker", "emotion")


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
