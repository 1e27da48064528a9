"""A training step on another device than the CPU: torch's `meta` computes nothing, and refuses tensors of two devices,
as a GPU does. What needs a GPU's kernels is not seen here."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from steps.frontend import crops
from steps.frontend.copypaste import Augmented
from steps.frontend.packed import Packed
from steps.nnet.networks import Classifier
from steps.nnet.objective import Objective
from steps.systems.system import Config
from steps.training.device import on_device
from utils import config

CONF = Path(__file__).resolve().parents[3] / "egs/open/conf/systems"
SYSTEMS = [
    *("ad_all", "ad_corpus", "ad_frequency", "ad_se", "adapters", "adversarial", "attention_pooling", "class_balanced"),
    *("mean_sd", "multitask_speaker", "noise", "resnet18_in", "specaugment", "speed", "stages_ad", "vgg5_ad_all"),
]


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_step_keeps_to_its_device(name, monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # meta has none
    monkeypatch.setattr(crops, "fits", lambda *_: True)
    path, device = CONF / f"{name}.yaml", torch.device("meta")
    settings = config.build(Config, config.read_files([path], Config), path)
    training = settings.training
    model = on_device(Classifier(settings.network, 4), device)
    objective = Objective(
        model,
        2,
        training.lambda_ad,
        lambda_speaker=training.lambda_speaker,
        adversarial=training.adversarial,
        class_weights=torch.ones(4) if training.class_balanced else None,
        corpora=2 * training.L_AD_minus_corpus,
    ).to(device)
    rng, pairs = np.random.default_rng(0), [("a", "neu"), ("b", "ang")]
    inputs = Packed.of([rng.standard_normal((frames, 41)) for frames in (50, 300)])
    speakers, emotions = zip(*pairs)
    made = Augmented(crops.Crops(inputs, 64, device), settings.augmentation, speakers, emotions)
    x = made.batch(torch.arange(2), torch.Generator().manual_seed(0))
    y = torch.zeros(2, dtype=torch.long, device=device)
    loss = objective(model(x), y, y, y if training.L_AD_minus_corpus else None)["L"]
    loss.backward()
    torch.optim.Adam(model.parameters()).step()
    assert {tensor.device.type for tensor in (x, loss, *model.state_dict().values())} == {"meta"}
