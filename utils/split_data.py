#!/usr/bin/env python3
"""Split a data dir into DATA/split<nj>/1, 2, … of about equally many utterances, each speaker in one of them; with
--per-utt, by utterance into DATA/split<nj>utt. Prints the folder of the parts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils.cli import path_of, run
from utils.parts import split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--per-utt", action="store_true", help="do not heed speakers")
    parser.add_argument("data", type=path_of, help="data dir")
    parser.add_argument("nj", type=int, help="number of parts; lowered, with a notice, where there are fewer speakers")
    arguments = parser.parse_args()
    print(split(arguments.data, arguments.nj, arguments.per_utt)[0].parent)


if __name__ == "__main__":
    run(main)
