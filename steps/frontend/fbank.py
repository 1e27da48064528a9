"""Kaldi's mel filter-bank, a batch of frames at a time, on CPU and GPU alike."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steps.frontend.fbank_options import FbankOptions


def mel(frequency: Tensor) -> Tensor:
    """Hz to mel: 1127 ln(1 + f / 700)."""
    return 1127.0 * torch.log1p(frequency / 700.0)


def mel_matrix(options: FbankOptions, fft_size: int) -> Tensor:
    """Triangular filters, equally spaced on the mel scale: (fft_size / 2 + 1, num_mel_bins). As in Kaldi, the Nyquist
    bin has no weight."""
    nyquist = options.sample_frequency / 2
    high = options.high_freq if options.high_freq > 0 else nyquist + options.high_freq
    ends = mel(torch.tensor([options.low_freq, high], dtype=torch.float64))
    edges = torch.linspace(ends[0], ends[1], options.num_mel_bins + 2, dtype=torch.float64)
    bins = mel(torch.arange(fft_size // 2 + 1, dtype=torch.float64) * options.sample_frequency / fft_size)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = torch.minimum(rising, falling).clamp(min=0)
    weights[-1] = 0
    return weights.float()


def window(options: FbankOptions) -> Tensor:
    """The window function, (length,)."""
    n = torch.arange(options.length, dtype=torch.float64)
    cosine = torch.cos(2 * math.pi * n / (options.length - 1))
    windows = {
        "hamming": 0.54 - 0.46 * cosine,
        "hanning": 0.5 - 0.5 * cosine,
        "povey": (0.5 - 0.5 * cosine) ** 0.85,
        "rectangular": torch.ones_like(n),
    }
    return windows[options.window_type].float()


class Fbank(torch.nn.Module):
    """Log mel filter-bank energies of a recording."""

    def __init__(self, options: FbankOptions | None = None) -> None:
        super().__init__()
        self.options = options = options or FbankOptions()
        self.fft_size = 1 << (options.length - 1).bit_length()
        self.register_buffer("window", window(options))
        self.register_buffer("mel", mel_matrix(options, self.fft_size))

    def frames(self, signal: Tensor) -> Tensor:
        """Cut (samples,) into overlapping (frames, length)."""
        options = self.options
        count = options.num_frames(len(signal))
        if not options.snip_edges:  # frame t is centred on sample (t + ½) shift; beyond the ends the signal is mirrored
            first = options.shift // 2 - options.length // 2
            index = torch.arange(first, first + (count - 1) * options.shift + options.length, device=signal.device)
            index %= 2 * len(signal)
            signal = signal[torch.where(index < len(signal), index, 2 * len(signal) - 1 - index)]
        return signal.unfold(0, options.length, options.shift)[:count]

    @torch.inference_mode()
    def forward(self, signal: Tensor) -> Tensor:
        """signal: (samples,) float32 on the scale of 16-bit integers, as Kaldi reads it → (frames, num_mel_bins)."""
        if not self.options.num_frames(len(signal)):
            return signal.new_zeros(0, self.options.num_mel_bins)
        pieces = self.frames(signal).split(4096)  # bounds the memory of long recordings
        return torch.cat([self.energies(piece) for piece in pieces])

    def energies(self, frames: Tensor) -> Tensor:
        """(frames, length) → (frames, num_mel_bins)."""
        frames = frames - frames.mean(dim=1, keepdim=True)
        previous = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
        frames = (frames - self.options.preemphasis_coefficient * previous) * self.window
        power = torch.fft.rfft(frames, n=self.fft_size).abs().square()
        return (power @ self.mel).clamp(min=torch.finfo(torch.float32).eps).log()
