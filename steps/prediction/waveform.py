"""The way from samples to posteriors as one torch module, of operations that any ONNX runtime has: what contours.py and
descriptors.py of steps/frontend compute, with Fourier transforms as strided convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from steps.frontend import contours as c
from steps.frontend import descriptors as d
from steps.frontend.audio import FULL_SCALE
from steps.prediction.head import Head
from steps.systems.mlp import CLIP

PERCENTS = (0.01, 0.25, 0.5, 0.75, 0.99)


class Contours(nn.Module):
    """(samples,) on the scale of 16-bit integers → the fields of `steps.frontend.contours.Contours`."""

    spectrum: Tensor
    period: Tensor
    period_mean: Tensor
    mean: Tensor
    lag: Tensor
    energy: Tensor
    emphasis: Tensor
    mel: Tensor
    kHz: Tensor
    worth: Tensor
    lags: Tensor

    def __init__(self, rate: int, highest: float) -> None:
        super().__init__()
        self.analyser = a = c.Analyser(rate, highest)
        self.first = (a.long - a.short) // 2
        hann = np.hanning(a.long)
        self.size = (a.long + a.lags[-1] + 3) // 2 * 2  # as few as keep the lags that are wanted apart from others
        lags = np.arange(a.lags[0] - 1, a.lags[-1] + 2)
        own = c.autocorrelation(hann[None], self.size)[0]
        turns = np.arange(self.size // 2 + 1) * 2 * np.pi / self.size
        inverse = np.cos(np.outer(turns, lags)) * 2 / self.size  # of a power spectrum, which is real
        inverse[[0, -1]] /= 2
        mean_turn = np.exp(-1j * np.outer(turns, np.arange(a.long))) @ hann
        constants = {
            "spectrum": kernels(a.short, a.size, len(a.frequencies), np.hamming(a.short)),
            "period": kernels(a.long, self.size, len(turns), hann),
            "period_mean": np.concatenate([mean_turn.real, mean_turn.imag]),
            "mean": np.full((1, 1, a.long), 1 / a.long),
            "lag": inverse / (own[lags] / own[0]),
            "energy": np.where(np.arange(len(turns)) % (len(turns) - 1) == 0, 1, 2) / self.size,
            "emphasis": a.emphasis,
            "mel": a.mel,
            "kHz": a.frequencies / 1000,
            "worth": c.OCTAVE * np.log2(a.lags / a.lags[0]),
            "lags": a.lags,
        }
        for name, values in constants.items():
            self.register_buffer(name, torch.from_numpy(np.asarray(values, np.float32)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        a = self.analyser
        x = x[None, None]
        frames = (x.shape[2] - a.long) // a.shift + 1
        inner = x[:, :, self.first :]
        spectrum = nn.functional.conv1d(inner, self.spectrum, stride=a.shift)[0].T[:frames]
        power = square(spectrum) + c.FLOOR
        logs = power.log()
        level = power.sum(dim=1).log()
        mel = ((power * self.emphasis) @ self.mel).log()
        strength, pitch = self.pitch(x)
        return level, mel, self.shape(power, logs), strength, self.voice(logs, strength, pitch)

    def peak(self, logs: Tensor, low: float, high: float) -> Tensor:
        inside = np.flatnonzero(self.analyser.within(low, high))
        return logs[:, inside[0] : inside[-1] + 1].amax(dim=1)

    def shape(self, power: Tensor, logs: Tensor) -> Tensor:
        p, f = power / power.sum(dim=1, keepdim=True), self.kHz
        centre = p @ f
        away = f - centre[:, None]
        square = away * away
        moments = [(p * x).sum(dim=1) for x in (square, square * away, square * square)]
        spread = moments[0].clamp(min=1e-6).sqrt()
        up_to = p.cumsum(dim=1)
        rolloffs = [(up_to < share).to(p.dtype).sum(dim=1) * f[1] for share in c.ROLLOFFS]
        entropy = -(p * p.log()).sum(dim=1)
        shares, slopes = [], []
        for edges in c.EDGES:
            inside = np.flatnonzero(self.analyser.within(*edges))
            shares.append(p[:, inside[0] : inside[-1] + 1].sum(dim=1).log())
        for edges in c.SLOPES:
            inside = np.flatnonzero(self.analyser.within(*edges))
            weights = c.slope(self.analyser.frequencies[inside] / 1000).astype(np.float32)
            slopes.append(logs[:, inside[0] : inside[-1] + 1] @ torch.from_numpy(weights))
        peaks = self.peak(logs, 0, 2000) - self.peak(logs, 2000, 5000)
        root = p.sqrt()
        flux = (root - torch.cat([root[:1], root[:-1]])).square().sum(dim=1).sqrt()
        columns = [centre, spread.log(), moments[1] / spread**3, moments[2] / spread**4, *rolloffs, entropy]
        columns += [*shares[:4], shares[4] - shares[5], *slopes, peaks, flux]
        return torch.stack(columns, dim=1)

    def pitch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a = self.analyser
        mean = nn.functional.conv1d(x, self.mean, stride=a.shift)[0].T
        power = square(nn.functional.conv1d(x, self.period, stride=a.shift)[0].T - mean * self.period_mean)
        r = power @ self.lag / (power @ self.energy).clamp(min=c.FLOOR)[:, None]
        before, here, behind = r[:, :-2], r[:, 1:-1], r[:, 2:]
        difference, bend = before - behind, (before - 2 * here + behind).clamp(max=-1e-6)
        offset = (difference / (2 * bend)).clamp(-0.5, 0.5)
        height = here - difference * offset / 4
        top = (here > before) & (here >= behind)
        best = torch.where(top, height - self.worth, torch.full_like(height, -1)).argmax(dim=1, keepdim=True)
        lag = self.lags[best[:, 0]] + offset.gather(1, best)[:, 0]
        strength = torch.where(top.gather(1, best), height.gather(1, best), torch.zeros_like(lag)[:, None])[:, 0]
        return strength.clamp(0.0, 0.9999), a.rate / lag

    def voice(self, logs: Tensor, strength: Tensor, pitch: Tensor) -> Tensor:
        a = self.analyser
        harmonics = []
        for number in range(1, 5):
            near = (number * pitch * (a.size / a.rate)).round().long()[:, None] + torch.arange(-1, 2)
            harmonics.append(logs.gather(1, near.clamp(0, logs.shape[1] - 1)).amax(dim=1))
        first, second, third, fourth = harmonics
        ratio = 10 * torch.log10(strength.clamp(min=1e-3) / (1 - strength))
        formants = [first - self.peak(logs, *edges) for edges in c.FORMANTS]
        columns = [12 * torch.log2(pitch), ratio, first - second, first - third, second - fourth, *formants]
        return torch.stack(columns, dim=1)


def kernels(length: int, size: int, bins: int, window: np.ndarray) -> np.ndarray:
    """Convolution kernels (2 bins, 1, length), cosines and then sines, of the first bins of a transform of `size`."""
    turns = np.outer(np.arange(bins), np.arange(length)) * 2 * np.pi / size
    return np.concatenate([np.cos(turns) * window, -np.sin(turns) * window])[:, None]


def square(spectrum: Tensor) -> Tensor:
    """(T, 2 bins) real and imaginary parts → (T, bins) power."""
    real, imaginary = spectrum.chunk(2, dim=1)
    return real * real + imaginary * imaginary


class Waveform(nn.Module):
    """(samples,) of a recording or stretch, at the model's rate, of full scale 1 → posteriors (classes,), unlike ()."""

    cosines: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, head: Head, temperature: float, rate: int, highest: float) -> None:
        super().__init__()
        self.contours, self.temperature = Contours(rate, highest), temperature
        self.layers = len(head.weights)
        basis = np.cos(np.pi / c.BANDS * np.outer(np.arange(c.BANDS) + 0.5, np.arange(1, 1 + d.CEPSTRA)))
        self.register_buffer("cosines", torch.from_numpy((basis * np.sqrt(2 / c.BANDS)).astype(np.float32)))
        for name, values in (("mean", head.mean), ("scale", head.scale)):
            self.register_buffer(name, torch.from_numpy(values))
        for k, (weight, bias) in enumerate(zip(head.weights, head.biases)):
            self.register_buffer(f"weight_{k}", torch.from_numpy(np.ascontiguousarray(weight)))
            self.register_buffer(f"bias_{k}", torch.from_numpy(bias))

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        z = ((self.descriptors(samples) - self.mean) / self.scale).clamp(-CLIP, CLIP)
        unlike = z.square().mean()
        for k in range(self.layers):
            z = z @ getattr(self, f"weight_{k}") + getattr(self, f"bias_{k}")
            z = z.relu() if k < self.layers - 1 else z
        return (z / self.temperature).softmax(dim=0), unlike

    def descriptors(self, samples: Tensor) -> Tensor:
        """(1851,), as `steps.frontend.descriptors.describe` has them."""
        samples = samples * FULL_SCALE
        level, mel, shape, strength, voice = self.contours(samples)
        frames = torch.full_like(level, 1.0).sum()
        loud = percentiles(level[:, None], frames, [d.LOUD / 100])[0, 0]
        heard = (level > loud - d.GATE * float(np.log(10)) / 10).to(level.dtype)
        voiced = heard * (strength > c.VOICED).to(level.dtype)
        mel = mel - log_mean(mel, heard[:, None])
        columns = [mel, mel @ self.cosines, (level - log_mean(level, heard))[:, None], shape, voice[:, 1:2]]
        everywhere = torch.cat([*columns, voiced[:, None]], dim=1)
        shares = torch.stack([voiced.sum() / heard.sum(), heard.mean(), frames.log()])
        return torch.cat([statistics(everywhere, heard), statistics(voice, voiced), shares])


def log_mean(logs: Tensor, weights: Tensor) -> Tensor:
    """The log of the weighted mean of what `logs` are the logs of."""
    top = logs.max()
    weighted = (logs - top).exp() * weights
    return (weighted.sum() / (weights * torch.ones_like(logs)).sum()).log() + top


def percentiles(x: Tensor, count: Tensor, shares: Sequence[float]) -> Tensor:
    """Of the `count` lowest values of each column of (T, K): (len(shares), K), with linear interpolation."""
    ordered = x.sort(dim=0).values
    place = (count - 1) * torch.tensor(shares, dtype=x.dtype)
    low = place.floor()
    part = (place - low)[:, None]
    below, above = ordered[low.long()], ordered[torch.minimum(low + 1, count - 1).long()]
    return below + (above - below) * part


def statistics(x: Tensor, chosen: Tensor) -> Tensor:
    """(22 K,), as `steps.frontend.descriptors.statistics`, of the chosen rows of (T, K); chosen: (T,) 0 or 1."""
    count = chosen.sum()
    times = torch.where(count < 3, torch.full_like(count, 3), torch.ones_like(count))  # how often a row stands
    numbers = torch.arange(x.shape[0], dtype=x.dtype)
    first = (numbers + (1 - chosen) * x.shape[0]).sort().indices  # of the chosen rows
    n = (count * times).clamp(min=1)
    number = torch.arange(x.shape[0] + 6, dtype=x.dtype)
    rows = first[(number / times).floor().long().clamp(max=x.shape[0] - 1)]
    x, there = x[rows], (number < n).to(x.dtype)[:, None]

    def mean(values: Tensor) -> Tensor:
        return (values * there).sum(dim=0) / n

    middle = mean(x)
    away = (x - middle) * there
    square = away * away
    deviation = mean(square).sqrt()
    scaled = away / deviation.clamp(min=1e-6)
    cube = scaled * scaled * scaled
    beyond = torch.full_like(x, torch.inf)
    lowest, low, median, high, highest = percentiles(torch.where(there > 0, x, beyond), n, PERCENTS)
    time = ((2 * number / (n - 1).clamp(min=1) - 1)[:, None]) * there
    slope = (away * time).sum(dim=0) / time.square().sum().clamp(min=1e-12)
    residual = mean((away - slope * time).square())  # its mean is 0: both terms' are
    most = torch.where(there > 0, x, -beyond).argmax(dim=0).to(x.dtype) / n
    least = torch.where(there > 0, x, beyond).argmin(dim=0).to(x.dtype) / n
    between = there[1:]  # steps from one chosen row to the next
    crossings = ((away[1:].sign() != away[:-1].sign()).to(x.dtype) * between).sum(dim=0) / (n - 1).clamp(min=1)
    reach = highest - lowest
    quarters = [mean((x > lowest + 0.75 * reach).to(x.dtype)), mean((x < lowest + 0.25 * reach).to(x.dtype))]
    steps = (x[1:] - x[:-1]) * between
    rises = (steps > 0).to(x.dtype)
    falls = between - rises
    rise = (steps * rises).sum(dim=0) / rises.sum(dim=0).clamp(min=1)
    fall = -(steps * falls).sum(dim=0) / falls.sum(dim=0).clamp(min=1)
    moments = [middle, deviation, mean(cube), mean(cube * scaled) - 3]
    ranges = [lowest, low, median, high, highest, high - low, reach, median - low, high - median]
    found = [*moments, *ranges, slope, residual.sqrt(), most, least, crossings, *quarters, rise, fall]
    return torch.cat(found) * (count > 0).to(x.dtype)
