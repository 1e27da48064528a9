"""Time-frequency attention (§3.2, Fig. 3, eq. 5–6)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TFAttention(nn.Module):
    """A mask a_att in (0, 1) for every channel, time and frequency of a residual: (N, C, T, F) → (N, C, T, F).

    Each axis has its own pair of 1 × 1 convolutions, C → D → C (strip pooling, the paper's [24], does so), with nothing
    between them: eq. 5–6 have none.
    """

    def __init__(self, channels: int, D: int = 8) -> None:
        super().__init__()
        self.time_reduce = nn.Conv2d(channels, D, 1)
        self.time_expand = nn.Conv2d(D, channels, 1)
        self.freq_reduce = nn.Conv2d(channels, D, 1)
        self.freq_expand = nn.Conv2d(D, channels, 1)

    def forward(self, R: Tensor) -> Tensor:
        # Eq. 5. R^F averages over frequency and so runs along time; R^T averages over time and runs along frequency.
        R_F = R.mean(dim=3, keepdim=True)  # (N, C, T, 1)
        R_T = R.mean(dim=2, keepdim=True)  # (N, C, 1, F)
        R_FD, R_TD = self.time_reduce(R_F), self.freq_reduce(R_T)
        # Eq. 6. "Expand" is broadcasting in the sum.
        R_TF = self.time_expand(R_FD) + self.freq_expand(R_TD)
        return torch.sigmoid(R_TF)
