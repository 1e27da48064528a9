"""An utterance as a few statistics of its filter-bank.

They stand in for eGeMAPS, whose extractor, openSMILE, is licensed for private, academic and evaluation use alone, and
so is no part of an open recipe. Of eGeMAPS's kinds, level, spectral balance, flux, cepstrum and rhythm are here; pitch,
formants and voice quality are not, as a filter-bank does not have them.
"""

from __future__ import annotations

import numpy as np

CEPSTRA = 12


def contours(x: np.ndarray) -> np.ndarray:
    """(T, F) log mel energies → (T, 17) low-level descriptors: level (log of the summed energy); slope over the bins;
    alpha ratio (upper half of the bins against lower); Hammarberg index (peak of the lower half against peak of the
    upper); spectral flux; 12 cepstral coefficients."""
    half = x.shape[1] // 2
    bins = np.arange(x.shape[1]) - (x.shape[1] - 1) / 2
    low, high = x[:, :half], x[:, half:]
    level = np.logaddexp.reduce(x, axis=1)
    flux = np.linalg.norm(np.diff(x, axis=0, prepend=x[:1]), axis=1)
    slope = (x - x.mean(axis=1, keepdims=True)) @ bins / (bins**2).sum()
    alpha = np.logaddexp.reduce(high, axis=1) - np.logaddexp.reduce(low, axis=1)
    hammarberg = low.max(axis=1) - high.max(axis=1)
    from scipy.fft import dct  # here, as networks and --help do without

    cepstra = dct(x, axis=1, norm="ortho")[:, 1 : 1 + CEPSTRA]
    return np.column_stack([level, slope, alpha, hammarberg, flux, cepstra])


def functionals(x: np.ndarray) -> np.ndarray:
    """(T, F) log mel energies → (138 + 2 F,) float64: of each contour the mean, deviation, three percentiles, the range
    between the outer two, and size and deviation of its steps from frame to frame; of the level how often it rises
    above its mean, a frame, and the share of time it stays there (rhythm); mean and deviation of every bin."""
    x = np.asarray(x, dtype=np.float64)
    lld = contours(x)
    steps = np.diff(lld, axis=0) if len(lld) > 1 else np.zeros_like(lld)
    low, middle, high = np.percentile(lld, [20, 50, 80], axis=0)
    static = [lld.mean(axis=0), lld.std(axis=0), low, middle, high, high - low]
    moving = [np.abs(steps).mean(axis=0), steps.std(axis=0)]
    above = lld[:, 0] > lld[:, 0].mean()
    rhythm = [np.count_nonzero(np.diff(above.astype(int)) == 1) / len(x), above.mean()]
    bands = [x.mean(axis=0), x.std(axis=0)]
    return np.concatenate([*static, *moving, rhythm, *bands])
