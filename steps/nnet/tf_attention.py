"""Time-frequency attention (§3.2, Fig. 3, eq. 5–6)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn


class TFAttention(nn.Module):
    """A mask a_att in (0, 1) for every channel, time and frequency of a residual: (N, C, T, F) → (N, C, T, F).

    Each axis has its own pair of 1 × 1 convolutions, C → D → C (strip pooling, the paper's [24], does so), with nothing
    between them: eq. 5–6 have none. `relu` puts one there; `axis` "time" or "frequency" leaves one of the two sums, and
    the mask is then constant along the other axis.
    """

    def __init__(
        self, channels: int, D: int = 8, axis: Literal["both", "time", "frequency"] = "both", relu: bool = False
    ) -> None:
        super().__init__()
        self.between = nn.ReLU() if relu else nn.Identity()
        self.along_time, self.along_frequency = axis != "frequency", axis != "time"
        if self.along_time:
            self.time_reduce = nn.Conv2d(channels, D, 1)
            self.time_expand = nn.Conv2d(D, channels, 1)
        if self.along_frequency:
            self.freq_reduce = nn.Conv2d(channels, D, 1)
            self.freq_expand = nn.Conv2d(D, channels, 1)

    def forward(self, R: Tensor) -> Tensor:
        R_TF = R.new_zeros(())
        # Eq. 5: average over one axis, C → D. Eq. 6: D → C; "Expand" is broadcasting in the sum.
        if self.along_time:
            R_F = R.mean(dim=3, keepdim=True)  # over frequency, so it runs along time: (N, C, T, 1)
            R_TF = R_TF + self.time_expand(self.between(self.time_reduce(R_F)))
        if self.along_frequency:
            R_T = R.mean(dim=2, keepdim=True)  # over time, so it runs along frequency: (N, C, 1, F)
            R_TF = R_TF + self.freq_expand(self.between(self.freq_reduce(R_T)))
        return torch.sigmoid(R_TF).expand_as(R)
