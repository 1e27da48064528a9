#!/usr/bin/env python3
"""Copy a data dir so that it lies about its speakers, to measure what common mistakes are worth. Never for results.

  utils/leak_data_dir.py [--kind random|prefix] [--seed 0] <data-dir> <lying-data-dir>
  utils/leak_data_dir.py --kind random data/ravdess data/ravdess_leak_random

random: a split by utterance. Utterances are dealt out at random to speakers of the same names and sizes, each being a
session of its own, so that the folds, which stay as they are, have everybody's voice in all three parts.
prefix: the speaker is read off the front of the session's name, as IEMOCAP's dialog Ses01F_impro01 invites one to do;
each such "speaker" is tested in turn, validated on the one after next, and the rest trains, the other half of the same
dialogs' people with them.

The file `leak` in the new data dir says what was done. steps/finetune.py trains on it in a folder leak_<kind> of the
exp folder alone, and marks every run with it: the leak table shows such scores, and a table of results refuses them.
"""

from __future__ import annotations

import argparse
import random
import shutil
from pathlib import Path

from utils import cli, data_dir, folds, leak
from utils.files import whole
from utils.table import read_table, write_lines, write_table

KINDS = ("random", "prefix")


def dealt(utt2spk: dict[str, str], seed: int) -> dict[str, str]:
    """utterance → a speaker by lot; every speaker keeps as many utterances."""
    speakers = list(utt2spk.values())
    random.Random(seed).shuffle(speakers)
    return dict(zip(utt2spk, speakers))


def one_after_next(speakers: list[str]) -> list[str]:
    """The fold list of `prefix`. Raises UserError where there are too few for it."""
    if len(speakers) < 4:
        raise cli.UserError(f"--kind prefix: the sessions' names begin in {len(speakers)} ways, and four are needed")
    lines = []
    for number, tested in enumerate(speakers):
        validated = speakers[(number + 2) % len(speakers)]
        for speaker in speakers:
            part = "test" if speaker == tested else "valid" if speaker == validated else "train"
            lines.append(f"{tested} {part} {speaker}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS, default="random")
    parser.add_argument("--seed", type=int, default=0, help="of the lot [0]")
    parser.add_argument("data", type=Path)
    parser.add_argument("dest", type=Path)
    options = parser.parse_args()
    utt2spk = read_table(options.data / "utt2spk")
    sessions = read_table(options.data / "utt2session")
    if options.kind == "random":
        liar = dealt(utt2spk, options.seed)
        lines = (options.data / "folds").read_text().splitlines() if (options.data / "folds").is_file() else []
    else:
        liar = {utterance: sessions[utterance].partition("_")[0] for utterance in utt2spk}
        lines = one_after_next(sorted(set(liar.values())))
    if not lines:
        raise cli.UserError(f"{options.data}/folds: no such file")
    names = {utterance: f"{speaker}-{utterance}" for utterance, speaker in liar.items()}
    lying = {names[utterance]: speaker for utterance, speaker in liar.items()}
    data_dir.check_prefixes(lying, options.dest)
    segments = (options.data / "segments").is_file()
    with whole(data_dir.replaceable(options.dest, options.data)) as temporary:
        temporary.mkdir()
        for path in data_dir.tables(options.data):
            kind = data_dir.keyed_on(path.name, segments)
            if kind == "utterance":
                table = read_table(path)
                write_table(temporary / path.name, {names[key]: value for key, value in table.items() if key in names})
            elif kind != "speaker":  # what is known of speakers is not true of these
                shutil.copy(path, temporary)
        write_table(temporary / "utt2spk", lying)
        write_table(temporary / "spk2utt", data_dir.spk2utt(lying))
        if options.kind == "random":
            write_table(temporary / "utt2session", {name: name for name in lying})
        write_lines(temporary / "folds", lines)
        write_lines(temporary / leak.MARK, [f"{options.kind}, of {options.data}: its speakers are not true"])
        # The program's own check finds nothing: a lie about speakers is what it cannot see.
        folds.check(folds.read(temporary / "folds"), lying, read_table(temporary / "utt2session"))
    print(f"{options.dest}: {len(lying)} utterances of {len(set(lying.values()))} speakers that are not true")


if __name__ == "__main__":
    cli.run(main)
