#!/usr/bin/env python3
"""VoxCeleb1 (Nagrani et al., Interspeech 2017), or any corpus laid out like it: <speaker>/<video>/<utterance>.wav

    local/voxceleb1.py [--voxceleb2 DIR] [--exclude-speakers FILE] [--trials FILE] [--check-counts true] DIR data

DIR holds dev/wav and test/wav; or dev and test with the speakers right in them; or one merged wav, whose test speakers
are those of the trials (else the Set "test" of vox1_meta.csv). Writes data/train, data/heldout (the last video of every
speaker who has at least two), data/test and data/test/trials. No audio is opened: 150 000 files take seconds.

VoxCeleb2 (Chung et al., Interspeech 2018) adds the speakers of its dev part to train and heldout. Its folder holds
dev/aac as released, in any format, or one merged tree, whose test speakers (the Set of vox2_meta.csv) are left out."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from local.trials import Trial, match_trials, read_trials, some
from utils.audio_files import files_below, is_audio, safe
from utils.cli import UserError, boolean, path_of, run, warn
from utils.data_dir import Utterance, write_data_dir
from utils.table import read_table, text_in

COUNTS = {  # speakers, utterances
    "VoxCeleb1's dev": (1211, 148642),
    "VoxCeleb1's test": (40, 4874),
    "VoxCeleb2's dev": (5994, 1092009),
}
VOXCELEB2 = ("dev/aac", "dev/wav", "dev", "aac", "wav")  # where its speakers are, below its folder: as released, or not
TESTERS = {f"id{number}" for number in range(10270, 10310)}  # of VoxCeleb1, the speakers of all its trials


def speakers(utterances: Iterable[Utterance]) -> set[str]:
    return {row.speaker for row in utterances}


def scan(root: Path, genders: dict[str, str]) -> list[Utterance]:
    """All utterances below `root`, in a stable order. What is passed over is counted in a notice, by reason. Raises
    UserError where nothing is left."""

    found: list[Utterance] = []
    skipped: dict[str, list[Path]] = {}
    for path in files_below(root):
        *where, _ = path.relative_to(root).parts
        if len(where) != 2:
            skipped.setdefault("not at <speaker>/<video>/<utterance>", []).append(path)
        elif not is_audio(path):
            ending = path.suffix.lower()
            why = f"'{ending}' is no recording's ending; if it is audio: ffmpeg -i x{ending} x.wav"
            skipped.setdefault(why, []).append(path)
        else:
            speaker, session = safe(where[0]), f"{safe(where[0])}-{safe(where[1], '-')}"
            name = f"{session}-{safe(path.stem, '-')}"
            found.append(Utterance(name, path, speaker, session, genders.get(where[0], "")))
    for why, paths in skipped.items():
        warn(f"{root}: {len(paths)} files skipped, {why} (first: {paths[0]})")
    if not found:
        raise UserError(f"{root}: expected audio as <speaker>/<video>/<utterance>.wav here, found none")
    return found


def refuse_collisions(utterances: Iterable[Utterance]) -> None:
    """Raise UserError where two files, or two speakers' folders (one in dev, one in test, too), would share an id."""
    seen: dict[str, Path] = {}
    for row in utterances:
        for name, path in ((row.speaker, row.wav.parent.parent), (row.name, row.wav)):
            if (other := seen.setdefault(name, path)) != path:
                raise UserError(f"{other} and {path} would both be called '{name}': rename or remove one of them")


def read_meta(corpus: Path, name: str, separator: str) -> tuple[dict[str, str], set[str]]:
    """The gender (m, f) by speaker's folder and the speakers of the Set "test", from the table that VoxCeleb's makers
    wrote of the corpus `name`, whose columns `separator` and perhaps blanks part; or genders from spk2gender."""
    meta, table = corpus / f"vox{name[-1]}_meta.csv", corpus / "spk2gender"
    if not meta.is_file():
        genders, testers = read_table(table) if table.is_file() else {}, set()
    else:
        text = text_in(meta.read_bytes(), meta).decode("utf-8-sig", "replace")
        lines = [line for line in text.splitlines() if line.strip()]
        header, *rows = [[field.strip() for field in line.split(separator)] for line in lines] or [[]]
        people = [dict(zip(header, row)) for row in rows]
        try:
            genders = {person[f"{name} ID"]: person["Gender"] for person in people}
            testers = {person[f"{name} ID"] for person in people if person["Set"] == "test"}
        except KeyError as column:
            parted = "tab-separated" if separator == "\t" else f"'{separator}'-separated"
            raise UserError(f"{meta}: expected a {parted} column {column} in every line") from None
        if not people:
            raise UserError(f"{meta}: names no speaker: restore it, or remove it")
    return {speaker: gender for speaker, gender in genders.items() if gender in ("m", "f")}, testers


def exclude(dev: list[Utterance], path: Path) -> list[Utterance]:
    """`dev` without the speakers in the file `path`, one a line; "#" begins a comment."""
    lines = text_in(path.read_bytes(), path).decode("utf-8-sig", "surrogateescape").splitlines()
    listed = {safe(name) for line in lines if (name := line.partition("#")[0].strip())}
    absent = listed - speakers(dev)
    print(f"{path}: {len(listed) - len(absent)} of its {len(listed)} speakers are in dev and left out")
    if absent:
        warn(f"{path}: {len(absent)} of its speakers are not in dev: {some(absent)}")
    if not (left := [row for row in dev if row.speaker not in listed]):
        raise UserError(f"{path}: names all speakers of dev, and leaves none to train on")
    return left


def find_parts(corpus: Path, genders: dict[str, str], testers: set[str]) -> tuple[list[Utterance], list[Utterance]]:
    """The utterances of dev and of test (which may be absent)."""
    roots = [next(filter(Path.is_dir, (corpus / part / "wav", corpus / part)), None) for part in ("dev", "test")]
    if roots[0]:
        return scan(roots[0], genders), scan(roots[1], genders) if roots[1] else []
    if not (corpus / "wav").is_dir():
        raise UserError(f"{corpus}: expected VoxCeleb1's folders dev/wav and test/wav here, or one merged wav")
    if not testers:
        warn(f"{corpus}: neither trials nor vox1_meta.csv say who is test, so all speakers are taken as dev")
    dev: list[Utterance] = []
    test: list[Utterance] = []
    for row in scan(corpus / "wav", genders):
        (test if row.wav.parts[-3] in testers else dev).append(row)
    return dev, test


def find_voxceleb2(corpus: Path) -> str:
    """The place of VOXCELEB2 that holds recordings. Raises UserError where there is none, or two do."""
    there = [place for place in VOXCELEB2 if (corpus / place).is_dir()]
    full = [place for place in there if any(map(is_audio, files_below(corpus / place)))]
    full = [place for place in full if place != "dev" or full[0] == "dev"]  # else it holds what lies in dev/aac
    if not there:
        raise UserError(f"{corpus}: expected one of VoxCeleb2's folders {', '.join(VOXCELEB2)} here")
    if len(full) > 1:
        raise UserError(f"{corpus}: {full[0]} and {full[1]} both hold recordings: keep one, or move one elsewhere")
    return (full or there)[0]


def more_speakers(corpus: Path, tested: set[str], check: bool) -> list[Utterance]:
    """The utterances of VoxCeleb2's dev part. Raises UserError for a speaker of `tested`, VoxCeleb1's test part."""
    place = find_voxceleb2(corpus)
    genders, testers = read_meta(corpus, "VoxCeleb2", ",")
    if not testers and not place.startswith("dev"):
        warn(f"{corpus}: no vox2_meta.csv says who is test, so all speakers are taken as dev")
    found = scan(corpus / place, genders)
    rows = [row for row in found if row.wav.parent.parent.name not in testers]
    if left_out := len(speakers(found)) - len(speakers(rows)):
        print(f"{corpus}: {left_out} speakers of its test part, {len(found) - len(rows)} utterances, left out")
    if check:
        check_counts(corpus, "VoxCeleb2's dev", rows)
    if shared := speakers(rows) & tested:
        raise UserError(
            f"{corpus}: {len(shared)} speakers are test speakers of VoxCeleb1 ({some(shared)}), so training would hear "
            "who is tested: remove their folders"
        )
    return rows


def check_counts(corpus: Path, part: str, utterances: list[Utterance]) -> None:
    people, (speaker_count, count) = len(speakers(utterances)), COUNTS[part]
    if (people, len(utterances)) != COUNTS[part]:
        raise UserError(
            f"{corpus}: {people} speakers and {len(utterances)} utterances, {part} has {speaker_count} and {count}: is "
            "it whole? (--check-counts false for anything else)"
        )


def write_test(path: Path, test: list[Utterance], trials: list[Trial], redo: bool) -> None:
    """data/test with its trials, `utt1 utt2 target|nontarget`; without utterances, an older one goes."""
    if not test:
        warn(f"no test utterances: {path} is not written")
        if (path / "utt2spk").is_file():
            shutil.rmtree(path)
        return
    write_data_dir(path, test, others={"trials": [f"{a} {b} {kind}" for kind, a, b in trials]}, redo=redo)
    print(f"{path}: {len(speakers(test))} speakers, {len(test)} utterances, {len(trials)} trials")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voxceleb2", type=path_of, metavar="DIR", help="folder of its dev/aac, to train on too")
    parser.add_argument("--exclude-speakers", type=path_of, metavar="FILE", help="speakers to leave out of dev")
    parser.add_argument("--trials", type=path_of, metavar="FILE", help="default: DIR/veri_test.txt")
    parser.add_argument("--check-counts", type=boolean, default=True, metavar="true|false", help="all of the release?")
    parser.add_argument("--redo", type=boolean, default=False, metavar="true|false", help="make it again")
    parser.add_argument("corpus", type=path_of, metavar="DIR")
    parser.add_argument("data", type=path_of)
    args = parser.parse_args()

    genders, testers = read_meta(args.corpus, "VoxCeleb1", "\t")
    trial_list = args.trials or args.corpus / "veri_test.txt"
    trials = read_trials(trial_list) if args.trials or trial_list.is_file() else []
    if trials:
        testers = {name.split("/")[0] for trial in trials for name in trial[1:]}
    dev, test = find_parts(args.corpus, genders, testers)
    if args.check_counts:
        check_counts(args.corpus, "VoxCeleb1's dev", dev)
        check_counts(args.corpus, "VoxCeleb1's test", test)
    if args.voxceleb2:
        if args.voxceleb2.resolve() == args.corpus.resolve():
            raise UserError(f"--voxceleb2 {args.voxceleb2}: is the folder of VoxCeleb1, too")
        tested = speakers(test) | set(map(safe, testers)) | TESTERS
        dev += more_speakers(args.voxceleb2, tested, args.check_counts)
    refuse_collisions(dev + test)
    if trials and (test or not (args.corpus / "dev").is_dir()):  # in one merged wav, they say who is test
        trials, test = match_trials(trials, test, trial_list, args.check_counts)
    elif not trials:
        warn(f"{trial_list}: no trials, so none are written and the equal error rate will be skipped")
    if args.exclude_speakers:
        dev = exclude(dev, args.exclude_speakers)

    videos: dict[str, set[str]] = {}
    for row in dev:
        videos.setdefault(row.speaker, set()).add(row.session)
    last = {max(sessions) for sessions in videos.values() if len(sessions) > 1}
    if not last:
        raise UserError(f"{args.corpus}: no speaker in dev has two videos, so none can be held out")
    if single := [speaker for speaker, sessions in videos.items() if len(sessions) == 1]:
        warn(f"{len(single)} speakers have a single video, which stays in train: {some(single)}")
    parts = {
        "train": [row for row in dev if row.session not in last],
        "heldout": [row for row in dev if row.session in last],
    }
    for name, rows in parts.items():
        write_data_dir(args.data / name, rows, redo=args.redo)
        print(f"{args.data / name}: {len(speakers(rows))} speakers, {len(rows)} utterances")
    write_test(args.data / "test", test, trials, args.redo)


if __name__ == "__main__":
    run(main)
