"""What is done to a copy's sound (utils/copies.py has the kinds), between reading it and its features.

Signals are (samples,) on the scale of 16-bit integers. A copy is changed whole, not a piece at a time: an hour of
speech takes up to one and a half gigabytes. It is rounded to 16 bits, and clips as there, so that its features are
those of a file of it. Its length is its origin's, but for speed."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile
import soxr

from steps.frontend.audio import FULL_SCALE, Reading, read_audio
from steps.frontend.decoding import UNREADABLE, Decoded, Unusable, decode
from utils.copies import Change
from utils.recordings import Source

TAPS = 0.033  # s, of the telephone's filter: it goes from passing to stopping within 100 Hz
BEAT, HARMONICS, TABLE = (0.25, 0.6), 8, 4096  # of music: s, tones in a note, samples in a period that is looked up


def changed(source: Source, change: Change, rate: int, shortest: int) -> Decoded:
    """A copy of the recording `source`, as if decoded from a file of it at `rate`. Raises Unusable, here or from the
    pieces, where it or what is needed for it cannot be read (see `Reading` for `shortest`)."""

    def pieces() -> Iterator[np.ndarray]:
        recording = read_audio(source, rate, shortest)
        signal = apply(change, recording.signal.astype(np.float32, copy=False), rate)
        yield np.rint(signal).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)

    return Decoded(rate, 1, f"COPY/{change.kind.upper()}", pieces())


def apply(change: Change, signal: np.ndarray, rate: int) -> np.ndarray:
    """The signal, changed, in float."""
    values, size = change.values, len(signal)
    if change.kind == "speed":
        return soxr.resample(signal, rate * values["factor"], rate)
    if change.kind == "gain":
        return signal * np.float32(10 ** (values["level"] / 20))
    if change.kind == "telephone":
        return telephone(signal, rate, values["low"], values["high"])
    if change.kind == "mulaw":
        return mulaw(signal, rate, values["rate"])
    if change.kind == "reverb":
        response = impulse(values["response"], rate) if "response" in values else decaying(rate, **values)
        return reverberated(signal, response)
    if change.kind == "babble":
        added = sum((level(heard(voice, rate, size), voice) for voice in values["voices"]), np.zeros(size, np.float32))
    elif "sound" in values:
        added = heard(values["sound"], rate, size, values["start"])
    elif change.kind == "noise":
        added = tilted(size, rate, values["colour"], values["seed"])
    else:
        added = chords(size, rate, values["seed"])
    return mixed(signal, added, values["snr"])


def power(signal: np.ndarray) -> float:
    return float(np.dot(signal, signal)) / max(len(signal), 1)


def level(signal: np.ndarray, what: object) -> np.ndarray:
    """At a mean power of 1. Raises Unusable for silence."""
    if not (mean := power(signal)):
        raise Unusable(f"silent: {what}")
    return signal / np.float32(np.sqrt(mean))


def mixed(signal: np.ndarray, added: np.ndarray, snr: float) -> np.ndarray:
    """With another of its length added, `snr` dB below it in mean power."""
    return signal + level(added, "what is to be added") * np.float32(np.sqrt(power(signal)) * 10 ** (-snr / 20))


def reverberated(signal: np.ndarray, response: np.ndarray) -> np.ndarray:
    """In a room with this impulse response. The direct sound, its greatest sample, stays where it was, and the mean
    power what it was."""
    from scipy.signal import oaconvolve

    first = int(np.abs(response).argmax())
    wet = oaconvolve(signal, response.astype(np.float32))[first : first + len(signal)]
    return level(wet, "in that room") * np.float32(np.sqrt(power(signal)))


def decaying(rate: int, t60: float, direct: float, seed: int) -> np.ndarray:
    """An impulse response by formula (Polack's model): a direct sound of 1, then Gaussian noise whose level falls by 60
    dB in `t60` seconds, and which has `direct` dB less energy."""
    tail = np.random.default_rng(seed).standard_normal(max(int(rate * t60), 2), np.float32)
    tail *= 10 ** (-3 * np.arange(len(tail), dtype=np.float32) / (rate * t60))
    tail[0] = 0
    tail *= 10 ** (-direct / 20) / np.linalg.norm(tail)
    tail[0] = 1
    return tail


def impulse(sound: Source, rate: int) -> np.ndarray:
    """An impulse response from a file; of several channels the first, as mixed ones would cancel each other."""
    try:
        with soundfile.SoundFile(os.fsencode(sound.path)) as file:
            own = file.samplerate
            file.seek(min(int(sound.begin * own), file.frames))
            frames = int((sound.end - sound.begin) * own) if sound.end else -1
            samples = file.read(frames, dtype="float32", always_2d=True)
    except (*UNREADABLE, OSError):
        raise Unusable(f"impulse response cannot be read: {sound}") from None
    response = samples[:, 0] if own == rate else soxr.resample(samples[:, 0], own, rate)
    if not np.isfinite(response).all() or not response.any():
        raise Unusable(f"impulse response is silent or not finite: {sound}")
    return response


def heard(sound: Source, rate: int, size: int, start: float | None = None) -> np.ndarray:
    """So many samples of another recording, (size,), from its beginning or a `start` (a share, 0 to 1, of where they
    could begin), again and again where it is shorter."""
    try:
        shift = 0
        if start is not None:
            end = sound.end or soundfile.info(os.fsencode(sound.path)).duration
            there, needed = end - sound.begin, size / rate
            if there > needed:
                first = sound.begin + start * (there - needed)
                sound = Source(sound.path, first, first + needed)
            else:
                shift = int(start * there * rate)
        parts: list[np.ndarray] = []
        for piece in Reading(decode(sound, 1.0), rate, 1):
            parts.append(piece)
            if sum(map(len, parts)) >= size:
                break  # of a long one, the rest is not read
    except (Unusable, *UNREADABLE, OSError) as reason:
        raise Unusable(f"what is to be added cannot be read: {sound}: {reason}") from None
    return np.resize(np.roll(np.concatenate(parts), -shift), size).astype(np.float32)


def tilted(size: int, rate: int, colour: float, seed: int) -> np.ndarray:
    """Gaussian noise, (size,), whose level changes by `colour` dB an octave above 50 Hz."""
    from scipy.fft import irfft, next_fast_len, rfft

    length = next_fast_len(size, real=True)
    spectrum = rfft(np.random.default_rng(seed).standard_normal(length, np.float32))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(length, 50 / rate), 1))
    spectrum *= (10 ** (colour * octaves / 20)).astype(np.float32)
    return irfft(spectrum, length)[:size]


def chords(size: int, rate: int, seed: int) -> np.ndarray:
    """Music of a kind, (size,): in each beat a triad and a note of melody above it, of harmonic tones that fade."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * np.arange(TABLE) / TABLE
    period = sum(np.sin(k * phase) / k**1.5 for k in range(1, HARMONICS + 1))
    beat, key = int(rate * rng.uniform(*BEAT)), 110 * 2 ** (rng.integers(12) / 12)
    time = np.arange(beat, dtype=np.float32) / rate
    fade = np.exp(-3 * time * rate / beat) * np.minimum(time / 0.01, 1)  # struck within 10 ms
    music = np.empty((-(-size // beat), beat), np.float32)
    for notes in music:
        root = rng.choice([0, 5, 7, 9])
        steps: list[Any] = [root, root + (3 if root == 9 else 4), root + 7, 12 + rng.choice([0, 2, 4, 7, 9])]
        turns = [key * 2 ** (step / 12) * TABLE * time for step in steps]
        notes[:] = fade * sum(period.take(turn.astype(np.int64) % TABLE) for turn in turns)
    return music.reshape(-1)[:size]


def telephone(signal: np.ndarray, rate: int, low: float, high: float) -> np.ndarray:
    """What a band from `low` to `high` Hz lets through: a linear-phase filter (Hamming window, 53 dB), its delay taken
    out."""
    from scipy.signal import firwin, oaconvolve

    if low >= rate / 2:
        raise Unusable(f"telephone: nothing is heard above {low:g} Hz at a sampling rate of {rate}")
    half = int(rate * TAPS / 2)
    edges = [low, high] if high < rate / 2 else [low]
    response = firwin(2 * half + 1, edges, pass_zero=False, fs=rate).astype(np.float32)
    return oaconvolve(signal, response)[half : half + len(signal)]


def mulaw(signal: np.ndarray, rate: int, coded: int) -> np.ndarray:
    """As G.711's µ-law codes it at `coded` Hz, 8 bits a sample."""
    narrow = soxr.resample(signal, rate, coded)
    samples = np.rint(narrow).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, samples, coded, format="RAW", subtype="ULAW")
    file.seek(0)
    heard, _ = soundfile.read(file, samplerate=coded, channels=1, format="RAW", subtype="ULAW", dtype="float32")
    wide = soxr.resample(FULL_SCALE * heard, coded, rate)
    return np.pad(wide, (0, max(0, len(signal) - len(wide))))[: len(signal)]
