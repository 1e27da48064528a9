"""What may be chosen of a network. Loads no torch: a command line is checked at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]  # in which it is trained; "auto": bfloat16 where the machine has it
END = "end"  # of the extractor: behind its last layer


@dataclass
class Network:
    """What a network is made of."""

    extractor: Literal["resnet18", "vgg5"] = "resnet18"
    width: int = 16  # channels of the first convolution; every other layer's are multiples of it
    norm: Literal["batch", "instance"] = "batch"  # behind each convolution of the extractor
    vgg5_max_pool: list[int] = field(default_factory=lambda: [2, 3])  # convolutions of VGG5 that max-pooling follows
    # What of the extractor does not learn: its batch norms (statistics, γ and β), or all of it.
    frozen: Literal["none", "batch_norm", "all"] = "none"
    adapters: bool = False  # residual adapters beside its 3 × 3 convolutions
    AD: bool = False  # attribute disentanglement …
    AD_after: list[str] = field(default_factory=lambda: [END])  # … behind these layers of the extractor
    attention: Literal["tf", "time", "frequency", "se"] = "tf"  # how AD makes its mask
    attention_relu: bool = False  # a ReLU between the two convolutions of "tf", "time", "frequency"; "se" has one
    D: int = 8  # channels between the attention's two convolutions
    detach_minus: bool = False  # F⁻ sends no gradient into the extractor
    pooling: Literal["mean", "mean_sd", "attention", "mask"] = "mean"

    def __post_init__(self) -> None:
        if min(self.width, self.D) < 1:
            raise ValueError(f"network: width {self.width} and D {self.D} must be at least 1")
        pools = set(self.vgg5_max_pool)
        if len(pools) < len(self.vgg5_max_pool) or not pools <= set(range(1, 6)) or len(pools) == 5:
            raise ValueError(
                f"network: vgg5_max_pool {self.vgg5_max_pool}: name different ones of the convolutions 1 to 5, four at "
                "most (behind all five, one of 41 bins would be left)"
            )
        places = [*self.layers[:-1], END]
        if not self.AD_after or not set(self.AD_after) <= set(places):
            raise ValueError(f"network: AD_after {self.AD_after}: name layers of {self.extractor}: {', '.join(places)}")

    @property
    def least(self) -> int:
        """The fewest frames, and bins, of an input: fewer would leave nothing behind the poolings. (ResNet18 rounds up
        where it halves.)"""
        return 2 ** len(self.vgg5_max_pool) if self.extractor == "vgg5" else 1

    @property
    def layers(self) -> list[str]:
        """The extractor's layers, in turn."""
        if self.extractor == "resnet18":
            return ["conv1", *(f"{layer}{i}" for i in range(1, 5) for layer in ("stage", "transition"))]
        kinds = {i: ("conv", "bn", "relu", *(["pool"] if i in self.vgg5_max_pool else [])) for i in range(1, 6)}
        return [f"{kind}{i}" for i in kinds for kind in kinds[i]]
