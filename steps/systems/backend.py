"""Classifiers of fixed vectors: what is fitted, in seconds, on embeddings or functionals that no gradient reaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from steps.evaluation.metrics import classification_metrics
from steps.nnet.autoencoders import ParallelAutoencoders
from steps.systems.partition import Partition
from steps.systems.settings import Backend

# scikit-learn and scipy are imported where they are used: networks and --help do without.
if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

Vectors = Mapping[str, np.ndarray]  # part → (N, size)


class Verdict(NamedTuple):
    """What a classifier of vectors makes of each part: (N, …) by "train", "valid", "test"."""

    posteriors: Vectors
    embedding: Vectors  # what its classifier sees
    minus: Vectors | None = None  # what it has put aside
    last: np.ndarray | None = None  # (N, classes) for "test" after the last epoch, where one of several was selected


def classify(vectors: Vectors, run: Partition, options: Backend, seed: int) -> Verdict:
    """Fit on the training speakers' vectors, choose on the validation speakers', apply to all."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(vectors["train"])
    scaled = {part: scaler.transform(values).astype(np.float32) for part, values in vectors.items()}
    if options.kind == "autoencoders":
        return autoencoders(scaled, run, options, seed)
    build = linear if options.kind == "linear" else svm
    classes = len(run.corpus.classes)
    found = []
    for C in sorted(options.C):  # ties: the stronger regularisation
        model = build(C, seed).fit(scaled["train"], run.labels("train"))
        posteriors = {part: class_posteriors(model, values, classes) for part, values in scaled.items()}
        found.append((merit(posteriors["valid"], run), posteriors))
    return Verdict(max(found, key=lambda one: one[0])[1], vectors)


def linear(C: float, seed: int) -> BaseEstimator:
    """The linear model of [4]: multinomial logistic regression."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C, max_iter=2000, random_state=seed)


def svm(C: float, seed: int) -> BaseEstimator:
    """A linear SVM for each class against the others."""
    from sklearn.svm import LinearSVC

    return LinearSVC(C=C, max_iter=20000, random_state=seed)


def class_posteriors(model: BaseEstimator, values: np.ndarray, classes: int) -> np.ndarray:
    """(N, classes); 0 for classes that nobody in training showed. Of an SVM, the softmax of its margins: they order the
    classes as it does, and are not calibrated."""
    from scipy.special import softmax

    if hasattr(model, "predict_proba"):
        some = model.predict_proba(values)
    else:
        margins = model.decision_function(values)
        some = softmax(np.column_stack([-margins, margins]) if margins.ndim == 1 else margins, axis=1)
    result = np.zeros((len(values), classes))
    result[:, model.classes_] = some
    return result


def merit(posteriors: np.ndarray, run: Partition) -> tuple[float, float]:
    """How good they are on the validation speakers: wF1, then UA."""
    found = classification_metrics(run.labels("valid"), posteriors.argmax(axis=1))
    return found.wf1, found.ua


def autoencoders(vectors: Vectors, run: Partition, options: Backend, seed: int) -> Verdict:
    """[21]: the style space's classifier decides, of the epoch that is best on the validation speakers. (On the CPU:
    these networks are small.)"""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    inputs = {part: torch.from_numpy(values) for part, values in vectors.items()}
    x, y_e, y_s = inputs["train"], run.y_e[run.index["train"]].cpu(), run.y_s[run.index["train"]].cpu()
    model = ParallelAutoencoders(x.shape[1], options.latent, len(run.corpus.classes), len(run.speakers))
    optimiser = torch.optim.Adam(model.parameters(), lr=options.lr)
    best: tuple[tuple[float, float], Verdict] | None = None
    for _ in range(options.epochs):
        for batch in torch.randperm(len(x), generator=generator).split(options.batch):
            optimiser.zero_grad()
            model.loss(x[batch], y_e[batch], y_s[batch]).backward()
            optimiser.step()
        verdict = look(model, inputs)
        now = merit(verdict.posteriors["valid"], run)
        if best is None or now >= best[0]:  # ties: the later epoch
            best = now, verdict
    return best[1]._replace(last=verdict.posteriors["test"])


@torch.inference_mode()
def look(model: ParallelAutoencoders, inputs: Mapping[str, torch.Tensor]) -> Verdict:
    """What the auto-encoders say now."""
    spaces = {part: model(values) for part, values in inputs.items()}
    return Verdict(
        {part: model.emotion_of_style(z_style).softmax(dim=1).numpy() for part, (z_style, _) in spaces.items()},
        {part: z_style.numpy() for part, (z_style, _) in spaces.items()},
        {part: z_speaker.numpy() for part, (_, z_speaker) in spaces.items()},
    )
