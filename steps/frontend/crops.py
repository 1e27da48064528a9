"""Random crops of packed inputs, by index."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from steps.frontend.packed import Packed

CHUNK = 1 << 22  # frames that are copied to a device at a time


class Crops:
    """Packed inputs on the device, or mapped into main memory where they would fill more than half of what the device
    has free; a batch is one gather. No loader can limit training."""

    def __init__(self, inputs: Packed, length: int, device: torch.device) -> None:
        """`length`: frames of a crop; `device`: where crops are wanted."""
        self.length, self.device = length, device
        home = device if fits(inputs.frames.nbytes, device) else torch.device("cpu")
        self.lengths = torch.from_numpy(inputs.lengths).to(home, torch.long)
        self.starts = torch.from_numpy(inputs.ends).to(home) - self.lengths
        self.scale = None if inputs.scale is None else torch.from_numpy(inputs.scale).to(home)
        self.frames = on(inputs.frames, home)

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
        frames = self.frames[self.starts[index, None] + within].to(self.device).float()
        if self.scale is not None:
            low, step = self.scale[index].to(self.device)[:, None, None].unbind(-1)
            frames = torch.addcmul(low, frames, step)
        return frames


def on(frames: np.ndarray, home: torch.device) -> Tensor:
    """`frames` as they are mapped; on a GPU, a copy."""
    mapped = torch.from_numpy(frames)
    if home.type == "cpu":
        return mapped
    copy = torch.empty(mapped.shape, dtype=mapped.dtype, device=home)
    for start in range(0, len(mapped), CHUNK):
        copy[start : start + CHUNK] = mapped[start : start + CHUNK].to(home)
    return copy


def fits(size: int, device: torch.device) -> bool:
    """Whether so many bytes are at most half of what is free on a GPU; main memory maps what does not fit."""
    return device.type != "cuda" or 2 * size <= torch.cuda.mem_get_info(device)[0]
