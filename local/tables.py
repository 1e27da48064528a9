"""Tables of recordings as people have them: which column says what, and which file is meant.

CSV or TSV with a header, or JSON lines. Known by their headers: path, speaker, emotion, gender, session, sentence,
begin, end, fold; audformat (file, start, end); Hugging Face's audiofolder (file_name); EmoBox (wav, emo); nEMO
(file_id, speaker_id); MSP-Podcast (FileName, EmoClass, SpkrID, Split_Set); nkululeko's."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from pathlib import Path

from local.labels import LETTERS
from local.recordings import files_below, is_audio, stem
from local.rows import Row
from utils.cli import UserError

# What a column holds → its names, the likelier first, in lower case and without blanks, "_", "-" and ".".
COLUMNS = {
    "path": "path file filename filepath fileid wav wavfile wavfilename wavpath audio audiopath audiofile",
    "speaker": "speaker speakerid speakers spk spkid spkrid spkr subject actor actorid",
    "emotion": "emotion emo emotionlabel emoclass label class classlabel",
    "gender": "gender sex",
    "session": "session sessionid dialog dialogue dialogid dialogueid",
    "sentence": "sentence sentenceid normalizedtext rawtext text transcription transcript utterance",
    "begin": "begin start starttime begintime",
    "end": "end endtime stop",
    "fold": "fold split splitset partition",
}
NEEDED = ("path", "speaker", "emotion")


def column_names(header: Iterable[str]) -> dict[str, str]:
    """What a column holds → its name in this header."""
    plain = {re.sub(r"[\s_.-]", "", name).lower(): name for name in header if name}
    found = {what: [plain[name] for name in names.split() if name in plain] for what, names in COLUMNS.items()}
    return {what: names[0] for what, names in found.items() if names}


def records(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table: number of the line, column → value. Raises UserError for what is no table."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    lines = text.splitlines()
    if path.suffix.lower() in (".jsonl", ".json"):
        rows = []
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise UserError(f"{path}:{number}: is not JSON, one object a line: {error}") from None
                if not isinstance(row, dict):
                    raise UserError(f"{path}:{number}: expected an object, {{column: value}}, in every line")
                rows.append((number, {str(key): "" if value is None else str(value) for key, value in row.items()}))
        return rows
    head = lines[0] if lines else ""
    delimiter = max("\t,;", key=head.count)
    if not head.count(delimiter):
        raise UserError(f"{path}: expected a header of columns divided by commas or tabs, found '{head[:60]}'")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader)]
        if doubled := [name for name in header if name and header.count(name) > 1]:
            raise UserError(f"{path}:1: column '{doubled[0]}' stands twice")
        rows = []
        for fields in reader:
            if any(map(str.strip, fields)):
                if len(fields) != len(header):
                    raise UserError(f"{path}:{reader.line_num}: {len(fields)} fields, and the header has {len(header)}")
                rows.append((reader.line_num, dict(zip(header, map(str.strip, fields)))))
        return rows
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: is no table: {error}") from None


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
    that name (with or without suffix) below, in a folder of the name that is written. What is not found is not in it.
    Raises UserError where there are several."""
    found: dict[str, Path] = {}
    by_name: dict[str, list[Path]] = {}
    for written in dict.fromkeys(row.path for row in rows):
        if written and (folder / written).is_file():
            found[written] = folder / written
            continue
        if not by_name:
            for path in files_below(folder):
                if is_audio(path):
                    by_name.setdefault(path.name, []).append(path)
                    by_name.setdefault(path.stem, []).append(path)
        name = Path(written).name
        places = by_name.get(name, []) or by_name.get(Path(stem(name)).name, [])
        tail = Path(stem(written)).parts
        if len(tail) > 1:  # another file may have the name: the folder must be the one that is written
            places = [path for path in places if path.parent.name == tail[-2]]
        if len(places) > 1:
            places = [path for path in places if Path(stem(path)).parts[-len(tail) :] == tail] or places
        if len(places) > 1:
            raise UserError(f"{folder}: '{written}' may be {places[0]} or {places[1]}: write more of the path")
        if places:
            found[written] = places[0]
    return found
