#!/usr/bin/env python3
"""A model as graphs for other programs: they need an ONNX runtime, and nothing of this recipe.

  steps/export.py [--model DIR] <out-dir>

waveform.onnx   samples (N,) float32, of one recording or stretch at the model's sampling rate, mono, of full scale 1
                → posteriors (classes,), unlike ()
features.onnx   descriptors (N, 1851), each as steps.frontend.descriptors.Descriptor(sample_frequency, highest) makes it
                of samples on the scale of 16-bit integers
                → posteriors (N, classes), unlike (N,)
int8.onnx       the same, its weights kept in 8 bits: a quarter of the size

Posteriors are calibrated. The order of the classes, sample_frequency, highest and the thresholds of `unlike` and
`unsure` are in each graph's metadata. The graphs detect no speech: frames 35 dB below the loud ones are not heard,
nothing else is left out. waveform.onnx is for stretches of seconds, from a tenth of one on; steps/predict.py says how
longer recordings are cut. Of 240 recordings it answers 220 within 1e-5 of PyTorch; in the others a frame has two
choices (of a period, of a roll-off) that are equal but for rounding, and posteriors differ by up to 0.002.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from steps.prediction.model import OWN
from utils import cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=cli.path_of, help="folder for the graphs")
    parser.add_argument("--model", type=cli.path_of, default=OWN, help="folder of a model [the recipe's own]")
    options = parser.parse_args()
    from steps.prediction.graphs import export

    for path in export(options.model, options.out):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    cli.run(main)
