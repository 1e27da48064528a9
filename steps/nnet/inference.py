"""A trained network's output for whole utterances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from .networks import Classifier, Output

# Frames of a batch, padding included. On a CPU two utterances together are faster than one after the other only if both
# are short; a GPU (not measured) is idle without many.
FRAMES = {"cpu": 400, "cuda": 100_000}


@torch.inference_mode()
def infer(model: Classifier, utterances: Sequence[np.ndarray]) -> Output:
    """`utterances`: (T_i, F) each, of any lengths; one too short for the network is repeated, as a training crop would
    be. Returns the output for all N of them, on the CPU, in float32; to rounding, none depends on its neighbours.
    Leaves the model in evaluation mode.

    The extractor takes utterances of about one length together, unless it takes means over an utterance itself
    (instance norm, AD or pooling inside). What follows it, on 1/256 of the positions (VGG5: 1/16), takes them one at a
    time."""
    device = next(model.parameters()).device
    model.eval()
    sizes = [max(len(utterance), model.smallest_input) for utterance in utterances]
    takes_means = len(model.inner_disentanglement) + len(model.inner_pooling) > 0
    takes_means |= any(isinstance(module, nn.InstanceNorm2d) for module in model.extractor.modules())
    order = sorted(range(len(utterances)), key=lambda i: sizes[i])
    outputs: dict[int, Output] = {}
    for batch in batches(order, sizes, 0 if takes_means else FRAMES[device.type]):
        lengths = [sizes[i] for i in batch]
        x = np.zeros((len(batch), max(lengths), utterances[0].shape[1]), np.float32)
        for row, i in zip(x, batch):
            row[: sizes[i]] = repeated(utterances[i], sizes[i])
        with padded(model.extractor, torch.tensor(lengths, device=device)) as ends:
            maps = model.extract(torch.from_numpy(x).to(device))
        for i, F, end in zip(batch, maps.F.split(1), ends.tolist()):
            outputs[i] = model.head(maps._replace(F=F[:, :, :end]))
    in_order = [outputs[i] for i in range(len(utterances))]
    pairs = zip(*(output.spaces for output in in_order))  # of each AD: every utterance's pool(F⁺), pool(F⁻)
    return Output(
        torch.cat([output.logits for output in in_order]).cpu(),
        torch.cat([output.embedding for output in in_order]).cpu(),
        tuple((torch.cat([plus for plus, _ in ad]).cpu(), torch.cat([minus for _, minus in ad]).cpu()) for ad in pairs),
    )


def repeated(utterance: np.ndarray, frames: int) -> np.ndarray:
    """(T, F) → (max(T, frames), F), repeated from its start."""
    return utterance if len(utterance) >= frames else np.resize(utterance, (frames, utterance.shape[1]))


def batches(order: Sequence[int], lengths: Sequence[int], frames: int) -> Iterator[list[int]]:
    """Pieces of `order` (indices, ascending by length), each of at most `frames` when padded, or a single index."""
    batch: list[int] = []
    for i in order:
        if batch and (len(batch) + 1) * lengths[i] > frames:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


@contextmanager
def padded(extractor: nn.Module, lengths: Tensor) -> Iterator[Tensor]:
    """Within the block, utterances padded to one length go through `extractor` as each would alone: what lies behind an
    utterance's end is zero before every convolution, like a convolution's own padding. `lengths`: (N,) frames. Yields
    the tensor that afterwards holds the frames of the output."""
    ends = lengths.clone()

    def after(module: nn.Conv2d | nn.MaxPool2d | nn.BatchNorm2d, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        if not isinstance(module, nn.BatchNorm2d):
            kernel, stride, padding = (
                size if isinstance(size, int) else int(size[0])
                for size in (module.kernel_size, module.stride, module.padding)
            )
            ends.copy_((ends + 2 * padding - kernel) // stride + 1)
        if isinstance(module, nn.Conv2d) or len(output) == 1:
            return output
        inside = torch.arange(output.shape[2], device=output.device) < ends[:, None]
        return output.mul_(inside[:, None, :, None])

    kinds = (nn.Conv2d, nn.MaxPool2d, nn.BatchNorm2d)
    hooks = [module.register_forward_hook(after) for module in extractor.modules() if isinstance(module, kinds)]
    try:
        yield ends
    finally:
        for hook in hooks:
            hook.remove()
