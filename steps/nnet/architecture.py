"""Options of a network. Loads no torch: a command line is checked at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]  # in which it is trained; "auto": bfloat16 where the machine has it
END = "end"  # of the extractor: behind its last layer


@dataclass
class Network:
    """What a network is made of."""

    extractor: Literal["resnet18", "vgg5"] = "resnet18"
    """Feature extractor."""
    width: int = 16
    """Channels of the first convolution, at least 1; those of all other layers are multiples of it."""
    norm: Literal["batch", "instance"] = "batch"
    """Normalisation behind each convolution."""
    vgg5_max_pool: list[int] = field(default_factory=lambda: [2, 3])
    """VGG5: the convolutions, four at most of 1 to 5, that 2 × 2 max-pooling follows."""
    frozen: Literal["none", "batch_norm", "all"] = "none"
    """Part of the extractor that does not learn: none, its batch norms (statistics, γ and β), or all of it."""
    adapters: bool = False
    """Add residual adapters (1 × 1 convolutions) beside the extractor's 3 × 3 convolutions."""
    AD: bool = False
    """Use attribute disentanglement (AD)."""
    AD_after: list[str] = field(default_factory=lambda: [END])
    """Layers of the extractor that an AD module follows, such as [stage2, end]; "end" is the last layer."""
    attention: Literal["tf", "time", "frequency", "se"] = "tf"
    """Attention that makes the mask of AD: over time and frequency, over one of them, or squeeze-and-excitation."""
    attention_relu: bool = False
    """Put a ReLU between the attention's two convolutions (squeeze-and-excitation always has one)."""
    D: int = 8
    """Channels between the attention's two convolutions, at least 1."""
    detach_minus: bool = False
    """Keep the gradient of F⁻, the part that AD throws away, from the extractor."""
    pooling: Literal["mean", "mean_sd", "mean_sd_change", "attention", "mask"] = "mean"
    """Pooling of a feature map to an embedding: mean; mean and standard deviation; these and the mean change from one
    time to the next; attentive; mean under a mask."""
    pool_after: list[str] = field(default_factory=lambda: [END])
    """Layers of the extractor whose maps are pooled, side by side, such as [stage1, stage2, end]."""
    bands: int = 1
    """Pieces, at least 1, that each map is cut into along the frequency axis; each is pooled by itself."""
    embedding_norm: bool = False
    """Normalise the embedding (batch norm) in front of the classifier."""
    dropout: float = 0.0
    """Share of the embedding's values, 0 (none) to below 1, that are dropped in front of the classifier in training."""

    def __post_init__(self) -> None:
        for name in ("width", "D", "bands"):
            if getattr(self, name) < 1:
                raise ValueError(f"network.{name} is {getattr(self, name)}, and must be at least 1")
        pools = set(self.vgg5_max_pool)
        if len(pools) < len(self.vgg5_max_pool) or not pools <= set(range(1, 6)) or len(pools) == 5:
            raise ValueError(
                f"network: vgg5_max_pool {self.vgg5_max_pool}: name different ones of the convolutions 1 to 5, four at "
                "most (behind all five, one of 41 bins would be left)"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"network.dropout is {self.dropout}, and must be from 0 (none) to below 1")
        places = [*self.layers[:-1], END]
        for key in ("AD_after", "pool_after"):
            named = getattr(self, key)
            if not named or not set(named) <= set(places):
                raise ValueError(f"network: {key} {named}: name layers of {self.extractor}: {', '.join(places)}")
        if END not in self.pool_after:
            raise ValueError(f"network: pool_after {self.pool_after} must hold '{END}', the extractor's last layer")

    @property
    def to_learn(self) -> str:
        """What starts from random weights between the extractor and the classifier, as the option that asks for it; ""
        for nothing. (Adapters start as nothing.)"""
        return f"pooling {self.pooling}" if self.pooling in ("attention", "mask") else "AD" if self.AD else ""

    @property
    def smallest_input(self) -> int:
        """The fewest frames of an input: of fewer, VGG5's poolings would leave nothing. (ResNet18 rounds up.)"""
        return 2 ** len(self.vgg5_max_pool) if self.extractor == "vgg5" else 1

    @property
    def smallest_bins(self) -> int:
        """The fewest bins of an input of which the last map has one for each of `bands`."""
        return self.bands * self.smallest_input if self.extractor == "vgg5" else 16 * (self.bands - 1) + 1

    @property
    def layers(self) -> list[str]:
        """The extractor's layers, in turn."""
        if self.extractor == "resnet18":
            return ["conv1", *(f"{layer}{i}" for i in range(1, 5) for layer in ("stage", "transition"))]
        kinds = {i: ("conv", "bn", "relu", *(["pool"] if i in self.vgg5_max_pool else [])) for i in range(1, 6)}
        return [f"{kind}{i}" for i in kinds for kind in kinds[i]]
