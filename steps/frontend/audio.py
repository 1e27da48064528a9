"""A recording, from whatever libsndfile reads to one channel at the wanted rate."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from utils.recordings import Sound, Source

FULL_SCALE = 32768
BATCH, BATCH_SECONDS = 32, 300  # recordings read at once, and what they may come to, which bounds memory


class Unusable(Exception):
    """A recording that cannot be used, and why, in a few words; the caller counts and names it."""


class Recording(NamedTuple):
    """What a file, or a stretch of it, holds."""

    signal: np.ndarray  # (samples,), on the scale of 16-bit integers, as Kaldi has them
    changes: list[str]  # what was done to them: "resampled", "mixed down"
    hash: str  # 32 digits, equal for the same samples in another file
    sound: Sound


def read_audio(source: str | Path | Source, rate: int, shortest: int) -> Recording:
    """A recording with its samples at `rate` Hz: int16 where nothing had to be computed, else float32. Raises Unusable
    for a file that is missing, empty, broken or truncated, for samples that are silent, not finite, or fewer than
    `shortest`, and for a stretch that ends beyond its file by more than that (`shortest` is a window)."""
    if not isinstance(source, Source):
        source = Source(str(source))
    path = source.path
    try:
        if os.stat(path).st_size == 0:
            raise Unusable("empty file")
        with soundfile.SoundFile(path) as file:
            # 16-bit samples as they stand: a fifth of the time that floats take (wav: 10 µs a second of speech for 87).
            whole_numbers = file.subtype == "PCM_16"
            frames = _stretch(source, file, shortest / rate)
            signal = file.read(frames, dtype="int16" if whole_numbers else "float32")
            missing = frames - len(signal)
            # A wav that was cut short opens as a shorter one: only libsndfile's log knows what its header promised.
            promised = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
            file_rate, channels, kind = file.samplerate, file.channels, f"{file.format}/{file.subtype}"
    except FileNotFoundError:
        raise Unusable("no such file") from None
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        raise Unusable(f"cannot be decoded: {str(error).rstrip('.')}".replace(f" {str(path)!r}", "")) from None
    if missing > 0 or (promised and int(promised[1]) > int(promised[2])):
        raise Unusable("truncated")
    if len(signal) == 0:
        raise Unusable("holds no samples")
    changes = []
    if not whole_numbers:
        signal *= np.float32(FULL_SCALE)
    if signal.ndim > 1:
        changes.append("mixed down")
        signal = signal.mean(axis=1, dtype=np.float32)
    low, high = float(signal.min()), float(signal.max())
    if not np.isfinite(high - low):
        raise Unusable("holds NaN or infinite samples")
    own, sound = _hash(signal), Sound(file_rate, channels, kind, *_loudness(signal, low, high))
    if file_rate != rate:
        changes.append("resampled")
        signal = soxr.resample(signal.astype(np.float32, copy=False), file_rate, rate)
    if len(signal) < shortest:
        raise Unusable(f"shorter than a window ({len(signal) / rate:.3f} s)")
    if low == high:
        raise Unusable("silent: all samples are equal")
    return Recording(signal, changes, own, sound)


def _stretch(source: Source, file: soundfile.SoundFile, beyond: float) -> int:
    """How many frames to read of an open file, which is moved to the first of them; `beyond`: seconds that a stretch
    may end after the file."""
    if source.end is None:
        return int(file.frames)
    first, last = round(source.begin * file.samplerate), round(source.end * file.samplerate)
    if last > file.frames + beyond * file.samplerate or first >= file.frames:
        raise Unusable(f"segment beyond the end of the file ({source.end:g} s of {file.frames / file.samplerate:.3f})")
    file.seek(first)
    return int(min(last, file.frames) - first)


def _hash(signal: np.ndarray) -> str:
    """Of the number of samples and every fourth of them, in 16 bits, so that a copy in another format has the same.
    Where these agree it is one sound; all samples would take 18 µs for a second of speech, not 5."""
    some = signal[::4]
    if some.dtype != np.int16:
        some = np.rint(some).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return hashlib.sha256(b"%d " % len(signal) + some.tobytes()).hexdigest()[:32]


def _loudness(signal: np.ndarray, low: float, high: float) -> tuple[float, float, float]:
    """Level and peak in dB of full scale, and the share of samples at the ends of the range; `low`, `high`: the
    signal's."""
    values, end = signal.astype(np.float32, copy=False), FULL_SCALE - 1
    power = float(np.dot(values, values)) / len(values)
    at_ends = int((values >= end).sum() + (values <= -end).sum()) if high >= end or low <= -end else 0
    level, peak = (10 * math.log10(max(one, 1e-6) / FULL_SCALE**2) for one in (power, max(low * low, high * high)))
    return level, peak, at_ends / len(values)


def read_in_batches(
    recordings: Mapping[str, Source], rate: int, shortest: int
) -> Iterator[dict[str, Recording | Unusable]]:
    """`read_audio`, or why it could not, of some recordings at a time (utterance-id → where it lies). To decode some,
    then transform those, then decide and write takes a core three quarters of the time that one recording after the
    other takes: each stage finds its code and tables in the cache."""
    batch: dict[str, Recording | Unusable] = {}
    samples = 0
    for utterance, source in recordings.items():
        try:
            batch[utterance] = recording = read_audio(source, rate, shortest)
            samples += len(recording.signal)
        except Unusable as reason:
            batch[utterance] = reason
        if len(batch) == BATCH or samples > BATCH_SECONDS * rate:
            yield batch
            batch, samples = {}, 0
    yield batch
