"""The graph from samples to posteriors against the numpy way that scoring takes, and against itself in ONNX."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from steps.evaluation.calibration import softmax
from steps.frontend.descriptors import Descriptor
from steps.prediction import graphs, head
from steps.prediction.model import Calibration, Model, Settings
from steps.prediction.waveform import Waveform
from utils import config

ROOT = Path(__file__).resolve().parents[3]
MODEL = ROOT / "egs/open/model"


def voice(seconds, seed, rate=16000):
    """A voice of a kind: a gliding pulse train through resonances, with pauses and noise; on the scale of 16 bits."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    pitch = rng.uniform(100, 220) * 2 ** (0.3 * np.sin(2 * np.pi * rng.uniform(0.5, 2) * time))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    tones = sum(np.sin(k * phase) / (1 + (k * 150 / rng.uniform(400, 900)) ** 2) for k in range(1, 20))
    loud = (np.sin(2 * np.pi * 3 * time + seed) > -0.6) * (0.5 + 0.5 * np.sin(2 * np.pi * 1.3 * time) ** 2)
    return np.rint(2500 * tones * loud + rng.normal(0, 20, len(time))).clip(-32768, 32767)


def described(signal, highest):
    descriptor = Descriptor(16000, highest)
    descriptor.hear(signal)
    return descriptor.vector()


@pytest.fixture(scope="module")
def made():
    return head.load(MODEL / "model.safetensors")


@pytest.fixture(scope="module")
def module(made):
    settings, calibration = (
        config.load(Settings, MODEL / "config.yaml"),
        config.load(Calibration, MODEL / "calibration.yaml"),
    )
    return Waveform(made, calibration.temperature, settings.sample_frequency, settings.highest).eval()


@pytest.mark.parametrize("seconds", [0.3, 1.0, 4.2])
def test_descriptors_are_those_of_numpy(made, module, seconds):
    for seed in range(3):
        signal = voice(seconds, seed)
        with torch.inference_mode():
            found = module.descriptors(torch.from_numpy(signal.astype(np.float32) / 32768)).numpy()
        apart = np.abs(found - described(signal, 4961.0)) / made.scale
        assert np.quantile(apart, 0.99) < 2e-3, np.flatnonzero(apart > 2e-3)  # places of ties may differ


def test_of_few_voiced_frames_too(made, module):
    signal = np.random.default_rng(0).normal(0, 500, 8000).round()  # nearly none is voiced
    with torch.inference_mode():
        found = module.descriptors(torch.from_numpy(signal.astype(np.float32) / 32768)).numpy()
    apart = np.abs(found - described(signal, 4961.0)) / made.scale
    assert np.quantile(apart, 0.99) < 2e-3


def test_posteriors_are_those_of_the_graph_behind_numpys_descriptors(module):
    model = Model(MODEL)
    for seed in range(4):
        signal = voice(2.5, seed)
        with torch.inference_mode():
            posteriors, unlike = module(torch.from_numpy(signal.astype(np.float32) / 32768))
        expected = model(described(signal, 4961.0)[None])
        np.testing.assert_allclose(posteriors.numpy(), expected.posteriors[0], atol=5e-3)
        assert float(unlike) == pytest.approx(expected.unlike[0], abs=5e-3)


def test_the_committed_graph_is_the_committed_weights(made):
    x = np.random.default_rng(0).normal(made.mean, 2 * made.scale, (20, len(made.mean))).astype(np.float32)
    model = Model(MODEL)
    answers = model(x)
    np.testing.assert_allclose(answers.posteriors, softmax(made.logits(x), model.calibration.temperature), atol=1e-5)
    np.testing.assert_allclose(answers.unlike, made.unlike(x), atol=1e-5)
    figures = json.loads((MODEL / "results.json").read_text())
    assert figures["classes"] == model.settings.classes and figures["unseen_speakers"]["all"]["all"]["ece"] <= 0.05
    assert all(figures["sounds"][kind]["auroc"] >= 0.95 for kind in ("silence", "white noise", "pink noise", "music"))
    assert figures["unseen_speakers"]["all"]["all"]["wf1"] - figures["int8"]["wf1"] <= 0.5


def test_exported_graphs_answer_as_torch_does_without_it(module, tmp_path, type_in):
    said = type_in("steps/export.py", "--model", MODEL, tmp_path).stdout
    assert said.count(" MB") == 3
    graph = onnxruntime.InferenceSession(tmp_path / "waveform.onnx")
    known = graph.get_modelmeta().custom_metadata_map
    assert known["classes"] == "ang hap neu sad" and known["sample_frequency"] == "16000"
    for seconds, seed in ((0.2, 0), (1.0, 1), (2.71, 2), (6.0, 3)):
        samples = (voice(seconds, seed) / 32768).astype(np.float32)
        with torch.inference_mode():
            expected = module(torch.from_numpy(samples))
        found = graph.run(None, {"samples": samples})
        np.testing.assert_allclose(found[0], expected[0].numpy(), atol=5e-4)  # 1e-5 but for ties
        np.testing.assert_allclose(found[1], expected[1].numpy(), atol=5e-4)
    x = np.stack([described(voice(2, seed), 4961.0) for seed in range(5)])
    float32, int8 = (onnxruntime.InferenceSession(tmp_path / name) for name in ("features.onnx", "int8.onnx"))
    plain, small = (graph.run(["posteriors"], {"descriptors": x})[0] for graph in (float32, int8))
    assert 0 < np.abs(plain - small).max() < 0.02
    assert (tmp_path / "int8.onnx").stat().st_size < 0.3 * (tmp_path / "features.onnx").stat().st_size
    assert "no such model" in type_in("steps/export.py", "--model", tmp_path, tmp_path / "x", code=1).stderr


def test_a_graph_bears_its_name_when_it_is_whole(tmp_path, monkeypatch):
    (tmp_path / "features.onnx").write_bytes(b"that of before")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(graphs, "describe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(graphs.export(MODEL, tmp_path, ("features.onnx",)))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("features.onnx", b"that of before")]


def test_answers_tell_nobody_of_themselves(tmp_path):
    """onnxruntime would send what it is asked to its maker, and keep a device id in HOME."""
    words = [sys.executable, "steps/predict.py", "README.md"]
    done = subprocess.run(words, env=os.environ | {"HOME": str(tmp_path)}, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "README.md" in done.stderr and not list(tmp_path.rglob("*"))
