"""Several processes train the network that one would: gradients, running statistics, whole trainings."""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from steps.training.distributed import ALONE, Ranks
from utils.cli import UserError

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("n", "group", "size"), [(128, 32, 4), (127, 32, 2), (10, 4, 3), (5, 0, 1), (9, 2, 2)])
def test_the_ranks_share_a_batch_whose_groups_do_not_depend_on_them(n, group, size):
    parts = [part for rank in range(size) for part in Ranks(rank, size).own(n, group)]
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(n))
    assert all(part.stop - part.start <= (group or n) for part in parts)
    assert parts == ALONE.own(n, group)


def test_too_few_groups_for_the_ranks_are_refused():
    with pytest.raises(UserError, match="set training.bn_group.* to 64 or less"):
        Ranks(0, 2).own(128, 0)


def test_groups_are_normalised_apart_and_their_gradients_averaged():
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    x, y = torch.randn(10, 3), torch.randint(2, (10,))
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}

    def terms(x, index):
        return {"L": nn.functional.cross_entropy(model(x), y[index]), "half": x.sum() / len(x)}

    means = ALONE.backward(model, terms, x, torch.arange(10), 5)
    # The same by hand: normalise each five, and take one mean over all ten.
    norm, linear = model
    normal = torch.cat([(part - part.mean(0)) / (part.var(0, unbiased=False) + norm.eps).sqrt() for part in x.split(5)])
    weight, bias = linear.weight.detach().clone().requires_grad_(), linear.bias.detach()
    loss = nn.functional.cross_entropy(normal @ weight.T + bias, y)
    loss.backward()
    assert means["L"].item() == pytest.approx(loss.item(), abs=1e-6)
    assert means["half"].item() == pytest.approx(x.sum().item() / 10, abs=1e-6)
    torch.testing.assert_close(linear.weight.grad, weight.grad)
    statistics = torch.stack([torch.stack([part.mean(0), part.var(0)]) for part in x.split(5)]).mean(0)
    torch.testing.assert_close(norm.running_mean, 0.9 * before["0.running_mean"] + 0.1 * statistics[0])
    torch.testing.assert_close(norm.running_var, 0.9 * before["0.running_var"] + 0.1 * statistics[1])
    assert norm.num_batches_tracked == 1


def test_one_group_is_plain_training_to_the_bit():
    torch.manual_seed(0)
    one, other = (nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)) for _ in range(2))
    other.load_state_dict(one.state_dict())
    x = torch.randn(7, 3)
    ALONE.backward(one, lambda x, index: {"L": one(x).square().mean()}, x, torch.arange(7), 7)
    other(x).square().mean().backward()
    for mine, plain in zip([*one.parameters(), *one.buffers()], [*other.parameters(), *other.buffers()]):
        assert torch.equal(mine, plain) and (mine.grad is None or torch.equal(mine.grad, plain.grad))


def test_two_processes_train_what_one_does(emotional, tmp_path):
    """By gloo, on the CPU. Of one epoch, to rounding; further ones let that grow, and how much depends on the CPU."""
    options = ["--network.width", "2", "--input.crop", "40", "--training.batch", "8", "--training.bn_group", "2"]
    options += ["--training.precision", "float32"]

    def train(out, processes, epochs):
        command = [
            ROOT / "utils/torchrun.py",
            tmp_path / "log",
            "steps/pretrain.py",
            *options,
            "--training.epochs",
            str(epochs),
            emotional,
            emotional,
            out,
        ]
        variables = {"PYTHONPATH": str(ROOT), "PET_NPROC_PER_NODE": str(processes), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, load_file(out / "model.safetensors")

    _, one = train(tmp_path / "one", 1, 1)
    _, two = train(tmp_path / "two", 2, 1)
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-4, atol=1e-5)
    said, also = (train(tmp_path / f"three{n}", n, 3)[0] for n in (1, 2))
    assert "2 processes" in also
    losses = [[float(text) for text in re.findall(r"epoch \d/3  L (\S+)", one)] for one in (said, also)]
    assert len(losses[0]) == 3
    np.testing.assert_allclose(*losses, atol=0.01)
