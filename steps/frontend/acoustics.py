"""What the features of an utterance say of its recording rather than of its speech: where its spectrum ends, how much
of it is no speech, and how loud it is then."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from steps.frontend.options import FbankOptions, read_fbank
from utils.archive import read_of, read_scp

DECIBEL = 10 / math.log(10)  # of a natural logarithm of energy
CLIFF, STEP, LOWEST = 15.0, 2, 1500.0  # a spectrum that falls so many dB within so many bins, above so many Hz, ends
QUIETEST = 10  # of the non-speech frames, the share in percent that the noise floor is taken of
FEWEST = 5  # non-speech frames for a noise floor
SILENCE = -120.0  # dB of full scale: the least noise floor; below 16 bits, zeros are zeros


class Acoustics(NamedTuple):
    """Of one utterance; nan where it cannot be told."""

    bandwidth: float  # Hz: where the spectrum falls off a cliff; without one, where the filter-bank ends
    nonspeech: float  # share, of 1, of frames that are no speech
    noise: float  # dB of full scale, roughly, as the filter-bank emphasises: level of the quietest non-speech frames


def upper_ends(options: FbankOptions) -> np.ndarray:
    """Where each mel bin ends, in Hz, (num_mel_bins,)."""
    low, high = (1127 * math.log1p(end / 700) for end in (options.low_freq, options.upper_edge))
    return 700 * np.expm1(np.linspace(low, high, options.num_mel_bins + 2)[2:] / 1127)


def bandwidth(energies: np.ndarray, ends: np.ndarray) -> float:
    """Of mel energies (T, F), where the mean spectrum ends, in Hz; `ends`: of the bins. A voice's spectrum slopes; only
    a filter, such as a lower sampling rate before, makes a cliff beyond which nothing comes back."""
    spectrum = 10 * np.log10(energies.mean(axis=0))
    falls = spectrum[:-STEP] - spectrum[STEP:]
    for at in np.flatnonzero((falls >= CLIFF) & (ends[:-STEP] >= LOWEST))[::-1]:
        if spectrum[at + STEP :].max() <= spectrum[at] - CLIFF:
            return float(ends[at])
    return float(ends[-1])


def of_utterance(features: np.ndarray, speech: np.ndarray, options: FbankOptions) -> Acoustics:
    """Of filter-banks (T, F) and speech decisions (T,)."""
    energies = np.exp(features[:, options.use_energy :].astype(np.float64))
    voiced = speech > 0
    loud = energies[voiced] if voiced.any() else energies
    noise = math.nan
    if (~voiced).sum() >= FEWEST:
        levels = DECIBEL * np.log(energies[~voiced].sum(axis=1))
        fft = 1 << (options.length - 1).bit_length()
        # The filters of all bins add up to one, of half of the spectrum; 0.4 is a Hamming window's mean square.
        full_scale = 20 * math.log10(32768) + 10 * math.log10(0.4 * options.length * fft / 2)
        quiet = float(levels[levels <= np.percentile(levels, QUIETEST)].mean())
        noise = max(quiet - full_scale, SILENCE)
    return Acoustics(bandwidth(loud, upper_ends(options)), float((~voiced).mean()), noise)


def measure(data: Path) -> dict[str, Acoustics]:
    """utterance → what its features say; {} for a data dir without features, or that does not say how they were made.
    Raises UserError for features that cannot be read."""
    if not all((data / name).is_file() for name in ("feats.scp", "vad.scp", "fbank.yaml")):
        return {}
    feats, vad = read_scp(data / "feats.scp"), read_scp(data / "vad.scp")
    options = read_fbank(data)
    return {
        name: of_utterance(
            read_of(data / "feats.scp", name, entry), read_of(data / "vad.scp", name, vad[name]), options
        )
        for name, entry in feats.items()
        if name in vad
    }
