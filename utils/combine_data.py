#!/usr/bin/env python3
"""Make one data dir, DEST, of several. What only some of them have is left out, with a notice; a speaker, utterance or
recording that several have must be the same in each. Copies stay copies (utt2uniq, utt2augment) beside utterances of
data dirs without any, and runs stay runs (folds) beside speakers that are in none. A DEST made of the same is kept."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import folds, runs
from utils.cli import UserError, path_of, run, warn
from utils.copies import AUGMENT, UNIQ
from utils.data_dir import COMPLETE, check_prefixes, check_whole, keyed_on, replaceable, replacing, spk2utt, tables
from utils.record import Origin, content, outdated
from utils.table import columns, content_of, key_of, read_lines, read_table, write_lines, write_table

VERSION = 2  # raised when the same data dirs are combined in another way


def combine(dest: Path, sources: Sequence[Path]) -> int:
    """Make the data dir `dest` of `sources` and return its number of utterances. Replaces a data dir of that name, but
    keeps one made of the same, and what was made of it.
    Raises UserError where they contradict each other: a key with two values, a frame_shift that differs, a speaker in
    two parts of a run; or where some have `segments` and some have not, or one's speakers are not true."""
    for source in sources:
        if not (source / "utt2spk").is_file():
            raise UserError(f"{source}: not a data dir (no utt2spk)")
        if runs.leak(source):
            raise UserError(f"{source} has falsified speaker labels ({source / runs.LEAK}), so it is not combined")
        check_whole(source)
    segments = [source for source in sources if (source / "segments").is_file()]
    if segments and len(segments) < len(sources):
        raise UserError(
            f"{segments[0]}/segments: some data dirs have segments and others do not; they cannot be combined"
        )
    replaceable(dest, *sources)
    read = {f"{number}/{path.name}": content(path) for number, source in enumerate(sources) for path in tables(source)}
    origin = Origin("combine_data", VERSION, content=read)
    shared = set.intersection(*({path.name for path in tables(source)} & COMPLETE for source in sources))
    if not outdated(dest, origin, *(dest / name for name in sorted({"utt2spk", *shared}))):
        return len(read_table(dest / "utt2spk"))
    with replacing(dest, *sources) as temporary:
        temporary.mkdir()
        origin.write(temporary)
        for name in sorted({path.name for source in sources for path in tables(source)} - {"spk2utt"}):
            paths = [source / name for source in sources]
            lacking = [path.parent for path in paths if not path.is_file()]
            if name == "folds":
                if lacking:
                    warn(f"folds: {lacking[0]} has none, so no run has its speakers")
                write_lines(temporary / name, _merged_folds([path for path in paths if path.is_file()]))
            elif lacking and name not in (UNIQ, AUGMENT):
                warn(f"{name} is left out, as {lacking[0]} has none")
            elif keyed_on(name, bool(segments)):
                write_lines(temporary / name, _merged(paths))
            elif len(contents := {path.read_bytes() for path in paths}) == 1:
                (temporary / name).write_bytes(contents.pop())
            elif name == "frame_shift":
                shifts = ", ".join(f"{' '.join(map(str.strip, read_lines(path)))} in {path}" for path in paths)
                raise UserError(f"frame_shift differs, so the features do not go together: {shifts}")
            else:
                warn(f"{name} is left out: it differs, and is keyed neither by utterance nor by speaker")
        utt2spk = read_table(temporary / "utt2spk")
        check_prefixes(utt2spk, dest)
        write_table(temporary / "spk2utt", spk2utt(utt2spk))
        if (temporary / "folds").is_file():
            folds.check(folds.read(temporary / "folds"), utt2spk, None, complete=False)
    return len(utt2spk)


def _merged(paths: Sequence[Path]) -> list[str]:
    """The lines of all `paths`, each once, sorted. Raises UserError for a key whose lines differ."""
    listed = [line for path in paths for line in _lines(path)]
    lines = sorted(dict.fromkeys(listed))  # in the order of the data dirs: nearly sorted, so soon sorted
    if len(lines) < len(listed) and paths[0].name == "utt2spk":
        warn(f"{len(listed) - len(lines)} utterances stand in more than one data dir, and are taken once")
    keys, _ = columns(content_of(lines))
    if len(set(keys)) < len(keys):
        first: dict[str, str] = {}
        for path in paths:
            for line in _lines(path):
                if (other := first.setdefault(key_of(line), line)) != line:
                    raise UserError(f"{path}: '{line}', but a data dir before it has '{other}'")
    return lines


def _lines(path: Path) -> list[str]:
    """The lines of a table. Where there is no utt2uniq or utt2augment, there are no copies: each utterance is its own
    origin."""
    if path.is_file() or path.name not in (UNIQ, AUGMENT):
        return list(map(str.strip, read_lines(path)))
    return [f"{name} {name}" for name in read_table(path.parent / "utt2spk")] if path.name == UNIQ else []


def _merged_folds(paths: Sequence[Path]) -> list[str]:
    """The lines of all fold lists, each once, by run, part and speaker."""
    lists = [folds.read(path) for path in paths]
    shared = any(one.keys() & other.keys() for one, other in itertools.combinations(lists, 2))
    if shared and any(runs.keys() != lists[0].keys() for runs in lists):  # else each has runs of its own
        warn("folds: the data dirs do not have the same runs, so some runs have speakers of some of them only")
    lines = []
    for run_name in sorted(set().union(*lists)):
        for part in folds.PARTS:
            speakers = sorted({speaker for runs in lists if run_name in runs for speaker in runs[run_name][part]})
            lines += [f"{run_name} {part} {speaker}" for speaker in speakers]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("dest", type=path_of, metavar="DEST")
    parser.add_argument("sources", type=path_of, nargs="+", metavar="SOURCE")
    arguments = parser.parse_args()
    count = combine(arguments.dest, arguments.sources)
    print(f"combine_data.py: {arguments.dest} has {count} utterances")


if __name__ == "__main__":
    run(main)
