#!/usr/bin/env python3
"""Training on one GPU: an epoch over VoxCeleb1's size, and all of Table 2 at IEMOCAP's size, each from a measured
slice, beside the floor that the step's own bytes and operations give.

    python bench/gpu.py                                                    # on a GPU; at most ten minutes
    python bench/gpu.py --batch 8 --steps 2 --utterances 4 --jobs 2        # on a CPU: whether it runs at all

The floor of a step of B crops of 300 × 41 frames through the ResNet18 (width 16), forward and backward:

  operations   3.28 GFLOP a crop (counted from the network when this runs): convolutions forward, and backward for
               inputs and weights, in bfloat16, at the rate of the device's own matrix product, measured here.
  bytes        1.9 M activations a crop in two bytes. Each must be written by its convolution, read and written by batch
               norm and ReLU, read by the next convolution; backward, gradient and activation are read and written
               likewise: 12 passes, 46 MB a crop, at the rate at which the device copies, measured here. The crop itself
               (25 kB read, 49 kB written) and the weights (1.03 M) are nothing beside it.

The larger of the two times is the floor: the other can hide behind it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from bench.harness import Row, save
from bench.training import BINS, FRAMES, make_data_dir, speaker_epoch
from steps.frontend.crops import Crops
from steps.frontend.packed import Packed
from steps.nnet.architecture import Network
from steps.nnet.networks import Classifier
from steps.training.device import pick_device
from utils.cli import run

VOXCELEB1 = 148_642  # crops of an epoch
TABLE2 = 5 * 10 * 5  # systems × runs × seeds
EPOCHS = 50  # of each
PASSES = 12  # over every activation, as said above


def timed(work: Callable[[], object], device: torch.device, times: int = 3) -> float:
    """The least seconds that `work` took, with all that it left running on the device."""
    best = float("inf")
    for _ in range(times + 1):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best


def floor(device: torch.device) -> tuple[float, float, float]:
    """(FLOP a crop, seconds of a crop by operations, seconds of a crop by bytes) on this device."""
    model, activations = Classifier(Network(), 1211).to(device), []
    for module in model.extractor.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda module, x, y: activations.append(y.numel()))
    with FlopCounterMode(display=False) as counter:
        cross_entropy(
            model(torch.randn(2, FRAMES, BINS, device=device)).logits, torch.zeros(2, device=device).long()
        ).backward()
    size = 8192 if device.type == "cuda" else 1024
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    rate = 2 * size**3 / timed(lambda: a @ a, device)
    source = torch.empty(2**30 if device.type == "cuda" else 2**26, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    bandwidth = 2 * source.numel() / timed(lambda: target.copy_(source), device)
    flop = counter.get_total_flops() / 2
    return flop, flop / rate, PASSES * sum(activations) / 2 * 2 / bandwidth


def pretraining(device: torch.device, batch: int, steps: int) -> tuple[list[float], float]:
    """Seconds of a crop, in three slices of so many steps, and what gathering a crop takes of it."""
    frames = (
        torch.randn(2000, 800, BINS).half().numpy()
        if device.type == "cuda"
        else torch.randn(50, 400, BINS).half().numpy()
    )
    crops, count = Crops(Packed.of(list(frames)), FRAMES, device), batch * steps
    target = torch.randint(1211, (len(crops),), device=device)
    model = Classifier(Network(), 1211).to(device, memory_format=torch.channels_last)
    sgd = torch.optim.SGD(model.parameters(), momentum=0.9, weight_decay=1e-4)
    order = torch.arange(count) % len(crops)

    def slice_of_epoch() -> float:
        start = time.perf_counter()
        speaker_epoch(model, sgd, crops, target, order, batch)
        return (time.perf_counter() - start) / count

    slice_of_epoch()
    slices = [slice_of_epoch() for _ in range(3)]
    generator = torch.Generator().manual_seed(0)
    gather = timed(lambda: crops.batch(order[:batch], generator), device) / batch
    return slices, gather / min(slices)


def table2(folder: Path, utterances: int, jobs: int) -> tuple[float, float]:
    """Seconds of `jobs` fine-tuning runs with AD that share the device: for what is done once (start-up, scoring), and
    for each epoch. Ten speakers with so many utterances each; eight of them train."""
    data = make_data_dir(folder, 10, utterances)
    seconds = {}
    for epochs in (1, 5):
        command = [sys.executable, "steps/finetune.py", "--network.AD", "true", "--training.epochs", str(epochs)]
        start = time.perf_counter()
        running = [
            subprocess.Popen([*command, str(data), f"{folder}/exp{epochs}_{job}"], stdout=subprocess.DEVNULL)
            for job in range(jobs)
        ]
        if sum(process.wait() != 0 for process in running):
            raise SystemExit("a fine-tuning run failed")
        seconds[epochs] = time.perf_counter() - start
    epoch = (seconds[5] - seconds[1]) / 4
    return seconds[1] - epoch, epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=100, help="of a slice of the epoch")
    parser.add_argument("--jobs", type=int, default=10, help="fine-tuning runs at once")
    parser.add_argument("--utterances", type=int, default=228, help="of each of the ten speakers")
    options = parser.parse_args()
    device = pick_device()
    flop, by_operations, by_bytes = floor(device)
    least = max(by_operations, by_bytes)
    crop, gathering = pretraining(device, options.batch, options.steps)
    with tempfile.TemporaryDirectory() as folder:
        once, epoch = table2(Path(folder), options.utterances, options.jobs)
    minutes = TABLE2 / options.jobs * (once + EPOCHS * epoch) / 60
    measured = device.type == "cuda"
    reach = {"epoch": 10, "gathering": 3, "table 2": 30} if measured else {}  # s, %, min
    save(
        "gpu" if measured else "gpu_small",
        "On a GPU" if measured else "bench/gpu.py on a CPU at small size: that it runs, and nothing of a GPU",
        [
            Row(
                "epoch over VoxCeleb1's 148 642 crops", [VOXCELEB1 * one for one in crop], "s", reach.get("epoch"), True
            ),
            Row("the floor of such an epoch", [VOXCELEB1 * least], "s"),
            Row("by operations", [VOXCELEB1 * by_operations], "s"),
            Row("by bytes", [VOXCELEB1 * by_bytes], "s"),
            Row("the floor's share of the epoch", [100 * least / one for one in crop], "%"),
            Row("gathering crops, share of a step", [100 * gathering], "%", reach.get("gathering"), True),
            Row("all of Table 2: 5 systems, 10 runs, 5 seeds, 50 epochs", [minutes], "min", reach.get("table 2"), True),
        ],
        clock="Wall time",
        notes=[
            f"{flop / 1e9:.2f} GFLOP a crop. Table 2 from {options.jobs} runs at once with AD, of 1 and of 5 epochs: "
            + f"{once:.1f} s for start-up and scoring, {epoch:.2f} s an epoch for all of them together."
        ],
    )


if __name__ == "__main__":
    run(main)
