"""Guessing the class from what is not speech: against independent formulas, and against what chance gives."""

import numpy as np
import pytest
from sklearn.metrics import recall_score

from steps.evaluation.guessing import decide, from_columns, from_groups, from_others


def plainly(groups, labels):
    """`from_others`, utterance by utterance."""
    classes = sorted(set(labels))
    confusion = np.zeros((len(classes), len(classes)))
    for group, label in zip(groups, labels):
        inside = [other for own, other in zip(groups, labels) if own == group]
        shares = [max(0, inside.count(one) - 1) / labels.count(one) for one in classes]
        best = [k for k, share in enumerate(shares) if share == pytest.approx(max(shares), abs=1e-12)]
        for k in best:
            confusion[classes.index(label), k] += 1 / len(best)
    return confusion


@pytest.mark.parametrize("seed", range(4))
def test_guessing_all_at_once_is_guessing_one_by_one(seed):
    rng = np.random.default_rng(seed)
    groups, labels = rng.integers(0, 9, 60), rng.integers(0, 3, 60)
    counts = np.array([[np.sum((groups == g) & (labels == c)) for c in range(3)] for g in np.unique(groups)])
    np.testing.assert_allclose(from_others(counts), plainly(groups.tolist(), labels.tolist()), atol=1e-9)


def test_a_group_of_one_class_tells_it_and_one_utterance_tells_nothing():
    labels = np.repeat([0, 1, 2], 20)
    for size in (2, 5):
        tied = from_groups(np.repeat(np.arange(60 // size), size), labels)
        assert tied.metrics.ua == 100 and tied.gain == 1 and tied.p == pytest.approx(1 / 500)
        assert tied.groups == tied.single == 60 // size
    alone = from_groups(np.arange(60), labels)
    assert alone.metrics.ua == pytest.approx(100 / 3) == alone.chance
    assert alone.p == 1 and alone.single == 0 and alone.gain == pytest.approx(0, abs=1e-9)


def test_groups_that_are_balanced_by_design_tell_nothing_and_hide_no_others():
    labels, groups = np.tile(np.arange(4), 60), np.repeat(np.arange(30), 8)
    balanced = from_groups(groups, labels)
    assert balanced.metrics.ua == pytest.approx(25) and balanced.gain < 0
    some = np.where(groups < 10, 100 + labels, groups)  # a third of them tied to a class
    assert from_groups(some, labels).p < 0.01 and 0.1 < from_groups(some, labels).gain < 0.3


def test_most_speakers_of_one_class_are_nearly_certain():
    """As in one public corpus, where 26 of 29 speakers show a single class."""
    speakers = np.repeat(np.arange(29), [14] * 28 + [8])
    labels = np.where(speakers < 3, np.arange(400) % 4, speakers % 4)
    found = from_groups(speakers, labels)
    assert (found.single, found.groups) == (26, 29) and found.metrics.wa > 90 and found.gain > 0.8 and found.p < 0.01


@pytest.mark.parametrize("size", [2, 3, 20])
def test_labels_at_random_are_no_tie_however_small_the_groups_and_uneven_the_classes(size):
    rng, gains, low = np.random.default_rng(1), [], 0
    for _ in range(10):
        found = from_groups(np.repeat(np.arange(600 // size), size), rng.choice(3, 600, p=[0.8, 0.1, 0.1]))
        gains.append(found.gain)
        low += found.p < 0.05
    assert abs(np.mean(gains)) < 0.03 and max(gains) < 0.15 and low <= 3


def test_a_property_is_tried_on_speakers_that_it_was_not_learnt_on():
    rng = np.random.default_rng(2)
    speakers, labels = np.repeat(np.arange(10), 30), np.tile(np.arange(3), 100)
    own = np.choose(labels, [speakers * 10.0, speakers * 10 + 3, speakers * 10 + 6])  # tells within a speaker alone
    within = from_columns([rng.permutation(10)[speakers] * 100 + rng.normal(size=300)], labels, speakers)
    assert within.gain < 0.1
    told = from_columns([labels + rng.normal(0, 0.1, 300)], labels, speakers)
    assert told.gain > 0.95 and told.p < 0.001
    assert from_columns([rng.normal(size=300)], labels, speakers).p > 0.01
    decisions = decide(np.column_stack([own]), labels, speakers)
    ua = recall_score(labels, decisions, average="macro")
    assert from_columns([own], labels, speakers).metrics.ua == pytest.approx(100 * ua)


def test_a_property_that_is_partly_unknown_is_no_trouble():
    rng = np.random.default_rng(3)
    speakers, labels = np.repeat(np.arange(6), 40), np.tile(np.arange(2), 120)
    column = np.where(rng.random(240) < 0.3, np.nan, labels.astype(float))
    found = from_columns([column], labels, speakers)
    assert 0.5 < found.gain < 0.9


def test_chance_alone_is_seldom_called_a_finding():
    """p of the bootstrap over speakers, where nothing is to be found."""
    rng, low = np.random.default_rng(4), 0
    for _ in range(40):
        labels = rng.integers(0, 4, 240)
        low += from_columns([rng.normal(size=240)], labels, np.repeat(np.arange(12), 20)).p < 0.05
    assert low <= 6
