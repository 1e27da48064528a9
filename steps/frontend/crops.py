"""The training set as one resident array, and random crops of it by index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Crops:
    """Utterances laid end to end in two bytes a value, on the device, or in main memory where they would fill more
    than half of what the device has free; a batch is one gather. No loader can limit training."""

    def __init__(self, utterances: Sequence[np.ndarray], length: int, device: torch.device) -> None:
        """`utterances`: (T_i, F) arrays; `length`: frames of a crop; `device`: where crops are wanted."""
        self.length, self.device = length, device
        lengths = torch.tensor([len(utterance) for utterance in utterances])
        shape = (int(lengths.sum()), utterances[0].shape[1])
        home = device if fits(2 * shape[0] * shape[1], device) else torch.device("cpu")
        self.starts = (lengths.cumsum(0) - lengths).to(home)
        self.lengths = lengths.to(home)
        self.frames = torch.empty(shape, dtype=torch.float16, device=home)
        for start, utterance in zip((lengths.cumsum(0) - lengths).tolist(), utterances):
            self.frames[start : start + len(utterance)] = torch.from_numpy(utterance)

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, index: Tensor, generator: torch.Generator, length: int = 0) -> Tensor:
        """A random crop (of `length` frames, if given) of each utterance in `index` ((N,), on the CPU) → (N, length, F)
        float32. A shorter utterance is repeated from its start: instance norm and pooling then see its own statistics,
        not those of zeros."""
        length = length or self.length
        offsets = torch.rand(len(index), generator=generator).to(self.lengths.device)
        index = index.to(self.lengths.device)
        lengths = self.lengths[index, None]
        first = (offsets[:, None] * (lengths - length + 1).clamp(min=1)).long()
        within = (first + torch.arange(length, device=lengths.device)) % lengths
        return self.frames[self.starts[index, None] + within].to(self.device).float()


def fits(size: int, device: torch.device) -> bool:
    """Whether so many bytes are at most half of what is free on a GPU; main memory takes whatever was read into it."""
    return device.type != "cuda" or 2 * size <= torch.cuda.mem_get_info(device)[0]
