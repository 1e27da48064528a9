"""The features of a data dir: which tables they are, what they are made from, and whether that is still true. Loads no
torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from steps.frontend.options import FbankOptions
from utils import cli
from utils.archive import archives, read_scp, scp_content
from utils.copies import AUGMENT, read_changes
from utils.record import Origin, content, listing, of_settings, outdated, state
from utils.recordings import HASH, SOUND
from utils.table import read_table, write_table

VERSION = 2  # raised when other features come of the same recordings and options
DESCRIPTORS = "descriptors.scp"
RATES = (8000, 16000, 32000, 48000)  # Hz, of the speech detector
LOWEST_EDGE = 1000  # Hz; below, some of the descriptors' bands are narrower than what a window tells apart
TABLES = ["feats.scp", "vad.scp", "utt2num_frames", "utt2dur"]


@dataclass
class Features:
    """What is computed from the audio."""

    fbank: FbankOptions = field(default_factory=FbankOptions)
    """The filter-bank."""
    vad_mode: Literal[0, 1, 2, 3] = 2
    """Aggressiveness of WebRTC's voice activity detection: 0 keeps most frames, 3 drops most."""
    descriptors: bool = False
    """Also describe each recording's voice by one vector, for systems that see it (descriptors.scp): some 1,850
    statistics of its spectrum, pitch and voice quality. Takes much longer than filter-banks."""
    max_lost: float = 0.05
    """Greatest share of the recordings, 0 to 1, that may be unusable: with more, no features are left."""

    def __post_init__(self) -> None:
        fbank = self.fbank
        if fbank.sample_frequency not in RATES:
            raise ValueError(f"fbank.sample_frequency is {fbank.sample_frequency}; the speech detector takes {RATES}")
        if self.descriptors and fbank.upper_edge < LOWEST_EDGE:
            raise ValueError(
                f"fbank.high_freq leaves {fbank.upper_edge:g} Hz; descriptors need {LOWEST_EDGE} Hz (or descriptors: "
                "false)"
            )
        for name in ("frame_length", "frame_shift"):
            if not 1 <= (value := getattr(fbank, name)) <= 1000:
                raise ValueError(f"fbank.{name} is {value:g}, and must be from 1 to 1000 ms")
        if not 0 <= self.max_lost <= 1:
            raise ValueError(f"max_lost is {self.max_lost:g}, and must be a share, from 0 to 1")

    @property
    def tables(self) -> list[str]:
        """Those of features."""
        return [*TABLES, *[DESCRIPTORS] * self.descriptors]

    @property
    def needed(self) -> list[str]:
        """Files of a data dir without which features are not whole."""
        return [*self.tables, "frame_shift"]

    @property
    def made(self) -> list[str]:
        """Tables that a job leaves in a portion of the data dir."""
        return [*self.tables, HASH, SOUND, "lost"]


def states(data: Path) -> dict[str, str]:
    """Path → size and time of each recording, and of what changes others."""
    others = (sound.path for change in read_changes(data).values() for sound in change.sounds())
    return {path: state(Path(path)) for path in (*read_table(data / "wav.scp").values(), *others)}


def origin(
    data: Path, features: Features, more: dict[str, str] | None = None, seen: Mapping[str, str] | None = None
) -> Origin:
    """What the features of `data` are made from, and what they are; `more`: other options of them; `seen`: `states`
    from before anything was read, so that recordings that changed meanwhile are read again next time."""
    known = {"recordings": listing(read_table(data / "wav.scp").values(), seen)}
    scps = [name for name in features.tables if name.endswith(".scp")]
    known |= {name: scp_content(data / name) for name in scps if (data / name).is_file()}
    # Only where they are: features made before there were such tables stay true without them.
    known |= {name: content(data / name) for name in ("segments", AUGMENT, HASH, SOUND) if (data / name).is_file()}
    if changes := read_changes(data):
        others = {sound.path for change in changes.values() for sound in change.sounds()}
        known["recordings that change others"] = listing(sorted(others), seen)
    return Origin("make_fbank", VERSION, of_settings(features, ["max_lost"]) | (more or {}), known)


def why(data: Path, features: Features, needed: list[str], more: dict[str, str] | None = None) -> str:
    """Why features are to be made: "" where they are there and true. An scp whose archives were moved with it is
    written anew, with their new place."""
    for scp in (data / name for name in features.tables if name.endswith(".scp")):
        if not scp.is_file():
            return f"there is no {scp.name}"
        entries = read_scp(scp)
        if missing := [ark for ark in archives(entries) if not Path(ark).is_file()]:
            return f"{missing[0]} is not there"
        if entries != read_table(scp):
            cli.warn(f"{scp}: its archives were moved, and it now says where to")
            write_table(scp, entries)
    return outdated(data, origin(data, features, more), *(data / name for name in needed))
