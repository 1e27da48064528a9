"""Random crops of packed inputs, by index."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from steps.frontend.packed import Packed

CHUNK = 1 << 22  # frames that are copied to a device at a time


class Crops:
    """Packed inputs on the device, or mapped into main memory where they would fill more than half of what the device
    has free. No loader can limit training."""

    def __init__(self, inputs: Packed, length: int, device: torch.device) -> None:
        """`length`: frames of a crop; `device`: where crops are wanted."""
        self.length, self.device = length, device
        home = device if fits(inputs.frames.nbytes, device) else torch.device("cpu")
        self.lengths = torch.from_numpy(inputs.lengths).to(home, torch.long)
        self.starts = torch.from_numpy(inputs.ends).to(home) - self.lengths
        self.scale = None if inputs.scale is None else torch.from_numpy(inputs.scale).to(home)
        self.frames, self.fetch = on(inputs, home), inputs.fetch

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def far(self) -> bool:
        """Whether crops come to a GPU out of main memory: then they are better made ahead of the step."""
        return self.frames.device.type != self.device.type

    def batch(self, index: Tensor, generator: torch.Generator, length: int = 0) -> Tensor:
        """A random crop (of `length` frames, if given) of each utterance in `index` ((N,), on the CPU) → (N, length, F)
        float32. A shorter utterance is repeated from its start: instance norm and pooling then see its own statistics,
        not those of zeros."""
        length = length or self.length
        offsets = torch.rand(len(index), generator=generator)
        index = index.to(self.lengths.device)
        lengths = self.lengths[index]
        first = (offsets.to(lengths.device) * (lengths - length + 1).clamp(min=1)).long()
        frames = self.stretches(self.starts[index], lengths, first, length).to(self.device, non_blocking=True).float()
        if self.scale is not None:
            low, step = self.scale[index].to(self.device)[:, None, None].unbind(-1)
            frames = torch.addcmul(low, frames, step)
        return frames

    def stretches(self, starts: Tensor, lengths: Tensor, first: Tensor, length: int) -> Tensor:
        """`length` frames from frame number `first` on of utterances of `lengths` frames, which begin at `starts`; each
        (N,), as are the results, (N, length, F). A GPU gathers rows. A CPU copies stretches, several times as fast; for
        a GPU into memory from which it fetches them by itself."""
        if self.frames.device.type != "cpu":
            return gathered(self.frames, starts, lengths, first, length)
        kind = torch.float32 if self.device.type == "cpu" else self.frames.dtype
        out = torch.empty(len(starts), length, self.frames.shape[1], dtype=kind, pin_memory=self.far)
        begins = (starts + first).tolist()  # of a shorter one, its own start
        ends = (starts + first + lengths.clamp(max=length)).tolist()
        for begin, end in zip(begins, ends):
            self.fetch(begin, end)
        for crop, begin, end in zip(out, begins, ends):
            rows = self.frames[begin:end]
            crop.copy_(rows if len(rows) == length else rows.repeat(-(-length // len(rows)), 1)[:length])
        return out


def gathered(frames: Tensor, starts: Tensor, lengths: Tensor, first: Tensor, length: int) -> Tensor:
    """What `Crops.stretches` says, row by row."""
    within = (first[:, None] + torch.arange(length, device=first.device)) % lengths[:, None]
    return frames[starts[:, None] + within]


def on(inputs: Packed, home: torch.device) -> Tensor:
    """The frames as they are mapped; on a GPU, a copy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, that a tensor might be written where its array may not
        mapped = torch.from_numpy(inputs.frames)
    if home.type == "cpu":
        return mapped
    copy = torch.empty(mapped.shape, dtype=mapped.dtype, device=home)
    for start in range(0, len(mapped), CHUNK):
        inputs.fetch(start, min(start + CHUNK, len(mapped)))
        copy[start : start + CHUNK] = mapped[start : start + CHUNK].to(home)
    return copy


def fits(size: int, device: torch.device) -> bool:
    """Whether so many bytes are at most half of what is free on a GPU; main memory maps what does not fit."""
    return device.type != "cuda" or 2 * size <= torch.cuda.mem_get_info(device)[0]
