"""ResNet18, the feature extractor of Table 1."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]  # of a number of channels: the layer behind each convolution


class BasicBlock(nn.Module):
    """[3 × 3, C; 3 × 3, C] with an identity shortcut: (N, C, T, F) → (N, C, T, F)."""

    def __init__(self, channels: int, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(x + self.bn2(self.conv2(y)))


def conv_bn_relu(inputs: int, outputs: int, kernel: int, stride: int = 1, norm: Norm = nn.BatchNorm2d) -> nn.Sequential:
    """Convolution with "same" padding, norm, ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, norm(outputs), nn.ReLU())


class ResNet18(nn.Sequential):
    """Table 1, literally: a 7 × 7 convolution without stride or max-pool, four stages of two basic blocks, and after
    each stage a transition (3 × 3, stride 2, no shortcut), the last from 128 channels to 128.

    (N, 1, T, F) → (N, 8·width, ⌈T/16⌉, ⌈F/16⌉): 300 × 41 becomes 128 × 19 × 3. `width`: channels of conv1, 16 in the
    paper, which gives 1.03 M parameters. `channels_after` says how many channels leave each layer.
    """

    def __init__(self, width: int = 16, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        channels = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.add_module("conv1", conv_bn_relu(1, width, kernel=7, norm=norm))
        self.channels_after = {"conv1": width}
        for i in range(4):
            stage = nn.Sequential(BasicBlock(channels[i], norm), BasicBlock(channels[i], norm))
            self.add_module(f"stage{i + 1}", stage)
            transition = conv_bn_relu(channels[i], channels[i + 1], kernel=3, stride=2, norm=norm)
            self.add_module(f"transition{i + 1}", transition)
            self.channels_after |= {f"stage{i + 1}": channels[i], f"transition{i + 1}": channels[i + 1]}
        self.channels = channels[-1]
