"""VGG5, the second feature extractor of §4.2."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from .resnet18 import Norm


class VGG5(nn.Sequential):
    """Five 3 × 3 convolutions of 16, 32, 48, 64 and 80 channels (1 to 5 times `width`), each with batch norm and ReLU.

    (N, 1, T, F) → (N, 5·width, ⌊T/4⌋, ⌊F/4⌋). The paper gives the channels alone; 2 × 2 max-pooling after the second
    and the third convolution (`max_pool`) follows the network with these channels of Li et al. 2018 (its reference
    [2]). `channels_after` says how many channels leave each layer.
    """

    def __init__(self, width: int = 16, norm: Norm = nn.BatchNorm2d, max_pool: Collection[int] = (2, 3)) -> None:
        super().__init__()
        channels = [1] + [i * width for i in range(1, 6)]
        self.channels_after: dict[str, int] = {}
        for i in range(1, 6):
            self.add_module(f"conv{i}", nn.Conv2d(channels[i - 1], channels[i], 3, padding=1, bias=False))
            self.add_module(f"bn{i}", norm(channels[i]))
            self.add_module(f"relu{i}", nn.ReLU())
            if i in max_pool:
                self.add_module(f"pool{i}", nn.MaxPool2d(2))
            self.channels_after |= {f"{layer}{i}": channels[i] for layer in ("conv", "bn", "relu", "pool")}
        self.channels = channels[-1]
