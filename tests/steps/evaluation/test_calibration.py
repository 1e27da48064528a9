"""Calibration against formulas written out, and against what was put in."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from steps.evaluation import calibration


@pytest.fixture
def drawn():
    """4000 logits, and labels that are drawn from their softmax."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 3))
    posteriors = calibration.softmax(logits)
    return logits, (posteriors.cumsum(axis=1) < rng.uniform(size=(4000, 1))).sum(axis=1)


def test_the_temperature_undoes_overconfidence(drawn):
    logits, y = drawn
    T = calibration.temperature(3 * logits, y, np.ones(len(y)))
    assert pytest.approx(3, rel=0.05) == T
    losses = {t: log_loss(y, calibration.softmax(3 * logits, t)) for t in (T / 1.2, T, 1.2 * T)}
    assert min(losses, key=losses.get) == T


def test_what_is_calibrated_has_no_error_and_what_is_not_has_the_one_by_hand(drawn):
    logits, y = drawn
    assert calibration.ece(calibration.softmax(logits), y) < 0.015  # 0.018 by chance alone
    posteriors = calibration.softmax(3 * logits)
    order = np.argsort(posteriors.max(axis=1))
    right = posteriors.argmax(axis=1) == y
    by_hand = np.mean([abs(posteriors.max(axis=1)[part].mean() - right[part].mean()) for part in np.split(order, 10)])
    assert by_hand > 0.05 and calibration.ece(posteriors, y) == pytest.approx(by_hand, abs=0.003)


def test_few_recordings_do_not_count_as_badly_calibrated():
    """400 coin tosses of posteriors of 0.5: every bin is off by chance alone."""
    rng = np.random.default_rng(1)
    posteriors = np.column_stack([rng.uniform(0.5, 0.52, 400), np.zeros(400)])
    posteriors[:, 1] = 1 - posteriors[:, 0]
    y = rng.integers(0, 2, 400)
    plain = np.mean([abs(row[0] - row[1]) for row in calibration.bins(posteriors, y)])
    assert plain > 0.04 and calibration.ece(posteriors, y) < plain / 2


def test_the_surest_are_answered_first():
    posteriors = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    assert calibration.risk_coverage(posteriors, np.array([0, 1, 1])).tolist() == [[1 / 3, 0], [2 / 3, 0], [1, 1 / 3]]


def test_auroc_is_scikit_learns():
    rng = np.random.default_rng(2)
    negative, positive = rng.normal(size=50).round(1), rng.normal(1, 1, 30).round(1)
    expected = roc_auc_score([0] * 50 + [1] * 30, np.concatenate([negative, positive]))
    assert calibration.auroc(negative, positive) == pytest.approx(expected)
