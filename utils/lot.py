"""Which copies of a data dir's utterances are made, and what is drawn for each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from utils import config
from utils.audio_files import files_below
from utils.cli import UserError
from utils.copies import KINDS, Change
from utils.data_dir import spk2utt
from utils.recordings import Source

FIFTHS = 5  # that the speakers of a corpus are dealt into, to be told of without
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


def fifths(utt2spk: Mapping[str, str], utt2corpus: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """speaker → corpus, and which fifth of it, dealt in the order of their names. A model that tells of a corpus or a
    fifth has heard nobody of it, not even as a voice in a copy of somebody else. Raises UserError for a speaker of two
    corpora, and for an utterance of none."""
    members: dict[str, set[str]] = {}
    corpus_of: dict[str, str] = {}
    for utterance, speaker in utt2spk.items():
        if (corpus := utt2corpus.get(utterance)) is None:
            raise UserError(f"utt2corpus: has no line for '{utterance}'")
        if (other := corpus_of.setdefault(speaker, corpus)) != corpus:
            raise UserError(f"utt2corpus: speaker '{speaker}' is in two corpora, {other} and {corpus}: rename one")
        members.setdefault(corpus, set()).add(speaker)
    return {who: (corpus, k % FIFTHS) for corpus, names in members.items() for k, who in enumerate(sorted(names))}


class Lot:
    """What is drawn for the copies of a data dir; utt2corpus: none where nothing of it is ever to be left out."""

    def __init__(
        self,
        options: Copies,
        utt2spk: Mapping[str, str],
        places: Mapping[str, Source],
        utt2corpus: Mapping[str, str] | None = None,
    ) -> None:
        self.options, self.utt2spk, self.places, self.names = options, utt2spk, places, sorted(utt2spk)
        musan = {kind: [f"{options.musan}/{kind}"] for kind in ("noise", "music") if options.musan}
        rooms = [folder for room in ROOMS if Path(folder := f"{options.rirs}/{room}").is_dir()] or [options.rirs]
        folders = musan | ({"reverb": rooms} if options.rirs else {})
        self.files = {kind: recordings(folders[kind]) for kind in options.kinds.split() if kind in folders}
        part = fifths(utt2spk, utt2corpus) if utt2corpus else {}
        groups: dict[tuple[str, int] | None, list[str]] = {}
        for name in self.names:
            groups.setdefault(part.get(utt2spk[name]), []).append(name)
        # speaker → what may be heard beside it, others of its part or, of a part of its own, itself
        self.near = {speaker: groups[part.get(speaker)] for speaker in utt2spk.values()}
        people = {speaker: len(of.split()) for speaker, of in spk2utt(utt2spk).items()}
        self.alone = {who for who, own in people.items() if part and len(self.near[who]) == own}
        counts = {who: len(self.near[who]) - (1 if who in self.alone else own) for who, own in people.items()}
        self.others = min(counts.values())  # utterances, of any speaker
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
        near = self.near[speaker := self.utt2spk[utterance]]
        while len(found) < count:
            other = near[rng.randrange(len(near))]
            if self.utt2spk[other] != speaker or (speaker in self.alone and other != utterance):
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
