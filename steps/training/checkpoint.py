"""What a killed run needs to go on, and what one recipe hands to another."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from utils.cli import UserError
from utils.files import whole


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers, strings and containers of them. The checkpoint that is there is replaced in one moment,
    once all of its successor is on the disk."""
    content = io.BytesIO()
    torch.save(state, content)  # to a file, it would not say that the disk is full
    with whole(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """The states of torch's own generators, on the CPU and on `device`."""
    states = {"cpu": torch.get_rng_state()}
    return states | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def set_random_states(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """What `random_states` returned; of another kind of device's, nothing is taken."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


def load_checkpoint(path: Path, config: dict[str, Any]) -> dict[str, Any] | None:
    """The state that `save_checkpoint` left at `path`, or None where there is none. Raises UserError for one that
    cannot be read, or that was made under another configuration than `config`."""
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch says of a broken or foreign file
        raise UserError(f"{path}: cannot be read ({type(error).__name__}); remove it to start over") from None
    if state["config"] != config:
        raise UserError(f"{path}: was made with another configuration; remove {path.parent} to start over")
    return state


def save_model(model: nn.Module, path: Path) -> None:
    """Write a network's weights as safetensors."""
    with whole(path) as temporary:
        temporary.write_bytes(save({name: tensor.contiguous() for name, tensor in model.state_dict().items()}))


def load_model(model: nn.Module, path: Path, part: str = "", without: tuple[str, ...] = ()) -> None:
    """Read weights into `model`; with `part`, only those of the file that stand under that name, into the sub-module
    of that name; and none whose name ends in one of `without`. Raises UserError where the file is missing or does not
    fit, naming the first tensor that does not."""
    if not path.is_file():
        raise UserError(f"{path}: no such model")
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path}: is not a safetensors file ({error})") from None
    prefix = f"{part}." if part else ""
    weights = {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
    weights = {name: tensor for name, tensor in weights.items() if not name.endswith(without)}
    target = model.get_submodule(part)
    wanted = target.state_dict()
    for name in sorted(wanted.keys() | weights.keys()):
        here, there = (tuple(side[name].shape) if name in side else "absent" for side in (wanted, weights))
        if here != there:
            raise UserError(f"{path}: does not fit this network: {prefix}{name} is {there}, the network's is {here}")
    target.load_state_dict(weights)
