#!/usr/bin/env python3
"""A model as graphs for other programs: they need an ONNX runtime, and nothing of this recipe.

  steps/export.py [--model DIR] <out-dir>

waveform.onnx   samples (N,) float32, of one recording or stretch at the model's sampling rate, mono, of full scale 1
                → posteriors (classes,), unlike ()
features.onnx   descriptors (N, 1851), as steps/frontend/descriptors.py makes them
                → posteriors (N, classes), unlike (N,)
int8.onnx       the same, its weights kept in 8 bits: a quarter of the size

Posteriors are calibrated. The order of the classes, the sampling rate and the thresholds of `unlike` and `unsure` are
in each graph's metadata. The graphs detect no speech: frames 35 dB below the loud ones are not heard, nothing else is
left out. waveform.onnx is for stretches of seconds, from a tenth of one on; steps/predict.py says how longer
recordings are cut.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import shutil
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from steps.prediction.model import CALIBRATION, CONFIG, GRAPH, OWN, WEIGHTS, Calibration, Settings
from utils import cli, config
from utils.files import whole

if TYPE_CHECKING:
    from steps.prediction.head import Head

OPSET = 18


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
    with whole(path) as temporary:
        program.save(temporary)


def describe(path: Path, settings: Settings, calibration: Calibration) -> None:
    """Put into a graph what is to be known of it."""
    import onnx

    graph = onnx.load(path)
    del graph.metadata_props[:]
    for name, value in (asdict(settings) | asdict(calibration)).items():
        text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
        graph.metadata_props.add(key=name, value=text)
    onnx.checker.check_model(graph)
    with whole(path) as temporary:
        temporary.write_bytes(graph.SerializeToString())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the graphs")
    parser.add_argument("--model", type=Path, default=OWN, help="folder of a model [the recipe's own]")
    options = parser.parse_args()
    if not (options.model / WEIGHTS).is_file():
        raise cli.UserError(f"{options.model / WEIGHTS}: no such model; steps/make_model.py makes one")
    from steps.prediction import head

    settings = config.load(Settings, options.model / CONFIG)
    calibration = config.load(Calibration, options.model / CALIBRATION)
    made = head.load(options.model / WEIGHTS)
    options.out.mkdir(parents=True, exist_ok=True)
    write_waveform(made, settings, calibration, options.out / "waveform.onnx")
    shutil.copyfile(options.model / GRAPH, options.out / "features.onnx")
    head.write_graph(made, calibration.temperature, options.out / "int8.onnx", int8=True)
    for name in ("waveform.onnx", "features.onnx", "int8.onnx"):
        describe(options.out / name, settings, calibration)
        print(f"{options.out / name}: {(options.out / name).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    cli.run(main)
