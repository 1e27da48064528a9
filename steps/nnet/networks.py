"""The networks as they are trained: extractor, AD, pooling, classifier (Fig. 2a)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .attribute_disentanglement import AttributeDisentanglement
from .dual_space_loss import DualSpaceLoss
from .resnet18 import ResNet18
from .vgg5 import VGG5

EXTRACTORS = {"resnet18": ResNet18, "vgg5": VGG5}


@dataclass
class Network:
    """What a network is made of."""

    extractor: Literal["resnet18", "vgg5"] = "resnet18"
    width: int = 16  # channels of the first convolution; every other layer's are multiples of it
    AD: bool = False  # attribute disentanglement at the end of the extractor
    D: int = 8  # channels between the attention's two convolutions

    def __post_init__(self) -> None:
        if min(self.width, self.D) < 1:
            raise ValueError(f"network: width {self.width} and D {self.D} must be at least 1")


class Output(NamedTuple):
    """What a network says of N inputs."""

    logits: Tensor  # (N, classes)
    embedding: Tensor  # (N, C): pool(F⁺) with AD, pool(F) without; what the classifier sees
    embedding_minus: Tensor | None  # (N, C): pool(F⁻), with AD


def pool(F: Tensor) -> Tensor:
    """Global average pooling: (N, C, T, F) → (N, C)."""
    return F.mean(dim=(2, 3))


class Classifier(nn.Module):
    """Extractor → (AD) → pool → FC, for speakers or for emotions."""

    def __init__(self, network: Network, classes: int) -> None:
        super().__init__()
        self.extractor = EXTRACTORS[network.extractor](network.width)
        channels = self.extractor.channels
        self.disentanglement = AttributeDisentanglement(channels, network.D) if network.AD else None
        self.classifier = nn.Linear(channels, classes)
        for module in self.extractor.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Output:
        """x: (N, T, F) normalised filter-banks, any T of at least 32 frames or so."""
        F = self.extractor(x.unsqueeze(1))
        # AD subtracts like from like and sums over the map, on 1/256 of the extractor's positions: always in float32.
        with torch.autocast(F.device.type, enabled=False):
            F = F.float()
            if self.disentanglement is None:
                embedding, minus = pool(F), None
            else:
                embedding, minus = (pool(part) for part in self.disentanglement(F))
            return Output(self.classifier(embedding), embedding, minus)


class Objective(nn.Module):
    """L = L_emo + λ (L_AD⁺ + L_AD⁻); without AD, L = L_emo."""

    def __init__(self, model: Classifier, speakers: int, lambda_ad: float) -> None:
        super().__init__()
        emotions, channels = model.classifier.weight.shape
        self.dual_space = None if model.disentanglement is None else DualSpaceLoss(channels, emotions, speakers)
        self.lambda_ad = lambda_ad

    def forward(self, output: Output, y_e: Tensor, y_s: Tensor) -> dict[str, Tensor]:
        """y_e, y_s: (N,) emotion and speaker indices. Returns the loss "L" and its terms, scalars."""
        terms = {"L_emo": cross_entropy(output.logits, y_e)}
        if self.dual_space is not None:
            terms["L_AD+"], terms["L_AD-"] = self.dual_space(output.embedding, output.embedding_minus, y_e, y_s)
        weights = {"L_emo": 1.0, "L_AD+": self.lambda_ad, "L_AD-": self.lambda_ad}
        return {"L": sum(weights[name] * term for name, term in terms.items()), **terms}
