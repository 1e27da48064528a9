"""The order of an epoch, by count."""

import numpy as np
import pytest
import torch

from steps.training.order import draw


def generator(seed):
    return torch.Generator().manual_seed(seed)


def test_without_weights_it_is_a_permutation_and_nothing_else_is_drawn():
    first, second = generator(3), generator(3)
    assert torch.equal(draw(50, None, first), torch.randperm(50, generator=second))
    assert torch.equal(first.get_state(), second.get_state())


def test_of_equal_weights_each_is_drawn_once():
    assert sorted(draw(50, torch.ones(50, dtype=torch.float64), generator(0)).tolist()) == list(range(50))


@pytest.mark.parametrize("sizes", [(90, 10), (7, 3), (60, 30, 11), (100, 1)])
def test_a_group_gets_its_share_and_an_utterance_its_weight(sizes):
    count, groups = sum(sizes), len(sizes)
    weights = torch.cat([torch.full((n,), count / groups / n, dtype=torch.float64) for n in sizes])
    epochs = [draw(count, weights, generator(seed)) for seed in range(400)]
    assert torch.equal(draw(count, weights, generator(7)), epochs[7]) and not torch.equal(epochs[0], epochs[1])
    times = np.array([np.bincount(epoch, minlength=count) for epoch in epochs])  # (epochs, utterances)
    assert (times >= weights.floor().numpy()).all() and (times <= weights.ceil().numpy() + 1e-9).all()
    for own in np.split(times, np.cumsum(sizes)[:-1], axis=1):
        assert abs(own.sum(axis=1) - count / groups).max() <= 1
        assert own.sum(axis=1).mean() == pytest.approx(count / groups, abs=0.15)
    np.testing.assert_allclose(times.mean(axis=0), weights.numpy(), atol=0.15)
