"""What a killed run needs to go on, and what one recipe hands to another."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from utils.cli import UserError
from utils.files import whole


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers, strings and containers of them. An older checkpoint is replaced in one moment, when
    all of the new one is on the disk."""
    content = io.BytesIO()
    torch.save(state, content)  # to a file, it would not say that the disk is full
    with whole(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """The states of torch's own generators, on the CPU and on `device`."""
    states = {"cpu": torch.get_rng_state()}
    return states | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def set_random_states(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Restore what `random_states` returned; on another kind of device than then, the CPU's state alone."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


def load_checkpoint(path: Path, config: dict[str, Any]) -> dict[str, Any] | None:
    """The state that `save_checkpoint` left at `path`, or None where there is none. Raises UserError for another kind
    of file, and for a state whose "config" is not `config`."""
    if not path.exists():
        return None
    with readable(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch has to say of a foreign file, before it fails
        if not path.is_file() or zipfile.ZipFile(path).testzip() is not None:  # torch compares no sums
            raise ValueError("damaged")
        state = torch.load(path, map_location="cpu", weights_only=True)
        same = bool(state["config"] == config)
    if not same:
        raise UserError(f"{path}: was made with another configuration; remove {path.parent} to start over")
    return state


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Within the block, any error comes of a broken or foreign checkpoint, and is raised as UserError."""
    try:
        yield
    except Exception as error:  # torch raises a dozen kinds
        raise UserError(
            f"{path}: is no checkpoint of this training ({type(error).__name__}); remove it to start over"
        ) from None


def save_model(model: nn.Module, path: Path) -> None:
    """Write a network's weights as safetensors."""
    with whole(path) as temporary:
        temporary.write_bytes(save({name: tensor.contiguous() for name, tensor in model.state_dict().items()}))


def load_model(model: nn.Module, path: Path, module: str = "", without: tuple[str, ...] = ()) -> None:
    """Read weights into `model`, or into its sub-module `module` those that have its name in the file; none whose name
    ends in one of `without`. Raises UserError where the file is missing or does not fit, naming the first tensor that
    does not."""
    if not path.is_file():
        raise UserError(f"{path}: no such model")
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path}: is not a safetensors file ({error})") from None
    prefix = f"{module}." if module else ""
    weights = {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
    weights = {name: tensor for name, tensor in weights.items() if not name.endswith(without)}
    target = model.get_submodule(module)
    own = target.state_dict()
    for name in sorted(own.keys() | weights.keys()):
        shape, needed = (tuple(tensors[name].shape) if name in tensors else "absent" for tensors in (weights, own))
        if shape != needed:
            raise UserError(f"{path}: does not fit this network: {prefix}{name} is {shape}, the network's is {needed}")
        if weights[name].is_floating_point() != own[name].is_floating_point() or not weights[name].isfinite().all():
            raise UserError(f"{path}: {prefix}{name} holds no numbers that a network could have learnt")
        if name.endswith("running_var") and (weights[name] < 0).any():
            raise UserError(f"{path}: {prefix}{name} holds variances below 0: it is damaged")
    target.load_state_dict(weights)
