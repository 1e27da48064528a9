"""A model's graphs for other programs."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from steps.prediction import head
from steps.prediction.head import Head
from steps.prediction.model import GRAPH, WEIGHTS, Calibration, Settings, content_of, read
from utils.cli import UserError
from utils.files import whole

OPSET = 18
WAVEFORM, FEATURES, INT8 = "waveform.onnx", "features.onnx", "int8.onnx"


def export(model: Path, out: Path, names: tuple[str, ...] = (WAVEFORM, FEATURES, INT8)) -> Iterator[Path]:
    """Write the graphs `names` of a model folder into `out`; each as it is whole. Raises UserError where there is no
    model."""
    if not (model / WEIGHTS).is_file():
        raise UserError(f"{model / WEIGHTS}: no such model; steps/make_model.py makes one")
    settings, calibration = read(model)
    own, weights = (content_of(model, settings, name) for name in (GRAPH, WEIGHTS))
    made = head.load(model / WEIGHTS, weights)
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        with whole(out / name) as graph:
            if name == WAVEFORM:
                write_waveform(made, settings, calibration, graph)
            elif name == INT8:
                head.write_graph(made, calibration.temperature, graph, int8=True)
            else:
                graph.write_bytes(own)
            describe(graph, settings, calibration)
        yield out / name


def write_waveform(head: Head, settings: Settings, calibration: Calibration, path: Path) -> None:
    """The graph with the front end inside."""
    import torch

    from steps.prediction.waveform import Waveform

    module = Waveform(head, calibration.temperature, settings.sample_frequency, settings.highest).eval()
    samples = torch.randn(settings.sample_frequency, generator=torch.Generator().manual_seed(0)) / 10
    least = torch.export.Dim("samples", min=settings.sample_frequency // 10)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():  # the exporter tells of its steps
        warnings.simplefilter("ignore")  # of its own making
        program = torch.onnx.export(
            module, (samples,), dynamo=True, opset_version=OPSET, dynamic_shapes=({0: least},),
            input_names=["samples"], output_names=["posteriors", "unlike"], verbose=False,
        )  # fmt: skip
    assert program is not None
    program.save(path)


def describe(path: Path, settings: Settings, calibration: Calibration) -> None:
    """Put into a graph what is to be known of it."""
    import onnx

    graph = onnx.load(path)
    del graph.metadata_props[:]
    for name, value in (asdict(settings) | asdict(calibration)).items():
        text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
        graph.metadata_props.add(key=name, value=text)
    onnx.checker.check_model(graph)
    path.write_bytes(graph.SerializeToString())
