#!/usr/bin/env python3
"""Copy a data dir with falsified speaker labels, to measure what common mistakes are worth. Never for results.

  utils/leak_data_dir.py [--kind random|prefix] [--seed 0] <data-dir> <falsified-data-dir>
  utils/leak_data_dir.py --kind random data/ravdess data/ravdess_leak_random

random: a split by utterance instead of speaker. Each utterance gets a random speaker label; every label keeps its
number of utterances, and the folds stay as they are. So every voice is in train, validation and test.
prefix: the label is the first part of the session's name, the mistake that IEMOCAP's dialog names (Ses01F_impro01)
invite. Each label is tested in turn and validated on the one after next; the same people speak in the training set.

The file `leak` in the new data dir marks it. steps/finetune.py trains on it only in a folder leak_<kind>/ and marks
every run. Such scores appear in the leak table; tables of results refuse them.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import cli, data_dir, folds, runs
from utils.recordings import HASH
from utils.table import read_lines, read_table, write_lines, write_table


def dealt(utt2spk: dict[str, str], seed: int) -> dict[str, str]:
    """utterance → a speaker by lot; every speaker keeps as many utterances."""
    speakers = list(utt2spk.values())
    random.Random(seed).shuffle(speakers)
    return dict(zip(utt2spk, speakers))


def one_after_next(speakers: list[str]) -> list[str]:
    """The fold list of `prefix`. Raises UserError where there are too few for it."""
    if len(speakers) < 4:
        raise cli.UserError(
            f"--kind prefix: the sessions' names have {len(speakers)} different prefixes, and four are needed"
        )
    parts = ["test", "train", "valid", *["train"] * (len(speakers) - 3)]  # of the tested one, and who follows
    return [
        f"{tested} {parts[place - number]} {speaker}"
        for number, tested in enumerate(speakers)
        for place, speaker in enumerate(speakers)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("random", "prefix"), default="random")
    parser.add_argument("--seed", type=cli.natural, default=0, help="of the lot [0]")
    parser.add_argument("data", type=cli.path_of)
    parser.add_argument("dest", type=cli.path_of)
    options = parser.parse_args()
    utt2spk = data_dir.check_whole(options.data)
    if kind := runs.leak(options.data):
        raise cli.UserError(f"{options.data}: its speakers are falsified already ({kind}); begin with the true ones")
    if options.kind == "random":
        label_of = dealt(utt2spk, options.seed)
        lines = read_lines(options.data / "folds")
    else:
        sessions = read_table(options.data / "utt2session")
        label_of = {utterance: sessions[utterance].partition("_")[0] for utterance in utt2spk}
        lines = one_after_next(sorted(set(label_of.values())))
    if label_of == utt2spk:
        raise cli.UserError(f"--kind {options.kind}: the names of {options.data}'s sessions are those of its speakers")
    names = {utterance: f"{speaker}-{utterance}" for utterance, speaker in label_of.items()}
    falsified = {names[utterance]: speaker for utterance, speaker in label_of.items()}
    data_dir.check_prefixes(falsified, options.dest)
    segments = (options.data / "segments").is_file()
    with data_dir.replacing(options.dest, options.data) as temporary:
        temporary.mkdir()
        for path in data_dir.tables(options.data):
            kind = data_dir.keyed_on(path.name, segments)
            if path.name == HASH:
                continue  # one sound under two false speakers is what this mistake leads to
            if kind == "utterance":
                table = read_table(path)
                write_table(temporary / path.name, {names[key]: value for key, value in table.items() if key in names})
            elif kind != "speaker":  # what is known of speakers is not true of these
                shutil.copy(path, temporary)
        write_table(temporary / "utt2spk", falsified)
        write_table(temporary / "spk2utt", data_dir.spk2utt(falsified))
        if options.kind == "random":
            write_table(temporary / "utt2session", {name: name for name in falsified})
        write_lines(temporary / "folds", lines)
        write_lines(temporary / runs.LEAK, [f"{options.kind}, of {options.data}: falsified speaker labels"])
        # The folds' own check finds nothing: it cannot see that labels are false.
        folds.check(folds.read(temporary / "folds"), falsified, read_table(temporary / "utt2session"))
    print(f"{options.dest}: {len(falsified)} utterances of {len(set(falsified.values()))} falsified speakers")


if __name__ == "__main__":
    cli.run(main)
