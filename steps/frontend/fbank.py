"""Kaldi's mel filter-bank, a batch of frames at a time, on CPU and GPU alike."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from steps.frontend.options import FbankOptions

BLOCK = 256  # frames computed at once: few enough to stay in a core's cache, enough to make calls cheap; bounds memory


def mel(frequency: Tensor) -> Tensor:
    """Hz to mel: 1127 ln(1 + f / 700)."""
    return 1127.0 * torch.log1p(frequency / 700.0)


def mel_matrix(options: FbankOptions, fft_size: int) -> Tensor:
    """Triangular filters, equally spaced on the mel scale: (fft_size / 2 + 1, num_mel_bins). As in Kaldi, the Nyquist
    bin has no weight."""
    ends = mel(torch.tensor([options.low_freq, options.upper_edge], dtype=torch.float64))
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
    """Log mel filter-bank energies of a recording. One thread at a time: `padded` is written by each call.

    Where the time goes, in µs for a second of speech on one core (Zen 5): FFT 60, power and transpose 31, framing and
    window 26, mel 9, logarithm and copies 9; kaldi-native-fbank takes 1660.
    """

    window: Tensor  # (length,)
    mel: Tensor  # (num_mel_bins, fft_size / 2 + 1), sparse
    padded: Tensor  # (BLOCK, fft_size)

    def __init__(self, options: FbankOptions | None = None) -> None:
        super().__init__()
        self.options = options = options or FbankOptions()
        self.fft_size = 1 << (options.length - 1).bit_length()
        self.register_buffer("window", window(options))
        # A bin belongs to two filters at most. Sparse filters over frames in columns: 9 µs where a matrix product of
        # frames in rows, nearly all of it with zeros, takes 56.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            self.register_buffer("mel", mel_matrix(options, self.fft_size).T.contiguous().to_sparse_csr())
        # The FFT's input: its zeros beyond `length` are written here, once.
        self.register_buffer("padded", torch.zeros(BLOCK, self.fft_size), persistent=False)

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
        """signal: (samples,) on the scale of 16-bit integers, as Kaldi reads it → (frames, dimension) float32."""
        energies = self.window.new_empty(self.options.num_frames(len(signal)), self.options.dimension)
        if len(energies):
            for frames, place in zip(self.frames(signal.float()).split(BLOCK), energies.split(BLOCK)):
                place[:, self.options.use_energy :] = self.energies(frames)
                if self.options.use_energy:  # Kaldi's raw_energy: without the mean, before emphasis and window
                    place[:, 0] = (frames - frames.mean(dim=1, keepdim=True)).square().sum(dim=1)
        return energies.clamp_(min=torch.finfo(torch.float32).eps).log_()

    def energies(self, frames: Tensor) -> Tensor:
        """At most BLOCK frames, (frames, length) → mel energies, (frames, num_mel_bins)."""
        padded = self.padded[: len(frames)]
        windowed = padded[:, : self.options.length]
        frames = frames - frames.mean(dim=1, keepdim=True)
        emphasis = self.options.preemphasis_coefficient  # x[t] - a x[t-1], where what comes before x[0] is x[0] again
        torch.sub(frames[:, 1:], frames[:, :-1], alpha=emphasis, out=windowed[:, 1:])
        torch.mul(frames[:, 0], 1 - emphasis, out=windowed[:, 0])
        windowed *= self.window
        squares = torch.view_as_real(torch.fft.rfft(padded)).square_()  # abs() takes a root, 145 µs for these 7
        power = squares.new_empty(squares.shape[1], len(frames))  # (bins, frames)
        torch.add(squares[..., 0].T, squares[..., 1].T, out=power)
        return torch.mm(self.mel, power).T
