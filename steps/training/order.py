"""The order of an epoch: which of the utterances is drawn when, and how often."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def balanced(corpora: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N,) float64, 1 on average: what each utterance counts so that every corpus counts as much as another and, within
    a corpus, every label that it has."""
    weights = np.empty(len(corpora))
    for corpus in np.unique(corpora):
        own = corpora == corpus
        _, cell, counts = np.unique(labels[own], return_inverse=True, return_counts=True)
        weights[own] = 1 / (len(counts) * counts[cell])
    return weights / weights.mean()


def draw(count: int, weights: Tensor | None, generator: torch.Generator) -> Tensor:
    """(count,) indices below `count`, shuffled: each once; or, with `weights` ((count,) float64, 1 on average), each as
    often on average as it weighs, and never a whole time more or less. Those of one weight together get their share to
    within one draw."""
    order = torch.randperm(count, generator=generator)
    if weights is None:
        return order
    # Systematic sampling: points at equal distances on a line of as many pieces, each as long as an utterance weighs.
    order = order[weights[order].argsort(stable=True)]
    ends = weights[order].cumsum(0)
    points = torch.arange(count) + torch.rand(1, dtype=torch.float64, generator=generator)
    drawn = order[torch.searchsorted(ends, points * (ends[-1] / count), right=True).clamp(max=count - 1)]
    return drawn[torch.randperm(count, generator=generator)]
