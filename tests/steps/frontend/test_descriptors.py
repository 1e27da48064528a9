"""Descriptors: contours of sounds that are known, statistics against scipy and numpy."""

import numpy as np
import pytest
import scipy.stats

from steps.frontend.contours import BANDS, FORMANTS, Analyser, slope
from steps.frontend.descriptors import SIZE, STATISTICS, Descriptor, statistics

RATE = 16000


def pulses(hertz, seconds=1.0, rate=RATE):
    """A voice of constant pitch: all harmonics up to 4 kHz, each 6 dB an octave weaker."""
    time = np.arange(int(seconds * rate)) / rate
    partials = range(1, int(min(4000, rate / 2 - 1) // hertz) + 1)
    return 3000 * sum(np.cos(2 * np.pi * k * hertz * time) / k for k in partials)


def described(signal, rate=RATE, pieces=1):
    descriptor = Descriptor(rate)
    for piece in np.array_split(signal, pieces):
        descriptor.hear(piece)
    return descriptor.vector()


@pytest.mark.parametrize("hertz", [70, 110.5, 203, 317, 480])
@pytest.mark.parametrize("rate", [8000, 16000])
def test_pitch_of_a_steady_voice(hertz, rate):
    contours = Analyser(rate)(pulses(hertz, rate=rate))
    np.testing.assert_allclose(contours.voice[:, 0], 12 * np.log2(hertz), atol=0.1)
    assert contours.strength.min() > 0.95


@pytest.mark.parametrize("decibel", [0, 6, 12])
def test_harmonics_to_noise_ratio_is_that_of_the_mixture(decibel):
    """The autocorrelation at the period is the harmonic share of the energy, whose ratio to the rest is HNR."""
    voice = np.cos(2 * np.pi * 200 * np.arange(8 * RATE) / RATE)
    noise = np.random.default_rng(0).normal(size=len(voice))
    noise *= np.sqrt((voice**2).mean() / (noise**2).mean() / 10 ** (decibel / 10))
    found = np.median(Analyser(RATE)(1000 * (voice + noise)).voice[:, 1])
    assert found == pytest.approx(decibel, abs=1.5)  # the highest of many lags is a little above the true one


def test_noise_is_not_voiced_and_has_no_harmonics():
    contours = Analyser(RATE)(np.random.default_rng(1).normal(size=RATE) * 1000)
    assert np.median(contours.strength) < 0.45


@pytest.mark.parametrize("hertz", [20, 50, 60])
def test_hum_below_any_voice_is_not_voiced(hertz):
    contours = Analyser(RATE)(3000 * np.cos(2 * np.pi * hertz * np.arange(RATE) / RATE))
    assert (contours.strength <= 0.45).mean() > 0.9


def test_levels_of_harmonics():
    time = np.arange(RATE) / RATE
    signal = sum(a * np.cos(2 * np.pi * 250 * k * time) for k, a in ((1, 1000), (2, 500), (3, 250), (4, 250)))
    voice = np.median(Analyser(RATE)(signal).voice, axis=0)
    # 1 : 2, 1 : 3 and 2 : 4, in natural logarithms of power; to what a window's main lobe loses between two bins
    np.testing.assert_allclose(voice[2:5], 2 * np.log([2, 4, 2]), atol=0.25)
    assert FORMANTS[0][0] <= 500 < FORMANTS[0][1] and voice[5] == pytest.approx(2 * np.log(2), abs=0.25)


def test_shape_of_a_tone_and_of_white_noise():
    tone = Analyser(RATE)(10000 * np.cos(2 * np.pi * 1000 * np.arange(RATE) / RATE)).shape
    np.testing.assert_allclose(np.median(tone[:, 0]), 1, atol=0.02)  # its centre, in kHz
    np.testing.assert_allclose(np.median(tone[:, 4:8], axis=0), 1, atol=0.05)  # all of its energy lies there
    noise = Analyser(RATE)(np.random.default_rng(2).normal(size=10 * RATE) * 3000).shape.mean(axis=0)
    assert noise[0] == pytest.approx(4, abs=0.1)
    np.testing.assert_allclose(noise[4:8], [2, 4, 6, 7.2], atol=0.2)
    np.testing.assert_allclose(noise[9:13], np.log(np.array([250, 400, 3000, 4000]) / 8000), atol=0.15)
    assert abs(noise[14:17]).max() < 0.3  # flat


def test_slope_is_the_least_squares_line():
    x, y = np.random.default_rng(3).normal(size=(2, 30))
    assert slope(x) @ y == pytest.approx(np.polyfit(x, y, 1)[0])


def test_mel_bands_cover_every_frequency_once():
    bands = Analyser(RATE).mel
    inner = bands.sum(axis=1)[5:470]  # from the lowest filter's top to the highest's
    assert bands.shape == (513, BANDS)
    np.testing.assert_allclose(inner, 1, atol=1e-3)


def test_statistics_are_those_of_scipy_and_numpy():
    x = np.random.default_rng(4).gamma(2, size=(200, 3))
    found = statistics(x).reshape(STATISTICS, 3)
    np.testing.assert_allclose(found[0], x.mean(0))
    np.testing.assert_allclose(found[1], x.std(0))
    np.testing.assert_allclose(found[2], scipy.stats.skew(x))
    np.testing.assert_allclose(found[3], scipy.stats.kurtosis(x))
    np.testing.assert_allclose(found[4:9], np.percentile(x, [1, 25, 50, 75, 99], axis=0))
    np.testing.assert_allclose(found[9], scipy.stats.iqr(x, axis=0))
    time = np.linspace(-1, 1, 200)
    for column in range(3):
        line = np.polyfit(time, x[:, column], 1)
        np.testing.assert_allclose(found[13, column], line[0])
        np.testing.assert_allclose(found[14, column], (x[:, column] - np.polyval(line, time)).std())
    np.testing.assert_allclose(found[15], [x[:, k].tolist().index(max(x[:, k])) / 200 for k in range(3)])
    steps = np.diff(x[:, 0])
    assert found[20, 0] == pytest.approx(steps[steps > 0].mean()) and found[21, 0] == pytest.approx(
        -steps[steps <= 0].mean()
    )


def test_gain_does_not_count():
    signal = np.concatenate([pulses(150, 0.5), np.zeros(RATE // 2), pulses(220, 0.5)])
    signal += np.random.default_rng(5).normal(size=len(signal)) * 100
    loud = described(signal)
    for gain in (0.3, 3):
        np.testing.assert_allclose(described(gain * signal), loud, rtol=0.02, atol=0.02)


def test_what_lies_above_the_highest_frequency_is_not_heard():
    """But for pitch, which lies below all of it."""
    time = np.arange(RATE) / RATE
    voice = pulses(180) + np.random.default_rng(7).normal(size=RATE) * 50
    bright = voice + 100 * np.cos(2 * np.pi * 7000 * time)
    plain, other = (Analyser(RATE, 5500)(signal) for signal in (voice, bright))
    for name in ("level", "mel", "shape"):
        np.testing.assert_allclose(getattr(other, name), getattr(plain, name), rtol=0.05, atol=0.1, err_msg=name)
    assert np.abs(Analyser(RATE)(bright).mel - Analyser(RATE)(voice).mel).max() > 1


@pytest.mark.parametrize("pieces", [2, 7, 300])
def test_pieces_are_the_whole(pieces):
    rng = np.random.default_rng(6)
    signal = pulses(150) * np.linspace(0, 1, RATE) + rng.normal(size=RATE) * 100
    np.testing.assert_allclose(described(signal, pieces=pieces), described(signal), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("signal", [np.zeros(RATE), np.zeros(3), np.ones(900) * 5, np.arange(961.0)])
def test_whatever_is_heard_gives_numbers(signal):
    vector = described(signal)
    assert vector.shape == (SIZE,) and vector.dtype == np.float32 and np.isfinite(vector).all()
