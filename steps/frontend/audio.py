"""A recording, from whatever libsndfile reads to one channel at the wanted rate."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import soundfile
import soxr


class Unusable(Exception):
    """A recording that cannot be used, and why, in a few words; the caller counts and names it."""


def read_audio(path: str | Path, rate: int, shortest: int) -> tuple[np.ndarray, list[str]]:
    """The samples (float32, on the scale of 16-bit integers, as Kaldi has them) at `rate` Hz, and what was done to
    them: "resampled", "mixed down". Raises Unusable for a file that is missing, empty, broken, truncated, silent, not
    finite, or shorter than `shortest` samples."""
    path = Path(path)
    if not path.is_file():
        raise Unusable("no such file")
    if path.stat().st_size == 0:
        raise Unusable("empty file")
    try:
        with soundfile.SoundFile(path) as file:
            signal = file.read(dtype="float32", always_2d=True)
            missing = file.frames - len(signal)
            # A wav that was cut short opens as a shorter one: only libsndfile's log knows what its header promised.
            promised = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
            file_rate = file.samplerate
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise Unusable(f"cannot be decoded: {str(error).rstrip('.')}".replace(f" {str(path)!r}", "")) from None
    if missing > 0 or (promised and int(promised[1]) > int(promised[2])):
        raise Unusable("truncated")
    if len(signal) == 0:
        raise Unusable("holds no samples")
    changes = []
    if signal.shape[1] > 1:
        changes.append("mixed down")
    signal = signal.mean(axis=1)
    if not np.isfinite(signal).all():
        raise Unusable("holds NaN or infinite samples")
    if file_rate != rate:
        changes.append("resampled")
        signal = soxr.resample(signal, file_rate, rate)
    if len(signal) < shortest:
        raise Unusable(f"shorter than a window ({len(signal) / rate:.3f} s)")
    if np.ptp(signal) == 0:
        raise Unusable("silent: all samples are equal")
    return signal * np.float32(32768), changes
