"""The feature extractors against Table 1 and §4.2."""

import pytest
import torch

from steps.nnet.resnet18 import ResNet18
from steps.nnet.vgg5 import VGG5


def shapes(network, x):
    """Output shape of every child of `network`."""
    found = {}
    for name, module in network.named_children():
        x = module(x)
        found[name] = tuple(x.shape[1:])
    return found


def test_resnet18_is_table_1():
    found = shapes(ResNet18(), torch.zeros(1, 1, 300, 41))
    assert found == {
        "conv1": (16, 300, 41),
        "stage1": (16, 300, 41),
        "transition1": (32, 150, 21),
        "stage2": (32, 150, 21),
        "transition2": (64, 75, 11),
        "stage3": (64, 75, 11),
        "transition3": (128, 38, 6),
        "stage4": (128, 38, 6),
        "transition4": (128, 19, 3),
    }


def test_resnet18_has_1_03_million_parameters():
    def conv(inputs, outputs, kernel):
        return inputs * outputs * kernel**2 + 2 * outputs  # with its batch norm

    stages = sum(4 * conv(c, c, 3) for c in (16, 32, 64, 128))
    transitions = conv(16, 32, 3) + conv(32, 64, 3) + conv(64, 128, 3) + conv(128, 128, 3)
    expected = conv(1, 16, 7) + stages + transitions
    assert sum(p.numel() for p in ResNet18().parameters()) == expected
    assert round(expected / 1e6, 2) == 1.03


def test_a_basic_block_adds_its_input():
    block = ResNet18().stage1[0].eval()
    for bn in (block.bn1, block.bn2):
        torch.nn.init.zeros_(bn.weight)
        torch.nn.init.zeros_(bn.bias)
    x = torch.rand(1, 16, 10, 5)
    assert torch.equal(block(x), x)


def test_vgg5_has_five_convolutions_of_16_to_80_channels():
    convolutions = [m for m in VGG5().modules() if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [16, 32, 48, 64, 80]
    assert {m.kernel_size for m in convolutions} == {(3, 3)}
    assert VGG5()(torch.zeros(1, 1, 300, 41)).shape == (1, 80, 75, 10)


@pytest.mark.parametrize("extractor", [ResNet18, VGG5])
def test_width_scales_every_layer(extractor):
    assert extractor(width=4).channels * 4 == extractor(width=16).channels
