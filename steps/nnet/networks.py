"""The networks as they are trained: extractor, AD, pooling, classifier (Fig. 2a)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from .adapters import adapters
from .architecture import END, Network
from .attribute_disentanglement import AttributeDisentanglement
from .pooling import (
    AttentivePooling,
    BandPooling,
    MaskPooling,
    MeanPooling,
    MeanSdChangePooling,
    MeanSdPooling,
    Pooling,
    mean,
)
from .resnet18 import ResNet18
from .se_attention import SEAttention
from .tf_attention import TFAttention
from .vgg5 import VGG5


class Maps(NamedTuple):
    """What an extractor makes of N inputs."""

    F: Tensor  # (N, C, T', F'), its last feature map
    spaces: tuple[tuple[Tensor, Tensor], ...] = ()  # of every AD inside it, as in Output
    pooled: tuple[Tensor, ...] = ()  # (N, size) of every map before the last that is pooled


class Output(NamedTuple):
    """A network's output for N inputs."""

    logits: Tensor  # (N, classes)
    embedding: Tensor  # (N, size): pool(F⁺) with AD, pool(F) without, behind the pools of maps before; classified
    spaces: tuple[tuple[Tensor, Tensor], ...] = ()  # pool(F⁺), pool(F⁻), each (N, channels), of every AD in turn


def build_extractor(network: Network) -> ResNet18 | VGG5:
    """The extractor that `network` describes, with new weights."""
    norm = nn.BatchNorm2d if network.norm == "batch" else partial(nn.InstanceNorm2d, affine=True)
    if network.extractor == "resnet18":
        return ResNet18(network.width, norm)
    return VGG5(network.width, norm, network.vgg5_max_pool)


def build_attention(network: Network, channels: int) -> nn.Module:
    """The attention, which makes a mask of a feature map."""
    if network.attention == "se":
        return SEAttention(channels, network.D)
    axis = "both" if network.attention == "tf" else network.attention
    return TFAttention(channels, network.D, axis, network.attention_relu)


def build_AD(network: Network, channels: int) -> AttributeDisentanglement:
    """An AD module for feature maps of `channels`."""
    return AttributeDisentanglement(channels, build_attention(network, channels), network.detach_minus)


def build_pooling(network: Network, channels: int) -> Pooling:
    """The pooling of a feature map of `channels` to an embedding."""
    kinds = {"mean": MeanPooling, "mean_sd": MeanSdPooling, "mean_sd_change": MeanSdChangePooling}
    kinds["attention"] = AttentivePooling

    def build() -> Pooling:
        if network.pooling == "mask":
            return MaskPooling(channels, build_attention(network, channels))
        return kinds[network.pooling](channels)

    return build() if network.bands == 1 else BandPooling([build() for _ in range(network.bands)])


def float32(F: Tensor) -> torch.autocast:
    """AD subtracts like from like, and pooling sums over the map, which bfloat16 is too coarse for: never in it."""
    return torch.autocast(F.device.type, enabled=False)


class Classifier(nn.Module):
    """Extractor → (AD) → pool → FC, for speakers or for emotions.

    An AD inside the extractor passes its F⁺ on to the next layer, and its own two spaces are pooled by their mean; the
    one at the end is pooled as the embedding is.
    """

    def __init__(self, network: Network, classes: int) -> None:
        super().__init__()
        self.smallest_input = network.smallest_input
        self.extractor = build_extractor(network)
        sizes = self.extractor.channels_after
        AD_after = network.AD_after if network.AD else []
        self.disentanglement = build_AD(network, self.extractor.channels) if END in AD_after else None
        self.inner_disentanglement = nn.ModuleDict(
            {name: build_AD(network, sizes[name]) for name, _ in self.extractor.named_children() if name in AD_after}
        )
        self.pooling = build_pooling(network, self.extractor.channels)
        names = [name for name, _ in self.extractor.named_children()]
        self.inner_pooling = nn.ModuleDict(
            {name: build_pooling(network, sizes[name]) for name in names[:-1] if name in network.pool_after}
        )
        size = self.pooling.size + sum(pooling.size for pooling in cast(list[Pooling], self.inner_pooling.values()))
        self.embedding_norm = nn.BatchNorm1d(size) if network.embedding_norm else nn.Identity()
        self.dropout = nn.Dropout(network.dropout)
        self.classifier = nn.Linear(size, classes)
        for module in self.extractor.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.adapters = adapters(self.extractor) if network.adapters else None
        self.space_sizes = [sizes[name] for name in self.inner_disentanglement]
        self.space_sizes += [self.pooling.size] if self.disentanglement is not None else []
        kinds = {"none": (), "batch_norm": (nn.BatchNorm2d,), "all": (nn.Module,)}[network.frozen]
        self.frozen: list[nn.Module] = []
        for module in self.extractor.modules():
            if isinstance(module, kinds):
                self.freeze(module)

    def freeze(self, module: nn.Module) -> None:
        """Let a part of the network learn no more, neither weights nor a batch norm's statistics."""
        module.requires_grad_(False)
        self.frozen.append(module)

    def train(self, mode: bool = True) -> Classifier:
        """As nn.Module's, but frozen batch norms keep their statistics."""
        super().train(mode)
        for module in self.frozen:
            module.training = False
        return self

    def layers(self) -> Iterator[tuple[str, nn.Module, AttributeDisentanglement | None]]:
        """The extractor's layers in turn: its name, or "end" for the last; the layer; the AD behind it."""
        inner = cast(dict[str, AttributeDisentanglement], dict(self.inner_disentanglement.items()))
        *before, (_, last) = self.extractor.named_children()
        for name, layer in before:
            yield name, layer, inner.get(name)
        yield END, last, self.disentanglement

    def forward(self, x: Tensor) -> Output:
        """x: (N, T, F) normalised filter-banks, any T of at least `smallest_input` frames."""
        return self.head(self.extract(x))

    def extract(self, x: Tensor) -> Maps:
        """What the extractor makes of inputs as in `forward`."""
        F, spaces, pooled = x.unsqueeze(1), [], []
        for name, layer, AD in self.layers():
            F = layer(F)
            if name != END and (AD is not None or name in self.inner_pooling):
                with float32(F):
                    F = F.float()
                    if AD is not None:
                        F, F_minus = AD(F)
                        spaces.append((mean(F), mean(F_minus)))
                    if name in self.inner_pooling:
                        pooled.append(self.inner_pooling[name](F))
        return Maps(F, tuple(spaces), tuple(pooled))

    def head(self, maps: Maps) -> Output:
        """What `extract` returned → (AD) → pool → FC."""
        with float32(maps.F):
            F, spaces = maps.F.float(), maps.spaces
            if self.disentanglement is None:
                last = self.pooling(F)
            else:
                F_plus, F_minus = self.disentanglement(F)
                last = self.pooling(F_plus)
                spaces = (*spaces, (last, self.pooling(F_minus)))
            embedding = torch.cat([*maps.pooled, last], dim=1)
            return Output(self.classifier(self.dropout(self.embedding_norm(embedding))), embedding, spaces)

    def decompose(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the last AD makes of inputs as in `forward`: its mask a_att, and what it keeps and throws away of the
        residual, a_att ⊙ R and (1 − a_att) ⊙ R; each (N, C, T', F'). Raises ValueError without AD."""
        F, decomposed = x.unsqueeze(1), None
        for _, layer, AD in self.layers():
            F = layer(F)
            if AD is not None:
                _, R, a = AD.decompose(F)
                decomposed = a, a * R, (1 - a) * R
                F, _ = AD(F)
        if decomposed is None:
            raise ValueError("the network has no AD")
        return decomposed
