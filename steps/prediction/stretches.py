"""A recording, piece by piece, cut into the stretches that are answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np

from steps.frontend.options import FbankOptions
from steps.frontend.vad import BLOCK, Detector

By = Literal["recording", "windows", "turns"]
LONGEST = 12.0  # s: a recording up to this length is one stretch; the training recordings are shorter
PAUSE, FEWEST, SENTENCE = 0.4, 0.5, 8.0  # s: what ends a turn; the shortest one; where a longer one is cut


class Stretch(NamedTuple):
    """Part of a recording."""

    begin: float  # s
    end: float
    samples: np.ndarray  # on the scale of 16-bit integers


def stretches(pieces: Iterable[np.ndarray], rate: int, by: By, window: float, hop: float) -> Iterator[Stretch]:
    """The whole recording, or of one longer than LONGEST its windows; windows of `window` s, one each `hop` s; or turns
    of speech. Holds no more of the recording than a piece and a stretch."""
    if by == "turns":
        yield from turns(pieces, rate)
        return
    held: list[np.ndarray] = []
    rest = iter(pieces)
    if by == "recording":
        for piece in rest:
            held.append(piece)
            if sum(map(len, held)) > LONGEST * rate:
                break
        else:
            samples = np.concatenate(held)
            yield Stretch(0.0, len(samples) / rate, samples)
            return
    yield from windows(held, rest, rate, int(window * rate), int(hop * rate))


def windows(first: list[np.ndarray], rest: Iterator[np.ndarray], rate: int, size: int, hop: int) -> Iterator[Stretch]:
    """The last window ends where the recording does, and is left out where the one before has all but a tenth of it."""
    held, begin = np.concatenate(first) if first else np.empty(0, np.int16), 0

    def stretch(samples: np.ndarray) -> Stretch:
        return Stretch(begin / rate, (begin + len(samples)) / rate, samples)

    ended, answered = False, 0
    while True:
        while not ended and len(held) < size + hop:
            piece = next(rest, None)
            ended = piece is None
            held = held if piece is None else np.concatenate([held, piece])
        if len(held) < size:
            break
        yield stretch(held[:size])
        answered = begin + size
        held, begin = held[hop:], begin + hop
    new = begin + len(held) - answered
    if len(held) and new > size / 10 or not answered:
        yield stretch(held)


def turns(pieces: Iterable[np.ndarray], rate: int) -> Iterator[Stretch]:
    """Where WebRTC's detector hears speech, pauses below PAUSE bridged; turns longer than SENTENCE are cut into equal
    parts, those below FEWEST left out."""
    detector = Detector(FbankOptions(sample_frequency=rate))
    block, pause = rate * BLOCK // 1000, int(PAUSE * 1000 / BLOCK)
    held, dropped, done = np.empty(0, np.int16), 0, 0  # samples before `held`; decisions that were looked at
    begin, last = -1, -1  # blocks: of the turn that is open, if one is; of speech
    for piece in _and_none(pieces):
        if piece is not None:
            detector.hear(piece)
            held = np.concatenate([held, piece])
        for number in range(done, len(detector.decisions) + (pause + 1) * (piece is None)):
            speech = number < len(detector.decisions) and detector.decisions[number]
            if speech:
                begin, last = (number if begin < 0 else begin), number
            elif begin >= 0 and number - last > pause:
                yield from cut(held, dropped, begin * block, (last + 1) * block, rate)
                begin = -1
        done = len(detector.decisions)
        keep = (begin if begin >= 0 else done) * block - dropped
        if begin >= 0 and (done - begin) * BLOCK / 1000 > 10 * SENTENCE:  # nobody stops: bounded all the same
            yield from cut(held, dropped, begin * block, (last + 1) * block, rate)
            begin, keep = -1, done * block - dropped
        held, dropped = held[max(keep, 0) :], dropped + max(keep, 0)


def _and_none(pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray | None]:
    yield from pieces
    yield None


def cut(held: np.ndarray, dropped: int, begin: int, end: int, rate: int) -> Iterator[Stretch]:
    """A turn from sample `begin` to `end`, of which `held` starts at `dropped`."""
    if end - begin < FEWEST * rate:
        return
    parts = -(-(end - begin) // int(SENTENCE * rate))
    edges = np.linspace(begin, end, parts + 1).astype(int)
    for first, after in zip(edges[:-1], edges[1:]):
        yield Stretch(first / rate, after / rate, held[first - dropped : after - dropped])
