"""How far posteriors are to be trusted: temperature, calibration error, risk against coverage."""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """(N, classes) logits → posteriors."""
    z = logits / temperature
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)


def temperature(logits: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """The temperature T at which softmax(logits / T) has the least cross-entropy (Guo et al. 2017), from 0.05 to 20;
    weights: (N,) what each counts."""
    from scipy.optimize import minimize_scalar

    def loss(log_T: float) -> float:
        own = softmax(logits, float(np.exp(log_T)))[np.arange(len(y)), y]
        return float(-(weights * np.log(own.clip(1e-12))).sum() / weights.sum())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded").x))


def bins(posteriors: np.ndarray, y: np.ndarray, count: int = 10) -> np.ndarray:
    """(count, 3): of as many bins of equal mass, by the greatest posterior: its mean, the share that is right, how
    many. Fewer than `count` recordings have a bin each."""
    confidence, right = posteriors.max(axis=1), posteriors.argmax(axis=1) == y
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, count) if len(part)]
    return np.array([[confidence[part].mean(), right[part].mean(), len(part)] for part in parts])


def ece(posteriors: np.ndarray, y: np.ndarray, count: int = 10, draws: int = 1000) -> float:
    """Expected calibration error of the greatest posterior, in bins of equal mass: the mean distance of confidence and
    accuracy, less what chance adds to it (Kumar et al. 2019): that is found by drawing accuracies anew, `draws`
    times, around those that were seen. Never below 0."""
    table = bins(posteriors, y, count)
    confidence, accuracy, mass = table.T
    share = mass / mass.sum()
    plain = float((share * np.abs(confidence - accuracy)).sum())
    rng = np.random.default_rng(0)
    drawn = rng.normal(accuracy, np.sqrt(accuracy * (1 - accuracy) / mass), (draws, len(table)))
    return max(0.0, 2 * plain - float((share * np.abs(confidence - drawn)).sum(axis=1).mean()))


def risk_coverage(posteriors: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N, 2): if only the surest are answered, from one to all: the share that is answered, and of these the share
    that is wrong."""
    order = np.argsort(-posteriors.max(axis=1), kind="stable")
    wrong = (posteriors.argmax(axis=1) != y)[order]
    answered = np.arange(1, len(y) + 1)
    return np.column_stack([answered / len(y), np.cumsum(wrong) / answered])


def auroc(negative: np.ndarray, positive: np.ndarray) -> float:
    """How often a value of `positive` is above one of `negative`; equal ones count half."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative)))
