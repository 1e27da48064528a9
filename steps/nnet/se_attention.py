"""SE-like attention, which §3.2 compares time-frequency attention with in words."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SEAttention(nn.Module):
    """Squeeze and excitation (the paper's [22]): one weight in (0, 1) a channel, the same at every time and frequency.

    a = Sigmoid(W₂ ReLU(W₁ pool(R))), C → D → C: (N, C, T, F) → (N, C, T, F).
    """

    def __init__(self, channels: int, D: int = 8) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, D, 1)
        self.expand = nn.Conv2d(D, channels, 1)

    def forward(self, R: Tensor) -> Tensor:
        squeezed = R.mean(dim=(2, 3), keepdim=True)
        return torch.sigmoid(self.expand(torch.relu(self.reduce(squeezed)))).expand_as(R)
