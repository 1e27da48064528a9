"""Dual space loss (§3.1.3, eq. 4)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class DualSpaceLoss(nn.Module):
    """L_AD = L_AD⁺ + L_AD⁻: F⁺ shall tell the emotion, F⁻ the speaker.

    Each space has a classifier of its own, and neither is the network's emotion classifier: one FC shared with it would
    make L_AD⁺ a copy of L_emo.
    """

    def __init__(self, channels: int, emotions: int, speakers: int) -> None:
        super().__init__()
        self.fc_plus = nn.Linear(channels, emotions)
        self.fc_minus = nn.Linear(channels, speakers)

    def forward(
        self, pool_plus: Tensor, pool_minus: Tensor, y_e: Tensor, y_s: Tensor, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """pool(F⁺), pool(F⁻): (N, C); y_e, y_s: (N,) class indices; weight: of each emotion. Returns (L_AD⁺, L_AD⁻),
        scalars."""
        return cross_entropy(self.fc_plus(pool_plus), y_e, weight), cross_entropy(self.fc_minus(pool_minus), y_s)
