"""Kaldi's data directory: tables of one line a key, sorted under LC_ALL=C, kept by what each is keyed on."""

from __future__ import annotations

import os
import shutil
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import le
from pathlib import Path

from utils.cli import UserError, warn
from utils.files import whole
from utils.table import aligned, key_of, read_lines, read_table, write_lines, write_table

# Tables that, where they are, have a line for every utterance, speaker or recording. Others may cover only some.
COMPLETE = frozenset(
    [
        "utt2spk",
        "wav.scp",
        "segments",
        "text",
        "feats.scp",
        "vad.scp",
        "utt2dur",
        "utt2num_frames",
        "utt2lang",
        "utt2uniq",
        "utt2emo",
        "utt2session",
        "spk2gender",
        "cmvn.scp",
        "reco2dur",
        "reco2file_and_channel",
    ]
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
    names = sorted(utt2spk)
    members(names, [utt2spk[name] for name in names], where)


def members(names: Sequence[str], owners: Sequence[str], where: Path | str) -> dict[str, Sequence[str]]:
    """speaker → its utterances, both sorted, from the two columns of a sorted utt2spk. Raises UserError as
    `check_prefixes` does."""
    if not all(map(str.startswith, names, owners)):
        name, owner = next((name, owner) for name, owner in zip(names, owners) if not name.startswith(owner))
        raise UserError(f"{where}: utterance '{name}' does not begin with its speaker-id '{owner}'")
    if not all(map(le, owners, owners[1:])):
        at = next(at for at in range(1, len(owners)) if owners[at] < owners[at - 1])
        raise UserError(
            f"{where}: sorted by utterance, '{names[at]}' of speaker '{owners[at]}' comes after the utterances of "
            f"speaker '{owners[at - 1]}': rename one of the speakers, or end speaker-ids with '-' in the utterance-ids"
        )
    return {owner: names[bisect_left(owners, owner) : bisect_right(owners, owner)] for owner in dict.fromkeys(owners)}


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
        if lines := [" ".join(line) for line in folds]:
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
    state = [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in tables(data)]
    utt2spk = read_table(data / "utt2spk")
    if nj < 1 or not utt2spk:
        raise UserError(f"{data}: cannot split {len(utt2spk)} utterances into {nj} parts")
    units = [(utt,) for utt in sorted(utt2spk)] if per_utt else list(speakers(utt2spk).values())
    if nj > len(units):
        warn(f"{data}: {nj} parts lowered to {len(units)}, one for each {'utterance' if per_utt else 'speaker'}")
        nj = len(units)
    root = data / f"split{nj}{'utt' if per_utt else ''}"
    parts = [root / str(number) for number in range(1, nj + 1)]
    made_from = root / ".made_from"  # jobs of another step may be reading the parts: leave them where nothing changed
    if not (made_from.is_file() and read_lines(made_from) == state and all(part.is_dir() for part in parts)):
        cuts = _cuts([len(unit) for unit in units], nj)
        home = {utt: part for part in range(nj) for unit in units[cuts[part] : cuts[part + 1]] for utt in unit}
        with whole(root) as temporary:
            for part in parts:
                (temporary / part.name).mkdir(parents=True)
            _deal(data, utt2spk, home, [temporary / part.name for part in parts])
            write_lines(temporary / made_from.name, state)
    return parts


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
    segments = (data / "segments").is_file()
    starts = [f"{utterance} " for utterance in utt2spk]
    places: list[list[int]] = [[] for _ in parts]  # of each part: where its utterances stand in utt2spk
    homes: dict[str, dict[str, Collection[int]]] = {"speaker": {}}  # what a table is keyed on → key → parts
    for place, (utterance, speaker) in enumerate(utt2spk.items()):
        if (part := home.get(utterance)) is not None:
            places[part].append(place)
            homes["speaker"].setdefault(speaker, set()).add(part)
    if segments:
        homes["recording"] = {}
        for utterance, segment in read_table(data / "segments").items():
            if utterance in home:
                homes["recording"].setdefault(segment.split(None, 1)[0], set()).add(home[utterance])
    for path in tables(data):
        kind = keyed_on(path.name, segments)
        if path.name == "spk2utt":
            continue
        if not kind:
            for part in parts:
                shutil.copy(path, part)
            continue
        lines = read_lines(path)
        if kind == "utterance" and aligned(lines, starts):
            dealt = [[lines[place] for place in mine] for mine in places]
        else:
            if kind not in homes:
                homes[kind] = {utterance: (part,) for utterance, part in home.items()}
            dealt = [[] for _ in parts]
            for line in lines:
                for part in homes[kind].get(key_of(line, path.name), ()):
                    dealt[part].append(line)
            count, expected = sum(map(len, dealt)), sum(map(len, homes[kind].values()))
            if path.name in COMPLETE and count != expected:
                warn(f"{path}: {count} lines for {expected} {kind}s: utils/fix_data_dir.py {data} mends that")
            elif not count:
                warn(f"{path}: none of its lines is about a {kind} that is kept")
        for part, mine in zip(parts, dealt):
            if mine or path.name != "folds":  # an empty fold list would be none
                write_lines(part / path.name, mine)
    for part in parts:
        write_table(part / "spk2utt", spk2utt(read_table(part / "utt2spk")))
