"""A recording as one vector: statistics (functionals) of its voice's contours, whatever its level.

They stand in for openSMILE's sets (ComParE, eGeMAPS), which are licensed for research alone, and so are no part of an
open recipe."""

from __future__ import annotations

import numpy as np
from scipy.fft import dct

from steps.frontend.contours import BANDS, SHAPES, VOICE, VOICED, Analyser, Contours

CEPSTRA = 14
GATE = 35.0  # dB below the loud frames, down to which a frame is heard
LOUD = 95  # the percentile of the level that the loud frames have
STATISTICS = 22
BLOCK = 300  # frames analysed at once: few enough to stay in a core's cache, four times as fast as a minute of them
COLUMNS = BANDS + CEPSTRA + SHAPES + 3  # of the heard frames: mel, cepstra, level, shape, HNR, voicing
SIZE = STATISTICS * (COLUMNS + VOICE) + 3


class Descriptor:
    """Takes a recording in pieces, and describes it when the last has come."""

    def __init__(self, rate: int, highest: float = 0) -> None:
        """`rate`: samples a second; `highest`: the frequency in Hz above which nothing is heard, 0: half of that."""
        self.analyse = Analyser(rate, highest)
        self.parts: list[Contours] = []
        self.rest = np.empty(0, np.float32)

    def hear(self, piece: np.ndarray) -> None:
        """The next piece: (samples,) on the scale of 16-bit integers."""
        size = BLOCK * self.analyse.shift
        for first in range(0, len(piece), size):
            self.hear_block(piece[first : first + size])

    def hear_block(self, piece: np.ndarray) -> None:
        """One that is not long."""
        signal = np.concatenate([self.rest, piece.astype(np.float32)])
        if len(signal) < self.analyse.long + self.analyse.shift:  # less than two frames: together with what comes
            self.rest = signal
            return
        contours = self.analyse(signal)
        # A frame is analysed again with the next piece, for what is taken from one frame to the next.
        self.rest = signal[(len(contours.level) - 1) * self.analyse.shift :]
        self.parts.append(Contours(*(values[bool(self.parts) :].astype(np.float32) for values in contours)))

    def vector(self) -> np.ndarray:
        """(SIZE,) float32 of all that was heard."""
        parts = self.parts or [self.analyse(self.rest)]
        return describe(Contours(*(np.concatenate(values) for values in zip(*parts))))


def describe(contours: Contours) -> np.ndarray:
    """(SIZE,) float32: the statistics of every contour over the frames that are heard, and of pitch and voice quality
    over the voiced ones among them; the share that is voiced, the share that is heard, the log of the frames. Levels
    are taken against the recording's own, so that its gain does not count."""
    level = contours.level
    heard = level > np.percentile(level, LOUD) - GATE * np.log(10) / 10
    voiced = heard & (contours.strength > VOICED)
    mel = contours.mel - log_mean(contours.mel[heard])
    cepstra = dct(mel, axis=1, norm="ortho")[:, 1 : 1 + CEPSTRA]
    columns = [mel, cepstra, level - log_mean(level[heard]), contours.shape, contours.voice[:, 1], voiced]
    shares = [voiced[heard].mean(), heard.mean(), np.log(len(heard))]
    everywhere, voice = np.column_stack(columns)[heard], contours.voice[voiced]
    return np.concatenate([statistics(everywhere), statistics(voice), shares]).astype(np.float32)


def log_mean(logs: np.ndarray) -> float:
    """The log of the mean of what `logs` are the logs of."""
    return float(np.log(np.exp(logs.astype(np.float64)).mean()))


def statistics(x: np.ndarray) -> np.ndarray:
    """(T, K) → (22 K,) float64, of each column: mean, deviation, skewness, kurtosis; percentiles 1, 25, 50, 75, 99; the
    ranges between the quartiles, the outer percentiles, the median and each quartile; slope of the least-squares line
    from −1 (begin) to 1 (end), and deviation from it; places of maximum and minimum, 0 to 1; how often the mean is
    crossed, a frame; the share of time in the highest and in the lowest quarter of the range; the mean rise and fall
    from frame to frame. Of no frames, zeros; of one or two, as if each stood three times."""
    if len(x) == 0:
        return np.zeros(STATISTICS * x.shape[1])
    x = x.astype(np.float64) if len(x) > 2 else np.repeat(x.astype(np.float64), 3, axis=0)
    frames = len(x)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    away = x - mean
    scaled = away / np.maximum(deviation, 1e-6)
    square = scaled * scaled
    lowest, low, middle, high, highest = np.percentile(x, [1, 25, 50, 75, 99], axis=0)
    time = np.linspace(-1, 1, frames)[:, None]
    slope = (away * time).sum(axis=0) / (time**2).sum()
    residual = (away - slope * time).std(axis=0)
    places = [x.argmax(axis=0) / frames, x.argmin(axis=0) / frames]
    crossings = (np.diff(np.sign(away), axis=0) != 0).mean(axis=0)
    reach = highest - lowest
    quarters = [(x > lowest + 0.75 * reach).mean(axis=0), (x < lowest + 0.25 * reach).mean(axis=0)]
    steps = np.diff(x, axis=0)
    rises = steps > 0
    rise = np.where(rises, steps, 0).sum(axis=0) / np.maximum(rises.sum(axis=0), 1)
    fall = np.where(rises, 0, -steps).sum(axis=0) / np.maximum((~rises).sum(axis=0), 1)
    moments = [mean, deviation, (square * scaled).mean(axis=0), (square * square).mean(axis=0) - 3]
    ranges = [lowest, low, middle, high, highest, high - low, reach, middle - low, high - middle]
    return np.concatenate([*moments, *ranges, slope, residual, *places, crossings, *quarters, rise, fall])
