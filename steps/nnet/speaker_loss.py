"""Losses that know speakers: the margin of a sharper pre-training; a speaker classifier on the embedding, as a second
task or as an adversary (the paper's [20])."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize, one_hot


def cosines(embedding: Tensor, weight: Tensor) -> Tensor:
    """cos θ between each embedding (N, size) and each class's weights (classes, size): (N, classes)."""
    return linear(normalize(embedding), normalize(weight))


def aam_softmax(embedding: Tensor, weight: Tensor, target: Tensor, margin: float, scale: float) -> Tensor:
    """Additive angular margin softmax (Deng et al. 2019): CrossEntropy of scale · cos(θ + margin · [true class]). Where
    θ + margin passes π, the cosine would rise again: there the angle stays at π. In single precision, whatever the
    network's: near 0 the slope of acos is steep. Returns a scalar."""
    with torch.autocast(embedding.device.type, enabled=False):
        cosine = cosines(embedding.float(), weight.float())
        angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6)) + margin * one_hot(target, len(weight))
        return cross_entropy(scale * torch.cos(angle.clamp(max=torch.pi)), target)


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        return -gradient


def reverse_gradient(x: Tensor) -> Tensor:
    """x on the way forward; on the way back the gradient changes its sign (Ganin and Lempitsky 2015): what trains a
    classifier untrains what it looks at."""
    return _Reverse.apply(x)


class SpeakerLoss(nn.Module):
    """CrossEntropy(FC(embedding), y_s). With `adversarial`, the FC learns to tell the speaker and the network that it
    cannot be told."""

    def __init__(self, size: int, speakers: int, adversarial: bool = False) -> None:
        super().__init__()
        self.fc = nn.Linear(size, speakers)
        self.adversarial = adversarial

    def forward(self, embedding: Tensor, y_s: Tensor) -> Tensor:
        """embedding: (N, size); y_s: (N,) class indices. Returns a scalar."""
        return cross_entropy(self.fc(reverse_gradient(embedding) if self.adversarial else embedding), y_s)
