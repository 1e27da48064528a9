"""The training set as one resident array, and random crops of it by index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Crops:
    """Utterances laid end to end on the device in two bytes a value; a batch is one gather. There is no loader whose
    speed could limit training."""

    def __init__(self, utterances: Sequence[np.ndarray], length: int, device: torch.device) -> None:
        """`utterances`: (T_i, F) arrays; `length`: frames of a crop."""
        self.length = length
        lengths = torch.tensor([len(utterance) for utterance in utterances])
        self.starts = (lengths.cumsum(0) - lengths).to(device)
        self.lengths = lengths.to(device)
        self.frames = torch.empty(int(lengths.sum()), utterances[0].shape[1], dtype=torch.float16, device=device)
        for start, utterance in zip(self.starts.tolist(), utterances):
            self.frames[start : start + len(utterance)] = torch.from_numpy(utterance)

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """A random crop of each utterance in `index` ((N,), on the CPU) → (N, length, F) float32. A shorter utterance
        is repeated from its start: instance norm and pooling then see its own statistics, not those of zeros."""
        offsets = torch.rand(len(index), generator=generator).to(self.lengths.device)
        index = index.to(self.lengths.device)
        lengths = self.lengths[index, None]
        first = (offsets[:, None] * (lengths - self.length + 1).clamp(min=1)).long()
        within = (first + torch.arange(self.length, device=lengths.device)) % lengths
        return self.frames[self.starts[index, None] + within].float()
