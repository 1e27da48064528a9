#!/usr/bin/env python3
"""Make a data dir of some of the utterances of another.

  utils/subset_data_dir.py [--first|--last|--shortest|--per-spk|--speakers] SOURCE N DEST
  utils/subset_data_dir.py --utt-list FILE SOURCE DEST
  utils/subset_data_dir.py --spk-list FILE SOURCE DEST

Without an option, N utterances evenly spread over SOURCE. The same command always picks the same ones."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from math import inf
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils.cli import UserError, path_of, run, warn
from utils.data_dir import speakers
from utils.parts import subset
from utils.table import read_lines, read_table


def evenly(items: Sequence[str], number: int) -> list[str]:
    """`number` of `items` (all, where there are fewer), equally far from each other, in their order."""
    number = min(number, len(items))
    return [items[k * len(items) // number] for k in range(number)]


def listed(path: Path, known: Collection[str]) -> list[str]:
    """The ids that a list names (first field of each line) and `known` has. Those it lacks are counted and named."""
    ids = dict.fromkeys(line.split(None, 1)[0] for line in read_lines(path) if line.strip())
    if strangers := [name for name in ids if name not in known]:
        warn(f"{path}: {len(strangers)} of {len(ids)} ids are not in the data dir, first '{strangers[0]}'")
    return [name for name in ids if name in known]


def choose(data: Path, how: str, number: int) -> list[str]:
    """The utterances that the option `how` means ("" for none: evenly spread). Raises UserError if `number` is more
    than `data` has; with per_spk, a speaker who has fewer gives all."""
    utt2spk = read_table(data / "utt2spk")
    utterances = sorted(utt2spk)
    if not 0 < number <= len(utterances):
        raise UserError(f"{data}: cannot choose {number} of its {len(utterances)} utterances")
    if how == "first":
        return utterances[:number]
    if how == "last":
        return utterances[-number:]
    if how == "shortest":
        path = data / ("utt2num_frames" if (data / "utt2num_frames").is_file() else "utt2dur")
        lengths = read_table(path)
        try:
            known = {utterance: float(lengths[utterance]) for utterance in utterances}
            if odd := [utterance for utterance, length in known.items() if not 0 <= length < inf]:
                raise ValueError(f"'{odd[0]}' has {lengths[odd[0]]}")
            return sorted(utterances, key=known.__getitem__)[:number]
        except (KeyError, ValueError) as error:
            raise UserError(f"{path}: no length for each utterance ({error}); see utils/validate_data_dir.py") from None
    if how == "per_spk":
        return [utterance for names in speakers(utt2spk).values() for utterance in evenly(names, number)]
    if how == "speakers":
        chosen: list[str] = []
        members = speakers(utt2spk)
        for speaker in Random(0).sample(list(members), len(members)):
            if len(chosen) < number:
                chosen += members[speaker]
        return chosen
    return evenly(utterances, number)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    options = parser.add_mutually_exclusive_group()
    for how, meaning in {
        "first": "the first N utterances",
        "last": "the last N utterances",
        "shortest": "the N shortest utterances, by utt2num_frames or utt2dur",
        "per-spk": "N utterances of each speaker, evenly spread; all of one who has fewer",
        "speakers": "whole speakers, at random, until there are N utterances",
    }.items():
        options.add_argument(f"--{how}", dest="how", action="store_const", const=how.replace("-", "_"), help=meaning)
    options.add_argument("--utt-list", type=path_of, metavar="FILE", help="the utterances that FILE lists")
    options.add_argument("--spk-list", type=path_of, metavar="FILE", help="the speakers that FILE lists")
    parser.add_argument("source", type=path_of, metavar="SOURCE")
    parser.add_argument("number", type=int, nargs="?", metavar="N", help="how many utterances")
    parser.add_argument("dest", type=path_of, metavar="DEST")
    arguments = parser.parse_intermixed_args()
    source = arguments.source
    by_list = arguments.utt_list or arguments.spk_list
    if bool(by_list) != (arguments.number is None):
        parser.error("a list takes SOURCE DEST" if by_list else "expected SOURCE N DEST")
    if arguments.utt_list:
        chosen = listed(arguments.utt_list, read_table(source / "utt2spk"))
    elif arguments.spk_list:
        members = speakers(read_table(source / "utt2spk"))
        chosen = [utterance for name in listed(arguments.spk_list, members) for utterance in members[name]]
    else:
        chosen = choose(source, arguments.how or "", arguments.number)
    subset(source, arguments.dest, chosen)
    print(f"subset_data_dir.py: {arguments.dest} has {len(chosen)} utterances of {source}")


if __name__ == "__main__":
    run(main)
