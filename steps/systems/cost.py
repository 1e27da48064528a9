"""What a system costs at test time: weights, multiplications and time."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from steps.frontend import descriptors
from steps.frontend.functionals import functionals
from steps.nnet.autoencoders import ParallelAutoencoders
from steps.nnet.inference import infer
from steps.nnet.networks import Classifier
from steps.systems.system import Backend, Config
from steps.training.device import on_device

SECOND, SPEECH, TIMES = 100, 10, 3  # frames of a second; seconds of speech that are timed, and how often


def cost(system: Config, classes: int, bins: int) -> dict[str, float]:
    """From a network's input to posteriors, for whole utterances of `bins`: "parameters" (weights that are used then,
    so none of auxiliary classifiers), "multiplications" (multiply-adds for a second of speech, of convolutions and
    matrix products), "real_time_factor" (seconds of one thread of this CPU for a second of speech). Of given vectors
    of size `bins`, what makes them is not known: the cost is the classifier's alone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            module, posteriors = build(system, classes, bins)
            x = torch.randn(SPEECH * SECOND, bins).numpy()
            with FlopCounterMode(display=False) as counter:
                posteriors(x[:SECOND])
            seconds = min(timed(posteriors, x) for _ in range(TIMES))
    finally:
        torch.set_num_threads(threads)
    return {
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "multiplications": counter.get_total_flops() // 2,
        "real_time_factor": float(f"{seconds / SPEECH:.2g}"),
    }


def build(system: Config, classes: int, bins: int) -> tuple[nn.Module, Callable[[np.ndarray], Tensor]]:
    """All of the system that has weights at test time, untrained, and the function from an utterance (T, bins) to its
    posteriors (1, classes); of given vectors, it takes the first row for one."""
    if system.backend.sees == "descriptors":
        backend = build_backend(system.backend, descriptors.SIZE, classes)
        return backend, lambda x: backend(torch.from_numpy(described(x))[None]).softmax(dim=1)
    if not system.reads_features:
        backend = build_backend(system.backend, bins, classes)
        return backend, lambda x: backend(torch.from_numpy(x[:1])).softmax(dim=1)
    if not system.has_network:
        backend = build_backend(system.backend, len(functionals(np.zeros((1, bins)))), classes)
        return backend, lambda x: backend(torch.from_numpy(functionals(x)).float()[None]).softmax(dim=1)
    network = on_device(Classifier(system.network, classes), torch.device("cpu"))
    if system.backend.kind != "network":
        network.add_module("classifier", build_backend(system.backend, network.classifier.in_features, classes))
    return network, lambda x: infer(network, [x]).logits.softmax(dim=1)


def described(x: np.ndarray) -> np.ndarray:
    """The descriptors of as much noise as `x` has frames."""
    descriptor = descriptors.Descriptor(SECOND * 160)
    descriptor.hear(np.random.default_rng(0).normal(scale=1000, size=160 * len(x)))
    return descriptor.vector()


def build_backend(backend: Backend, size: int, classes: int) -> nn.Module:
    """What classifies vectors of `size`; of two classes, a linear model has one margin."""
    if backend.kind == "autoencoders":
        model = ParallelAutoencoders(size, backend.latent, classes, speakers=1)
        return nn.Sequential(model.style.encoder, model.emotion_of_style)
    if backend.kind == "mlp":
        return nn.Sequential(nn.Linear(size, backend.hidden), nn.ReLU(), nn.Linear(backend.hidden, classes))
    return nn.Linear(size, classes if classes > 2 else 1)


def timed(work: Callable[[np.ndarray], Tensor], x: np.ndarray) -> float:
    """Seconds that work(x) takes."""
    began = time.perf_counter()
    work(x)
    return time.perf_counter() - began
