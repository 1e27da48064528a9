"""Gradient steps: epochs of random crops, with a checkpoint behind each, and every few minutes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from steps.nnet.architecture import Precision
from steps.training.ahead import Batch, batches
from steps.training.checkpoint import load_checkpoint, random_states, readable, save_checkpoint, set_random_states
from steps.training.device import autocast
from steps.training.distributed import ALONE, Ranks, Terms
from steps.training.forecast import Forecast
from steps.training.interruption import Interruption
from steps.training.order import draw
from utils.cli import UserError, duration

SAVE_EVERY = 300.0  # seconds between two checkpoints of an epoch


@dataclass(frozen=True)
class Schedule:
    """How long a network trains, on how many crops at a time, and how fast."""

    epochs: int
    batch: int  # crops a step, at most
    # (epoch from 1, share of the training that is done) → the learning rate of each of the optimiser's groups
    rates: Callable[[int, float], list[float]]
    seed: int  # on which, and on its number, an epoch's order and crops depend
    precision: Precision = "auto"
    bn_group: int = 0  # crops over which the batch norm takes its statistics; 0: those of a step


@dataclass
class Progress:
    """How far a training is: what lives in its checkpoint beside weights, optimiser and random states. What else shall
    survive an interruption is a field of a subclass, of tensors, numbers, strings or containers of them."""

    epoch: int = 1  # the epoch that is trained, or comes next
    step: int = 0  # gradient steps of it that are done
    sums: dict[str, Tensor] = field(default_factory=dict)  # of each term over these steps, divided by all steps
    history: list[dict[str, float]] = field(default_factory=list)  # of each epoch: its number, mean terms, last rate

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Become what the checkpoint has. Raises KeyError for the progress of another kind of training."""
        if saved.keys() != vars(self).keys():
            raise KeyError(*saved)
        vars(self).update(saved)


def fit(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    terms: Terms,
    batch: Batch,
    utterances: Tensor,
    schedule: Schedule,
    progress: Progress,
    *,
    after_epoch: Callable[[int], str],
    checkpoint: Path,
    config: dict[str, Any],
    weights: Tensor | None = None,
    ranks: Ranks = ALONE,
    ahead: bool = False,
) -> None:
    """Train `model` in place, an epoch being one crop of each of `utterances` (indices that `batch` understands) or, by
    their `weights`, as many crops of some more than of others (see `draw`); or go on from `checkpoint` to the
    bit-identical end; `progress` then becomes what it was.

    `terms(x, indices)` returns the loss "L" and what else is worth logging. `after_epoch(epoch)` is called behind each
    epoch (by rank 0), when its row stands in progress.history, and returns words for the log line. `config`: all that
    the training is determined by; a checkpoint made with another is refused.
    Of several `ranks`, each computes its groups of every batch; with `ahead`, crops are made while a step works.
    SIGTERM and Ctrl-C act once a checkpoint is written.
    Raises UserError when the loss is not finite.
    """
    device = next(model.parameters()).device
    # Pieces of nearly one size: a last batch of a few crops would spoil the batch norm's statistics.
    steps = max(1, math.ceil(len(utterances) / schedule.batch))
    ranks.own(len(utterances) // steps, schedule.bn_group)  # refused now rather than in the first step
    generator = torch.Generator()
    drawn = generator.get_state()  # as it is behind the last step's crops; it may itself be ahead
    saved = load_checkpoint(checkpoint, config)
    if saved:
        with readable(checkpoint):
            model.load_state_dict(saved["model"])
            optimiser.load_state_dict(saved["optimiser"])
            progress.restore(saved["progress"])
            progress.sums = {name: value.to(device) for name, value in progress.sums.items()}
            set_random_states(saved["random"], device)
        where = f"in epoch {progress.epoch}, behind step {progress.step} of {steps}"
        ranks.say(f"going on {where if progress.step else f'after epoch {progress.epoch - 1}'} ({checkpoint})")

    def save(drawn: Tensor) -> None:
        if ranks.rank == 0:
            state = {"config": config, "progress": vars(progress), "model": model.state_dict()}
            state |= {"optimiser": optimiser.state_dict(), "random": random_states(device)}
            save_checkpoint(checkpoint, state | {"generator": drawn})

    def cast_terms(x: Tensor, index: Tensor) -> Mapping[str, Tensor]:
        with autocast(device, schedule.precision):
            return terms(x, index)

    left = (schedule.epochs - progress.epoch + 1 - progress.step / steps) * len(utterances)
    forecast = Forecast(round(left))
    with Interruption() as interruption:
        for epoch in range(progress.epoch, schedule.epochs + 1):
            generator.manual_seed(1_000_003 * schedule.seed + epoch)
            order = utterances[draw(len(utterances), weights, generator)]
            pieces = order.tensor_split(steps)[progress.step :]
            if saved and progress.step:
                generator.set_state(saved["generator"])
            began = last_save = time.monotonic()
            model.train()
            made = batches(batch, pieces, generator, device, ahead)
            bar = tqdm(made, f"epoch {epoch}", initial=progress.step, total=steps, disable=None, leave=False)
            for index, crops, drawn in bar:
                rates = schedule.rates(epoch, (epoch - 1 + progress.step / steps) / schedule.epochs)
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate
                optimiser.zero_grad(set_to_none=True)
                losses = ranks.backward(model, cast_terms, crops, index, schedule.bn_group)
                optimiser.step()
                for name, value in losses.items():
                    progress.sums[name] = progress.sums.get(name, 0) + value / steps
                progress.step += 1
                if words := forecast.step(len(index)):
                    ranks.say(words)
                wanted = ranks.greatest(interruption.wanted, device)
                if wanted or time.monotonic() - last_save > SAVE_EVERY:
                    save(drawn)
                    last_save = time.monotonic()
                    interruption.obey(wanted)
            means = {name: value.item() for name, value in progress.sums.items()}
            if wild := [f"{name} {value}" for name, value in means.items() if not math.isfinite(value)]:
                raise UserError(
                    f"the loss is no number in epoch {epoch} ({', '.join(wild)}); a lower learning rate, or a smaller "
                    "weight of a loss, may help"
                )
            speed = sum(map(len, pieces)) / (time.monotonic() - began)
            lr = optimiser.param_groups[-1]["lr"]
            progress.history[epoch - 1 :] = [{"epoch": epoch, **means, "lr": lr}]
            line = [f"epoch {epoch}/{schedule.epochs}", *(f"{name} {value:.4f}" for name, value in means.items())]
            # An epoch that was resumed behind its last step has no speed.
            left = (schedule.epochs - epoch) * len(utterances) / speed if speed else 0
            line += [f"lr {lr:.2g}", f"{speed:.0f} crops/s", f"about {duration(left)} to go" if left >= 60 else ""]
            try:
                with interruption.allowed():
                    line.append(after_epoch(epoch) if ranks.rank == 0 else "")
            except (SystemExit, KeyboardInterrupt):
                save(drawn)
                raise
            ranks.say("  ".join(word for word in line if word))
            progress.epoch, progress.step, progress.sums = epoch + 1, 0, {}
            save(drawn)
            interruption.obey(interruption.wanted)
