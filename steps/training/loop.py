"""Gradient steps: epochs of random crops, with a checkpoint behind each, and every few minutes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from steps.nnet.settings import Precision
from steps.training.checkpoint import load_checkpoint, random_states, save_checkpoint, set_random_states
from steps.training.device import autocast
from steps.training.distributed import ALONE, Ranks, Terms
from steps.training.interruption import Interruption
from utils.cli import UserError

SAVE_EVERY = 300.0  # seconds between two checkpoints of an epoch

# batch(indices, generator) -> (N, T, F): crops of training utterances
Batch = Callable[[Tensor, torch.Generator], Tensor]


def fit(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    terms: Terms,
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
    ranks: Ranks = ALONE,
    bn_group: int = 0,
) -> dict[str, Any]:
    """Train `model` in place for `epochs`, each one crop of each of `utterances` (indices that `batch` understands), or
    go on from `checkpoint` to the bit-identical end.

    `terms(x, indices)` returns the loss "L" and what else is worth logging; `rates(epoch, progress)` the learning rates
    of the optimiser's groups, epochs counted from 1 and progress through the whole training from 0 to 1;
    `after_epoch(epoch, memory)` is called behind each epoch (by rank 0) with a dict that lives in the checkpoint, and
    returns words for the log line. Returns that dict; its "history" has a row an epoch: its number, the mean terms, the
    last rate. Order and crops of an epoch depend on `seed` and the epoch alone.
    Of several `ranks`, each computes its part of every batch; batch norm sees `bn_group` crops at a time (0: a batch).
    SIGTERM and Ctrl-C act once a checkpoint has been written. Raises UserError when the loss is not finite.
    """
    device = next(model.parameters()).device
    # Pieces of nearly one size: a last batch of a few crops would spoil the batch norm's statistics.
    batches = max(1, math.ceil(len(utterances) / batch_size))
    ranks.own(len(utterances) // batches, bn_group)  # refused now rather than in the first step
    memory: dict[str, Any] = {}
    sums: dict[str, Tensor] = {}
    chance = torch.Generator()
    first, done = 1, 0  # where to go on: the epoch, and how many of its steps are done
    if state := load_checkpoint(checkpoint, config):
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        first, done, memory = state["epoch"], state["step"], state["memory"]
        sums = {name: value.to(device) for name, value in state["sums"].items()}
        set_random_states(state["random"], device)
        where = f"in epoch {first}, behind step {done} of {batches}" if done else f"after epoch {first - 1}"
        ranks.say(f"going on {where} ({checkpoint})")

    def save(epoch: int, step: int) -> None:
        if ranks.rank == 0:
            place = {"config": config, "epoch": epoch, "step": step, "sums": sums, "memory": memory}
            place |= {"chance": chance.get_state(), "random": random_states(device)}
            save_checkpoint(checkpoint, place | {"model": model.state_dict(), "optimiser": optimiser.state_dict()})

    def cast_terms(x: Tensor, index: Tensor) -> Mapping[str, Tensor]:
        with autocast(device, precision):
            return terms(x, index)

    with Interruption() as interruption:
        for epoch in range(first, epochs + 1):
            chance.manual_seed(1_000_003 * seed + epoch)
            pieces = utterances[torch.randperm(len(utterances), generator=chance)].tensor_split(batches)[done:]
            if done:
                chance.set_state(state["chance"])
            began = saved = time.monotonic()
            model.train()
            shown = tqdm(pieces, desc=f"epoch {epoch}", initial=done, total=batches, disable=None, leave=False)
            for step, index in enumerate(shown, done + 1):
                lr = rates(epoch, (epoch - 1 + (step - 1) / batches) / epochs)
                for group, rate in zip(optimiser.param_groups, lr, strict=True):
                    group["lr"] = rate
                optimiser.zero_grad(set_to_none=True)
                losses = ranks.backward(model, cast_terms, batch(index, chance), index, bn_group)
                optimiser.step()
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0) + value / batches
                wanted = ranks.greatest(interruption.wanted, device)
                if wanted or time.monotonic() - saved > SAVE_EVERY:
                    save(epoch, step)
                    saved = time.monotonic()
                    interruption.obey(wanted)
            means = {name: value.item() for name, value in sums.items()}
            if not math.isfinite(means["L"]):
                raise UserError(f"the loss is {means['L']} in epoch {epoch}; a lower learning rate may help")
            speed = sum(map(len, pieces)) / (time.monotonic() - began)
            words = [f"epoch {epoch}/{epochs}", *(f"{name} {value:.4f}" for name, value in means.items())]
            row = {"epoch": epoch, **means, "lr": optimiser.param_groups[-1]["lr"]}
            memory["history"] = [*memory.get("history", [])[: epoch - 1], row]
            words += [f"lr {optimiser.param_groups[-1]['lr']:.2g}", f"{speed:.0f} crops/s"]
            try:
                with interruption.allowed():
                    words.append(after_epoch(epoch, memory) if ranks.rank == 0 else "")
            except (SystemExit, KeyboardInterrupt):
                save(epoch, batches)
                raise
            ranks.say("  ".join(word for word in words if word))
            done, sums = 0, {}
            save(epoch + 1, done)
            interruption.obey(interruption.wanted)
    return memory
