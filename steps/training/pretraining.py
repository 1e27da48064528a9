"""The configuration of a pre-training on speakers. Loads no torch: a command line is checked at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from steps.frontend.options import Augmentation, Input
from steps.nnet.architecture import Network, Precision
from utils import config


@dataclass
class Training:
    """Stochastic gradient descent with momentum; the learning rate falls exponentially, step by step."""

    epochs: int = 30
    """Number of epochs, each one crop of every utterance."""
    batch: int = 128
    """Crops a gradient step, at most, of all processes together."""
    bn_group: int = 0
    """Crops over which the batch norm takes its statistics; 0: all of a step. Several processes need at least one group
    each."""
    lr: float = 0.1
    """Learning rate at the start."""
    final_lr: float = 1e-4
    """Learning rate at the end."""
    momentum: float = 0.9
    """Momentum, 0 (none) or above."""
    weight_decay: float = 1e-4
    """L2 regularisation of the weights, 0 (none) or above."""
    loss: Literal["softmax", "aam"] = "softmax"
    """Loss: cross-entropy, or additive angular margin softmax (AAM)."""
    margin: float = 0.2
    """Margin of the AAM loss, in radians."""
    scale: float = 30.0
    """Scale of the cosines in the AAM loss."""
    lambda_teacher: float = 1.0
    """With --teacher: weight of the squared error of the teacher's standardised vector, which a linear layer on the
    embedding is to find; above 0."""
    heldout_every: int = 5
    """Epochs from one test on the held-out utterances to the next."""
    seed: int = 0
    """Seed of weights, order of utterances, crops and augmentation."""
    precision: Precision = "auto"
    """Precision of the convolutions in training; auto: bfloat16 where the machine has it."""

    def __post_init__(self) -> None:
        config.require_positive(self, "epochs", "batch", "lr", "final_lr", "scale", "lambda_teacher", "heldout_every")
        config.require_not_negative(self, "momentum", "weight_decay", "margin", "bn_group")


@dataclass
class Config:
    """A pre-training: conf/pretrain.yaml."""

    network: Network = field(default_factory=Network)
    """What the network is made of."""
    input: Input = field(default_factory=Input)
    """How stored filter-banks become the network's input."""
    training: Training = field(default_factory=Training)
    """How the network is trained."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """What is done to training crops."""

    def __post_init__(self) -> None:
        self.input.check_crop(self.network.smallest_input)
