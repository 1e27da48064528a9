"""Gradient reversal (Ganin and Lempitsky 2015): what trains a classifier untrains what it looks at."""

from __future__ import annotations

import torch
from torch import Tensor


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        return -gradient


def reverse_gradient(x: Tensor) -> Tensor:
    """x on the way forward; on the way back the gradient changes its sign."""
    return _Reverse.apply(x)
