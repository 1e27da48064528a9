"""The configuration of an emotion system."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from steps.frontend.settings import Augmentation, Input
from steps.nnet.settings import Network, Precision
from utils import config


@dataclass
class Training:
    """Adam; what is newly initialised learns at `classifier_lr`, the extractor and its adapters at `extractor_lr`."""

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
        config.require_positive(self, "batch")
        config.require_not_negative(self, "classifier_lr", "extractor_lr", "lambda_ad", "lambda_speaker")
        if min(self.milestones, default=1) < 1:
            raise ValueError(f"milestones {self.milestones}: epochs are counted from 1")
        if self.epochs < 0:
            raise ValueError(f"epochs is {self.epochs}, and must be 0 (the network stays as it is) or above")


@dataclass
class Backend:
    """What decides, and on what."""

    # The network's own classifier; or, fitted on vectors afterwards: logistic regression, a linear SVM, or a pair of
    # auto-encoders that separate style from speaker.
    kind: Literal["network", "linear", "svm", "autoencoders"] = "network"
    sees: Literal["embedding", "functionals"] = "embedding"  # of the network; or statistics of the filter-bank
    # "linear", "svm": inverse regularisations, of which the validation speakers choose.
    C: list[float] = field(default_factory=lambda: [0.001, 0.01, 0.1, 1.0, 10.0])
    latent: int = 32  # "autoencoders": size of each latent space, …
    epochs: int = 100
    batch: int = 64
    lr: float = 1e-3

    def __post_init__(self) -> None:
        config.require_positive(self, "latent", "epochs", "batch", "lr")
        if not self.C or min(self.C) <= 0:
            raise ValueError(f"backend: C {self.C} must hold numbers above 0")
        if self.kind == "network" and self.sees != "embedding":
            raise ValueError("backend: the network sees no functionals; kind is linear, svm or autoencoders")


@dataclass
class Config:
    network: Network = field(default_factory=Network)
    input: Input = field(default_factory=Input)
    training: Training = field(default_factory=Training)
    augmentation: Augmentation = field(default_factory=Augmentation)
    backend: Backend = field(default_factory=Backend)

    def __post_init__(self) -> None:
        if self.backend.kind == "network" and not self.training.epochs:
            raise ValueError("training: epochs is 0, which leaves nothing that could tell emotions")
        self.input.check_crop(self.network.least)

    @property
    def has_oracle(self) -> bool:
        """Whether scores.oracle is written: where it is asked for, and the epoch is the network's to choose."""
        return self.training.oracle and self.backend.kind == "network"

    @property
    def has_network(self) -> bool:
        """Whether there is a network in it at all."""
        return self.backend.sees == "embedding"
