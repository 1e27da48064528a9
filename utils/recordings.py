"""What the utterances of a data dir are made of, and what is known of them apart from speech.

An utterance is a file, or with Kaldi's `segments` a stretch of one. Whoever makes features leaves two tables beside
them: `utt2hash`, `<utterance> <hash>`, 32 hexadecimal digits, equal where two utterances are the same sound, whatever
their files are called and however they are packed; and `utt2sound`, `<utterance> <rate> <channels> <format> <level>
<peak> <clipped>`, the fields of `Sound`."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import NamedTuple

from utils.cli import UserError
from utils.table import read_table, write_table

HASH, SOUND = "utt2hash", "utt2sound"


class Source(NamedTuple):
    """Where an utterance lies."""

    path: str
    begin: float = 0.0  # seconds
    end: float | None = None  # seconds; None: the file's

    def __str__(self) -> str:
        if self.end is None:
            return f"{self.path} from {self.begin:.10g}" if self.begin else self.path
        return f"{self.path} {self.begin:.10g} {self.end:.10g}"


class Sound(NamedTuple):
    """What a recording is, as its file has it, channels mixed down to one."""

    rate: int  # Hz
    channels: int
    format: str  # container and coding, as libsndfile names them: FLAC/PCM_16
    level: float  # root mean square in dB of full scale
    peak: float  # greatest sample in dB of full scale
    clipped: float  # share of samples, of 1, at either end of the range


def sources(data: Path) -> dict[str, Source]:
    """utterance → where it lies. Raises UserError for a line of `segments` that says no stretch of a recording in
    wav.scp."""
    files = read_table(data / "wav.scp")
    if not (data / "segments").is_file():
        return {name: Source(path) for name, path in files.items()}
    found = {}
    for name, value in read_table(data / "segments").items():
        try:
            recording, begin, end = value.split()
            found[name] = Source(files[recording], float(begin), float(end))
            good = 0 <= found[name].begin < (found[name].end or 0) < inf
        except ValueError:
            good = False
        except KeyError:
            raise UserError(f"{data}/segments: '{name}' is of '{recording}', which wav.scp does not have") from None
        if not good:
            raise UserError(
                f"{data}/segments: '{name}': expected <recording> <start> <end>, in seconds, with start below end, "
                f"found '{value}'"
            )
    return found


def write_sounds(path: Path, sounds: Mapping[str, Sound]) -> None:
    """Write the table `utt2sound`."""
    write_table(
        path,
        {
            name: f"{sound.rate} {sound.channels} {sound.format} {sound.level:.2f} {sound.peak:.2f} {sound.clipped:.6f}"
            for name, sound in sounds.items()
        },
    )


def read_sounds(path: Path) -> dict[str, Sound]:
    """utterance → its sound, from the table `utt2sound`. Raises UserError for a line of another form."""
    sounds = {}
    for name, value in read_table(path).items():
        try:
            rate, channels, kind, *numbers = value.split()
            level, peak, clipped = map(float, numbers)
            sounds[name] = Sound(int(rate), int(channels), kind, level, peak, clipped)
        except ValueError:
            raise UserError(
                f"{path}: '{name}': expected '{' '.join(Sound._fields)}', found '{value}'; steps/make_fbank.py "
                "--redo true makes it anew"
            ) from None
    return sounds
