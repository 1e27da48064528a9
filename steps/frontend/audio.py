"""A recording, from whatever libsndfile reads to one channel at the wanted rate."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import soundfile
import soxr

BATCH, BATCH_SECONDS = 32, 300  # recordings read at once, and what they may come to, which bounds memory


class Unusable(Exception):
    """A recording that cannot be used, and why, in a few words; the caller counts and names it."""


def read_audio(path: str | Path, rate: int, shortest: int) -> tuple[np.ndarray, list[str]]:
    """The samples at `rate` Hz, on the scale of 16-bit integers, as Kaldi has them (int16 where nothing had to be
    computed, else float32), and what was done to them: "resampled", "mixed down". Raises Unusable for a file that is
    missing, empty, broken, truncated, silent, not finite, or shorter than `shortest` samples."""
    try:
        if os.stat(path).st_size == 0:
            raise Unusable("empty file")
        with soundfile.SoundFile(path) as file:
            # 16-bit samples as they stand: a fifth of the time that floats take (wav: 10 µs a second of speech for 87).
            whole_numbers = file.subtype == "PCM_16"
            signal = file.read(dtype="int16" if whole_numbers else "float32")
            missing = file.frames - len(signal)
            # A wav that was cut short opens as a shorter one: only libsndfile's log knows what its header promised.
            promised = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
            file_rate = file.samplerate
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
        signal *= np.float32(32768)
    if signal.ndim > 1:
        changes.append("mixed down")
        signal = signal.mean(axis=1, dtype=np.float32)
    spread = float(signal.max()) - float(signal.min())
    if not np.isfinite(spread):
        raise Unusable("holds NaN or infinite samples")
    if file_rate != rate:
        changes.append("resampled")
        signal = soxr.resample(signal.astype(np.float32, copy=False), file_rate, rate)
    if len(signal) < shortest:
        raise Unusable(f"shorter than a window ({len(signal) / rate:.3f} s)")
    if spread == 0:
        raise Unusable("silent: all samples are equal")
    return signal, changes


def read_in_batches(
    recordings: Mapping[str, str], rate: int, shortest: int
) -> Iterator[dict[str, tuple[np.ndarray, list[str]] | Unusable]]:
    """`read_audio`, or why it could not, of some recordings at a time (utterance-id → path). To decode some, then
    transform those, then decide and write takes a core three quarters of the time that one recording after the other
    takes: each stage finds its code and tables in the cache."""
    batch: dict[str, tuple[np.ndarray, list[str]] | Unusable] = {}
    samples = 0
    for utterance, path in recordings.items():
        try:
            signal, changes = read_audio(path, rate, shortest)
            batch[utterance] = signal, changes
            samples += len(signal)
        except Unusable as reason:
            batch[utterance] = reason
        if len(batch) == BATCH or samples > BATCH_SECONDS * rate:
            yield batch
            batch, samples = {}, 0
    yield batch
