"""A recording, from whatever file to one channel at the wanted rate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr

from steps.frontend.decoding import Decoded, Unusable, decode
from utils.recordings import Sound, Source

FULL_SCALE = 32768
LARGEST = 1e5 * FULL_SCALE  # of a sample; floats that were left on the scale of 16-bit integers have a third of it
BATCH, BATCH_SECONDS = 32, 300  # recordings read at once, and what they may come to, which bounds memory


class Recording(NamedTuple):
    """What a file, or a stretch of it, holds."""

    signal: np.ndarray  # (samples,), on the scale of 16-bit integers, as Kaldi has them
    changes: list[str]  # what was done to them: "resampled", "mixed down"
    hash: str  # of the samples as they were: 32 digits, equal for the same sound in another file
    sound: Sound


class Reading(Iterator[np.ndarray]):
    """The same of one that is long, a piece at a time: gives its samples, (samples,) at `rate` Hz, int16 where nothing
    had to be computed, else float32. What else is known of it is known when the last piece was given. Put together,
    pieces are what the whole would be. Raises Unusable for a file that is missing, empty, broken or truncated, for
    samples that are silent, not finite, or fewer than `shortest`, and for a stretch that ends beyond its file by more
    than that (`shortest` is a window)."""

    def __init__(self, file: Decoded, rate: int, shortest: int) -> None:
        self.file, self.rate, self.shortest = file, rate, shortest
        self.changes = ["mixed down"] * (self.file.channels > 1) + ["resampled"] * (self.file.rate != rate)
        self.digest = hashlib.sha256()  # takes 18 µs for a second of speech where blake2b takes 34
        self.samples = self.given = self.at_ends = 0  # as they are in the file; at `rate`; of the former clipped
        self.power, self.low, self.high = 0.0, np.inf, -np.inf
        self.ended = False
        self.pieces: Iterator[np.ndarray] = self._pieces()

    def __next__(self) -> np.ndarray:
        piece = next(self.pieces)
        if self.ended:
            self.pieces = iter(())  # the generator holds what it gave, and this: none would be freed for a long time
        return piece

    def _pieces(self) -> Iterator[np.ndarray]:
        resampler = (
            soxr.ResampleStream(self.file.rate, self.rate, 1, "float32") if self.file.rate != self.rate else None
        )
        piece = next(self.file.pieces, None)
        if piece is None:
            raise Unusable("holds no samples")
        while piece is not None:
            signal = self._mono(piece)
            piece = next(self.file.pieces, None)  # to know the last
            if resampler:
                signal = resampler.resample_chunk(signal.astype(np.float32, copy=False), last=piece is None)
            self.given += len(signal)
            if piece is None:
                self._check()
                self.ended = True
            yield signal

    def _mono(self, piece: np.ndarray) -> np.ndarray:
        """A piece on the scale of 16-bit integers and mixed down; what is to be known of it is added up."""
        signal = piece if piece.dtype == np.int16 else piece * np.float32(FULL_SCALE)
        if signal.ndim > 1:
            signal = signal[:, 0] if signal.shape[1] == 1 else signal.mean(axis=1, dtype=np.float32)
        low, high = float(signal.min()), float(signal.max())
        if not np.isfinite(high - low):
            raise Unusable("holds NaN or infinite samples")
        if max(high, -low) > LARGEST:
            raise Unusable(f"holds samples {max(high, -low) / FULL_SCALE:.1g} times as large as full scale")
        values, end = signal.astype(np.float32, copy=False), FULL_SCALE - 1
        if high >= end or low <= -end:
            self.at_ends += int((values >= end).sum() + (values <= -end).sum())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.power += float(np.dot(values, values))
        self.samples += len(signal)
        # In 16 bits, so that a copy in another format has the same.
        whole = signal if signal.dtype == np.int16 else np.rint(signal).clip(-FULL_SCALE, end).astype(np.int16)
        self.digest.update(np.ascontiguousarray(whole).data)
        return signal

    def _check(self) -> None:
        if self.given < self.shortest:
            raise Unusable(f"shorter than {self.shortest / self.rate:g} s ({self.given / self.rate:.4g} s)")
        if self.low == self.high:
            mixed = ", once its channels are mixed" if self.file.channels > 1 else ""
            raise Unusable(f"silent: all samples are equal{mixed}")

    @property
    def hash(self) -> str:
        return self.digest.hexdigest()[:32]

    @property
    def sound(self) -> Sound:
        peak = max(self.low * self.low, self.high * self.high)
        levels = 10 * np.log10(np.maximum([self.power / self.samples, peak], 1e-6) / FULL_SCALE**2)
        file, shares = self.file, self.at_ends / self.samples
        return Sound(file.rate, file.channels, file.kind, float(levels[0]), float(levels[1]), shares)


def read_audio(source: str | Path | Source, rate: int, shortest: int) -> Recording:
    """A recording with all of its samples at once. Raises as `Reading` does."""
    place = source if isinstance(source, Source) else Source(str(source))
    reading = Reading(decode(place, shortest / rate), rate, shortest)
    pieces = list(reading)
    signal = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    return Recording(signal, reading.changes, reading.hash, reading.sound)


def read_in_batches(
    utterances: Iterable[str], opened: Callable[[str], Decoded], rate: int, shortest: int
) -> Iterator[dict[str, tuple[Reading, Iterable[np.ndarray]] | Unusable]]:
    """Some recordings at a time, each with its pieces, or why it cannot be read; `opened` opens an utterance's. One of
    a single piece has been read; a longer one stands alone, and is read while its pieces are asked for, which may then
    raise Unusable. To decode some, then transform those, then decide and write takes a core three quarters of the time
    that one recording after the other takes: each stage finds its code and tables in the cache."""
    batch: dict[str, tuple[Reading, Iterable[np.ndarray]] | Unusable] = {}
    samples = 0
    for utterance in utterances:
        try:
            reading = Reading(opened(utterance), rate, shortest)
            first = next(reading)
        except Unusable as reason:
            batch[utterance] = reason
        else:
            if not reading.ended:
                yield batch
                yield {utterance: (reading, chain([first], reading))}
                batch, samples = {}, 0
                continue
            batch[utterance] = reading, [first]
            samples += len(first)
        if len(batch) == BATCH or samples > BATCH_SECONDS * rate:
            yield batch
            batch, samples = {}, 0
    yield batch
