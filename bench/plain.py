"""The peer of training.py and scoring.py: the plain PyTorch loop that recipes are mostly written as. Float32 in the
default layout, a DataLoader over kaldiio that copies a crop at a time, whole utterances scored one by one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import kaldiio
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from utils.table import read_table


class Archive(Dataset):
    """Utterances of a data dir: the utterance's mean subtracted, a random crop or (crop 0) the whole, and its label."""

    def __init__(self, data: Path, names: list[str], labels: dict[str, int], crop: int) -> None:
        self.feats, self.names, self.labels, self.crop = kaldiio.load_scp(str(data / "feats.scp")), names, labels, crop

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        name = self.names[i]
        features = self.feats[name].astype(np.float32)
        features = features - features.mean(axis=0)
        if self.crop:
            features = np.tile(features, (-(-self.crop // len(features)), 1))
            start = np.random.randint(len(features) - self.crop + 1)
            features = features[start : start + self.crop]
        return torch.from_numpy(np.ascontiguousarray(features)), self.labels[name]


def train(
    model: nn.Module, loss: nn.Module, archive: Archive, batch: int, epochs: int, optimiser: torch.optim.Optimizer
) -> None:
    """loss(model's output, labels), an epoch a pass over `archive`."""
    loader = DataLoader(archive, batch, shuffle=True, num_workers=min(2, os.cpu_count() or 1))
    model.train()
    for _ in range(epochs):
        for x, label in loader:
            total = loss(model(x), label)
            optimiser.zero_grad()
            total.backward()
            optimiser.step()


@torch.no_grad()
def posteriors(model: nn.Module, utterances: Iterable[torch.Tensor]) -> torch.Tensor:
    """Of whole utterances (T, F), one at a time: (N, classes)."""
    model.eval()
    return torch.cat([model(x[None]).logits for x in utterances]).softmax(1)


def labels_of(data: Path, table: str) -> dict[str, int]:
    """utterance → index of its value in `table`."""
    values = read_table(data / table)
    index = {value: i for i, value in enumerate(sorted(set(values.values())))}
    return {name: index[value] for name, value in values.items()}
