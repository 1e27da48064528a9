"""The configuration of an emotion system."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from steps.frontend.network_input import Input
from steps.nnet.networks import Network
from steps.training.device import Precision
from utils import config


@dataclass
class Training:
    """Adam; what is newly initialised learns at `classifier_lr`, the extractor at `extractor_lr`."""

    pretrained: bool = False  # start the extractor from the model in --pretrained
    epochs: int = 50
    batch: int = 128  # crops a step
    classifier_lr: float = 0.01
    extractor_lr: float = 1e-3
    # Both rates fall to a tenth as these epochs start.
    milestones: list[int] = field(default_factory=lambda: [21, 31, 41])
    lambda_ad: float = 0.5  # λ in L = L_emo + λ (L_AD⁺ + L_AD⁻)
    L_AD_plus: bool = True  # whether L_AD⁺ counts …
    L_AD_minus: bool = True  # … and L_AD⁻
    lambda_speaker: float = 0.0  # weight of a speaker classifier on the embedding …
    adversarial: bool = False  # … whose gradient is reversed on its way into the network
    class_balanced: bool = False  # weigh each utterance by the inverse of its class's frequency
    selection: Literal["wf1", "ua", "last"] = "wf1"  # which epoch: by the validation speakers' wF1, UA, or the last
    oracle: bool = False  # also write scores.oracle, of the epoch that is best on the test speakers: what that leaks
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        config.require_positive(self, "epochs", "batch")


@dataclass
class Config:
    network: Network = field(default_factory=Network)
    input: Input = field(default_factory=Input)
    training: Training = field(default_factory=Training)
