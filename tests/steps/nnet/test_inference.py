import numpy as np
import pytest
import torch

from steps.nnet import inference
from steps.nnet.architecture import Network
from steps.nnet.networks import Classifier


def trained(network: Network) -> Classifier:
    """A network whose batch norms shift and scale, so that what lies behind an utterance's end would not stay zero."""
    torch.manual_seed(0)
    model = Classifier(network, 4).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.normal_(module.bias)
    for adapter in model.adapters or []:
        torch.nn.init.normal_(adapter.alpha.weight, std=0.1)
    return model


@pytest.mark.parametrize(
    "settings",
    [
        {"AD": True},
        {"adapters": True, "pooling": "mean_sd"},
        {"extractor": "vgg5", "AD": True, "attention": "se"},
        {"norm": "instance"},
        {"AD": True, "AD_after": ["stage2", "end"]},
    ],
)
def test_utterances_of_mixed_length_are_scored_as_each_would_be_alone(settings, monkeypatch):
    model = trained(Network(width=4, **settings))
    rng = np.random.default_rng(0)
    utterances = [rng.normal(size=(frames, 41)).astype(np.float32) for frames in (90, 45, 47, 120, 61, 46)]
    monkeypatch.setitem(inference.FRAMES, "cpu", 250)
    said = inference.infer(model, utterances)
    with torch.inference_mode():
        alone = [model(torch.from_numpy(one)[None]) for one in utterances]
    for name in ("logits", "embedding"):
        expected = torch.cat([getattr(one, name) for one in alone])
        torch.testing.assert_close(getattr(said, name), expected, rtol=1e-4, atol=1e-5)
    for space, expected in zip(said.spaces, zip(*(one.spaces for one in alone)), strict=True):
        for part, values in zip(space, zip(*expected)):
            torch.testing.assert_close(part, torch.cat(values), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"AD": True}, {"norm": "instance", "vgg5_max_pool": [1, 2, 3, 4]}])
def test_an_utterance_of_a_few_frames_is_repeated_and_changes_no_other(settings):
    model = trained(Network(extractor="vgg5", width=4, **settings))
    rng = np.random.default_rng(0)
    long = [rng.normal(size=(frames, 41)).astype(np.float32) for frames in (250, 300)]  # batches of one
    short = rng.normal(size=(2, 41)).astype(np.float32)
    said, with_short = inference.infer(model, long), inference.infer(model, [*long, short])
    assert torch.equal(said.logits, with_short.logits[:-1]) and torch.equal(said.embedding, with_short.embedding[:-1])
    alone = model(torch.from_numpy(np.tile(short, (model.smallest_input // 2, 1)))[None])
    torch.testing.assert_close(with_short.logits[-1:], alone.logits, rtol=1e-4, atol=1e-5)


def test_batches_hold_every_utterance_once_and_no_more_frames_than_asked():
    lengths = [10, 30, 20, 500, 21]
    found = list(inference.batches(sorted(range(5), key=lengths.__getitem__), lengths, 60))
    assert sorted(sum(found, [])) == [0, 1, 2, 3, 4] and len(found) < 5
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 60 for batch in found)
