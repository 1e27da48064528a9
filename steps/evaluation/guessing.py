"""How well the class is guessed from something that is not the voice's emotion: from whose utterance it is, which
sentence, which session; or from a property of the recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steps.evaluation.metrics import Metrics, confusion, of_confusions
from steps.evaluation.significance import RESAMPLES, SEED, resample

# scikit-learn is imported where it is used: that takes longer than all else a step does to show its --help.

PERMUTATIONS = 499
FOLDS = 5  # of cross-validation over speakers, where there are so many
LEAVES, LEAST = 8, 0.01  # of the tree that guesses: leaves at most; utterances in a leaf, as a share of all, at least


@dataclass
class Guess:
    """What guessing reaches, beside chance."""

    metrics: Metrics  # in percent
    chance: float  # UA, in percent, where there is nothing to guess from
    p: float  # that it is no better than chance, one-sided
    utterances: int
    groups: int = 0  # of `from_groups`: how many
    single: int = 0  # of `from_groups`: how many of those with several utterances show one class alone
    best_class: float = 0.0  # of `from_columns`: how well the class that is told best is told from the rest, of 1

    @property
    def gain(self) -> float:
        """How far UA is from chance (0) to certainty (1); below 0, worse than chance."""
        room = 100 - self.chance
        return float((self.metrics.ua - self.chance) / room) if room > 1e-9 else 0.0


def from_others(counts: np.ndarray) -> np.ndarray:
    """The confusions, (classes, classes), of guessing an utterance's class as the one that is over-represented among
    the others of its group, from (groups, classes) counts; fractions where classes tie, as all do where an utterance is
    alone. For the utterance itself one of each class is left out: were it alone left out, its class would be the
    rarest in every group that is balanced by design. A class counts by its share of all of that class, so that the
    commonest is not guessed for being common."""
    shares = np.maximum(counts - 1, 0) / np.maximum(counts.sum(axis=0), 1)
    best = np.isclose(shares, shares.max(axis=1, keepdims=True), rtol=1e-9, atol=0)
    return counts.T @ (best / best.sum(axis=1, keepdims=True))


def from_groups(groups: np.ndarray, labels: np.ndarray) -> Guess:
    """Guessing from the other utterances of the same group; groups: (N,) names, labels: (N,) class indices. Chance and
    p are of permutations of the labels over all utterances: chance is more than a share of the classes where groups
    are small."""
    labels = np.unique(labels, return_inverse=True)[1]
    index, classes = np.unique(groups, return_inverse=True)[1], int(labels.max()) + 1

    def table(labels: np.ndarray) -> np.ndarray:
        return np.bincount(index * classes + labels, minlength=(index.max() + 1) * classes).reshape(-1, classes)

    counts, rng = table(labels), np.random.default_rng(SEED)
    found = of_confusions(from_others(counts))
    dealt = [float(of_confusions(from_others(table(rng.permutation(labels)))).ua) for _ in range(PERMUTATIONS)]
    p = (1 + sum(value >= found.ua - 1e-9 for value in dealt)) / (1 + PERMUTATIONS)
    several = counts[counts.sum(axis=1) > 1]
    single = int(((several > 0).sum(axis=1) == 1).sum())
    return Guess(found, float(np.mean(dealt)), p, len(labels), len(counts), single)


def decide(columns: np.ndarray, labels: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """(N,) decisions of a small tree over the (N, C) columns, nan where unknown, each on speakers that it was not grown
    on; classes weigh alike."""
    from sklearn.model_selection import GroupKFold
    from sklearn.tree import DecisionTreeClassifier

    decisions = np.zeros_like(labels)
    splits = GroupKFold(min(FOLDS, len(np.unique(speakers)))).split(columns, labels, speakers)
    for train, test in splits:
        least = max(5, int(LEAST * len(train)))
        tree = DecisionTreeClassifier(
            max_leaf_nodes=LEAVES, min_samples_leaf=least, class_weight="balanced", random_state=SEED
        )
        decisions[test] = tree.fit(columns[train], labels[train]).predict(columns[test])
    return decisions


def from_columns(columns: Sequence[np.ndarray], labels: np.ndarray, speakers: np.ndarray) -> Guess:
    """Guessing from (N,) properties of the recording, on speakers never seen, of whom there must be two; labels: (N,)
    class indices. p: of a bootstrap over speakers."""
    labels = np.unique(labels, return_inverse=True)[1]
    classes, people = int(labels.max()) + 1, np.unique(speakers)
    decisions = decide(np.column_stack(columns), labels, speakers)
    by_speaker = [confusion(labels[speakers == one], decisions[speakers == one], classes) for one in people]
    metrics = of_confusions(np.sum(by_speaker, axis=0))
    values = resample(np.stack(by_speaker)[:, None]).ua
    p = (1 + int((values <= 100 / classes).sum())) / (1 + RESAMPLES)
    counts = np.sum(by_speaker, axis=0)
    true, decided, right = counts.sum(axis=1), counts.sum(axis=0), np.diagonal(counts)
    told = right / true - (decided - right) / np.maximum(len(labels) - true, 1)  # hits less false alarms
    return Guess(metrics, 100 / classes, p, len(labels), best_class=float(told.max()))
