"""Kaldi's data directory: tables of one line a key, sorted under LC_ALL=C, kept by what each is keyed on."""

from __future__ import annotations

import os
import shutil
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from utils.cli import UserError, warn
from utils.files import whole

# Tables that, where they are, have a line for every utterance, speaker or recording. Others may cover only some.
COMPLETE = frozenset(
    ["utt2spk", "wav.scp", "segments", "text", "feats.scp", "vad.scp", "utt2dur", "utt2num_frames", "utt2lang", "utt2uniq", "utt2emo", "utt2session", "spk2gender", "cmvn.scp", "reco2dur", "reco2file_and_channel"]
)


@dataclass(frozen=True)
class Utterance:
    """One recording as a corpus's data preparation hands it over (`write_data_dir` makes the tables)."""

    name: str  # utterance-id; must begin with `speaker` and a "-"
    wav: Path
    speaker: str
    session: str  # what one recording session shares: a VoxCeleb video, an IEMOCAP dialog
    gender: str = ""  # "m", "f", or "" where the corpus does not say
    emotion: str = ""  # class name, or "" for a corpus without emotions


def tables(data: Path | str) -> list[Path]:
    """The files of a data dir, by name. Folders (`split4`) and hidden ones (`.backup`) are none of its tables."""
    return sorted(path for path in Path(data).iterdir() if path.is_file() and not path.name.startswith("."))


def keyed_on(name: str, segments: bool = False) -> str:
    """What the lines of the table `name` belong to: "utterance", "speaker" or "recording"; "" where the file belongs to
    the data dir as a whole (`frame_shift`, and whatever is not known). `segments` says whether the data dir has that
    table: without it a recording is an utterance."""
    if name.startswith("spk2") or name in ("cmvn.scp", "folds"):
        return "speaker"
    if name.startswith("reco2") or (name == "wav.scp" and segments):
        return "recording"
    if name.startswith("utt2") or name.endswith(".scp") or name in ("text", "segments"):
        return "utterance"
    return ""


def rows(path: Path | str) -> Iterator[tuple[str, str]]:
    """Each line of a table behind its key: the first field, or in `folds` the third, the speaker; "" for a line that
    has no such field."""
    field = 2 if Path(path).name == "folds" else 0
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        for line in lines:
            fields = line.split(None, field + 1)
            yield (fields[field] if len(fields) > field else ""), line


def write_lines(path: Path | str, lines: Iterable[str]) -> None:
    """Write `lines`, newlines included, in the encoding that `rows` reads."""
    with whole(path) as temporary, open(temporary, "w", encoding="utf-8", errors="surrogateescape") as out:
        out.writelines(lines)


def read_table(path: Path | str) -> dict[str, str]:
    """`<key> <rest of line>` lines as a dict, in the file's order. Raises UserError for a missing file, a line without
    a value, or a key that stands twice, naming file and line."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    table: dict[str, str] = {}
    for number, (key, line) in enumerate(rows(path), 1):
        value = line.strip()[len(key) :].lstrip()
        if not value:
            raise UserError(f"{path}:{number}: expected '<key> <value>', found '{line.strip()}'")
        if key in table:
            raise UserError(f"{path}:{number}: '{key}' stands twice")
        table[key] = value
    return table


def write_table(path: Path | str, table: Mapping[str, str]) -> None:
    """Write `table` as `<key> <value>` lines in the order of LC_ALL=C (that of code points)."""
    write_lines(path, (f"{key} {table[key]}\n" for key in sorted(table)))


def speakers(utt2spk: Mapping[str, str]) -> dict[str, list[str]]:
    """speaker → its utterances; both sorted."""
    found: dict[str, list[str]] = {}
    for utterance in sorted(utt2spk):
        found.setdefault(utt2spk[utterance], []).append(utterance)
    return {speaker: found[speaker] for speaker in sorted(found)}


def spk2utt(utt2spk: Mapping[str, str]) -> dict[str, str]:
    """The inverse of `utt2spk`: speaker → its utterances, sorted, joined by spaces."""
    return {speaker: " ".join(names) for speaker, names in speakers(utt2spk).items()}


def check_prefixes(utt2spk: Mapping[str, str], where: Path | str) -> None:
    """Raises UserError, beginning with `where`, unless each utterance-id begins with its speaker-id and sorting by
    utterance sorts by speaker too: what lets a program read a data dir speaker by speaker."""
    before = ""
    for utterance in sorted(utt2spk):
        speaker = utt2spk[utterance]
        if not utterance.startswith(speaker):
            raise UserError(f"{where}: utterance '{utterance}' does not begin with its speaker-id '{speaker}'")
        if speaker < before:
            raise UserError(
                f"{where}: sorted by utterance, '{utterance}' of speaker '{speaker}' comes after the utterances of "
                f"speaker '{before}': rename one of the speakers, or end speaker-ids with '-' in the utterance-ids"
            )
        before = speaker


def replaceable(dest: Path | str, *sources: Path | str) -> Path:
    """Where a data dir may be written, links followed. Raises UserError if `dest` is one of `sources`, or holds
    something that is not a data dir, which replacing it would delete."""
    path = Path(dest).resolve()
    if any(path == Path(source).resolve() for source in sources):
        raise UserError(f"{dest}: is read, so it cannot be the data dir to write")
    if path.exists() and not (path / "utt2spk").is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{dest}: exists and is not a data dir (no utt2spk), so it is not replaced")
    return path


def write_data_dir(
    path: Path | str, utterances: Iterable[Utterance], folds: Iterable[tuple[str, str, str]] = ()
) -> None:
    """Make the data dir `path` from what a corpus holds: wav.scp, utt2spk, spk2utt, utt2session and, where known,
    spk2gender, utt2emo and `folds` (lines of run, train|valid|test, speaker). Replaces a data dir of that name.
    Raises UserError for names that make no valid data dir, and where only some utterances have an emotion."""
    listed = list(utterances)
    named = {row.name: row for row in listed}
    for row in listed:
        if named[row.name] is not row:
            raise UserError(f"{path}: utterance '{row.name}' stands for both {row.wav} and {named[row.name].wav}")
        if any(word.split() != [word] for word in (row.name, row.speaker, row.session)):
            raise UserError(f"{path}: {row.wav}: an id is empty or holds white space: {row}")
        if not row.name.startswith(f"{row.speaker}-"):
            raise UserError(f"{path}: utterance '{row.name}' does not begin with '{row.speaker}-', its speaker")
        if bool(row.emotion) != bool(listed[0].emotion):
            raise UserError(f"{path}: of '{row.name}' and '{listed[0].name}' only one has an emotion")
    if not named:
        raise UserError(f"{path}: no utterances to write")
    genders = {row.speaker: row.gender for row in listed}
    if any(genders.values()) and not all(genders.values()):
        warn(f"{path}: no gender for speaker '{next(s for s in genders if not genders[s])}': spk2gender is not written")
        genders = {}
    utt2spk = {name: row.speaker for name, row in named.items()}
    check_prefixes(utt2spk, path)
    contents = {
        "wav.scp": {name: os.path.abspath(row.wav) for name, row in named.items()},
        "utt2spk": utt2spk,
        "spk2utt": spk2utt(utt2spk),
        "utt2session": {name: row.session for name, row in named.items()},
        "spk2gender": genders,
        "utt2emo": {name: row.emotion for name, row in named.items()},
    }
    with whole(replaceable(path)) as temporary:
        temporary.mkdir()
        for name, table in contents.items():
            if any(table.values()):
                write_table(temporary / name, table)
        if lines := [f"{run} {part} {speaker}\n" for run, part, speaker in folds]:
            write_lines(temporary / "folds", lines)


def subset(data: Path | str, dest: Path | str, utterances: Iterable[str]) -> None:
    """Make the data dir `dest` of the given utterances of `data`, with all that `data` says of them: every table by
    what it is keyed on, every other file as it stands. Replaces a data dir of that name. Raises UserError for an
    utterance that `data` does not have, or none at all."""
    data = Path(data)
    utt2spk = read_table(data / "utt2spk")
    home = dict.fromkeys(utterances, 0)
    if not home:
        raise UserError(f"{data}: no utterance is left for {dest}, so it is not written")
    for utterance in home:
        if utterance not in utt2spk:
            raise UserError(f"{data}/utt2spk: no utterance '{utterance}'")
    with whole(replaceable(dest, data)) as temporary:
        temporary.mkdir()
        _deal(data, utt2spk, home, [temporary])


def split(data: Path | str, nj: int, per_utt: bool = False) -> list[Path]:
    """Split `data` into `nj` data dirs DATA/split<nj>/1, 2, … of about equally many utterances, and return their paths.
    Sorted speakers stay together and follow each other; with `per_utt` utterances do, in DATA/split<nj>utt. `nj` is
    lowered, with a notice, to the number of speakers (utterances). A split made from the same files is kept."""
    data = Path(data)
    state = "".join(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}\n" for path in tables(data))
    utt2spk = read_table(data / "utt2spk")
    if nj < 1 or not utt2spk:
        raise UserError(f"{data}: cannot split {len(utt2spk)} utterances into {nj} parts")
    units = [(utt,) for utt in sorted(utt2spk)] if per_utt else list(speakers(utt2spk).values())
    if nj > len(units):
        warn(f"{data}: {nj} parts lowered to {len(units)}, one for each {'utterance' if per_utt else 'speaker'}")
        nj = len(units)
    root = data / f"split{nj}{'utt' if per_utt else ''}"
    numbers = [str(part) for part in range(1, nj + 1)]
    made_from = root / ".made_from"  # jobs of another step may be reading the parts: leave them where nothing changed
    if not (made_from.is_file() and made_from.read_text() == state and all((root / n).is_dir() for n in numbers)):
        cuts = _cuts([len(unit) for unit in units], nj)
        home = {utt: part for part in range(nj) for unit in units[cuts[part] : cuts[part + 1]] for utt in unit}
        with whole(root) as temporary:
            for number in numbers:
                (temporary / number).mkdir(parents=True)
            _deal(data, utt2spk, home, [temporary / number for number in numbers])
            (temporary / made_from.name).write_text(state)
    return [root / number for number in numbers]


def _cuts(sizes: Sequence[int], parts: int) -> list[int]:
    """Where to cut a row of units into `parts` runs, none empty, each cut as near as may be to its equal share:
    part i is units[cuts[i]:cuts[i + 1]]."""
    ends = [0, *accumulate(sizes)]
    cuts = [0]
    for part in range(1, parts):
        share = ends[-1] * part / parts
        cut = bisect_right(ends, share)
        cut -= share - ends[cut - 1] <= ends[cut] - share
        cuts.append(min(max(cut, cuts[-1] + 1), len(sizes) - (parts - part)))
    return [*cuts, len(sizes)]


def _deal(data: Path, utt2spk: Mapping[str, str], home: Mapping[str, int], parts: Sequence[Path]) -> None:
    """Fill the folders `parts`: number i with what `data` says of the utterances whose `home` is i. Each table is read
    once, and its lines keep their order. A table that does not cover its utterances is named on standard error."""
    alone = [(part,) for part in range(len(parts))]
    utterances: dict[str, Collection[int]] = {utterance: alone[part] for utterance, part in home.items()}
    homes = {"utterance": utterances, "speaker": defaultdict(set), "recording": utterances}
    members: list[dict[str, str]] = [{} for _ in parts]
    for utterance, part in home.items():
        members[part][utterance] = utt2spk[utterance]
        homes["speaker"][utt2spk[utterance]].add(part)
    if segments := (data / "segments").is_file():
        homes["recording"] = defaultdict(set)
        for utterance, segment in read_table(data / "segments").items():
            if utterance in home:
                homes["recording"][segment.split(None, 1)[0]].add(home[utterance])
    for path in tables(data):
        kind = keyed_on(path.name, segments)
        if path.name == "spk2utt":
            for part, utts in zip(parts, members):
                write_table(part / path.name, spk2utt(utts))
        elif not kind:
            for part in parts:
                shutil.copy(path, part)
        else:
            dealt: list[list[str]] = [[] for _ in parts]
            where = homes[kind]
            for key, line in rows(path):
                for part in where.get(key, ()):
                    dealt[part].append(line)
            for part, lines in zip(parts, dealt):
                if lines or path.name != "folds":  # an empty fold list would be none
                    write_lines(part / path.name, lines)
            count, expected = sum(map(len, dealt)), sum(map(len, where.values()))
            if path.name in COMPLETE and count != expected:
                warn(f"{path}: {count} lines for {expected} {kind}s: utils/fix_data_dir.py {data} mends that")
            elif not count:
                warn(f"{path}: none of its lines is about a {kind} that is kept")
