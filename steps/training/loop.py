"""Gradient steps: epochs of random crops, with a checkpoint behind each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from steps.training.checkpoint import load_checkpoint, save_checkpoint
from steps.training.device import Precision, autocast
from utils.cli import UserError

# batch(indices, generator) -> (N, T, F): crops of training utterances
Batch = Callable[[Tensor, torch.Generator], Tensor]


def fit(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    terms: Callable[[Tensor, Tensor], Mapping[str, Tensor]],
    batch: Batch,
    utterances: Tensor,
    *,
    epochs: int,
    batch_size: int,
    rates: Callable[[int, float], list[float]],
    seed: int,
    precision: Precision,
    checkpoint: Path,
    config: dict[str, Any],
    after_epoch: Callable[[int, dict[str, Any]], str],
) -> dict[str, Any]:
    """Train `model` in place for `epochs`, each one crop of each of `utterances` (indices that `batch` understands), or
    go on from `checkpoint` to the bit-identical end.

    `terms(x, indices)` returns the loss "L" and what else is worth logging; `rates(epoch, progress)` the learning rates
    of the optimiser's groups, epochs counted from 1 and progress through the whole training from 0 to 1;
    `after_epoch(epoch, memory)` is called behind each epoch with a dict that lives in the checkpoint, and returns words
    for the log line. Returns that dict. Order and crops of an epoch depend on `seed` and the epoch alone, so the
    checkpoint holds no random state. Raises UserError when the loss is not finite.
    """
    device = next(model.parameters()).device
    memory: dict[str, Any] = {}
    done = 0
    if state := load_checkpoint(checkpoint, config):
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        memory, done = state["memory"], state["epoch"]
        print(f"going on after epoch {done} ({checkpoint})", flush=True)
    # Pieces of nearly one size: a last batch of a few crops would spoil the batch norm's statistics.
    batches = max(1, math.ceil(len(utterances) / batch_size))
    for epoch in range(done + 1, epochs + 1):
        began = time.monotonic()
        generator = torch.Generator().manual_seed(1_000_003 * seed + epoch)
        order = utterances[torch.randperm(len(utterances), generator=generator)]
        sums: dict[str, Tensor] = {}
        model.train()
        for step, index in enumerate(
            tqdm(order.tensor_split(batches), desc=f"epoch {epoch}", disable=None, leave=False)
        ):
            lr = rates(epoch, (epoch - 1 + step / batches) / epochs)
            for group, rate in zip(optimiser.param_groups, lr, strict=True):
                group["lr"] = rate
            with autocast(device, precision):
                losses = terms(batch(index, generator), index)
            optimiser.zero_grad(set_to_none=True)
            losses["L"].backward()
            optimiser.step()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0) + value.detach() / batches
        means = {name: value.item() for name, value in sums.items()}
        if not math.isfinite(means["L"]):
            raise UserError(f"the loss is {means['L']} in epoch {epoch}; a lower learning rate may help")
        speed = len(order) / (time.monotonic() - began)
        words = [f"epoch {epoch}/{epochs}", *(f"{name} {value:.4f}" for name, value in means.items())]
        words += [f"lr {lr[-1]:.2g}", f"{speed:.0f} crops/s", after_epoch(epoch, memory)]
        print("  ".join(word for word in words if word), flush=True)
        state = {"config": config, "epoch": epoch, "memory": memory}
        save_checkpoint(checkpoint, state | {"model": model.state_dict(), "optimiser": optimiser.state_dict()})
    return memory
