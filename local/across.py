#!/usr/bin/env python3
"""Several corpora set against each other: who trains and who is tested, and what they have in common.

  local/across.py edge <data-dir>…            print the highest frequency that all recordings have, in Hz
  local/across.py protocols <data-dir> DEST   data dirs DEST/<protocol>, which differ in their folds
  local/across.py about NAME…                 print title, language, licence and address of those known by name, as YAML

<data-dir> of `protocols` has utt2corpus, and folds whose runs are <corpus>:<run>. The protocols, each left out where
there are too few speakers for it:
  within_<corpus>   the corpus by itself, in its own runs
  from_<corpus>     trained and validated on the corpus, tested on all others: one run
  left_out          trained on all corpora but one, tested on that: a run for each
  together          trained on all; run k tests those whom run k of each corpus tests
No speaker is both trained on and tested. In from_ and left_out, those validate whom a corpus's first run tests, and who
shares sessions with them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

import local  # noqa: F401  # isort: skip (before what takes long: it says why)

import yaml

from local import corpora
from utils import cli, lot
from utils.data_dir import tables
from utils.files import remove
from utils.folds import PARTS, Folds, check_recordings, read, recordings
from utils.hold import hold
from utils.make_folds import Line, units
from utils.parts import subset
from utils.record import Origin, content, outdated, total
from utils.recordings import Source
from utils.table import read_table, write_lines

EDGE = 0.9  # of half the sampling rate: above it, resampling filters fall off


def edge(folders: list[Path]) -> int:
    """The highest frequency that all recordings have, in Hz, as far as their sampling rates tell."""
    from steps.frontend.decoding import Unusable, decode

    lowest, where = float("inf"), ""
    for folder in folders:
        for path in dict.fromkeys(read_table(folder / "wav.scp").values()):
            try:
                rate = decode(Source(path), 0).rate
            except Unusable:
                continue  # feature extraction says so
            if rate < lowest:
                lowest, where = rate, path
    if not where:
        raise cli.UserError(f"{folders[0]}: no recording can be read")
    return int(EDGE * lowest / 2)


def of_corpora(folds: Folds, corpus_of: dict[str, str]) -> dict[str, Folds]:
    """corpus → its own runs; none, of too few speakers for any. Raises UserError for a run of another form."""
    result: dict[str, Folds] = {corpus: {} for corpus in sorted(set(corpus_of.values()))}
    for run, parts in folds.items():
        corpus, colon, own = run.partition(":")
        if not colon or corpus not in result:
            raise cli.UserError(f"folds: '{run}' is no run of a corpus, <corpus>:<run>")
        result[corpus][own] = parts
    return result


def protocols(
    runs_of: dict[str, Folds], speakers_of: dict[str, list[str]], together: list[list[str]]
) -> dict[str, list[Line]]:
    """Protocol → fold list. runs_of: corpus → its own runs; speakers_of: corpus → all of its speakers; together: groups
    of speakers who must not be parted (utils/make_folds.py: `units`)."""
    unit_of = {speaker: set(unit) for unit in together for speaker in unit}
    validating: dict[str, list[str]] = {}
    for corpus, names in speakers_of.items():
        first = next((parts["test"] for parts in runs_of[corpus].values()), names[:1])
        validating[corpus] = [who for who in names if not unit_of[who].isdisjoint(first)]
    teaching = {corpus for corpus, names in speakers_of.items() if len(names) > len(validating[corpus])}
    result: dict[str, list[Line]] = {"left_out": [], "together": []}
    for corpus, runs in runs_of.items():
        others = [other for other in runs_of if other != corpus]
        if runs:
            result[f"within_{corpus}"] = [
                (run, p, who) for run, parts in runs.items() for p in PARTS for who in parts[p]
            ]
        if corpus in teaching:
            result[f"from_{corpus}"] = list(_run("run01", [corpus], others, speakers_of, validating))
        if teaching - {corpus}:  # else none would be left to train on
            result["left_out"] += _run(corpus, others, [corpus], speakers_of, validating)
    for number in range(max(map(len, runs_of.values()))):
        name = f"run{number + 1:02d}"
        for corpus, runs in runs_of.items():
            if not runs:
                result["together"] += [(name, "train", who) for who in speakers_of[corpus]]
                continue
            parts = list(runs.values())[number % len(runs)]
            if number >= len(runs):  # those whom this run would test have been tested
                selecting = [who for who in parts["test"] if not unit_of[who].isdisjoint(parts["valid"])]
                learning = [who for who in parts["test"] if who not in selecting]
                parts = {"train": parts["train"] + learning, "valid": parts["valid"] + selecting}
            result["together"] += [(name, part, who) for part, speakers in parts.items() for who in speakers]
    return {protocol: lines for protocol, lines in result.items() if lines}


def _run(
    name: str,
    sources: list[str],
    targets: list[str],
    speakers_of: dict[str, list[str]],
    validating: dict[str, list[str]],
) -> Iterator[Line]:
    """One run that trains on some corpora and tests others."""
    for corpus in sources:
        yield from ((name, "train", who) for who in speakers_of[corpus] if who not in validating[corpus])
        yield from ((name, "valid", who) for who in validating[corpus])
    for corpus in targets:
        yield from ((name, "test", who) for who in speakers_of[corpus])


def write_protocols(data: Path, dest: Path) -> list[str]:
    """The data dirs; their names."""
    utt2spk, utt2corpus = (read_table(data / name) for name in ("utt2spk", "utt2corpus"))
    corpus_of = {speaker: corpus for speaker, (corpus, _) in lot.fifths(utt2spk, utt2corpus).items()}
    speakers_of: dict[str, list[str]] = {}
    for speaker in sorted(corpus_of):
        speakers_of.setdefault(corpus_of[speaker], []).append(speaker)
    if len(speakers_of) < 2:
        raise cli.UserError(f"{data}/utt2corpus: names one corpus, and two are needed")
    folds = read(data / "folds") if (data / "folds").is_file() else {}  # all are of too few speakers for any
    sessions = read_table(data / "utt2session") if (data / "utt2session").is_file() else {}
    made = protocols(of_corpora(folds, corpus_of), speakers_of, units(utt2spk, sessions))
    if not made:
        raise cli.UserError(f"{data}: no corpus has two speakers, one to train on and one to validate")
    for sounds in recordings(data):
        check_recordings({"corpora": speakers_of}, utt2spk, sounds, data)
    read_now = {path.name: content(path) for path in tables(data)}
    for name, lines in made.items():
        folder, words = dest / name, [" ".join(line) for line in lines]
        origin = Origin("protocol", 1, content=read_now | {"protocol": total(words)})
        if outdated(folder, origin, folder / "folds"):  # else what was packed of it stays
            speakers = {speaker for _, _, speaker in lines}
            subset(data, folder, [utt for utt, speaker in utt2spk.items() if speaker in speakers])
            write_lines(folder / "folds", words)
            origin.write(folder)
    for folder in sorted(path for path in dest.iterdir() if path.name not in made):
        if Origin("protocol", 1).path(folder).is_file():  # of an earlier call, with other speakers
            with hold(folder):
                remove(folder)
    return list(made)


def about(names: list[str]) -> str:
    """YAML of what a model's card says of the corpora that are known by name."""
    known = {name: corpora.read(name) for name in names if name in corpora.names()}
    keys = ("title", "language", "licence", "address")
    said = {name: {key: getattr(corpus, key) for key in keys} for name, corpus in known.items()}
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["edge", "protocols", "about"])
    parser.add_argument("paths", type=cli.path_of, nargs="+", metavar="PATH")
    args = parser.parse_args()
    if args.what == "edge":
        print(edge(args.paths))
        return
    if args.what == "about":
        print(about([str(path) for path in args.paths]), end="")
        return
    if len(args.paths) != 2:
        raise cli.UserError("protocols: name a data dir and the folder to write to")
    print("\n".join(write_protocols(*args.paths)))


if __name__ == "__main__":
    cli.run(main)
