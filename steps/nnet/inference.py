"""What a trained network says of whole utterances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .networks import Classifier, Output


@torch.inference_mode()
def infer(model: Classifier, utterances: Sequence[np.ndarray]) -> Output:
    """`utterances`: (T_i, F) each, of any lengths. Returns the output for all N of them, on the CPU; one at a time and
    in float32, so that none depends on its neighbours. Leaves the model in evaluation mode."""
    device = next(model.parameters()).device
    model.eval()
    outputs = [model(torch.from_numpy(frames)[None].to(device)) for frames in utterances]
    spaces = zip(*(one.spaces for one in outputs))
    return Output(
        torch.cat([one.logits for one in outputs]).cpu(),
        torch.cat([one.embedding for one in outputs]).cpu(),
        tuple(tuple(torch.cat(part).cpu() for part in zip(*space)) for space in spaces),
    )
