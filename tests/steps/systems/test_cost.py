"""What a system costs, against figures counted by hand."""

import time

import pytest
import torch

from steps.nnet.architecture import Network
from steps.systems.cost import cost
from steps.systems.system import Backend, Config, Training

CLASSES, BINS, FRAMES = 4, 41, 100


def resnet18(width):
    """(weights, multiplications) of Table 1 for a second of speech: convolutions of k × k, then a batch norm's γ, β."""
    channels = [width, 2 * width, 4 * width, 8 * width, 8 * width]
    layers, T, F = [(7, 1, width, FRAMES * BINS)], FRAMES, BINS
    for own, after in zip(channels, channels[1:]):
        layers += 4 * [(3, own, own, T * F)]
        T, F = (T + 1) // 2, (F + 1) // 2
        layers.append((3, own, after, T * F))
    layers = [(k * k * inputs * outputs, 2 * outputs, places) for k, inputs, outputs, places in layers]
    return sum(conv + norm for conv, norm, _ in layers), sum(conv * places for conv, _, places in layers)


def test_the_resnet18_of_the_paper():
    weights, multiplications = resnet18(16)
    assert round(weights / 1e6, 2) == 1.03  # Table 1
    found = cost(Config(), CLASSES, BINS)
    assert found["parameters"] == weights + 128 * CLASSES + CLASSES
    assert found["multiplications"] == multiplications + 128 * CLASSES
    assert 0 < found["real_time_factor"] < 1


def test_ad_adds_a_norm_and_two_pairs_of_convolutions_and_its_losses_nothing():
    plain, ad = (cost(Config(Network(width=2, AD=on, D=3)), CLASSES, BINS) for on in (False, True))
    size, T, F = 16, 7, 3
    pair = 2 * size * 3
    assert ad["parameters"] - plain["parameters"] == 2 * size + 2 * (pair + 3 + size)
    assert ad["multiplications"] - plain["multiplications"] == pair * (T + F)


@pytest.mark.parametrize(("classes", "margins"), [(4, 4), (2, 1)])
@pytest.mark.parametrize("kind", ["linear", "svm"])
def test_a_linear_model_of_functionals(kind, classes, margins):
    found = cost(Config(backend=Backend(kind=kind, sees="functionals")), classes, BINS)
    size = 138 + 2 * BINS
    assert found["parameters"] == (size + 1) * margins and found["multiplications"] == size * margins
    assert 0 < found["real_time_factor"] < 1


def test_a_network_of_one_hidden_layer_costs_two_matrix_products():
    backend = Backend(kind="mlp", sees="given", hidden=5)
    found = cost(Config(training=Training(epochs=0), backend=backend), CLASSES, 768)
    assert found["parameters"] == 769 * 5 + 6 * CLASSES and found["multiplications"] == 768 * 5 + 5 * CLASSES


def test_of_given_vectors_the_cost_is_the_classifiers_alone():
    found = cost(Config(training=Training(epochs=0), backend=Backend(kind="svm", sees="given")), CLASSES, 768)
    assert found["parameters"] == 769 * CLASSES and found["multiplications"] == 768 * CLASSES


def test_a_classifier_of_embeddings_costs_what_the_network_does_and_its_own():
    weights, multiplications = resnet18(2)
    untrained = Training(epochs=0)
    linear = cost(Config(Network(width=2), training=untrained, backend=Backend(kind="linear")), CLASSES, BINS)
    assert linear["parameters"] == weights + 17 * CLASSES
    autoencoders = Backend(kind="autoencoders", latent=5)
    style = cost(Config(Network(width=2), training=untrained, backend=autoencoders), CLASSES, BINS)
    assert style["parameters"] == weights + 17 * 16 + 17 * 5 + 6 * CLASSES
    assert style["multiplications"] == multiplications + 16 * 16 + 16 * 5 + 5 * CLASSES


def test_it_takes_half_a_second_and_leaves_nothing_changed():
    cost(Config(), CLASSES, BINS)  # what is loaded once
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    began = time.process_time()
    cost(Config(), CLASSES, BINS)
    assert time.process_time() - began < 0.5
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)
