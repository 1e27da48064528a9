"""The processes that train one network together: which crops of a batch are whose, and how their work is joined.

What PyTorch's DistributedDataParallel cannot: batch norm over fixed groups of crops, whatever the number of processes,
with running statistics averaged over all groups (there each process normalises its own share, and rank 0's count).

Started by torchrun, each process (rank) holds the whole network and the whole training set, and draws the same batches
as the others. A batch falls into groups of crops. The batch norm takes its statistics over one group at a time, and a
rank computes some of the groups; the sum over all of them is the same, to rounding, whoever computes which."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn

from utils.cli import UserError

# terms(x, indices): the loss "L" of crops (N, T, F), and what else is worth logging, each a mean over the crops
Terms = Callable[[Tensor, Tensor], Mapping[str, Tensor]]
PATIENCE = datetime.timedelta(hours=2)  # while rank 0 tests on held-out utterances, the others wait


class Ranks:
    """The processes of a training, seen from one of them."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    def say(self, line: str) -> None:
        """Print a line, once for all ranks."""
        if self.rank == 0:
            print(line, flush=True)

    def own(self, n: int, group: int) -> list[slice]:
        """This rank's groups of a batch of `n` crops, which falls into groups of nearly one size, of at most `group`
        crops (0: the whole batch). Raises UserError where there are fewer groups than ranks."""
        groups = -(-n // group) if group else 1
        if groups < self.size:
            raise UserError(
                f"{self.size} processes cannot share a batch of {n} crops that is {groups} group(s) to the batch norm: "
                f"set training.bn_group, the crops of a group, to {n // self.size} or less"
            )
        ends = [n * i // groups for i in range(groups + 1)]
        mine = range(groups * self.rank // self.size, groups * (self.rank + 1) // self.size)
        return [slice(ends[i], ends[i + 1]) for i in mine]

    def backward(self, model: nn.Module, terms: Terms, x: Tensor, index: Tensor, group: int) -> dict[str, Tensor]:
        """Leave in `model`, on every rank, the gradient of terms(x, index)["L"], averaged over a batch of crops, and
        return the averages of all terms. Running statistics become the average of what each group alone would have
        made of them."""
        n = len(index)
        groups = self.own(n, group)
        if groups == [slice(0, n)]:  # one process and one group: nothing is to be joined
            losses = terms(x, index)
            losses["L"].backward()
            return {name: loss.detach() for name, loss in losses.items()}
        buffers = list(model.buffers())
        before = [buffer.clone() for buffer in buffers]
        running = [buffer for buffer in buffers if buffer.is_floating_point()]
        after = [torch.zeros_like(buffer) for buffer in running]
        means: dict[str, Tensor] = {}
        for crops in groups:
            for buffer, old in zip(buffers, before):
                buffer.copy_(old)
            losses, share = terms(x[crops], index[crops]), (crops.stop - crops.start) / n
            (losses["L"] * share).backward()
            for name, loss in losses.items():
                means[name] = means.get(name, 0) + loss.detach() * share
            for total, buffer in zip(after, running):
                total.add_(buffer, alpha=share)
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        self.sum([*gradients, *after, *means.values()])
        for buffer, total in zip(running, after):
            buffer.copy_(total)
        return means

    def sum(self, tensors: list[Tensor]) -> None:
        """Replace each by its sum over the ranks, in one exchange."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
        self._reduce(flat, distributed.ReduceOp.SUM)
        for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors])):
            tensor.copy_(total.view_as(tensor))

    def greatest(self, number: int, device: torch.device) -> int:
        """The greatest of the ranks' numbers."""
        if self.size == 1:
            return number
        numbers = torch.tensor(number, device=device)
        self._reduce(numbers, distributed.ReduceOp.MAX)
        return int(numbers)

    def _reduce(self, tensor: Tensor, operation: distributed.ReduceOp.RedOpType) -> None:
        try:
            distributed.all_reduce(tensor, operation)
        except RuntimeError:  # a connection was closed
            raise UserError("another process of this training has gone; its log says why") from None


ALONE = Ranks()


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """The ranks that torchrun started, which may talk to each other within the block, or ALONE."""
    if not distributed.is_torchelastic_launched():
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
