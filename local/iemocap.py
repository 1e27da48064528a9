#!/usr/bin/env python3
"""IEMOCAP (Busso et al., Language Resources and Evaluation, 2008): angry, happy, neutral and sad speech of ten actors.

    local/iemocap.py [--happy hap|merge|replace] [--parts impro|script|all] [--folds runs|session] \
      [--check-counts true] DIR data/iemocap

DIR holds Session1 to Session5, or IEMOCAP_full_release with them in it. The classes are ang, hap, neu and sad; what
"hap" takes in is --happy: happy alone, happy and excited (merge), or excited in its place (replace). Labels are read
from the files right in dialog/EmoEvaluation; utt2session is the dialog; no audio is opened."""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils.audio_files import files_below
from utils.cli import UserError, boolean, path_of, run, warn
from utils.data_dir import Utterance, write_data_dir
from utils.make_folds import Line, leave_one_speaker_out, rotate

# The dialog's own F or M is who wore the markers. Who speaks is the last one, which stands at no fixed offset.
NAME = re.compile(
    r"(?P<dialog>(?P<session>Ses0[1-5])[FM]_(?P<part>impro|script)\d\d[ab]?(_\d[ab]?)?)_(?P<who>[FM])\d{3}"
)
LABEL = re.compile(r"\[[\d.]+ - [\d.]+\]\t(?P<name>\S+)\t(?P<label>\w+)\t")
CLASSES = {  # label → class
    "hap": {"ang": "ang", "hap": "hap", "neu": "neu", "sad": "sad"},
    "merge": {"ang": "ang", "hap": "hap", "exc": "hap", "neu": "neu", "sad": "sad"},
    "replace": {"ang": "ang", "exc": "hap", "neu": "neu", "sad": "sad"},
}
# What the full release holds, by label; and by speaker, of the improvised utterances that are ang, hap, neu or sad.
IMPRO = Counter(ang=289, exc=663, hap=284, neu=1099, sad=608)
ALL = Counter(ang=1103, exc=1041, hap=595, neu=1708, sad=1084)
COUNTS = {"impro": IMPRO, "script": ALL - IMPRO, "all": ALL}
SPEAKERS = Counter(Ses01F=217, Ses01M=205, Ses02F=185, Ses02M=208, Ses03F=264, Ses03M=274)
SPEAKERS += Counter(Ses04F=149, Ses04M=221, Ses05F=298, Ses05M=259)
Doubts = defaultdict[str, list[str]]  # what is not as IEMOCAP is → where


def listed(corpus: Path, below: str, depth: int, suffix: str) -> list[Path]:
    """The files in Session1 to Session5, so many names below `below`. Raises OSError where a folder cannot be read."""
    paths: list[Path] = []
    for folder in (corpus / f"Session{number}" / below for number in range(1, 6)):
        with suppress(FileNotFoundError):  # of a part of the corpus; which counts tell
            paths += [path for path in files_below(folder) if len(path.relative_to(folder).parts) == depth]
    return [path for path in paths if path.suffix == suffix]


def read_labels(corpus: Path, doubts: Doubts) -> dict[str, str]:
    """Utterance → label, from lines `[6.2901 - 8.2357]<TAB>Ses01F_impro01_F000<TAB>neu<TAB>[2.5, 2.5, 2.5]`."""
    labels: dict[str, str] = {}
    for path in listed(corpus, "dialog/EmoEvaluation", 1, ".txt"):
        if not path.is_file():  # nobody may ever write into a pipe
            doubts["files of labels that are no plain files"].append(str(path))
            continue
        for number, line in enumerate(path.read_text("utf-8-sig", "replace").splitlines(), 1):
            if not line.startswith("["):  # the header and the raters' lines
                continue
            if not (match := LABEL.match(line)):
                doubts["label lines that cannot be read"].append(f"{path}:{number}")
            elif labels.setdefault(match["name"], match["label"]) != match["label"]:
                doubts["utterances with two labels, of which the first is taken"].append(match["name"])
    return labels


def select(
    corpus: Path, parts: str, classes: dict[str, str], doubts: Doubts
) -> tuple[list[Utterance], Counter[str], Counter[str]]:
    """The utterances of `parts` whose label is in `classes`; how many utterances of `parts` have each label; and what
    SPEAKERS counts."""
    labels = read_labels(corpus, doubts)
    wavs: dict[str, Path] = {}
    for path in listed(corpus, "sentences/wav", 2, ".wav"):
        match = NAME.fullmatch(path.stem)
        home = match and (match["dialog"], f"Session{int(match['session'][3:])}")
        if home and home != (path.parent.name, path.parents[3].name):
            doubts["wav files in the folder of another dialog, which are left out"].append(str(path))
        elif wavs.setdefault(path.stem, path) != path:
            doubts["wav files of one name, of which the first is taken"].append(str(path))
    selected: list[Utterance] = []
    counts, by_speaker = Counter[str](), Counter[str]()
    for name in sorted(labels.keys() | wavs.keys()):
        if not (match := NAME.fullmatch(name)):
            doubts["utterances with a name of another form"].append(name)
        elif parts not in ("all", match["part"]):
            continue
        elif name not in wavs:
            doubts["labels without a wav file"].append(name)
        elif name not in labels:
            doubts["wav files without a label"].append(name)
        else:
            counts[label := labels[name]] += 1
            speaker, gender = match["session"] + match["who"], match["who"].lower()
            by_speaker[speaker] += match["part"] == "impro" and label in CLASSES["hap"]
            if label in classes:
                row = Utterance(f"{speaker}-{name}", wavs[name], speaker, match["dialog"], gender, classes[label])
                selected.append(row)
    return selected, counts, by_speaker


def folds_of(speakers: Iterable[str], kind: str) -> list[Line]:
    """runs: the paper's, one for each speaker, named after whom it tests: the other one of the session validates, all
    others train; its five runs are one of the 2⁵ ways to take one run of each session. session: one for each session,
    whose speakers are tested; those of the next session validate."""
    sessions: dict[str, list[str]] = {}
    for speaker in sorted(speakers):
        sessions.setdefault(speaker[:-1], []).append(speaker)
    if len(sessions) < 2 or {len(both) for both in sessions.values()} != {2}:
        raise UserError(f"folds need two sessions or more with two speakers each, and there are {' '.join(speakers)}")
    groups = list(sessions.values())
    return rotate(groups, list(sessions)) if kind == "session" else leave_one_speaker_out(groups)


def differences(found: Counter[str], expected: Counter[str]) -> list[str]:
    return [f"{key} {found[key]} instead of {count}" for key, count in expected.items() if found[key] != count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--happy", choices=CLASSES, default="hap")
    parser.add_argument("--parts", choices=COUNTS, default="impro")
    parser.add_argument(
        "--folds", choices=["runs", "session"], default="runs", help="the paper's ten, or five sessions"
    )
    parser.add_argument("--check-counts", type=boolean, default=True, metavar="true|false", help="all of IEMOCAP?")
    parser.add_argument("--redo", type=boolean, default=False, metavar="true|false", help="make it again")
    parser.add_argument("corpus", type=path_of, metavar="DIR")
    parser.add_argument("data", type=path_of)
    args = parser.parse_args()

    release = args.corpus / "IEMOCAP_full_release"
    corpus = release if release.is_dir() else args.corpus
    missing = [name for name in (f"Session{n}" for n in range(1, 6)) if not (corpus / name).is_dir()]
    if len(missing) == 5:
        raise UserError(f"{corpus}: expected IEMOCAP's folders Session1 to Session5 here")

    doubts: Doubts = defaultdict(list)
    if missing:
        doubts["folders missing"] = missing
    utterances, labels, by_speaker = select(corpus, args.parts, CLASSES[args.happy], doubts)
    speakers = Counter(row.speaker for row in utterances)
    notes = [f"{len(where)} {what} (first: {where[0]})" for what, where in doubts.items()]
    if args.check_counts:
        notes += differences(labels, COUNTS[args.parts])
        if args.parts != "script":
            notes += differences(by_speaker, SPEAKERS)
        if notes:
            raise UserError(f"{corpus}: not IEMOCAP as it is known: {'; '.join(notes)} (--check-counts false takes it)")
    for note in notes:
        warn(f"{corpus}: {note}")

    if not utterances:
        raise UserError(f"{corpus}: no utterance has both a label in dialog/EmoEvaluation and sound in sentences/wav")

    write_data_dir(args.data, utterances, folds_of(speakers, args.folds), redo=args.redo)
    classes = sorted(Counter(row.emotion for row in utterances).items())
    others = [(label, count) for label, count in sorted(labels.items()) if label not in CLASSES[args.happy]]
    counts, left_out = (", ".join(f"{name} {count}" for name, count in pairs) or "none" for pairs in (classes, others))
    print(
        f"{args.data}: {len(utterances)} utterances, {len(speakers)} speakers, "
        f"{len({row.session for row in utterances})} dialogs ({args.parts}), "
        f"{counts}; other labels left out: {left_out}"
    )


if __name__ == "__main__":
    run(main)
