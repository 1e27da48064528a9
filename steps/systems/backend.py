"""Classifiers of fixed vectors: what is fitted, in seconds, on embeddings, functionals or given vectors, which no
gradient reaches."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from steps.evaluation.metrics import classification_metrics
from steps.nnet.autoencoders import ParallelAutoencoders
from steps.systems.mlp import MLP
from steps.systems.partition import Partition
from steps.systems.speaker_mean import less_speakers
from steps.systems.system import Backend, Config
from steps.training.order import draw

# scikit-learn and scipy are imported where they are used: networks and --help do without.
if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

Vectors = Mapping[str, np.ndarray]  # part → (N, size)


class Decisions(NamedTuple):
    """What a classifier makes of the utterances of each part: (N, …) by "train", "valid", "test"."""

    posteriors: Vectors
    embedding: Vectors  # what it sees
    minus: Vectors | None = None  # the other space, where there are two: of pool(F⁻), or of the speaker
    last: np.ndarray | None = None  # (N, classes) for "test" after the last epoch, where one of several was selected


def classify(vectors: Vectors, run: Partition, settings: Config, seed: int) -> Decisions:
    """Fit on the training speakers' vectors, choose on the validation speakers', apply to all."""
    from sklearn.preprocessing import StandardScaler

    options = settings.backend
    if options.cmn == "speaker":
        centre = vectors["train"].mean(axis=0)
        vectors = {part: less_speakers(x, run.speakers_of(part), centre) for part, x in vectors.items()}
    build = partial(mlp, options, seed) if options.kind == "mlp" else svm if options.kind == "svm" else linear
    known = dict(vectors) | {"known": np.concatenate([vectors["train"], vectors["valid"]])}

    def weights(part: str) -> np.ndarray | None:
        drawn = run.weights(settings.training, part)
        return None if drawn is None else drawn.numpy()

    def scaled(part: str) -> dict[str, np.ndarray]:
        """All vectors, standardised by those of a part."""
        scaler = StandardScaler().fit(known[part], sample_weight=weights(part))
        return {name: scaler.transform(values).astype(np.float32) for name, values in known.items()}

    def posteriors(part: str, C: float, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """By a classifier that is fitted on a part."""
        model = build(C).fit(values[part], run.labels(part), sample_weight=weights(part))
        return {name: class_posteriors(model, values[name], len(run.corpus.classes)) for name in vectors}

    values = scaled("train")
    if options.kind == "autoencoders":
        return autoencoders(
            {part: values[part] for part in vectors}, run, options, seed, run.weights(settings.training)
        )
    candidates = {C: posteriors("train", C, values) for C in sorted(options.C)}
    best = max(candidates, key=lambda C: merit(candidates[C]["valid"], run))  # ties: the stronger regularisation
    found = candidates[best]
    if options.refit:
        found["test"] = posteriors("known", best, scaled("known"))["test"]
    return Decisions(found, vectors)


def linear(C: float) -> BaseEstimator:
    """The linear model of [4]: multinomial logistic regression."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C, max_iter=2000)


def svm(C: float) -> BaseEstimator:
    """A linear SVM for each class against the others. (Its solver may draw, whatever the seed, the same numbers: what
    is fitted depends on vectors and labels alone.)"""
    from sklearn.svm import LinearSVC

    return LinearSVC(C=C, max_iter=20000, random_state=0)


def mlp(options: Backend, seed: int, C: float) -> MLP:
    """A network of one hidden layer."""
    return MLP(options.hidden, C, options.epochs, options.batch, options.lr, seed)


def class_posteriors(model: Any, values: np.ndarray, classes: int) -> np.ndarray:
    """(N, classes); 0 for classes that nobody in training showed. Of an SVM, the softmax of its margins: they order the
    classes as it does, and are not calibrated."""
    from scipy.special import softmax

    if hasattr(model, "predict_proba"):
        of_known = model.predict_proba(values)
    else:
        margins = model.decision_function(values)
        of_known = softmax(np.column_stack([-margins, margins]) if margins.ndim == 1 else margins, axis=1)
    result = np.zeros((len(values), classes))
    result[:, model.classes_] = of_known
    return result


def merit(posteriors: np.ndarray, run: Partition) -> tuple[float, float]:
    """wF1 and UA on the validation speakers."""
    metrics = classification_metrics(run.labels("valid"), posteriors.argmax(axis=1))
    return metrics.wf1, metrics.ua


def autoencoders(
    vectors: Vectors, run: Partition, options: Backend, seed: int, weights: torch.Tensor | None
) -> Decisions:
    """Decisions of the style space's classifier ([21]), in the epoch that is best on the validation speakers; weights:
    how often a vector is drawn. (On the CPU: these networks are small.)"""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    inputs = {part: torch.from_numpy(values) for part, values in vectors.items()}
    x, y_e, y_s = inputs["train"], run.y_e[run.index["train"]].cpu(), run.y_s[run.index["train"]].cpu()
    model = ParallelAutoencoders(x.shape[1], options.latent, len(run.corpus.classes), len(run.speakers))
    optimiser = torch.optim.Adam(model.parameters(), lr=options.lr)
    best = (-1.0, -1.0)
    for _ in range(options.epochs):
        for batch in draw(len(x), weights, generator).split(options.batch):
            optimiser.zero_grad()
            model.loss(x[batch], y_e[batch], y_s[batch]).backward()
            optimiser.step()
        decisions = decide(model, inputs)
        if (now := merit(decisions.posteriors["valid"], run)) >= best:  # ties: the later epoch
            best, selected = now, decisions
    return selected._replace(last=decisions.posteriors["test"])


@torch.inference_mode()
def decide(model: ParallelAutoencoders, inputs: Mapping[str, torch.Tensor]) -> Decisions:
    """The auto-encoders' decisions on (N, size) vectors of each part."""
    spaces = {part: model(values) for part, values in inputs.items()}
    return Decisions(
        {part: model.emotion_of_style(z_style).softmax(dim=1).numpy() for part, (z_style, _) in spaces.items()},
        {part: z_style.numpy() for part, (z_style, _) in spaces.items()},
        {part: z_speaker.numpy() for part, (_, z_speaker) in spaces.items()},
    )
