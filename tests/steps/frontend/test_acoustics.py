"""What features say of a recording: a cut-off that is there, a noise floor in dB, the share of non-speech."""

import numpy as np
import pytest
import scipy.signal
import soxr
import torch

from steps.frontend.acoustics import of_utterance, upper_ends
from steps.frontend.fbank import Fbank, mel_matrix
from steps.frontend.options import FbankOptions

RATE, OPTIONS = 16000, FbankOptions()


def features(signal, options=OPTIONS):
    return Fbank(options)(torch.from_numpy(np.asarray(signal, np.float32))).numpy()


def voice(rng, seconds=2.0):
    """Noise that falls off as speech does, 9 dB an octave from 500 Hz, at about −25 dB of full scale."""
    noise = rng.normal(size=int(seconds * RATE))
    for _ in range(2):
        noise = scipy.signal.lfilter([1], [1, -0.75], noise)
    return 32768 * 10 ** (-25 / 20) * noise / noise.std()


def test_bins_end_where_the_filters_end():
    weights = mel_matrix(OPTIONS, 1024).numpy()
    hertz = np.arange(513) * RATE / 1024
    for ends, column in zip(upper_ends(OPTIONS)[:-1], weights.T):
        assert hertz[np.flatnonzero(column)[-1]] == pytest.approx(ends, abs=RATE / 1024)


@pytest.mark.parametrize("rate", [8000, 11025, 12000])
def test_a_lower_rate_before_is_found(rate):
    rng = np.random.default_rng(0)
    signal = voice(rng)
    narrow = soxr.resample(soxr.resample(signal, RATE, rate), rate, RATE)
    for one, expected in ((signal, 8000), (np.round(narrow), rate / 2)):
        matrix = features(one)
        found = of_utterance(matrix, np.ones(len(matrix)), OPTIONS)
        assert found.bandwidth == pytest.approx(expected, rel=0.1), rate


def test_a_sloping_spectrum_is_not_a_narrow_one():
    rng = np.random.default_rng(1)
    soft = scipy.signal.lfilter([1], [1, -0.9], voice(rng))
    matrix = features(soft)
    assert of_utterance(matrix, np.ones(len(matrix)), OPTIONS).bandwidth == pytest.approx(8000)


@pytest.mark.parametrize("use_energy", [False, True])
@pytest.mark.parametrize("level", [-40, -60])
def test_the_noise_floor_is_that_of_what_is_no_speech(level, use_energy):
    rng, options = np.random.default_rng(2), FbankOptions(use_energy=use_energy)
    noise = 32768 * 10 ** (level / 20) * rng.normal(size=2 * RATE)
    matrix = features(np.concatenate([voice(rng), noise]), options)
    speech = np.arange(len(matrix)) < 200
    found = of_utterance(matrix, speech, options)
    emphasis = 10 * np.log10(1 + 0.97**2)  # of white noise
    assert found.noise == pytest.approx(level + emphasis, abs=2)
    assert found.nonspeech == pytest.approx((len(matrix) - 200) / len(matrix))
    assert np.isnan(of_utterance(matrix[:200], speech[:200], options).noise)
