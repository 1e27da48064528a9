"""What changes in a voice from one hundredth of a second to the next: spectrum, level, pitch, voice quality."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

SHIFT, SPECTRUM, PERIODS = 0.010, 0.040, 0.060  # s: from frame to frame; windows of the spectrum and of the pitch
LOWEST, HIGHEST = 65.0, 500.0  # Hz, of a voice's pitch
VOICED = 0.45  # autocorrelation, of 1, from which on a frame is voiced
OCTAVE = 0.03  # of autocorrelation that an octave upwards is worth: multiples of a period are as like it as itself
BANDS = 40  # mel bands
FLOOR = 1.0  # of power, on the scale of 16-bit integers; their rounding alone has some 20
ROLLOFFS = (0.25, 0.5, 0.75, 0.9)  # shares of the energy
EDGES = ((0, 250), (250, 650), (1000, 4000), (4000, 8000), (50, 1000), (1000, 5000))  # Hz, of bands
SLOPES = ((0, 500), (500, 1500), (1500, 8000))  # Hz, over which the spectrum's slope is taken
FORMANTS = ((300, 1000), (1000, 2500), (2500, 3500))  # Hz, where the three lowest are
SHAPES, VOICE = 19, 8  # columns


class Contours(NamedTuple):
    """Of T frames."""

    level: np.ndarray  # (T,), log power
    mel: np.ndarray  # (T, BANDS), log power, pre-emphasised
    shape: np.ndarray  # (T, SHAPES), of the spectrum, whatever its level; columns are named in Analyser.shape
    strength: np.ndarray  # (T,), autocorrelation at the period of the pitch, 0 to 1
    voice: np.ndarray  # (T, VOICE): pitch, semitones above 1 Hz; harmonics-to-noise ratio, dB; differences of harmonics


class Analyser:
    """Computes contours at one sampling rate, of what lies below a frequency."""

    def __init__(self, rate: int, highest: float = 0) -> None:
        """`highest`: in Hz; 0: half of the rate."""
        self.rate, self.shift, self.highest = rate, round(SHIFT * rate), highest or rate / 2
        self.short, self.long = round(SPECTRUM * rate), round(PERIODS * rate)
        self.size = 1 << (self.short - 1).bit_length()
        frequencies = np.arange(self.size // 2 + 1) * rate / self.size
        self.frequencies = frequencies[frequencies <= self.highest]
        self.lags = np.arange(int(rate / HIGHEST), int(rate / LOWEST) + 1)

    def __call__(self, signal: np.ndarray) -> Contours:
        """(samples,) on the scale of 16-bit integers → the contours of all windows of PERIODS that lie wholly inside;
        of a shorter signal, those of one window."""
        x = signal.astype(np.float32)
        x = np.pad(x, (0, max(0, self.long - len(x))))
        windows = np.lib.stride_tricks.sliding_window_view(x, self.long)[:: self.shift]
        first = (self.long - self.short) // 2
        power = self.power(windows[:, first : first + self.short])
        logs = np.log(power)
        level = np.log(power.sum(axis=1))
        emphasised = power * self.emphasis
        strength, pitch = self.pitch(windows)
        return Contours(
            level, np.log(emphasised @ self.mel), self.shape(power, logs), strength, self.voice(logs, strength, pitch)
        )

    def power(self, windows: np.ndarray) -> np.ndarray:
        """(T, frequencies), of Hamming windows."""
        spectrum = rfft(windows * np.hamming(self.short).astype(np.float32), self.size, axis=1)
        spectrum = spectrum[:, : len(self.frequencies)]
        return spectrum.real**2 + spectrum.imag**2 + np.float32(FLOOR)

    @cached_property
    def emphasis(self) -> np.ndarray:
        """The squared response of x[t] − 0.97 x[t−1], (frequencies,)."""
        angle = 2 * np.pi * self.frequencies / self.rate
        return np.abs(1 - 0.97 * np.exp(-1j * angle)).astype(np.float32) ** 2

    @cached_property
    def mel(self) -> np.ndarray:
        """Triangular filters from 20 Hz to the highest frequency, (frequencies, BANDS)."""
        low, high, mel = (1127 * np.log1p(f / 700) for f in (20, self.highest, self.frequencies))
        edges = np.linspace(low, high, BANDS + 2)
        rising = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
        falling = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
        return np.minimum(rising, falling).clip(0).astype(np.float32)

    def within(self, low: float, high: float) -> np.ndarray:
        """Which frequencies lie in a band; where all of it lies above the highest, that alone."""
        inside = (self.frequencies >= low) & (self.frequencies < high)
        return inside if inside.any() else self.frequencies == self.frequencies[-1]

    def shape(self, power: np.ndarray, logs: np.ndarray) -> np.ndarray:
        """The spectrum as a distribution: its centre in kHz, log spread, skewness, kurtosis, the frequencies below
        which shares of the energy lie, entropy; shares of bands, log, and of two of them the ratio (alpha ratio);
        slopes, per kHz; peak below against peak above 2 kHz (Hammarberg index); how much it differs from the frame
        before (flux)."""
        p, f = power / power.sum(axis=1, keepdims=True), (self.frequencies / 1000).astype(np.float32)
        centre = p @ f
        away = f - centre[:, None]
        square = away * away
        moments = [np.einsum("tf,tf->t", p, x) for x in (square, square * away, square * square)]
        spread = np.sqrt(moments[0].clip(1e-6))
        up_to = p.cumsum(axis=1)
        rolloffs = [(up_to < share).sum(axis=1) * f[1] for share in ROLLOFFS]
        entropy = -(p * np.log(p)).sum(axis=1)
        shares = [np.log(p[:, self.within(*edges)].sum(axis=1)) for edges in EDGES]
        slopes = [logs[:, inside] @ slope(f[inside]) for inside in (self.within(*edges) for edges in SLOPES)]
        peaks = self.peak(logs, 0, 2000) - self.peak(logs, 2000, 5000)
        root = np.sqrt(p)
        flux = np.linalg.norm(np.diff(root, axis=0, prepend=root[:1]), axis=1)
        columns = [centre, np.log(spread), moments[1] / spread**3, moments[2] / spread**4, *rolloffs, entropy]
        columns += [*shares[:4], shares[4] - shares[5], *slopes, peaks, flux]
        return np.column_stack(columns)

    def peak(self, logs: np.ndarray, low: float, high: float) -> np.ndarray:
        """(T,), the highest of a band."""
        return logs[:, self.within(low, high)].max(axis=1)

    def pitch(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Autocorrelation at the period, 0 to 1, and pitch in Hz, (T,) each (Boersma 1993, without a path over time):
        the autocorrelation of a windowed frame over that of the window is that of the voice; its highest peak among
        the possible periods, where several are as high the first, is the period. Without any peak the first is 0."""
        hann = np.hanning(self.long).astype(np.float32)
        size = next_fast_len(self.long + int(self.lags[-1]) + 2, real=True)  # keeps the lags that are wanted apart
        centred = windows - windows.mean(axis=1, keepdims=True)
        r, own = (autocorrelation(x, size)[:, : self.lags[-1] + 2] for x in (centred * hann, hann[None]))
        r = r / r[:, :1].clip(FLOOR) / (own / own[:, :1])
        before, here, behind = (r[:, self.lags + k] for k in (-1, 0, 1))
        difference, bend = before - behind, np.minimum(before - 2 * here + behind, -1e-6)
        offset = (difference / (2 * bend)).clip(-0.5, 0.5)  # of the top of the parabola through the three
        height = here - difference * offset / 4
        worth = height - (OCTAVE * np.log2(self.lags / self.lags[0])).astype(np.float32)
        top = (here > before) & (here >= behind)
        best, rows = np.where(top, worth, -1).argmax(axis=1), np.arange(len(top))
        strength = np.where(top[rows, best], height[rows, best], 0)
        return strength.clip(0, 0.9999), self.rate / (self.lags[best] + offset[rows, best])

    def voice(self, logs: np.ndarray, strength: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """Pitch, harmonics-to-noise ratio; levels, log power, of the first harmonic against the second and the third,
        the second against the fourth, the first against the peaks near three formants. Of voiced frames they tell how
        tense or breathy a voice is; of others, nothing."""
        rows, places = np.arange(len(logs)), np.arange(-1, 2)
        harmonics = []
        for number in range(1, 5):
            near = np.rint(number * pitch * self.size / self.rate).astype(int)[:, None] + places
            harmonics.append(logs[rows[:, None], near.clip(0, logs.shape[1] - 1)].max(axis=1))
        first, second, third, fourth = harmonics
        ratio = 10 * np.log10(strength.clip(1e-3) / (1 - strength))
        formants = [first - self.peak(logs, *edges) for edges in FORMANTS]
        columns = [12 * np.log2(pitch), ratio, first - second, first - third, second - fourth, *formants]
        return np.column_stack(columns)


def slope(x: np.ndarray) -> np.ndarray:
    """Weights w such that w · y is the slope of the least-squares line of y over x."""
    centred = x - x.mean()
    return centred / max((centred**2).sum(), 1e-12)


def autocorrelation(x: np.ndarray, size: int) -> np.ndarray:
    """Of each row of (T, N) at lags from 0, by a Fourier transform of `size`; true up to lag `size` − N."""
    spectrum = rfft(x, size, axis=1)
    return irfft(spectrum.real**2 + spectrum.imag**2, size, axis=1)
