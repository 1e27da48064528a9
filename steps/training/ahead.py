"""Batches of crops in the order of an epoch, where wanted made ahead of the step that takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

# batch(indices, generator) -> (N, T, F): crops of training utterances
Batch = Callable[[Tensor, torch.Generator], Tensor]
# The indices of a batch, its crops, and the state of the generator behind it, from which the next batch draws
Made = tuple[Tensor, Tensor, Tensor]
AHEAD = 3  # batches


def batches(
    batch: Batch, pieces: Iterable[Tensor], generator: torch.Generator, device: torch.device, ahead: bool
) -> Iterator[Made]:
    """The batch of each of `pieces`, which may be broken off; with `ahead`, made by a thread while a step on `device`
    works on the one before. One thread makes one batch after the other: what is drawn is the same, to the bit."""

    def make(index: Tensor) -> Made:
        return index, batch(index, generator), generator.get_state()

    if not ahead:
        yield from map(make, pieces)
        return
    if device.type == "cuda":  # each thread has a GPU of its own choice
        thread = ThreadPoolExecutor(1, "crops", torch.cuda.set_device, (device,))
    else:
        thread = ThreadPoolExecutor(1, "crops")
    coming: deque[Future[Made]] = deque()
    try:
        for index in pieces:
            coming.append(thread.submit(make, index))
            if len(coming) > AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        thread.shutdown(cancel_futures=True)
