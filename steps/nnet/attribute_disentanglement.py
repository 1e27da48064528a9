"""Attribute disentanglement, AD (§3.1, Fig. 2b, eq. 1–3)."""

from __future__ import annotations

from torch import Tensor, nn


class AttributeDisentanglement(nn.Module):
    """Splits a feature map F (N, C, T, F) into F⁺, which keeps what tells emotions apart, and F⁻, which keeps the rest;
    both have F's shape. `attention` makes the mask a_att of F's shape from the residual R.

    With pool = the mean over time and frequency, pool(IN(F)) = β whatever F is, so pool(F⁺) + pool(F⁻) = β + pool(F):
    at the end of the network AD divides each channel's mean between the two by an attention.

    `detach_minus`: F⁻ teaches this module alone, and sends no gradient into what made F. L_AD⁻ otherwise rewards the
    backbone for telling speakers apart.
    """

    def __init__(self, channels: int, attention: nn.Module, detach_minus: bool = False) -> None:
        super().__init__()
        # γ, β learnt; μ, σ over time × frequency of each channel of each sample; no running statistics.
        self.instance_norm = nn.InstanceNorm2d(channels, affine=True)
        self.attention = attention
        self.detach_minus = detach_minus

    def forward(self, F: Tensor) -> tuple[Tensor, Tensor]:
        F_plus, F_minus = self.split(F)
        return F_plus, self.split(F.detach())[1] if self.detach_minus else F_minus

    def split(self, F: Tensor) -> tuple[Tensor, Tensor]:
        """(F⁺, F⁻)."""
        IN_F, R, a = self.decompose(F)
        R_plus, R_minus = a * R, (1 - a) * R  # eq. 2, attribute reconstruction
        return IN_F + R_plus, IN_F + R_minus  # eq. 3

    def decompose(self, F: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """IN(F), the residual R, and its mask a_att: near 1 where R goes to F⁺, near 0 where it goes to F⁻."""
        IN_F = self.instance_norm(F)  # eq. 1, attribute normalisation
        R = F - IN_F  # what the norm removed
        return IN_F, R, self.attention(R)
