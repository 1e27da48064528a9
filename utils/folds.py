"""The fold list of a data dir: lines `<run> <train|valid|test> <speaker>`, who plays which part in which run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from utils.cli import UserError

PARTS = ("train", "valid", "test")
Folds = dict[str, dict[str, list[str]]]  # run → part → speakers


def read(path: Path | str) -> Folds:
    """The fold list `path`: run → part → speakers, in the file's order; each run has all three parts, though one may be
    empty. Raises UserError for a missing or empty file, a line of another form, or a line that stands twice."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file")
    folds: Folds = {}
    seen = set()
    with open(path, encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            fields = tuple(line.split())
            if len(fields) != 3 or fields[1] not in PARTS:
                raise UserError(
                    f"{path}:{number}: expected '<run> <train|valid|test> <speaker>', found '{line.strip()}'"
                )
            if fields in seen:
                raise UserError(f"{path}:{number}: '{line.strip()}' stands twice")
            seen.add(fields)
            run, part, speaker = fields
            folds.setdefault(run, {part: [] for part in PARTS})[part].append(speaker)
    if not folds:
        raise UserError(f"{path}: empty fold list")
    return folds


def check(
    folds: Mapping[str, Mapping[str, Sequence[str]]],
    utt2spk: Mapping[str, str],
    utt2session: Mapping[str, str],
    complete: bool = True,
) -> None:
    """Raises UserError for what would leak or cannot be trained: in one run, a speaker in two partitions, a session
    both in train and in another partition (validation and test may share one), a speaker that `utt2spk` does not
    know, or, unless `complete` is false (as for a subset of a data dir), a partition without speakers."""
    known = set(utt2spk.values())
    sessions: dict[str, set[str]] = {}
    for utterance, speaker in utt2spk.items():
        if utterance in utt2session:
            sessions.setdefault(utt2session[utterance], set()).add(speaker)
    shared = {session: sorted(speakers) for session, speakers in sessions.items() if len(speakers) > 1}
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
        for session, speakers in shared.items():
            places = {part_of[speaker]: speaker for speaker in speakers if speaker in part_of}
            if len(places) > 1 and "train" in places:
                who = " and ".join(f"{part} ('{speaker}')" for part, speaker in places.items())
                raise UserError(f"folds: {run}: session '{session}' is shared between {who}")


def rotate(groups: Sequence[Sequence[str]]) -> list[tuple[str, str, str]]:
    """Leave one group out, each in turn: run k tests group k, validates on the one after it (the first, after the last)
    and trains on the rest. Returns (run, part, speaker), runs named run01, run02, …; at least three groups."""
    if len(groups) < 3:
        raise UserError(f"folds: {len(groups)} groups of speakers are too few for train, valid and test")
    lines = []
    for test in range(len(groups)):
        valid = (test + 1) % len(groups)
        train = [speaker for k, group in enumerate(groups) if k not in (test, valid) for speaker in group]
        for part, speakers in zip(PARTS, (train, groups[valid], groups[test])):
            lines += [(f"run{test + 1:02d}", part, speaker) for speaker in speakers]
    return lines


def balanced_groups(spk2gender: Mapping[str, str], n: int) -> list[list[str]]:
    """`n` groups of speakers whose sizes, and whose numbers of each gender, differ by at most one. Neighbours in sorted
    order share a group: of 24 actors in turn m and f, the first of 6 groups has the first four."""
    if not 1 <= n <= len(spk2gender):
        raise UserError(f"folds: cannot make {n} groups of {len(spk2gender)} speakers")
    groups: list[list[str]] = [[] for _ in range(n)]
    dealt = 0  # each gender goes on where the one before ended, so that no group is short of both
    for _, same in groupby(sorted(spk2gender, key=lambda speaker: (spk2gender[speaker], speaker)), spk2gender.get):
        members = list(same)
        for speaker, group in zip(members, sorted((dealt + k) % n for k in range(len(members)))):
            groups[group].append(speaker)
        dealt += len(members)
    return [sorted(group) for group in groups]
