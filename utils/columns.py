"""Tables of recordings as people have them: which column says what.

CSV or TSV with a header, or JSON lines. Known by their headers: path, speaker, emotion, gender, session, sentence,
begin, end, fold; audformat (file, start, end); Hugging Face's audiofolder (file_name); EmoBox (wav, emo); nEMO
(file_id, speaker_id); MSP-Podcast (FileName, EmoClass, SpkrID, Split_Set); nkululeko's."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from utils.cli import UserError
from utils.table import is_text, text_in

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
BROKEN = {"#ref!", "#name?", "#value!", "#div/0!", "#null!", "#num!", "#spill!", "#calc!"}  # a spreadsheet's formulas
NOTHING = BROKEN | {"", "nan", "nat", "none", "null", "na", "n/a", "#n/a", "<na>"}  # as R, pandas, Excel, SQL write it
NOBODY = NOTHING | {"unknown", "?", "??", "???", "????", "-", "--"}
LONGEST = 1e7  # seconds of a recording, a hundred days


def tidy(text: str) -> str:
    """A cell in one spelling, as one person or class may stand in a table in several that look alike: letters with
    their accents in one (NFC, where macOS's file names have two), no characters that nobody sees, single blanks."""
    shown = "".join(one for one in unicodedata.normalize("NFC", text) if unicodedata.category(one) != "Cf")
    return " ".join("".join(" " if unicodedata.category(one) == "Cc" else one for one in shown).split())


def person(text: str) -> str:
    """A speaker's name in one spelling; "" where nobody is known."""
    name = re.sub(r"^(\d+)\.0$", r"\1", tidy(text))  # as pandas writes 1 beside an empty cell
    return "" if name.lower() in NOBODY else name


def seconds(text: str, where: str) -> float | None:
    """`1.5`, `00:00:01.5` or `0 days 00:00:01.5`; None for nothing."""
    if text.lower() in NOTHING:
        return None
    if match := re.fullmatch(r"(?:(\d+) days?)? ?(?:(\d+):(\d\d):(\d\d(?:\.\d+)?))?", text):
        days, hours, minutes, rest = (float(part or 0) for part in match.groups())
        if (value := 86400 * days + 3600 * hours + 60 * minutes + rest) <= LONGEST:
            return value
    elif re.fullmatch(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII) and (value := float(text)) <= LONGEST:
        return value
    raise UserError(f"{where}: '{text}' is no time; expected seconds, such as 1.5, or 00:00:01.5")


def column_names(header: Iterable[str]) -> dict[str, str]:
    """What a column holds → its name in this header. Raises UserError where two names say the same."""
    plain: dict[str, str] = {}
    known = {name for names in COLUMNS.values() for name in names.split()}
    for name in filter(None, dict.fromkeys(header)):
        short = re.sub(r"[\s_.-]", "", name).lower()
        if short in known and short in plain:
            raise UserError(f"columns '{plain[short]}' and '{name}' say the same: rename one of them")
        plain[short] = name
    found = {what: [plain[name] for name in names.split() if name in plain] for what, names in COLUMNS.items()}
    return {what: names[0] for what, names in found.items() if names}


def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON. Raises ValueError for a key that stands twice."""
    if doubled := [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]:
        raise ValueError(f"'{doubled[0]}' stands twice")
    return dict(pairs)


def records(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table: number of the line, column → value. Raises UserError for what is no table."""
    try:
        text = io.TextIOWrapper(io.BytesIO(text_in(path.read_bytes(), path)), "utf-8-sig").read()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    lines, above = text.splitlines(), 0
    if path.suffix.lower() in (".jsonl", ".json"):
        rows = []
        for number, line in enumerate(text.split("\n"), 1):  # JSON may hold what else ends a line elsewhere
            if line.strip():
                try:
                    row = json.loads(line, object_pairs_hook=once)
                except (ValueError, RecursionError) as error:
                    raise UserError(f"{path}:{number}: is not JSON, one object a line: {error}") from None
                if not isinstance(row, dict):
                    raise UserError(f"{path}:{number}: expected an object, {{column: value}}, in every line")
                if nested := [key for key, value in row.items() if isinstance(value, (dict, list))]:
                    raise UserError(f"{path}:{number}: '{nested[0]}' holds values of its own, and a cell holds one")
                cells = {str(key): "" if value is None else str(value) for key, value in row.items()}
                if halves := [cell for both in cells.items() for cell in both if not is_text(cell)]:
                    raise UserError(f"{path}:{number}: {halves[0]!a} holds half a character (\\ud800 to \\udfff)")
                rows.append((number, cells))
        return rows
    head = lines[0] if lines else ""
    if re.fullmatch(r"sep=[,;\t]", head, re.IGNORECASE):  # Excel's own, ahead of the header
        above, text, head = 1, text.partition("\n")[2], lines[1] if lines[1:] else ""
    delimiter = max("\t,;", key=head.count)
    if not head.count(delimiter) and not column_names([head.strip(' "')]):  # one column may do
        raise UserError(f"{path}: expected a header of columns divided by commas or tabs, found '{head[:60]}'")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader)]
        if doubled := [name for name in header if name and header.count(name) > 1]:
            raise UserError(f"{path}:{1 + above}: column '{doubled[0]}' stands twice")
        rows = []
        for fields in reader:
            number = reader.line_num + above
            if any(map(str.strip, fields)):
                if len(fields) != len(header):
                    raise UserError(f"{path}:{number}: {len(fields)} fields, and the header has {len(header)}")
                rows.append((number, dict(zip(header, map(str.strip, fields)))))
        return rows
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num + above}: is no table: {error}") from None
