"""The fold list of a data dir: lines `<run> <train|valid|test> <speaker>`, who plays which part in which run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from utils.cli import UserError
from utils.copies import AUGMENT, UNIQ
from utils.recordings import HASH, sources
from utils.table import read_lines, read_table

PARTS = ("train", "valid", "test")
Folds = dict[str, dict[str, list[str]]]  # run → part → speakers


def read(path: Path | str) -> Folds:
    """The fold list `path`: run → part → speakers, in the file's order; each run has all three parts, though one may be
    empty. Raises UserError for a missing or empty file, a line of another form, or a line that stands twice."""
    folds: Folds = {}
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split()
        if len(fields) != 3 or fields[1] not in PARTS:
            raise UserError(f"{path}:{number}: expected '<run> <train|valid|test> <speaker>', found '{line.strip()}'")
        if fields[0].startswith(".") or "/" in fields[0]:
            raise UserError(f"{path}:{number}: run '{fields[0]}' is to name a folder: no '/', and no '.' at its start")
        run, part, speaker = fields
        speakers = folds.setdefault(run, {part: [] for part in PARTS})[part]
        if speaker in speakers:
            raise UserError(f"{path}:{number}: '{line.strip()}' stands twice")
        speakers.append(speaker)
    if not folds:
        raise UserError(f"{path}: empty fold list")
    return folds


def of_data_dir(data: Path, complete: bool = True, listed: Path | None = None) -> Folds:
    """The fold list of a data dir, or `listed` in its place, with nothing in it that leaks. Raises UserError as
    `check`, `check_recordings` and `check_copies` do, and, unless `complete` is false, where there is no
    utt2session."""
    if not (listed or data / "folds").is_file():
        if data.is_dir():
            raise UserError(f"{data / 'folds'}: no such file; utils/make_folds.py makes it")
        raise UserError(f"{data}: no such data dir; stage 1 of run.sh makes it")
    folds, utt2spk, sessions = read(listed or data / "folds"), read_table(data / "utt2spk"), data / "utt2session"
    check(folds, utt2spk, read_table(sessions) if complete or sessions.is_file() else None, complete)
    for table in recordings(data):
        check_recordings(folds, utt2spk, table)
    if (data / AUGMENT).is_file():
        check_copies(folds, utt2spk, read_table(data / AUGMENT))
    return folds


def check_runs(data: Path, folds: Folds, words: str) -> None:
    """Raise UserError for a run, of those between spaces in `words`, that the fold list of `data` lacks."""
    if unknown := [run for run in words.split() if run not in folds]:
        raise UserError(f"{data}/folds: there is no run {unknown[0]}; there are: {' '.join(folds)}")


def check(
    folds: Mapping[str, Mapping[str, Sequence[str]]],
    utt2spk: Mapping[str, str],
    utt2session: Mapping[str, str] | None,
    complete: bool = True,
) -> None:
    """Raises UserError for what would leak or cannot be trained: in one run, a speaker in two partitions, a session
    both in train and in another partition (validation and test may share one), a speaker that `utt2spk` does not
    know, or, unless `complete` is false (as for a subset of a data dir), a partition without speakers; a speaker tested
    in two runs, as their scores are pooled; an `utt2session` (None: there is none) that lacks an utterance."""
    known = set(utt2spk.values())
    if utt2session is not None and (lacking := utt2spk.keys() - utt2session.keys()):
        raise UserError(
            f"utt2session: {len(lacking)} utterances missing, first '{min(lacking)}'; whether "
            "they share a session with others cannot be checked"
        )
    sessions: dict[str, set[str]] = {}
    for utterance, session in (utt2session or {}).items():
        if utterance in utt2spk:
            sessions.setdefault(session, set()).add(utt2spk[utterance])
    shared = {session: sorted(speakers) for session, speakers in sessions.items() if len(speakers) > 1}
    tested: dict[str, str] = {}  # speaker → run
    for run, parts in folds.items():
        part_of: dict[str, str] = {}
        for part in PARTS:
            if complete and not parts.get(part):
                raise UserError(f"folds: {run} has no speaker in {part}")
            for speaker in parts.get(part, ()):
                if speaker not in known:
                    raise UserError(f"folds: {run} {part}: speaker '{speaker}' is not in utt2spk")
                if part_of.setdefault(speaker, part) != part:
                    raise UserError(f"folds: {run}: speaker '{speaker}' is in both {part_of[speaker]} and {part}")
                if part == "test" and tested.setdefault(speaker, run) != run:
                    raise UserError(
                        f"folds: speaker '{speaker}' is tested in two runs, {tested[speaker]} and {run}, whose scores "
                        "cannot be pooled"
                    )
        for session, speakers in shared.items():
            places = {part_of[speaker]: speaker for speaker in speakers if speaker in part_of}
            if len(places) > 1 and "train" in places:
                who = " and ".join(f"{part} ('{speaker}')" for part, speaker in places.items())
                raise UserError(f"folds: {run}: session '{session}' is shared between {who}")


def recordings(data: Path) -> Iterator[dict[str, str]]:
    """Tables of utterance → what is heard: a file (with `segments`, the stretch of one), where its features are, the
    hash of its samples, by which one that has two names is found, and of which utterance it is a copy. A command
    ('… |') says neither, and is left out."""
    if (data / "wav.scp").is_file():
        sounds = read_table(data / "wav.scp")
        if (data / "segments").is_file():
            sounds = {name: str(source) for name, source in sources(data).items()}
        yield {name: sound for name, sound in sounds.items() if "|" not in sound}
    if (data / "feats.scp").is_file():
        yield {name: place for name, place in read_table(data / "feats.scp").items() if "|" not in place}
    if (data / HASH).is_file():
        yield {name: f"samples of hash {own}" for name, own in read_table(data / HASH).items()}
    if (data / UNIQ).is_file():
        yield {name: f"'{first}', by {UNIQ}" for name, first in read_table(data / UNIQ).items()}


def check_recordings(
    folds: Mapping[str, Mapping[str, Sequence[str]]],
    utt2spk: Mapping[str, str],
    sounds: Mapping[str, str],
    where: object = "folds",
) -> None:
    """Raises UserError where two utterances of `sounds`, a table of `recordings`, are one recording, under the names of
    speakers who play different parts in a run; where: what the message begins with."""
    if len(set(sounds.values())) == len(sounds):
        return
    utterances: dict[str, list[str]] = {}
    for utterance, sound in sounds.items():
        if utterance in utt2spk:
            utterances.setdefault(sound, []).append(utterance)
    shared = {sound: names for sound, names in utterances.items() if len({utt2spk[name] for name in names}) > 1}
    for run, parts in folds.items() if shared else ():
        part_of = {speaker: part for part, speakers in parts.items() for speaker in speakers}
        found = []
        for sound, names in shared.items():
            places = {part_of[utt2spk[name]]: name for name in names if utt2spk[name] in part_of}
            if len(places) > 1:
                found.append((" and ".join(f"'{name}' ({part})" for part, name in places.items()), sound))
        if found:
            more = f"; and {len(found) - 1} more such: {'; '.join(who for who, _ in found[1:6])}" if found[1:] else ""
            raise UserError(
                f"{where}: {run}: {found[0][0]} are the same recording under two speakers: {found[0][1]}{more}. "
                "Take one of each out of the corpus, or mend its speaker"
            )


def check_copies(
    folds: Mapping[str, Mapping[str, Sequence[str]]], utt2spk: Mapping[str, str], copies: Collection[str]
) -> None:
    """Raises UserError where a run would validate or test on one of `copies`: they are for training alone."""
    owners = {utt2spk[copy]: copy for copy in copies if copy in utt2spk}
    for run, parts in folds.items():
        for part in ("valid", "test"):
            for speaker in parts.get(part, ()):
                if speaker in owners:
                    raise UserError(
                        f"folds: {run} {part}: speaker '{speaker}' has changed copies ('{owners[speaker]}', in "
                        f"{AUGMENT}), which are for training alone: take the data dir without them"
                    )


def left_out(folds: Mapping[str, Mapping[str, Sequence[str]]], speakers: Collection[str]) -> Iterator[str]:
    """What to warn of: which of `speakers`, those of a data dir, are in no run, never tested, or in no part of one
    run."""

    def names(some: Collection[str]) -> str:
        first = sorted(some)[:5]
        return f"{len(some)} of {len(speakers)} speakers ({' '.join(first)}{' …' if len(some) > 5 else ''})"

    of_run = {run: {speaker for part in PARTS for speaker in parts[part]} for run, parts in folds.items()}
    everywhere = set().union(*of_run.values())
    tested = {speaker for parts in folds.values() for speaker in parts["test"]}
    if absent := set(speakers) - everywhere:
        yield f"in no run: {names(absent)}"
    if untested := (set(speakers) & everywhere) - tested:
        yield f"never tested: {names(untested)}"
    partly = [(run, lacking) for run, here in of_run.items() if (lacking := everywhere & set(speakers) - here)]
    if partly:
        run, lacking = partly[0]
        others = f" (and of {len(partly) - 1} more runs, others)" if len(partly) > 1 else ""
        yield f"in no part of {run}: {names(lacking)}{others}"


def classes_of(speakers: Collection[str], utt2spk: Mapping[str, str], utt2emo: Mapping[str, str]) -> set[str]:
    """The classes that some of the speakers show."""
    return {
        utt2emo[utterance] for utterance, speaker in utt2spk.items() if speaker in speakers and utterance in utt2emo
    }


def unlearned(
    folds: Mapping[str, Mapping[str, Sequence[str]]], utt2spk: Mapping[str, str], utt2emo: Mapping[str, str]
) -> Iterator[str]:
    """What to warn of: which classes no training speaker of a run shows, so that it never decides for them."""
    for run, parts in folds.items():
        if lacking := set(utt2emo.values()) - classes_of(set(parts["train"]), utt2spk, utt2emo):
            yield f"no training speaker of {run} shows {' or '.join(sorted(lacking))}: it will never decide so"
