"""Augmentation of training crops, on features: speed, noise, SpecAugment; copypaste.py joins utterances."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steps.frontend.crops import Crops


def speed_crops(crops: Crops, index: Tensor, generator: torch.Generator, length: int, speed: float) -> Tensor:
    """Crops of `length` frames, each at a speed of its own, drawn evenly from 1 ± `speed`: (N, length, F).

    Features are resampled in time, linearly between frames. That changes the tempo alone: pitch and formants stay, and
    with them the speaker.
    """
    factor = 1 + speed * (2 * torch.rand(len(index), generator=generator) - 1)
    x = crops.batch(index, generator, math.ceil(length * (1 + speed)) + 1)
    times = (factor[:, None] * torch.arange(length)).to(x.device)
    before = times.floor().long()[..., None].expand(-1, -1, x.shape[2])
    share = (times - times.floor())[..., None]
    return (1 - share) * x.gather(1, before) + share * x.gather(1, before + 1)


def add_noise(x: Tensor, generator: torch.Generator, share: float, snr: list[float]) -> Tensor:
    """Noise on a `share` of log filter-bank crops (N, T, F), at a ratio between snr[0] and snr[1] dB drawn for each.

    Energies add: log(exp x + exp n). The noise is stationary, follows the crop's own mean spectrum (so the ratio is the
    same in every bin), and fluctuates as a mean of four squared Gaussians' pairs does. The crop's mean is kept, as mean
    normalisation would.
    """
    chosen = (torch.rand(len(x), generator=generator) < share).to(x.device)[:, None, None]
    decibel = snr[0] + (snr[1] - snr[0]) * torch.rand(len(x), generator=generator).to(x.device)[:, None, None]
    fluctuation = torch.empty(4, *x.shape).exponential_(generator=generator).mean(dim=0).log().to(x.device)
    mean = x.mean(dim=1, keepdim=True)
    noisy = torch.logaddexp(x, mean - decibel * math.log(10) / 10 + fluctuation)
    return torch.where(chosen, noisy - noisy.mean(dim=1, keepdim=True) + mean, x)


def mask_bands(x: Tensor, generator: torch.Generator, axis: int, widest: int, masks: int) -> Tensor:
    """SpecAugment (Park et al. 2019): in each crop of (N, T, F), `masks` bands of 0 to `widest` places along `axis`
    (1: time, 2: frequency) take the crop's mean in every bin."""
    size = x.shape[axis]
    places, fill = torch.arange(size), x.mean(dim=1, keepdim=True)
    for _ in range(masks):
        width = torch.randint(min(widest, size) + 1, (len(x), 1), generator=generator)
        start = (torch.rand(len(x), 1, generator=generator) * (size - width + 1)).long()
        band = ((places >= start) & (places < start + width)).to(x.device)
        x = torch.where(band[:, :, None] if axis == 1 else band[:, None, :], fill, x)
    return x
