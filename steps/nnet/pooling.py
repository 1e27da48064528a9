"""From a feature map to an utterance's embedding: (N, C, T, F) → (N, size)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from utils.cli import UserError


def mean(F: Tensor) -> Tensor:
    """Global average pooling, the paper's pool."""
    return F.mean(dim=(2, 3))


class Pooling(nn.Module):
    """(N, C, T, F) → (N, size)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size


class MeanPooling(Pooling):
    """`mean` as a module."""

    def forward(self, F: Tensor) -> Tensor:
        return mean(F)


class MeanSdPooling(Pooling):
    """Mean and standard deviation over time × frequency, side by side. Under it, IN(F) does say something: its
    deviation is |γ|, and that of F⁺ and F⁻ mixes with the mask."""

    def __init__(self, channels: int) -> None:
        super().__init__(2 * channels)

    def forward(self, F: Tensor) -> Tensor:
        variance, mean = torch.var_mean(F, dim=(2, 3), correction=0)
        return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)  # ε: the root's slope at 0 is infinite


class MeanSdChangePooling(Pooling):
    """As MeanSdPooling, and behind it how restless each channel is: the mean size of the step from one time to the next
    of its mean over frequency. Of a map of one time, 0."""

    def __init__(self, channels: int) -> None:
        super().__init__(3 * channels)
        self.mean_sd = MeanSdPooling(channels)

    def forward(self, F: Tensor) -> Tensor:
        over_time = F.mean(dim=3)
        change = over_time.diff(dim=2).abs().sum(dim=2) / max(F.shape[2] - 1, 1)
        return torch.cat([self.mean_sd(F), change], dim=1)


class BandPooling(Pooling):
    """The map cut along frequency into as many bands as there are `poolings`, each pooled by its own, side by side."""

    def __init__(self, poolings: list[Pooling]) -> None:
        super().__init__(sum(pooling.size for pooling in poolings))
        self.poolings = nn.ModuleList(poolings)

    def forward(self, F: Tensor) -> Tensor:
        if F.shape[3] < len(self.poolings):
            raise UserError(f"network.bands is {len(self.poolings)}, and a map that is pooled has {F.shape[3]} bins")
        bands = F.tensor_split(len(self.poolings), dim=3)
        return torch.cat([pooling(band) for pooling, band in zip(self.poolings, bands)], dim=1)


class AttentivePooling(Pooling):
    """Σ α F, with one weight α a time and frequency: softmax of vᵀ tanh(W F + b) (Okabe et al. 2018, without their
    deviation)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.hidden = nn.Conv2d(channels, channels, 1)
        self.energy = nn.Conv2d(channels, 1, 1, bias=False)

    def forward(self, F: Tensor) -> Tensor:
        weights = self.energy(torch.tanh(self.hidden(F))).flatten(2).softmax(dim=2)  # (N, 1, T·F)
        return (weights * F.flatten(2)).sum(dim=2)


class MaskPooling(Pooling):
    """pool(a ⊙ F), with the mask that AD makes, here of F itself: what is left of AD's pool(F⁺) = β + pool(a ⊙ R)
    without instance norm (and, as there is no F⁻, without dual space loss). The control that tells attentive pooling
    from disentanglement."""

    def __init__(self, channels: int, attention: nn.Module) -> None:
        super().__init__(channels)
        self.attention = attention

    def forward(self, F: Tensor) -> Tensor:
        return mean(self.attention(F) * F)
