#!/usr/bin/env python3
"""Make a data dir of changed copies of another's utterances, to be trained on. No sound is written: the tables utt2uniq
and utt2augment (utils/copies.py) say of what each is a copy, and how steps/make_fbank.py is to change it.

  utils/augment_data_dir.py --kinds "KIND …" [options] SOURCE DEST
  utils/augment_data_dir.py --kinds "speed noise reverb" --musan /corpora/musan data/train data/train_copies

Each utterance gets a copy of each kind (speed: of each factor):
  speed      faster or slower, and so higher or lower: of speakers of their own, sp0.9-<speaker>
  reverb     in a room: an impulse response of --rirs, or without that, direct sound and exponentially decaying noise
  noise      from the folder noise of --musan, or without that, made by formula: steady, its spectrum tilted
  music      from the folder music of --musan, or without that, made by formula: chords of harmonic tones
  babble     other speakers of SOURCE speak at the same time; where it has utt2corpus, of the same corpus and of the
             same fifth of its speakers, whom steps/make_model.py leaves out together
  telephone  through a telephone's band
  mulaw      through G.711's µ-law, 8 bits at 8 kHz
  gain       louder or softer; as a recorder would, it clips
What is drawn for a copy depends on --seed, the utterance-id, the kind and the recordings to choose from alone.

Copies are for training: a data dir with folds or trials is refused. A DEST made from the same, which
has lost nothing since, is kept.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import cli, config, runs
from utils.cli import UserError
from utils.copies import AUGMENT, KINDS, UNIQ
from utils.data_dir import check_prefixes, check_whole, keyed_on, replacing, spk2utt, tables
from utils.lot import Copies, Lot
from utils.record import Origin, content, listing, of_settings, outdated
from utils.recordings import HASH, SOUND, sources
from utils.table import read_table, write_lines, write_table

VERSION = 2  # raised when other copies come of the same data dir and options
OF_SOUND = {
    "feats.scp",
    "vad.scp",
    "descriptors.scp",
    "cmvn.scp",
    "utt2num_frames",
    "utt2dur",
    "reco2dur",
    HASH,
    SOUND,
}  # not a copy's


def is_whole(dest: Path, count: int) -> bool:
    """Whether a data dir has `count` copies, but for those that steps/make_fbank.py has lost, and all that is said of
    them."""
    try:
        kept = check_whole(dest).keys()
        lost = read_table(dest / "lost") if (dest / "lost").is_file() else {}
        return len(kept) + len(lost) == count and all(
            read_table(dest / name).keys() == kept for name in (UNIQ, AUGMENT)
        )
    except UserError:
        return False


def augment(source: Path, dest: Path, options: Copies) -> str:
    """Make the data dir `dest` of copies of `source`'s utterances; returns what it is, in words. Raises UserError for a
    data dir whose copies would not be for training alone, or would make no valid data dir."""
    if not options.kinds.split():
        raise UserError(f"--kinds: expected some of {' '.join(KINDS)}")
    if not (source / "utt2spk").is_file():
        raise UserError(f"{source}: not a data dir (no utt2spk)")
    for name, means in (("folds", "is tested on in its runs"), ("trials", "is a test set"), (AUGMENT, "has copies")):
        if (source / name).is_file():
            raise UserError(f"{source}: {means} ({source / name}); copies are made of training data alone, once")
    if runs.leak(source):
        raise UserError(f"{source} has falsified speaker labels ({source / runs.LEAK}), so it is not copied")
    check_whole(source)
    segments = (source / "segments").is_file()
    read = {
        path.name: read_table(path)
        for path in tables(source)
        if (kind := keyed_on(path.name, segments)) and path.name != "spk2utt"
        if kind == "recording" or path.name not in OF_SOUND
    }
    lot = Lot(options, read["utt2spk"], sources(source), read.get("utt2corpus"))
    known = {name: content(source / name) for name in read}
    known |= {f"recordings for {kind}": listing(files) for kind, files in lot.files.items()}
    origin = Origin("augment_data_dir", VERSION, of_settings(options), known)
    if not outdated(dest, origin, *(dest / name for name in read)) and is_whole(dest, lot.count):
        return f"{dest}: copies are there and up to date"
    rows = list(lot.copies())
    if taken := [name for name, *_ in rows if name in read["utt2spk"]]:
        raise UserError(f"{source}: an utterance is called '{taken[0]}' as a copy would be: rename it")
    if twins := [name for name, count in Counter(name for name, *_ in rows).items() if count > 1]:
        raise UserError(f"--speeds {options.speeds}: two of them name a copy '{twins[0]}': leave one out")
    utt2spk = {name: speaker for name, speaker, *_ in rows}
    check_prefixes(utt2spk | read["utt2spk"], dest)
    uniq = read.get(UNIQ, {})
    with replacing(dest, source) as temporary:
        temporary.mkdir()
        for name, table in read.items():
            kind = keyed_on(name, segments)
            if kind == "recording":
                lines = [f"{key} {value}" for key, value in table.items()]
            elif kind == "speaker":
                of = {speaker: read["utt2spk"][first] for _, speaker, first, _ in rows}
                lines = sorted(f"{speaker} {table[first]}" for speaker, first in of.items() if first in table)
            else:
                lines = sorted(f"{copy} {table[first]}" for copy, _, first, _ in rows if first in table)
            write_lines(temporary / name, lines)
        write_table(temporary / "utt2spk", utt2spk)
        write_table(temporary / "spk2utt", spk2utt(utt2spk))
        write_table(temporary / UNIQ, {copy: uniq.get(first, first) for copy, _, first, _ in rows})
        write_table(temporary / AUGMENT, {copy: str(change) for copy, _, _, change in rows})
        origin.write(temporary)
    return f"{dest}: {len(rows)} copies of {len(lot.names)} utterances, {len(set(utt2spk.values()))} speakers"


def main() -> None:
    parser = config.arguments(Copies, __doc__)
    parser.add_argument("source", type=cli.path_of, help="data dir to copy")
    parser.add_argument("dest", type=cli.path_of, help="data dir to make")
    arguments, options = config.parse(parser, Copies)
    for name in ("musan", "rirs"):
        if given := getattr(options, name):
            setattr(options, name, os.path.abspath(given))
    print(augment(arguments.source, arguments.dest, options))


if __name__ == "__main__":
    cli.run(main)
