"""What of a recording is answered together."""

import numpy as np
import pytest

from steps.prediction.stretches import LONGEST, stretches

RATE = 16000


def pieces(signal, size=7777):
    return [signal[first : first + size] for first in range(0, len(signal), size)]


def times(signal, by, window=4.0, hop=4.0):
    found = list(stretches(pieces(signal), RATE, by, window, hop))
    for one in found:  # samples are those of its times
        first = round(one.begin * RATE)
        assert (one.samples == signal[first : first + len(one.samples)]).all()
        assert len(one.samples) == round((one.end - one.begin) * RATE)
    return [(one.begin, one.end) for one in found]


@pytest.fixture
def counting():
    def make(seconds):
        return np.arange(int(seconds * RATE), dtype=np.float32)

    return make


@pytest.mark.parametrize(
    ("seconds", "by", "window", "hop", "expected"),
    [
        (3, "recording", 4, 4, [(0, 3)]),
        (LONGEST, "recording", 4, 4, [(0, LONGEST)]),
        (14, "recording", 4, 4, [(0, 4), (4, 8), (8, 12), (12, 14)]),
        (3, "windows", 4, 4, [(0, 3)]),
        (8, "windows", 4, 4, [(0, 4), (4, 8)]),
        (8.3, "windows", 4, 4, [(0, 4), (4, 8)]),  # the rest is too little
        (8.5, "windows", 4, 4, [(0, 4), (4, 8), (8, 8.5)]),
        (6, "windows", 4, 1, [(0, 4), (1, 5), (2, 6)]),
        (5, "windows", 1, 3, [(0, 1), (3, 4)]),
    ],
)
def test_windows(counting, seconds, by, window, hop, expected):
    assert times(counting(seconds), by, window, hop) == expected


def voice(seconds, rng):
    """What the detector takes for speech: pulses through a resonance."""
    time = np.arange(int(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 140 * k * time) / (1 + abs(k - 5)) for k in range(1, 25))
    return 4000 * buzz * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time)) + rng.normal(0, 10, len(time))


def test_turns_are_what_lies_between_pauses():
    rng = np.random.default_rng(0)
    quiet = [rng.normal(0, 2, int(seconds * RATE)) for seconds in (1, 1.5, 0.2, 1)]
    said = [voice(seconds, rng) for seconds in (2, 1, 1)]
    signal = np.concatenate([quiet[0], said[0], quiet[1], said[1], quiet[2], said[2], quiet[3]]).astype(np.float32)
    found = times(signal, "turns")
    assert len(found) == 2  # a pause of 0.2 s ends no turn
    np.testing.assert_allclose(found, [(1, 3), (4.5, 6.7)], atol=0.3)


def test_who_never_pauses_is_cut():
    found = times(voice(20, np.random.default_rng(0)).astype(np.float32), "turns")
    assert len(found) == 3 and found[0][1] == pytest.approx(found[1][0]) and found[-1][1] == pytest.approx(20, abs=0.1)


def test_silence_has_no_turn():
    assert times(np.random.default_rng(0).normal(0, 1, 3 * RATE).astype(np.float32), "turns") == []
