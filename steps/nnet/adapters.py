"""Residual adapters: what a few weights can do beside a frozen backbone (the paper's [16])."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn


class ParallelAdapter(nn.Module):
    """conv(x) + α ∗ x, with α a 1 × 1 convolution beside a convolution that stays as it is (Rebuffi et al. 2018).

    α begins at zero, so that training starts from the network that was there. The adapter is hung on the convolution as
    a forward hook: the backbone's modules, and so the names of its weights, do not change.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.alpha = nn.Conv2d(conv.in_channels, conv.out_channels, 1, (conv.stride[0], conv.stride[1]), bias=False)
        nn.init.zeros_(self.alpha.weight)
        conv.register_forward_hook(self)

    def forward(self, conv: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        """The hook: `inputs` and `output` are those of `conv`."""
        return output + self.alpha(inputs[0])


def adapters(backbone: nn.Module) -> nn.ModuleList:
    """An adapter beside every 3 × 3 convolution of `backbone`."""
    convolutions: Iterable[nn.Conv2d] = (m for m in backbone.modules() if isinstance(m, nn.Conv2d))
    return nn.ModuleList(ParallelAdapter(conv) for conv in convolutions if conv.kernel_size == (3, 3))
