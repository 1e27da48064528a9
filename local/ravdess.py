#!/usr/bin/env python3
"""RAVDESS (Livingstone & Russo, PLoS ONE, 2018): two sentences spoken by 24 actors in eight emotions.

    local/ravdess.py [--classes "neutral happy angry sad"] [--check-counts true] DIR data/ravdess

DIR holds Actor_01 to Actor_24, with files like 03-01-05-01-02-01-18.wav: modality, channel, emotion, intensity,
statement, repetition, actor. Speech without video (03-01) is taken. Six runs test four actors each.

This is the model for a corpus of your own: find its files, read speaker and emotion off their names (no audio is
opened), say who plays which part in which run, and hand it all to `write_data_dir`."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

from utils.cli import UserError, boolean, run, warn
from utils.data_dir import Utterance, write_data_dir
from utils.folds import balanced_groups, rotate

NAME = re.compile(r"03-01-0(?P<emotion>[1-8])-\d\d-\d\d-\d\d-(?P<actor>\d\d)\.(wav|flac)")
EMOTIONS = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]  # numbered from 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", default="neutral happy angry sad", help=f"some of: {' '.join(EMOTIONS)}")
    parser.add_argument("--check-counts", type=boolean, default=True, metavar="true|false", help="all of RAVDESS?")
    parser.add_argument("corpus", type=Path, metavar="DIR")
    parser.add_argument("data", type=Path)
    args = parser.parse_args()
    classes = args.classes.split()
    if unknown := [name for name in classes if name not in EMOTIONS]:
        raise UserError(f"--classes: '{unknown[0]}' is none of: {' '.join(EMOTIONS)}")

    utterances, others = [], []
    found = Counter[str]()  # utterances by emotion
    for path in sorted(args.corpus.glob("Actor_*/[!.]*")):
        if not (match := NAME.fullmatch(path.name)):
            others.append(path)
            continue
        emotion = EMOTIONS[int(match["emotion"]) - 1]
        found[emotion] += 1
        if emotion in classes:
            speaker, gender = f"Actor_{match['actor']}", "m" if int(match["actor"]) % 2 else "f"
            # The utterance-id begins with the speaker; an emotion is written by three letters, as in IEMOCAP.
            utterances.append(Utterance(f"{speaker}-{path.stem}", path, speaker, speaker, gender, emotion[:3]))

    if others:
        warn(f"{args.corpus}: {len(others)} files skipped, not speech as 03-01-….wav or .flac (first: {others[0]})")
    if not utterances:
        raise UserError(f"{args.corpus}: expected RAVDESS's Actor_01/03-01-01-01-01-01-01.wav and so on here")
    for emotion in classes:
        expected = 96 if emotion == "neutral" else 192
        if args.check_counts and found[emotion] != expected:
            raise UserError(
                f"{args.corpus}: {found[emotion]} utterances are {emotion}, RAVDESS has {expected} "
                "(--check-counts false for anything else)"
            )

    genders = {row.speaker: row.gender for row in utterances}
    write_data_dir(args.data, utterances, rotate(balanced_groups(genders, 6)))
    counts = ", ".join(f"{emotion} {found[emotion]}" for emotion in classes)
    print(f"{args.data}: {len(utterances)} utterances, {len(genders)} speakers, {counts}")


if __name__ == "__main__":
    run(main)
