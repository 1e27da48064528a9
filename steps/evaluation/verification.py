"""Speaker verification: equal error rate and minimum detection cost of a list of trials."""

from __future__ import annotations

import numpy as np


def error_rates(scores: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Miss and false-alarm rate at every threshold; scores: (N,), higher for "same speaker"; targets: (N,) of 0/1."""
    from sklearn.metrics import roc_curve  # here, as it takes a second that --help need not wait for

    false_alarm, hit, _ = roc_curve(targets, scores, drop_intermediate=False)
    return 1 - hit, false_alarm


def eer(scores: np.ndarray, targets: np.ndarray) -> float:
    """The rate at which misses and false alarms are equally frequent, in [0, 1], interpolated between the two
    thresholds where they cross."""
    miss, false_alarm = error_rates(scores, targets)
    difference = miss - false_alarm  # falls from 1 to −1
    after = int(np.argmax(difference <= 0))
    before = after - 1
    share = difference[before] / (difference[before] - difference[after])
    return float(miss[before] + share * (miss[after] - miss[before]))


def min_dcf(scores: np.ndarray, targets: np.ndarray, p_target: float = 0.01) -> float:
    """The least of p_target · miss + (1 − p_target) · false alarm (both costs 1) over all thresholds, divided by that
    of the better of always accepting and always rejecting."""
    miss, false_alarm = error_rates(scores, targets)
    cost = p_target * miss + (1 - p_target) * false_alarm
    return float(cost.min() / min(p_target, 1 - p_target))
