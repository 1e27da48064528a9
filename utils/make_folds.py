#!/usr/bin/env python3
"""Who trains, validates and is tested in which run: make the fold list of a data dir, show it, export it.

  utils/make_folds.py [--folds NUMBER|loso|session] [--csv FILE] [--runs "NAME ..."] <data-dir>
  utils/make_folds.py --folds 5 --csv folds.csv data/mycorpus

NUMBER: so many groups of speakers, alike in speakers, genders and classes; run k tests group k, selects on group k + 1
and trains on the others. loso: leave one speaker out; who shares a session with the tested speaker selects, else the
next speaker does. session: leave one session out; the next one selects. Speakers who share a session (utt2session) are
never parted between training and the rest. Without --folds, the list that is there is shown.

With --csv it is exported: columns path, speaker, emotion, run, part; with segments also begin and end.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import cli, data_dir
from utils.balance import balanced_groups
from utils.files import whole
from utils.folds import PARTS, Folds, check_runs, of_data_dir
from utils.hold import hold
from utils.table import content_of, read_table

GROUPS = 5  # of speakers, where there are at least twice as many
Line = tuple[str, str, str]  # run, part, speaker


def spelling(speaker: str) -> str:
    """A name without what people write now so, now so: case, width, zeros before a number. KD0 and kd0 may be one
    person, and S1 and S01."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", unicodedata.normalize("NFKC", speaker).casefold())


def spelt_alike(speakers: Iterable[str]) -> list[list[str]]:
    """The names of each spelling."""
    names: dict[str, list[str]] = {}
    for speaker in dict.fromkeys(speakers):
        names.setdefault(spelling(speaker), []).append(speaker)
    return list(names.values())


def units(utt2spk: Mapping[str, str], utt2session: Mapping[str, str]) -> list[list[str]]:
    """Speakers who must not be parted: those who share a session, directly or through others, or whose names are
    spelt in two ways (see `spelling`). Each sorted, and all."""
    home: dict[str, set[str]] = {speaker: {speaker} for speaker in utt2spk.values()}
    first: dict[str, str] = {}  # session → one of its speakers
    spelt = ((f"name {names[0]}", speaker) for names in spelt_alike(home) for speaker in names)
    shared = ((utt2session.get(utterance, utterance), speaker) for utterance, speaker in utt2spk.items())
    for session, speaker in chain(spelt, shared):
        other = first.setdefault(session, speaker)
        if home[other] is not home[speaker]:
            home[other] |= home[speaker]
            for member in home[speaker]:
                home[member] = home[other]
    return sorted({id(members): sorted(members) for members in home.values()}.values())


def rotate(groups: Sequence[Sequence[str]], names: Sequence[str] = ()) -> list[Line]:
    """Leave one group out, each in turn: run k tests group k, validates on the one after it (the first, after the last)
    and trains on the rest. Runs bear `names`, or run01, run02, …. Raises UserError for fewer than three groups."""
    if len(groups) < 3:
        raise cli.UserError(f"folds: {len(groups)} groups of speakers are too few for train, valid and test")
    lines = []
    for test in range(len(groups)):
        valid = (test + 1) % len(groups)
        train = [speaker for k, group in enumerate(groups) if k not in (test, valid) for speaker in group]
        run = names[test] if names else f"run{test + 1:02d}"
        lines += [
            (run, part, speaker)
            for part, speakers in zip(PARTS, (train, groups[valid], groups[test]))
            for speaker in speakers
        ]
    return lines


def leave_one_speaker_out(groups: Sequence[Sequence[str]]) -> list[Line]:
    """A run for each speaker, named after whom it tests: the others of its group of `units` validate (of IEMOCAP, who
    spoke with the tested one), or, where it is alone, the next group."""
    if len(groups) < 2 or (len(groups) == 2 and min(map(len, groups)) < 2):  # nobody would be left to train on
        here = " and ".join(" with ".join([*group[:3], *["…"] * (len(group) > 3)]) for group in groups)
        raise cli.UserError(
            "folds: leaving one speaker out needs three speakers who neither share sessions nor are spelt alike, or "
            f"two groups of such who do; there is {here}"
        )
    lines = []
    for number, group in enumerate(groups):
        for tested in group:
            valid = [other for other in group if other != tested] or list(groups[(number + 1) % len(groups)])
            away = {*valid, *group}
            train = [speaker for other in groups for speaker in other if speaker not in away]
            lines += [(tested, "train", speaker) for speaker in train]
            lines += [*((tested, "valid", speaker) for speaker in valid), (tested, "test", tested)]
    return lines


def choose(
    wanted: str,
    utt2spk: Mapping[str, str],
    utt2session: Mapping[str, str],
    utt2emo: Mapping[str, str],
    genders: Mapping[str, str],
) -> tuple[list[Line], str]:
    """The fold list that `wanted` means ("" for the default), and in a line, what it is and why. Raises UserError for
    what cannot be made."""
    together = units(utt2spk, utt2session)
    speakers = sum(map(len, together))
    alike = [names for names in spelt_alike(utt2spk.values()) if len(names) > 1]
    apart = "" if len(together) == speakers else f" in {len(together)} units who share sessions or are spelt alike"
    apart += f" ({', '.join(' = '.join(names) for names in alike[:3])}{', …' * (len(alike) > 3)})" * bool(alike)
    if not wanted:
        enough = len(together) >= 2 * GROUPS
        wanted = str(GROUPS) if enough else "loso"
        ten = "ten" + " units" * (len(together) < speakers)
        why = f", as there are {speakers} speakers{apart}, {f'{ten} or more' if enough else f'fewer than {ten}'}"
    else:
        why = f", of {speakers} speakers{apart}"
    if wanted == "loso":
        return leave_one_speaker_out(together), f"{speakers} runs, each leaves one speaker out{why}"
    if wanted == "session":
        if all(len(unit) == 1 for unit in together) and len(set(utt2session.values())) == speakers:
            why += "; each speaker is a session"
        of = {speaker: utt2session.get(utterance, speaker) for utterance, speaker in utt2spk.items()}
        names = [of[unit[0]] for unit in together]
        several = ", or several that share speakers" * (len(set(of.values())) > len(together))
        return rotate(together, names), f"{len(together)} runs, each leaves one session out{several}{why}"
    if not wanted.isdecimal() or len(wanted) > 9:
        raise cli.UserError(f"--folds {wanted}: expected a number of groups, loso or session")
    groups = balanced_groups(together, int(wanted), utt2spk, utt2emo, genders)
    return rotate(groups), f"{len(groups)} runs of groups alike in speakers, genders and classes{why}"


def table(folds: Folds, utt2spk: Mapping[str, str], utt2emo: Mapping[str, str], genders: Mapping[str, str]) -> str:
    """Speakers × part and class × part of every run, as text."""
    classes = sorted(set(utt2emo.values()))
    of: dict[str, Counter[str]] = {speaker: Counter() for speaker in utt2spk.values()}
    for utterance, speaker in utt2spk.items():
        of[speaker][utt2emo.get(utterance, "")] += 1
    rows = [["run", "part", "speakers", *(["f", "m"] if genders else []), *classes]]
    for run, parts in folds.items():
        for part in PARTS:
            total = sum((of[speaker] for speaker in parts[part]), Counter())
            sexes = Counter(genders.get(speaker) for speaker in parts[part])
            numbers = [len(parts[part]), *([sexes["f"], sexes["m"]] if genders else []), *(total[c] for c in classes)]
            rows.append([run, part, *map(str, numbers)])
    widths = [max(map(len, column)) for column in zip(*rows)]
    justify = [str.ljust, str.ljust, *[str.rjust] * len(widths)]
    return "\n".join("  ".join(put(cell, width) for put, cell, width in zip(justify, row, widths)) for row in rows)


def export(path: Path, data: Path, folds: Folds, utt2spk: Mapping[str, str], utt2emo: Mapping[str, str]) -> None:
    """Write the CSV that the head of this file describes."""
    segments = read_table(data / "segments") if (data / "segments").is_file() else {}
    files = read_table(data / "wav.scp")
    names = data_dir.speakers(utt2spk)
    with whole(path) as temporary, open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["path", *(["begin", "end"] if segments else []), "speaker", "emotion", "run", "part"])
        for run, parts in folds.items():
            for part in PARTS:
                for speaker in parts[part]:
                    for utterance in names[speaker]:
                        recording, *times = segments[utterance].split() if segments else [utterance]
                        writer.writerow([files[recording], *times, speaker, utt2emo.get(utterance, ""), run, part])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", default="", metavar="NUMBER|loso|session", help="make them anew")
    parser.add_argument("--csv", type=cli.path_of, help="file to export them to")
    parser.add_argument("--runs", default="", help="runs that must be there, separated by spaces")
    parser.add_argument("data", type=cli.path_of)
    options = parser.parse_args()
    data = options.data
    utt2spk = data_dir.check_whole(data) if options.folds or options.csv else read_table(data / "utt2spk")
    out, own = options.csv, map(Path.resolve, data_dir.tables(data))
    if out and out.suffix != ".csv" and out.resolve() in own:
        raise cli.UserError(f"--csv {options.csv}: is a table of {data}: name another file")
    utt2session, utt2emo, genders = (
        read_table(data / name) if (data / name).is_file() else {} for name in ("utt2session", "utt2emo", "spk2gender")
    )
    if options.folds:
        lines, words = choose(options.folds, utt2spk, utt2session, utt2emo, genders)
        with hold(data), whole(data / "folds") as temporary:
            temporary.write_bytes(content_of(map(" ".join, lines)))
            folds = of_data_dir(data, listed=temporary)  # what would leak does not take the place of what is there
        print(f"{data}/folds: {words}")
    elif not (data / "folds").is_file():
        raise cli.UserError(
            f"{data}/folds: is not there: a run trains, validates and tests on different speakers"
            f"{', so it takes three at least' if len(set(utt2spk.values())) < 3 else ' (--folds makes runs)'}"
        )
    else:
        folds = of_data_dir(data)
    check_runs(data, folds, options.runs)
    if options.csv:
        export(options.csv, data, folds, utt2spk, utt2emo)
        print(f"{options.csv}: who trains, validates and is tested, utterance by utterance")
    else:
        print(table(folds, utt2spk, utt2emo, genders))


if __name__ == "__main__":
    cli.run(main)
