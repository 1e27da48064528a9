"""Copies of utterances: of which utterance each is, and how its sound is changed before features are made of it.

No sound is written: a copy has its origin's file in wav.scp, and two tables say the rest. `utt2uniq` is Kaldi's,
`<utterance> <origin>`. `utt2augment` has a line for each copy and none for an original, `<utterance> <kind>
<key>=<value> …`, with a kind's keys in this order:

  speed      factor=0.9                           as fast as this, and its pitch with it
  reverb     response=SOUND                       a room's impulse response
             t60=0.41 direct=2.5 seed=7           or one by formula: s to fall by 60 dB, direct sound over tail in dB
  noise      sound=SOUND start=0.25 snr=7.3       a recording of noise; `start`: a share of where it could begin
             colour=-3.1 seed=7 snr=7.3           or Gaussian noise, its spectrum tilted by so many dB an octave
  music      sound=SOUND start=0.25 snr=7.3       a recording of music
             seed=7 snr=7.3                       or chords of harmonic tones
  babble     voices=SOUND,SOUND,SOUND snr=15.2    others speak, each as loud as the next
  telephone  low=300 high=3400                    the band of a telephone line, in Hz
  mulaw      rate=8000                            G.711's 8 bits a sample, at this rate in Hz
  gain       level=-4.2                           in dB

`snr` is in dB, over the whole utterance. SOUND is a path, in which all but letters, digits and `_.-~/` is %-encoded, or
a stretch of one, PATH:BEGIN:END in seconds. Every choice is in the line: who makes features draws nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from utils.cli import UserError
from utils.recordings import Source
from utils.table import read_table

UNIQ, AUGMENT = "utt2uniq", "utt2augment"


def _number(text: str, low: float, high: float) -> float:
    if not low <= (value := float(text)) <= high:
        raise ValueError(text)
    return value


def _whole(text: str, low: int, high: int) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        raise ValueError(text)
    return int(text)


def _sound(text: str) -> Source:
    path, *times = text.split(":")
    if not path or len(times) not in (0, 2):
        raise ValueError(text)
    name = os.fsdecode(unquote_to_bytes(path))
    if not times:
        return Source(name)
    begin, end = map(float, times)
    if not 0 <= begin < end < inf:
        raise ValueError(text)
    return Source(name, begin, end)


def _sounds(text: str) -> tuple[Source, ...]:
    return tuple(map(_sound, text.split(",")))


def _text(value: Any) -> str:
    if isinstance(value, Source):
        times = "" if value.end is None else f":{value.begin:.10g}:{value.end:.10g}"
        return quote_from_bytes(os.fsencode(value.path)) + times
    return ",".join(map(_text, value)) if isinstance(value, tuple) else f"{value:.10g}"


_db, _share = partial(_number, low=-100, high=100), partial(_number, low=0, high=1)
_hertz, _rate = partial(_number, low=1, high=1e6), partial(_whole, low=1000, high=192000)
_seed = partial(_whole, low=0, high=2**32)

# Of each kind the forms that its line may have: key → how its value is read.
KINDS: dict[str, tuple[dict[str, Callable[[str], Any]], ...]] = {
    "speed": ({"factor": partial(_number, low=0.1, high=10)},),
    "reverb": ({"response": _sound}, {"t60": partial(_number, low=0.01, high=20), "direct": _db, "seed": _seed}),
    "noise": ({"sound": _sound, "start": _share, "snr": _db}, {"colour": _db, "seed": _seed, "snr": _db}),
    "music": ({"sound": _sound, "start": _share, "snr": _db}, {"seed": _seed, "snr": _db}),
    "babble": ({"voices": _sounds, "snr": _db},),
    "telephone": ({"low": _hertz, "high": _hertz},),
    "mulaw": ({"rate": _rate},),
    "gain": ({"level": _db},),
}


@dataclass(frozen=True)
class Change:
    """What is done to one copy: a kind, and its values by key."""

    kind: str
    values: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> Change:
        """From what follows the utterance in its line. Raises ValueError for anything but what KINDS has."""
        kind, *words = text.split() or [""]
        pairs = [word.partition("=")[::2] for word in words]
        for form in KINDS.get(kind, ()):
            if list(form) == [key for key, _ in pairs]:
                values = {key: form[key](value) for key, value in pairs}
                if not values.get("low", 0) < values.get("high", inf):
                    break
                return cls(kind, values)
        raise ValueError(text)

    def __str__(self) -> str:
        return " ".join([self.kind, *(f"{key}={_text(value)}" for key, value in self.values.items())])

    def sounds(self) -> Iterator[Source]:
        """The other recordings that it needs."""
        for value in self.values.values():
            if isinstance(value, Source):
                yield value
            elif isinstance(value, tuple):
                yield from value


def is_change(text: str) -> bool:
    """Whether `Change.parse` reads it."""
    try:
        return bool(Change.parse(text))
    except ValueError:
        return False


def read_changes(data: Path) -> dict[str, Change]:
    """copy → what is done to it; {} for a data dir without copies. Raises UserError for a line of another form, and for
    an utterance that utt2uniq calls a copy and that has no line: it would be taken as it stands in its file."""
    path = data / AUGMENT
    if not path.is_file():
        if (data / ".made_from.augment_data_dir").is_file():
            raise UserError(f"{path}: is missing, and the utterances are changed copies: make them again")
        return {}
    changes = {}
    for name, value in read_table(path).items():
        try:
            changes[name] = Change.parse(value)
        except ValueError:
            raise UserError(
                f"{path}: '{name}': expected <kind> <key>=<value> … as utils/copies.py has them, found '{value}'"
            ) from None
    origins = read_table(data / UNIQ) if (data / UNIQ).is_file() else {}
    if strangers := [name for name, origin in origins.items() if name != origin and name not in changes]:
        raise UserError(
            f"{path}: {len(strangers)} utterances missing, first '{strangers[0]}', which {UNIQ} calls a copy of "
            f"'{origins[strangers[0]]}'; utils/augment_data_dir.py makes both tables"
        )
    return changes
