#!/usr/bin/env python3
"""Scoring whole utterances of mixed length by a network with AD: the recipe's inference against the plain loop of
plain.py (one at a time, float32, default layout), and how far their posteriors are apart.

    python bench/scoring.py [--rounds 5] [--utterances 48]
"""

from __future__ import annotations

import argparse
import os

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from bench import plain
from bench.harness import Row, interleave, ratios, save
from bench.training import matrix_product
from steps.nnet.architecture import Network
from steps.nnet.inference import infer
from steps.nnet.networks import Classifier
from steps.training.device import pick_device
from utils.cli import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--utterances", type=int, default=48)
    options = parser.parse_args()
    load, device, rng = os.getloadavg()[0], pick_device(), np.random.default_rng(0)
    # IEMOCAP's durations: median 3.5 s, 0.73 to 29 s
    frames = np.clip(np.exp(rng.normal(np.log(350), 0.6, options.utterances)), 73, 2900).astype(int)
    utterances = [rng.normal(size=(count, 41)).astype(np.float32) for count in frames]
    torch.manual_seed(0)
    ours = Classifier(Network(AD=True), 4)
    peer = Classifier(Network(AD=True), 4)
    peer.load_state_dict(ours.state_dict())
    ours.to(device, memory_format=torch.channels_last)
    peer.to(device)
    said: dict[str, torch.Tensor] = {}

    def plainly() -> None:
        said["plain"] = plain.posteriors(peer, [torch.from_numpy(one).to(device) for one in utterances])

    def by_infer() -> None:
        said["ours"] = infer(ours, utterances).logits.softmax(1)

    rates: list[float] = []
    work = {"plain loop": plainly, "ours": by_infer, "ceiling": lambda: rates.append(matrix_product(torch.float32))}
    times = interleave(work, options.rounds)
    with FlopCounterMode(display=False) as counter:
        infer(ours, utterances)
    flop = counter.get_total_flops()
    shares = [100 * flop / one / rate for one, rate in zip(times["ours"], rates[-options.rounds :])]
    limits = [one * rate / flop for one, rate in zip(times["plain loop"], rates[-options.rounds :])]
    apart = (said["plain"].cpu() - said["ours"]).abs().max().item()
    save(
        "scoring",
        f"Scoring {options.utterances} whole utterances of mixed length",
        [
            Row("ours against one at a time", ratios(times, "plain loop", "ours"), reach=3),
            Row("float32 matrix product's rate, against one at a time", limits),
            Row("largest difference of a posterior", [1e6 * apart], "millionths", 100, at_most=True),
            Row("ours, share of the float32 matrix product's rate", shares, "%"),
            Row("ours", [options.utterances / one for one in times["ours"]], "utterances/s"),
        ],
        clock="Wall time, all cores",
        times=times,
        load=load,
    )


if __name__ == "__main__":
    run(main)
