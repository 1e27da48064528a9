"""The configuration of an emotion system."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from steps.frontend.options import Augmentation, Input
from steps.nnet.architecture import Network, Precision
from utils import config

FITTED = ("linear", "svm", "mlp")  # kinds of backend that are fitted on vectors, with a regularisation
VECTORS = ("descriptors", "given")  # what may be seen that is there, one vector an utterance


def is_C(value: float) -> bool:
    """Whether it is a regularisation that a solver can work with."""
    return 1e-10 <= value <= 1e10


@dataclass
class Training:
    """Adam; what is newly initialised learns at `classifier_lr`, the extractor and its adapters at `extractor_lr`."""

    pretrained: bool = False
    """Start the extractor from the model in --pretrained."""
    extractor: str = ""
    """Folder in --pretrained that holds this model; empty: itself."""
    epochs: int = 50
    """Number of epochs, each as many crops as utterances; 0 leaves the network as it is, for a backend to use."""
    batch: int = 128
    """Crops a gradient step, at most."""
    classifier_lr: float = 0.01
    """Learning rate of what is newly initialised: classifier, AD, pooling, auxiliary classifiers."""
    extractor_lr: float = 1e-3
    """Learning rate of the extractor and its adapters."""
    milestones: list[int] = field(default_factory=lambda: [21, 31, 41])
    """Epochs, counted from 1, at whose start both learning rates fall to a tenth."""
    lambda_ad: float = 0.5
    """λ, the weight of the dual space loss in L = L_emo + λ (L_AD⁺ + L_AD⁻); 0 or above."""
    L_AD_plus: bool = True
    """Count L_AD⁺, the emotion loss on F⁺."""
    L_AD_minus: bool = True
    """Count L_AD⁻, the speaker loss on F⁻."""
    L_AD_minus_corpus: bool = False
    """Let F⁻ tell the corpus (utt2corpus), too: L_AD⁻ is the mean of the speaker loss and a corpus loss on F⁻."""
    lambda_speaker: float = 0.0
    """Weight of the loss of a speaker classifier on the embedding; 0: there is none."""
    adversarial: bool = False
    """Reverse the gradient of that speaker classifier, so that the embedding unlearns the speaker."""
    class_balanced: bool = False
    """Weigh each utterance in L_emo and L_AD⁺ by the inverse frequency of its class."""
    corpus_balanced: bool = False
    """Take as many crops of each corpus (utt2corpus) an epoch, and, with class_balanced, of each class of a corpus
    instead of weighing it. A linear model, SVM or mlp, and its standardisation, weigh each utterance likewise."""
    probe_C: float = 0.0
    """Let the classifier start as logistic regression, of this inverse regularisation, on the embeddings of whole
    training utterances, by which network.embedding_norm standardises for good; 0: it starts at random."""
    label_smoothing: float = 0.0
    """Share of each target of L_emo, 0 (none) to below 1, that is spread evenly over the classes."""
    selection: Literal["wf1", "ua", "last", "average"] = "wf1"
    """Network that is tested: after the epoch of highest weighted F1 or unweighted accuracy on the validation speakers,
    after the last epoch, or the mean of the weights after each epoch of the last third."""
    oracle: bool = False
    """Also write scores.oracle, of the epoch that is best on the test speakers, to show what that would leak."""
    precision: Precision = "auto"
    """Precision of the convolutions in training; auto: bfloat16 where the machine has it."""

    def __post_init__(self) -> None:
        config.require_positive(self, "batch")
        config.require_not_negative(self, "classifier_lr", "extractor_lr", "lambda_ad", "lambda_speaker", "probe_C")
        if self.probe_C and not is_C(self.probe_C):
            raise ValueError(f"probe_C is {self.probe_C}, and must be 0 (none), or from 1e-10 to 1e10")
        if self.extractor and not self.pretrained:
            raise ValueError(f"extractor {self.extractor}: is none without training.pretrained")
        if "/" in self.extractor or self.extractor.startswith("."):
            raise ValueError(f"extractor is '{self.extractor}', and must be the name of a folder in --pretrained")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing is {self.label_smoothing}, and must be from 0 (none) to below 1")
        if min(self.milestones, default=1) < 1:
            raise ValueError(f"milestones {self.milestones}: epochs are counted from 1")
        if self.L_AD_minus_corpus and not self.L_AD_minus:
            raise ValueError("L_AD_minus_corpus is a part of L_AD⁻, and L_AD_minus is false")
        if self.epochs < 0:
            raise ValueError(f"epochs is {self.epochs}, and must be 0 (the network stays as it is) or above")


@dataclass
class Backend:
    """What classifies, and on what vectors."""

    kind: Literal["network", "linear", "svm", "mlp", "autoencoders", "mean"] = "network"
    """Classifier: the network's own, or, fitted on vectors afterwards, logistic regression, a linear SVM, a network of
    one hidden layer (mlp), or a pair of auto-encoders that separate style from speaker; or the mean of the posteriors
    of other systems."""
    of: list[str] = field(default_factory=list)
    """Other systems, whose runs are taken up: their posteriors for a mean, of two at least; for linear, svm and mlp
    their embeddings, side by side."""
    sees: Literal["embedding", "functionals", "descriptors", "given"] = "embedding"
    """Vectors that are classified: the network's embeddings, functionals (statistics) of the filter-bank, the data
    dir's descriptors of the voice, or those given in --embeddings."""
    vectors: str = ""
    """Name of an .npz in --embeddings, a folder; empty: that is a file."""
    cmn: Literal["none", "speaker"] = "none"
    """speaker: linear, svm and mlp see vectors less their speaker's mean, n / (n + 4) of that of n. Who is tested must
    be known, too; labels are not looked at."""
    C: list[float] = field(default_factory=lambda: [0.001, 0.01, 0.1, 1.0, 10.0])
    """Inverse regularisations to try for linear, svm and mlp, above 0; the validation speakers choose."""
    refit: bool = False
    """Once C is chosen, fit linear, svm and mlp again on training and validation speakers together."""
    hidden: int = 256
    """Size of the hidden layer of an mlp."""
    latent: int = 32
    """Size of each latent space of the auto-encoders."""
    epochs: int = 100
    """Number of epochs of an mlp or the auto-encoders."""
    batch: int = 64
    """Vectors in a gradient step of these."""
    lr: float = 1e-3
    """Learning rate of these."""

    def __post_init__(self) -> None:
        config.require_positive(self, "hidden", "latent", "epochs", "batch", "lr")
        if not self.C or not all(map(is_C, self.C)):
            raise ValueError(f"backend: C {self.C} must hold numbers from 1e-10 to 1e10")
        if self.kind == "mlp" and min(self.C) < self.lr:  # a step would take away more than a weight: lr / C of it
            raise ValueError(f"backend: C {min(self.C):g} of an mlp is below its lr, {self.lr:g}: 1 and more work")
        if len(set(self.of)) < len(self.of) or (self.kind == "mean" and len(self.of) < 2):
            raise ValueError(f"backend: of {self.of}: a mean is of two or more systems, and each is named once")
        if odd := [name for name in self.of if not re.fullmatch(r"\w[\w.+-]*", name)]:
            raise ValueError(f"backend: of '{odd[0]}': is no name of a system, such as svm")
        if self.of and (self.kind not in ("mean", *FITTED) or self.sees != "embedding"):
            raise ValueError(f"backend: of {self.of}: kind is mean, linear, svm or mlp, and it sees the embedding")
        if self.vectors and (self.sees != "given" or not re.fullmatch(r"\w[\w.-]*", self.vectors)):
            raise ValueError(
                f"backend: vectors '{self.vectors}': is the name of an .npz, of a system that sees given ones"
            )
        if self.cmn == "speaker" and self.kind not in FITTED:
            raise ValueError(f"backend: cmn speaker: kind is linear, svm or mlp, and not {self.kind}")
        if self.kind == "network" and self.sees != "embedding":
            raise ValueError(
                f"backend: the network sees no vectors ({self.sees}); kind is linear, svm, mlp or autoencoders"
            )


@dataclass
class Config:
    """One emotion system: conf/finetune.yaml and a file of conf/systems."""

    network: Network = field(default_factory=Network)
    """What the network is made of."""
    input: Input = field(default_factory=Input)
    """How stored filter-banks become the network's input."""
    training: Training = field(default_factory=Training)
    """How the network is trained."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """What is done to training crops."""
    backend: Backend = field(default_factory=Backend)
    """What classifies, and on what vectors."""

    def __post_init__(self) -> None:
        if self.backend.kind == "network" and not self.training.epochs:
            raise ValueError("training: epochs is 0, which leaves nothing that could tell emotions")
        if not self.training.epochs and self.has_network and (untrained := self.network.to_learn):
            raise ValueError(f"training: epochs is 0, and network.{untrained} has weights to learn")
        if self.training.probe_C and not self.network.embedding_norm:
            raise ValueError("training.probe_C needs network.embedding_norm, which standardises what is probed")
        self.input.check_crop(self.network.smallest_input)

    @property
    def has_oracle(self) -> bool:
        """Whether scores.oracle is written: where it is asked for, and the epoch is the network's to choose."""
        return self.training.oracle and self.backend.kind == "network"

    @property
    def has_network(self) -> bool:
        """Whether there is a network in it at all."""
        return self.backend.sees == "embedding" and not self.backend.of

    @property
    def reads_features(self) -> bool:
        """Whether it is made of the data dir's filter-banks; else of vectors that are there."""
        return self.backend.sees not in VECTORS and not self.backend.of

    @property
    def needs_corpora(self) -> bool:
        """Whether its training reads utt2corpus."""
        return self.training.corpus_balanced or self.training.L_AD_minus_corpus
