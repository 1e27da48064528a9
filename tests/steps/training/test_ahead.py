"""Batches made ahead of the step are those made in it, and leave the generator where it was."""

import threading

import pytest
import torch

from steps.training.ahead import AHEAD, batches

CPU, PIECES = torch.device("cpu"), torch.arange(40).split(4)


def batch(index, generator):
    """As many draws as the first index, so that the order shows."""
    return index.sum() + torch.rand(int(index[0]) + 1, generator=generator)


def test_crops_and_states_are_the_same_to_the_bit():
    plain = list(batches(batch, PIECES, torch.Generator().manual_seed(3), CPU, False))
    ahead = list(batches(batch, PIECES, torch.Generator().manual_seed(3), CPU, True))
    assert len(plain) == len(ahead) == 10
    for one, other in zip(plain, ahead):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_it_stays_a_few_batches_ahead_and_ends_with_its_training():
    made, before = [], threading.active_count()
    coming = batches(lambda index, _: made.append(index) or index, PIECES, torch.Generator(), CPU, True)
    next(coming)
    coming.close()
    assert 1 <= len(made) <= AHEAD + 1 and threading.active_count() == before


def test_what_fails_there_fails_here():
    def broken(index, generator):
        raise OSError("the disk has gone")

    with pytest.raises(OSError, match="the disk has gone"):
        next(batches(broken, PIECES, torch.Generator(), CPU, True))
