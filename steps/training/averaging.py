"""The mean of a network's weights over epochs (stochastic weight averaging, Izmailov et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

State = dict[str, Tensor]


def running_mean(mean: State, state: State, number: int) -> State:
    """The mean of `number` states, of which `mean` is that of all before `state`, on whatever device: a resumed
    training has it on the CPU. What is no floating-point number (a count) is taken from `state`."""

    def joined(name: str, tensor: Tensor) -> Tensor:
        if number == 1 or not tensor.is_floating_point():
            return tensor.clone()
        before = mean[name].to(tensor.device)
        return before + (tensor - before) / number

    return {name: joined(name, tensor) for name, tensor in state.items()}


@torch.no_grad()
def refresh_batch_norms(model: nn.Module, crops: Iterable[Tensor]) -> None:
    """Let the batch norms that learn take their statistics anew, as the mean over `crops`, each (N, T, F): those of
    averaged weights are not the average of the epochs'. Leaves the model in evaluation mode."""
    model.train()
    learning = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.training]
    if not learning:
        model.eval()
        return
    momenta = [module.momentum for module in learning]
    for module in learning:
        module.reset_running_stats()
        module.momentum = None  # of all batches alike
    for x in crops:
        model(x)
    for module, momentum in zip(learning, momenta):
        module.momentum = momentum
    model.eval()
