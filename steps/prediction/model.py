"""A model folder: what it holds, and what it answers to descriptors of a recording.

  model.safetensors  mean, scale (1851,): what descriptors are standardised by; weight_k, bias_k of each layer
  model.onnx         the same as a graph: descriptors (N, 1851) → posteriors (N, classes), unlike (N,)
  config.yaml        fields of `Settings`
  calibration.yaml   fields of `Calibration`
  CARD.md            what it was made from, what it can do, what it is not for

Loads neither torch nor scikit-learn."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from steps.frontend.features import LOWEST_EDGE, RATES
from utils import config
from utils.cli import UserError
from utils.yaml_file import read_yaml

WEIGHTS, GRAPH, CARD = "model.safetensors", "model.onnx", "CARD.md"
CONFIG, CALIBRATION = "config.yaml", "calibration.yaml"
OWN = Path(__file__).resolve().parents[2] / "egs/open/model"  # the one that comes with the recipe


@dataclass
class Settings:
    """What has to be known to use a model."""

    classes: list[str] = field(default_factory=list)
    """Names of the classes, in the order of the posteriors."""
    sample_frequency: int = 16000
    """Samples a second that recordings are brought to."""
    highest: float = 8000.0
    """Frequency in Hz above which nothing is heard."""
    corpora: list[str] = field(default_factory=list)
    """What it was trained on."""
    sums: dict[str, str] = field(default_factory=dict)
    """File → sum of its content and of all that stands above."""

    def __post_init__(self) -> None:
        if self.sample_frequency not in RATES:
            raise ValueError(f"sample_frequency is {self.sample_frequency}; the speech detector takes {RATES}")
        if not LOWEST_EDGE <= self.highest <= self.sample_frequency / 2:
            raise ValueError(
                f"highest is {self.highest:g} Hz, and must be from {LOWEST_EDGE} to half of sample_frequency, "
                f"{self.sample_frequency}"
            )


@dataclass
class Calibration:
    """What makes posteriors of a model's outputs, and when to doubt them."""

    temperature: float = 1.0
    """What outputs are divided by before the softmax; model.onnx has done so."""
    unsure: float = 0.5
    """Greatest posterior below which an answer is flagged `unsure`."""
    unlike: float = 2.0
    """Mean squared deviation of a recording's descriptors from those of the training recordings, in their standard
    deviations, above which it is flagged `unlike`."""
    shortest: float = 0.0
    """Seconds below which an answer is flagged `short`."""

    def __post_init__(self) -> None:
        config.require_positive(self, "temperature")
        config.require_not_negative(self, "unsure", "unlike", "shortest")


def sum_of(content: bytes, settings: Settings) -> str:
    """Of the content of a file of the folder, and of what config.yaml says."""
    said = json.dumps({name: value for name, value in asdict(settings).items() if name != "sums"})
    return hashlib.sha256(content + said.encode("utf-8")).hexdigest()[:32]


def content_of(folder: Path, settings: Settings, name: str) -> bytes:
    """What is in a file of the folder. Raises UserError where it is not the one that config.yaml was written for. What
    is summed is what is used: another model may take the folder's place meanwhile."""
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise UserError(f"{folder / name}: cannot be read: {error.strerror}") from None
    if settings.sums.get(name) != sum_of(content, settings):
        raise UserError(
            f"{folder / name}: is not what {CONFIG} was written for: one of them changed since; restore both, or make "
            "the model again"
        )
    return content


def read(folder: Path) -> tuple[Settings, Calibration]:
    """What the YAML files of a model folder say. Raises UserError where one is not there, or not what it was."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such model folder")
    for name in (CONFIG, CALIBRATION, GRAPH):
        if not (folder / name).is_file():
            raise UserError(f"{folder}: holds no {name}, so it is no model folder; steps/make_model.py makes one")
    settings, calibration = config.load(Settings, folder / CONFIG), config.load(Calibration, folder / CALIBRATION)
    for name, said in {CONFIG: settings, CALIBRATION: calibration}.items():
        if lacking := [key for key in vars(said) if key not in read_yaml(folder / name)]:
            raise UserError(f"{folder / name}: lacks '{lacking[0]}'; it is damaged, or of another version")
    content_of(folder, settings, CALIBRATION)
    return settings, calibration


def is_whole(folder: Path) -> bool:
    """Whether a model folder holds all that steps/make_model.py left there, as it left it."""
    try:
        settings, _ = read(folder)
        return {CARD, GRAPH, WEIGHTS, CALIBRATION} <= settings.sums.keys() and all(
            content_of(folder, settings, name) for name in settings.sums
        )
    except UserError:
        return False


class Answers(NamedTuple):
    """Of N recordings, or stretches of them."""

    posteriors: np.ndarray  # (N, classes)
    unlike: np.ndarray  # (N,)


class Model:
    """A model folder, opened."""

    def __init__(self, folder: Path | str) -> None:
        """Raises UserError where files are missing or damaged."""
        self.folder = Path(folder)
        try:
            self._open(self.folder)
        except UserError:
            time.sleep(0.2)  # another model may be taking its place
            self._open(self.folder)

    def _open(self, folder: Path) -> None:
        self.settings, self.calibration = read(folder)
        classes = self.settings.classes
        if len(set(classes)) < 2 or len(set(classes)) < len(classes):
            raise UserError(f"{folder / CONFIG}: classes: expected several names, each once, found {classes}")
        graph = content_of(folder, self.settings, GRAPH)
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else it writes to its maker's servers, and to HOME
        import onnxruntime as ort  # type: ignore[import-untyped]  # here, as --help does without

        from steps.frontend.descriptors import SIZE

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # a vector at a time keeps no two cores busy
        options.log_severity_level = 4
        try:
            self.session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions have no common base
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"{folder / GRAPH}: cannot be read: {said}") from None
        try:
            answers = self(np.zeros((2, SIZE), np.float32))
        except Exception as error:
            said = str(error).strip().splitlines()[-1]
            raise UserError(f"{folder / GRAPH}: answers no descriptors as steps/make_model.py has it: {said}") from None
        if answers.posteriors.shape != (2, len(classes)) or answers.unlike.shape != (2,):
            raise UserError(f"{folder}: {GRAPH} does not answer with the classes of {CONFIG}; they are of two models")

    def __call__(self, vectors: np.ndarray) -> Answers:
        """vectors: (N, 1851) float32 descriptors."""
        posteriors, unlike = self.session.run(["posteriors", "unlike"], {"descriptors": vectors.astype(np.float32)})
        return Answers(posteriors.astype(np.float64), unlike.astype(np.float64))

    @cached_property
    def mean(self) -> np.ndarray:
        """(1851,), of the training recordings' descriptors. Raises UserError where it cannot be read."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        from steps.frontend.descriptors import SIZE

        try:
            mean = load(content_of(self.folder, self.settings, WEIGHTS))["mean"]
        except (KeyError, SafetensorError) as error:
            raise UserError(f"{self.folder / WEIGHTS}: cannot be read: {error}") from None
        if mean.shape != (SIZE,) or not np.isfinite(mean).all():
            raise UserError(f"{self.folder / WEIGHTS}: mean is not that of {SIZE} descriptors")
        return mean


def with_prior(posteriors: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """(N, classes) posteriors of a model that learnt all classes as equally frequent, where their frequencies are as
    `prior` (classes,): p'(c) ∝ p(c) prior(c). The prior's own where the model gives all that it allows none."""
    weighted = posteriors * prior
    total = weighted.sum(axis=1, keepdims=True)
    return np.where(total > 0, weighted / np.where(total > 0, total, 1), prior / prior.sum())
