"""Averaged weights: the mean of all states, and batch norms with the statistics of what they see."""

import pytest
import torch
from torch import nn

from steps.training.averaging import refresh_batch_norms, running_mean


def test_running_mean_is_the_mean_of_all():
    states = [{"w": torch.randn(3), "seen": torch.tensor(n)} for n in range(4)]
    mean = {}
    for number, state in enumerate(states, 1):
        mean = running_mean(mean, state, number)
    torch.testing.assert_close(mean["w"], torch.stack([state["w"] for state in states]).mean(dim=0))
    assert mean["seen"] == 3 and mean["w"].data_ptr() != states[0]["w"].data_ptr()


def test_a_mean_that_was_read_from_a_checkpoint_goes_on_where_the_network_is():
    mean = running_mean({"w": torch.zeros(3)}, {"w": torch.zeros(3, device="meta")}, 2)  # as on a GPU
    assert mean["w"].device.type == "meta"


def test_batch_norms_take_the_statistics_of_all_batches_and_frozen_ones_keep_theirs():
    class Frozen(nn.BatchNorm1d):
        def train(self, mode=True):
            return super().train(False)

    model = nn.Sequential(nn.BatchNorm1d(2), Frozen(2))
    batches = [torch.randn(50, 2) * 3 + 1 for _ in range(4)]
    refresh_batch_norms(model, batches)
    torch.testing.assert_close(model[0].running_mean, torch.stack([x.mean(dim=0) for x in batches]).mean(dim=0))
    torch.testing.assert_close(model[0].running_var, torch.stack([x.var(dim=0) for x in batches]).mean(dim=0))
    assert model[0].momentum == 0.1 and not model.training
    assert model[1].running_mean.tolist() == [0, 0]


def test_where_no_batch_norm_learns_nothing_is_computed():
    model = nn.Sequential(nn.Linear(2, 2))
    refresh_batch_norms(model, (pytest.fail("a crop was made") for _ in range(1)))
    assert not model.training
