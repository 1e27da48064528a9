"""Dual space loss (§3.1.3, eq. 4)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class DualSpaceLoss(nn.Module):
    """L_AD = L_AD⁺ + L_AD⁻: F⁺ shall tell the emotion, F⁻ the speaker, and if wanted the corpus (the paper's F⁻ tells
    the speaker alone): L_AD⁻ is then the mean of the losses of both.

    Each space has a classifier of its own, and neither is the network's emotion classifier: one FC shared with it would
    make L_AD⁺ a copy of L_emo.
    """

    def __init__(self, channels: int, emotions: int, speakers: int, corpora: int = 0) -> None:
        """`corpora`: how many are told apart; 0: F⁻ tells none."""
        super().__init__()
        self.fc_plus = nn.Linear(channels, emotions)
        self.fc_minus = nn.Linear(channels, speakers)
        self.fc_corpus = nn.Linear(channels, corpora) if corpora else None

    def forward(
        self,
        pool_plus: Tensor,
        pool_minus: Tensor,
        y_e: Tensor,
        y_s: Tensor,
        weight: Tensor | None = None,
        y_c: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """pool(F⁺), pool(F⁻): (N, C); y_e, y_s, y_c: (N,) class indices, the last of corpora, where they are told;
        weight: of each emotion. Returns (L_AD⁺, L_AD⁻), scalars."""
        L_minus = cross_entropy(self.fc_minus(pool_minus), y_s)
        if self.fc_corpus is not None and y_c is not None:
            L_minus = (L_minus + cross_entropy(self.fc_corpus(pool_minus), y_c)) / 2
        return cross_entropy(self.fc_plus(pool_plus), y_e, weight), L_minus
