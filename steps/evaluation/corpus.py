"""What a data dir says of a corpus, as columns over its utterances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from utils import folds
from utils.cli import UserError
from utils.recordings import HASH, SOUND, Sound, read_sounds, sources
from utils.scores import check_names
from utils.table import read_table

OPTIONAL = ("utt2session", "utt2sentence", "utt2heard", "spk2gender", "folds", "utt2dur", HASH, SOUND)
MEASURED = ("bandwidth", "nonspeech", "noise")  # what features say


@dataclass
class Corpus:
    """N utterances, sorted by name, with an emotion; "" or nan where a table does not say."""

    data: Path
    utterances: np.ndarray  # (N,) of names, as the next five
    speakers: np.ndarray
    emotions: np.ndarray
    sessions: np.ndarray
    sentences: np.ndarray
    heard: np.ndarray  # a class, or classes joined by ":"
    formats: np.ndarray
    columns: dict[str, np.ndarray]  # property of the recording → (N,) numbers
    classes: list[str]
    folds: folds.Folds
    lost: dict[str, str]  # utterance → why it could not be used
    absent: list[str] = field(default_factory=list)  # what is not there, so that it was not looked at

    @property
    def labels(self) -> np.ndarray:
        """(N,) indices into `classes`."""
        return np.searchsorted(self.classes, self.emotions)


def table(data: Path, name: str) -> dict[str, str]:
    return read_table(data / name) if (data / name).is_file() else {}


def seconds(data: Path) -> dict[str, str]:
    """utterance → duration, from utt2dur or from segments."""
    if (data / "utt2dur").is_file():
        return read_table(data / "utt2dur")
    if not (data / "segments").is_file():
        return {}
    return {name: str(source.end - source.begin) for name, source in sources(data).items() if source.end is not None}


def read(data: Path, acoustics: Mapping[str, tuple[float, ...]]) -> Corpus:
    """The corpus of a data dir; acoustics: utterance → what features say, the numbers MEASURED. Raises UserError for a
    folder that is none, or whose utterances do not all have an emotion."""
    if not (data / "utt2emo").is_file():
        raise UserError(f"{data}/utt2emo: no such file; an audit is of a data dir with emotions")
    utt2spk, utt2emo = read_table(data / "utt2spk"), read_table(data / "utt2emo")
    if lacking := utt2spk.keys() - utt2emo.keys():
        raise UserError(f"{data}/utt2emo: {len(lacking)} utterances missing, first '{min(lacking)}'")
    if strangers := utt2emo.keys() - utt2spk.keys():
        raise UserError(f"{data}/utt2spk: {len(strangers)} utterances of utt2emo missing, first '{min(strangers)}'")
    check_names(data, utt2spk, utt2emo)
    names = sorted(utt2spk)
    if not names:
        raise UserError(f"{data}/utt2spk: holds no utterance")
    sounds = read_sounds(data / SOUND) if (data / SOUND).is_file() else {}
    nothing = Sound(0, 0, "", math.nan, math.nan, math.nan)
    rows = [sounds.get(name, nothing) for name in names]
    durations, unmeasured = seconds(data), (math.nan,) * len(MEASURED)

    def words(values: Mapping[str, str]) -> np.ndarray:
        return np.array([values.get(name, "") for name in names])

    columns = {
        "rate": np.array([row.rate or math.nan for row in rows], float),
        "channels": np.array([row.channels or math.nan for row in rows], float),
        "level": np.array([row.level for row in rows]),
        "peak": np.array([row.peak for row in rows]),
        "clipped": np.array([row.clipped for row in rows]),
        "duration": np.array([float(durations.get(name, math.nan)) for name in names]),
    }
    measured = np.array([acoustics.get(name, unmeasured) for name in names], float)
    absent = [name for name in OPTIONAL if not (data / name).is_file() and not (name == "utt2dur" and durations)]
    return Corpus(
        data=data,
        utterances=np.array(names),
        speakers=words(utt2spk),
        emotions=words(utt2emo),
        sessions=words(table(data, "utt2session")),
        sentences=words(table(data, "utt2sentence")),
        heard=words(table(data, "utt2heard")),
        formats=np.array([row.format for row in rows]),
        columns=columns | dict(zip(MEASURED, measured.T)),
        classes=sorted({utt2emo[name] for name in names}),
        folds=folds.read(data / "folds") if (data / "folds").is_file() else {},
        lost=table(data, "lost"),
        absent=absent + ["features"] * (not acoustics),
    )
