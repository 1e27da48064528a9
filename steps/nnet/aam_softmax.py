"""Additive angular margin softmax (Deng et al. 2019), a sharper loss for speaker pre-training."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear, normalize, one_hot


def cosines(embedding: Tensor, weight: Tensor) -> Tensor:
    """cos θ between each embedding (N, size) and each class's weights (classes, size): (N, classes)."""
    return linear(normalize(embedding), normalize(weight))


def aam_softmax(embedding: Tensor, weight: Tensor, target: Tensor, margin: float, scale: float) -> Tensor:
    """CrossEntropy of scale · cos(θ + margin · [true class]). Where θ + margin passes π, the cosine would rise again:
    there the angle stays at π. Returns a scalar."""
    cosine = cosines(embedding.float(), weight.float())
    angle = torch.acos(cosine.clamp(-1 + 1e-7, 1 - 1e-7)) + margin * one_hot(target, len(weight))
    return cross_entropy(scale * torch.cos(angle.clamp(max=torch.pi)), target)
