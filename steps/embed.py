#!/usr/bin/env python3
"""Utterance embeddings of a data dir: embedding.ark and embedding.scp.

steps/embed.py <model-dir> <data-dir> <out-dir>
steps/embed.py exp/resnet18 data/test exp/resnet18/embeddings/test
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import steps  # noqa: F401  # isort: skip (Ctrl-C is one line while all that follows is loaded)

import torch

from steps.frontend.settings import Input
from steps.frontend.utterances import read_utterances
from steps.nnet.inference import infer
from steps.nnet.networks import Classifier
from steps.nnet.settings import Network
from steps.training.checkpoint import load_model
from steps.training.device import pick_device
from utils import cli, config
from utils.archive import ArkWriter


@dataclass
class Model:
    """What embedding needs of a model's config.yaml."""

    network: Network = field(default_factory=Network)
    input: Input = field(default_factory=Input)


def load_network(model_dir: Path) -> tuple[Classifier, Input]:
    """The network in `model_dir` (of steps/pretrain.py, or a run of steps/finetune.py) up to its embedding, on the
    job's device, and how its input is made. `infer` says what it makes of utterances, `masks(x)` what AD keeps of them;
    its logits are the embedding."""
    settings = config.load(Model, model_dir / "config.yaml")
    network = Classifier(settings.network, classes=1)
    network.classifier = torch.nn.Identity()  # its size belongs to the training set
    for part, _ in network.named_children():
        if part != "classifier":
            load_model(network, model_dir / "model.safetensors", part)
    return network.to(pick_device(), memory_format=torch.channels_last).eval(), settings.input


def embed(model_dir: Path, data: Path, out: Path) -> int:
    """Write the embedding (what the classifier sees, (C,)) of every whole utterance; returns how many."""
    network, options = load_network(model_dir)
    utterances = read_utterances(data, options)
    said = infer(network, list(utterances.values()))
    with ArkWriter(out / "embedding.ark", out / "embedding.scp") as archive:
        for name, row in zip(utterances, said.embedding.numpy()):
            archive.write(name, row)
    return len(utterances)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder with model.safetensors and config.yaml")
    parser.add_argument("data", type=Path, help="data dir with feats.scp")
    parser.add_argument("out", type=Path, help="folder for the embeddings")
    options = parser.parse_args()
    print(f"{options.out}: {embed(options.model, options.data, options.out)} embeddings")


if __name__ == "__main__":
    cli.run(main)
