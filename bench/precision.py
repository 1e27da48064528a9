#!/usr/bin/env python3
"""Whether training in bfloat16 learns what float32 learns: the same speaker networks from the same crops, with several
seeds, and the difference between their curves beside what another seed does.

    python bench/precision.py egs/open/data/speakers/train [--seeds 5] [--epochs 8]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch
from scipy import stats
from torch.nn.functional import cross_entropy

from bench.harness import Row, save
from steps.frontend.crops import Crops
from steps.frontend.options import Input
from steps.frontend.packed import Packed, pack
from steps.nnet.architecture import Network, Precision
from steps.nnet.networks import Classifier
from steps.training.device import pick_device
from steps.training.loop import Progress, Schedule, fit
from utils.cli import run
from utils.table import keys, read_table


def curve(crops: Crops, labels: torch.Tensor, seed: int, precision: Precision, epochs: int) -> list[float]:
    """The training loss of each epoch."""
    torch.manual_seed(seed)
    device, losses, means = crops.device, [], []
    model = Classifier(Network(width=8), int(labels.max()) + 1).to(device, memory_format=torch.channels_last)

    def terms(x: torch.Tensor, index: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = cross_entropy(model(x).logits, labels[index.to(device)])
        losses.append(loss.detach())
        return {"L": loss}

    def after_epoch(epoch: int) -> str:
        means.append(torch.stack(losses).mean().item())
        losses.clear()
        return ""

    schedule = Schedule(epochs, 32, lambda epoch, share: [0.1 * 0.01**share], seed, precision)

    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        fit(
            model,
            torch.optim.SGD(model.parameters(), momentum=0.9, weight_decay=1e-4),
            terms,
            crops.batch,
            torch.arange(len(crops)),
            schedule,
            Progress(),
            after_epoch=after_epoch,
            checkpoint=Path(folder) / "checkpoint.pt",
            config={},
        )
    return means


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="data dir with features")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--speakers", type=int, default=100, help="so many of them, those with most utterances")
    options = parser.parse_args()
    load, device, utt2spk = os.getloadavg()[0], pick_device(), read_table(options.data / "utt2spk")
    speakers = {speaker: i for i, (speaker, _) in enumerate(Counter(utt2spk.values()).most_common(options.speakers))}
    every = zip(keys(options.data / "feats.scp"), pack(options.data, Input()))
    found = {name: frames for name, frames in every if utt2spk[name] in speakers}
    crops = Crops(Packed.of(list(found.values())), 100, device)
    labels = torch.tensor([speakers[utt2spk[name]] for name in found], device=device)
    times: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    curves: dict[str, list[list[float]]] = {"float32": [], "bfloat16": []}
    for seed in range(options.seeds):
        for precision in ("float32", "bfloat16"):
            start = time.perf_counter()
            curves[precision].append(curve(crops, labels, seed, precision, options.epochs))
            times[precision].append(time.perf_counter() - start)
            print(f"seed {seed} {precision}: {' '.join(f'{loss:.3f}' for loss in curves[precision][-1])}", flush=True)
    last = {precision: [one[-1] for one in found] for precision, found in curves.items()}
    differences = [b - a for a, b in zip(last["float32"], last["bfloat16"])]
    # The interval of the mean difference; and what a seed changes, in either precision.
    half = stats.t.ppf(0.975, options.seeds - 1) * statistics.stdev(differences) / options.seeds**0.5
    noise = statistics.fmean(statistics.variance(losses) for losses in last.values()) ** 0.5
    save(
        "precision",
        f"bfloat16 against float32: loss of {len(speakers)} speakers after {options.epochs} epochs",
        [
            Row("last epoch's loss, float32", last["float32"], ""),
            Row("last epoch's loss, bfloat16", last["bfloat16"], ""),
            Row(
                "mean difference, up or down, in standard deviations over seeds",
                [abs(statistics.mean(differences)) / noise],
                "",
                1,
                True,
            ),
        ],
        clock="No time is measured",
        times=times,
        notes=[
            f"Mean difference {statistics.mean(differences):+.4f} ± {half:.4f} (95 %, paired by seed), sd "
            f"over seeds {noise:.4f}. {len(found)} utterances, a ResNet18 of width 8, crops of 1 s."
        ],
        load=load,
    )


if __name__ == "__main__":
    run(main)
