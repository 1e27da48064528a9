#!/usr/bin/env python3
"""Copy a data dir: its tables and other files, not its splits and backups."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils.cli import path_of, run
from utils.parts import subset
from utils.table import read_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("source", type=path_of, metavar="SOURCE")
    parser.add_argument("dest", type=path_of, metavar="DEST")
    arguments = parser.parse_args()
    subset(arguments.source, arguments.dest, read_table(arguments.source / "utt2spk"))
    print(f"copy_data_dir.py: copied data from {arguments.source} to {arguments.dest}")


if __name__ == "__main__":
    run(main)
