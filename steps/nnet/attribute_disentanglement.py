"""Attribute disentanglement, AD (§3.1, Fig. 2b, eq. 1–3)."""

from __future__ import annotations

from torch import Tensor, nn

from .tf_attention import TFAttention


class AttributeDisentanglement(nn.Module):
    """Splits a feature map F (N, C, T, F) into F⁺, which keeps what tells emotions apart, and F⁻, which keeps the rest;
    both have F's shape.

    With pool = the mean over time and frequency, pool(IN(F)) = β whatever F is, so pool(F⁺) + pool(F⁻) = β + pool(F):
    at the end of the network AD divides each channel's mean between the two by an attention.
    """

    def __init__(self, channels: int, D: int = 8) -> None:
        super().__init__()
        # γ, β learnt; μ, σ over time × frequency of each channel of each sample; no running statistics.
        self.instance_norm = nn.InstanceNorm2d(channels, affine=True)
        self.attention = TFAttention(channels, D)

    def forward(self, F: Tensor) -> tuple[Tensor, Tensor]:
        IN_F = self.instance_norm(F)  # eq. 1, attribute normalisation
        R = F - IN_F  # what the norm removed
        a = self.attention(R)
        R_plus, R_minus = a * R, (1 - a) * R  # eq. 2, attribute reconstruction
        return IN_F + R_plus, IN_F + R_minus  # eq. 3
