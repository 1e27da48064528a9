"""What a model is asked for its card: recordings that were changed on purpose, and sounds that are no speech."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from scipy.signal import lfilter

from steps.frontend.audio import FULL_SCALE, read_audio
from steps.frontend.changes import chords, level, mixed, mulaw, telephone, tilted
from steps.frontend.decoding import Unusable
from steps.frontend.descriptors import Descriptor
from utils.recordings import Source

Signal = np.ndarray  # (samples,), on the scale of 16-bit integers
PINK = -3.0  # dB an octave
LOUDNESS = 1000.0  # root mean square of a sound that is no speech


def gained(signal: Signal, rate: int, seed: int, dB: float) -> Signal:
    return signal * 10 ** (dB / 20)


def noisy(signal: Signal, rate: int, seed: int, snr: float) -> Signal:
    return mixed(signal, tilted(len(signal), rate, PINK, seed), snr)


def shortened(signal: Signal, rate: int, seed: int, seconds: float) -> Signal:
    """The middle."""
    samples = min(len(signal), int(seconds * rate))
    first = (len(signal) - samples) // 2
    return signal[first : first + samples]


def called(signal: Signal, rate: int, seed: int) -> Signal:
    """Through a telephone: 300 to 3400 Hz, µ-law."""
    return mulaw(telephone(signal, rate, 300, 3400), rate, 8000)


def overdriven(signal: Signal, rate: int, seed: int) -> Signal:
    """So loud that 5 % of the samples are cut off."""
    return signal * (FULL_SCALE / max(float(np.quantile(np.abs(signal), 0.95)), 1.0))


def silence(samples: int, rate: int, seed: int) -> Signal:
    """A quiet room, of which the last bit flickers."""
    return np.random.default_rng(seed).normal(0, 1, samples)


def tone(samples: int, rate: int, seed: int) -> Signal:
    """A sine from 100 to 2000 Hz."""
    frequency = np.random.default_rng(seed).uniform(100, 2000)
    return np.sin(2 * np.pi * frequency * np.arange(samples) / rate)


def band(samples: int, rate: int, seed: int) -> Signal:
    """Chords, a plucked bass string (Karplus and Strong, 1983) and drums on every beat."""
    rng = np.random.default_rng(seed)
    beat = int(rate * rng.uniform(0.3, 0.6))
    time = np.arange(beat) / rate
    kick, snare = np.sin(2 * np.pi * 60 * time) * np.exp(-12 * time), rng.normal(0, 0.5, beat) * np.exp(-25 * time)
    beats = []
    for k in range(-(-samples // beat)):
        period = int(rate / rng.choice([55, 73, 82, 98]))
        pluck = np.concatenate([rng.uniform(-1, 1, period), np.zeros(beat)])[:beat]
        string = lfilter([1], [1, *[0] * (period - 1), -0.498, -0.498], pluck)
        beats.append(string + (snare if k % 2 else kick))
    return level(np.concatenate(beats)[:samples], "band") + 0.5 * level(chords(samples, rate, seed), "chords")


CHANGES: dict[str, dict[str, Callable[..., Signal]]] = {
    "gain": {f"{dB:+d} dB": partial(gained, dB=dB) for dB in (-20, -10, 10, 20)},
    "pink noise, SNR": {f"{snr} dB": partial(noisy, snr=snr) for snr in (30, 20, 10, 5, 0)},
    "length, at most": {f"{s:g} s": partial(shortened, seconds=s) for s in (0.25, 0.5, 1, 1.5, 2)},
    "channel": {"telephone": called, "overdriven": overdriven},
}
SOUNDS: dict[str, Callable[[int, int, int], Signal]] = {
    "silence": silence,
    "white noise": lambda samples, rate, seed: tilted(samples, rate, 0.0, seed),
    "pink noise": lambda samples, rate, seed: tilted(samples, rate, PINK, seed),
    "tones": tone,
    "music": chords,
    "music with drums": band,
}


def described(signal: Signal, rate: int, highest: float) -> np.ndarray:
    """Descriptors of a signal as a file of 16 bits would have it."""
    descriptor = Descriptor(rate, highest)
    descriptor.hear(np.rint(signal).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.float32))
    return descriptor.vector()


def of_recordings(
    sources: Mapping[str, Source], rate: int, highest: float
) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """(what is changed, how) → recording → its descriptors then. What cannot be read is left out."""
    found: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for seed, (name, source) in enumerate(sources.items()):
        try:
            signal = read_audio(source, rate, rate // 10).signal.astype(np.float32)
        except Unusable:
            continue
        for what, ways in CHANGES.items():
            for how, change in ways.items():
                found.setdefault((what, how), {})[name] = described(change(signal, rate, seed), rate, highest)
    return found


def of_sounds(count: int, rate: int, highest: float) -> dict[str, np.ndarray]:
    """Kind of sound → (count, size) descriptors of so many, of 1 to 5 s."""
    found = {}
    for kind, make in SOUNDS.items():
        rows = []
        for seed in range(count):
            samples = int(rate * np.random.default_rng(seed).uniform(1, 5))
            signal = make(samples, rate, seed)
            signal = signal if kind == "silence" else level(signal, kind) * LOUDNESS
            rows.append(described(signal, rate, highest))
        found[kind] = np.stack(rows)
    return found
