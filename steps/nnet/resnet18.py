"""ResNet18, the feature extractor of Table 1."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """[3 × 3, C; 3 × 3, C] with an identity shortcut: (N, C, T, F) → (N, C, T, F)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(x + self.bn2(self.conv2(y)))


def conv_bn_relu(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution with "same" padding, batch norm, ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class ResNet18(nn.Sequential):
    """Table 1, literally: a 7 × 7 convolution without stride or max-pool, four stages of two basic blocks, and after
    each stage a transition (3 × 3, stride 2, no shortcut), the last from 128 channels to 128.

    (N, 1, T, F) → (N, 8·width, ⌈T/16⌉, ⌈F/16⌉): 300 × 41 becomes 128 × 19 × 3. `width`: channels of conv1, 16 in the
    paper, which gives 1.03 M parameters.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        channels = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.add_module("conv1", conv_bn_relu(1, width, kernel=7))
        for i in range(4):
            self.add_module(f"stage{i + 1}", nn.Sequential(BasicBlock(channels[i]), BasicBlock(channels[i])))
            self.add_module(f"transition{i + 1}", conv_bn_relu(channels[i], channels[i + 1], kernel=3, stride=2))
        self.channels = channels[-1]
