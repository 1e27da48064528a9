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
  babble     other speakers of SOURCE speak at the same time
  telephone  through a telephone's band
  mulaw      through G.711's µ-law, 8 bits at 8 kHz
  gain       louder or softer; as a recorder would, it clips
What is drawn for a copy depends on --seed, the utterance-id, the kind and the recordings to choose from alone.

Copies are for training: a data dir with folds or trials is refused. A DEST made from the same, and as it was made, is
kept.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import cli, config, runs
from utils.audio_files import files_below
from utils.cli import UserError
from utils.copies import AUGMENT, KINDS, UNIQ, Change
from utils.data_dir import check_prefixes, check_whole, keyed_on, replacing, spk2utt, tables
from utils.record import Origin, content, listing, of_settings, outdated
from utils.recordings import HASH, SOUND, Source, sources
from utils.table import read_table, write_lines, write_table

VERSION = 1  # raised when other copies come of the same data dir and options
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
ROOMS = ("simulated_rirs/smallroom", "simulated_rirs/mediumroom")  # of RIRS_NOISES, as Kaldi's VoxCeleb recipe takes


@dataclass
class Copies:
    """Which copies are made, and what is drawn for them. Where there are two numbers, it is between them."""

    kinds: str = ""
    """Kinds of copies, separated by spaces."""
    musan: str = ""
    """Folder of MUSAN, with noise and music in it; empty: these are made by formula."""
    rirs: str = ""
    """Folder of RIRS_NOISES, or any with impulse responses; empty: they are made by formula."""
    seed: int = 0
    """Of the lot, 0 or above."""
    speeds: list[float] = field(default_factory=lambda: [0.9, 1.1])
    """Factors of speed, each of which makes a copy."""
    noise_snr: list[float] = field(default_factory=lambda: [0.0, 15.0])
    """Speech over noise in dB."""
    music_snr: list[float] = field(default_factory=lambda: [5.0, 15.0])
    """Speech over music in dB."""
    babble_snr: list[float] = field(default_factory=lambda: [13.0, 20.0])
    """Speech over babble in dB."""
    voices: list[int] = field(default_factory=lambda: [3, 7])
    """Fewest and most voices in babble, 1 or above."""
    t60: list[float] = field(default_factory=lambda: [0.2, 0.8])
    """Reverberation time of a room made by formula, in s."""
    direct: list[float] = field(default_factory=lambda: [0.0, 10.0])
    """Its direct sound over its tail, in dB."""
    colour: list[float] = field(default_factory=lambda: [-6.0, 0.0])
    """Slope of a noise made by formula, in dB an octave."""
    gain: list[float] = field(default_factory=lambda: [-12.0, 6.0])
    """Gain in dB."""
    band: list[float] = field(default_factory=lambda: [300.0, 3400.0])
    """A telephone's band in Hz."""

    def __post_init__(self) -> None:
        if unknown := [kind for kind in self.kinds.split() if kind not in KINDS]:
            raise ValueError(f"kinds: there is no kind '{unknown[0]}'{config.nearest(unknown[0], KINDS)}")
        limits = dict.fromkeys(("noise_snr", "music_snr", "babble_snr", "direct", "colour", "gain"), (-100, 100))
        for name, (least, most) in (limits | {"voices": (1, 1000), "t60": (0.01, 20), "band": (1, 1e6)}).items():
            value = getattr(self, name)
            if len(value) != 2 or not least <= value[0] <= value[1] <= most:
                raise ValueError(f"{name} {value}: two numbers from {least:g} to {most:g}, the lower first")
        if self.band[0] == self.band[1]:
            raise ValueError(f"band {self.band}: the lower end is below the upper")
        if self.seed < 0 or not self.speeds or not all(0.1 <= speed <= 10 and speed != 1 for speed in self.speeds):
            raise ValueError("seed is 0 or above, and speeds, one at least, are from 0.1 to 10, but not 1")


class Lot:
    """What is drawn for the copies of a data dir."""

    def __init__(self, options: Copies, utt2spk: Mapping[str, str], places: Mapping[str, Source]) -> None:
        self.options, self.utt2spk, self.places, self.names = options, utt2spk, places, sorted(utt2spk)
        musan = {kind: [f"{options.musan}/{kind}"] for kind in ("noise", "music") if options.musan}
        rooms = [folder for room in ROOMS if Path(folder := f"{options.rirs}/{room}").is_dir()] or [options.rirs]
        folders = musan | ({"reverb": rooms} if options.rirs else {})
        self.files = {kind: recordings(folders[kind]) for kind in options.kinds.split() if kind in folders}
        people = spk2utt(utt2spk)
        self.others = min(len(self.names) - len(of.split()) for of in people.values())  # utterances, of any speaker
        if "babble" in options.kinds.split() and self.others < options.voices[0]:
            raise UserError(
                f"babble of {options.voices[0]} voices needs as many utterances of other speakers, "
                f"and there are {self.others}"
            )

    @property
    def count(self) -> int:
        """How many copies there are."""
        kinds = dict.fromkeys(self.options.kinds.split())
        return len(self.names) * sum(
            len(dict.fromkeys(self.options.speeds)) if kind == "speed" else 1 for kind in kinds
        )

    def draw(self, kind: str, utterance: str) -> Change:
        """What is done to this utterance's copy; of speed, in turn."""
        options = self.options
        rng = Random(f"{options.seed} {kind} {utterance}".encode("utf-8", "surrogateescape"))
        values: dict[str, Any] = {}
        if kind in self.files:
            sound = Source(self.files[kind][rng.randrange(len(self.files[kind]))])
            values = {"response": sound} if kind == "reverb" else {"sound": sound, "start": round(rng.random(), 4)}
        elif kind == "reverb":
            values = {"t60": between(rng, options.t60), "direct": between(rng, options.direct)}
        elif kind == "noise":
            values = {"colour": between(rng, options.colour)}
        elif kind == "babble":
            count = rng.randint(options.voices[0], min(options.voices[1], self.others))
            values = {"voices": self.voices(utterance, count, rng)}
        elif kind == "telephone":
            values = {"low": options.band[0], "high": options.band[1]}
        elif kind == "mulaw":
            values = {"rate": 8000}
        elif kind == "gain":
            values = {"level": between(rng, options.gain)}
        if kind in ("reverb", "noise", "music") and kind not in self.files:
            values["seed"] = rng.getrandbits(32)
        if kind in ("noise", "music", "babble"):
            values["snr"] = between(rng, getattr(options, f"{kind}_snr"))
        return Change(kind, values)

    def voices(self, utterance: str, count: int, rng: Random) -> tuple[Source, ...]:
        """Where `count` utterances of other speakers lie."""
        found: dict[str, Source] = {}
        while len(found) < count:
            other = self.names[rng.randrange(len(self.names))]
            if self.utt2spk[other] != self.utt2spk[utterance]:
                found[other] = self.places[other]
        return tuple(found.values())

    def copies(self) -> Iterator[tuple[str, str, str, Change]]:
        """(copy, its speaker, its origin, what is done to it), of all."""
        for name in self.names:
            speaker = self.utt2spk[name]
            for kind in dict.fromkeys(self.options.kinds.split()):
                if kind == "speed":
                    for factor in dict.fromkeys(self.options.speeds):
                        sp = f"sp{factor:g}-"
                        yield f"{sp}{name}", f"{sp}{speaker}", name, Change(kind, {"factor": factor})
                else:
                    yield f"{name}-{kind}", speaker, name, self.draw(kind, name)


def between(rng: Random, limits: Sequence[float]) -> float:
    return round(rng.uniform(*limits), 2)


def recordings(folders: Sequence[str]) -> list[str]:
    """The wav and flac files below folders, sorted. Raises UserError where there are none."""
    there = [Path(folder) for folder in folders if os.path.isdir(folder)]
    found = [path for folder in there for path in files_below(folder) if path.suffix.lower() in (".wav", ".flac")]
    if not found:
        raise UserError(f"{folders[0]}: expected a folder with wav or flac files in it")
    return sorted(map(str, found))


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
    lot = Lot(options, read["utt2spk"], sources(source))
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
    parser.add_argument("source", type=Path, help="data dir to copy")
    parser.add_argument("dest", type=Path, help="data dir to make")
    arguments, options = config.parse(parser, Copies)
    for name in ("musan", "rirs"):
        if given := getattr(options, name):
            setattr(options, name, os.path.abspath(given))
    print(augment(arguments.source, arguments.dest, options))


if __name__ == "__main__":
    cli.run(main)
