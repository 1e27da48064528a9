#!/usr/bin/env python3
"""Training: steps of speaker pre-training, and a fine-tuning run with AD from features to scores, against the plain
loop of plain.py; the ceiling is the machine's own matrix product.

    python bench/training.py [--rounds 5] [--batch 64] [--steps 4]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from bench import plain
from bench.harness import Row, interleave, ratios, save, spawn
from steps.frontend.crops import Crops
from steps.frontend.options import Input
from steps.frontend.packed import pack
from steps.nnet.architecture import Network
from steps.nnet.networks import Classifier
from steps.training.device import has_bfloat16, pick_device
from steps.training.loop import Progress, Schedule, fit
from utils.archive import TWO_BYTES, ArkWriter
from utils.cli import run
from utils.data_dir import Utterance, write_data_dir
from utils.folds import read as read_folds
from utils.table import read_table

FRAMES, BINS, CLASSES = 300, 41, ["ang", "hap", "neu", "sad"]
FINETUNING = [
    "--training.epochs",
    "2",
    "--training.batch",
    "16",
    "--network.AD",
    "true",
    "--training.milestones",
    "[2]",
]


def make_data_dir(folder: Path, speakers: int, each: int) -> Path:
    """Random features of 150 to 600 frames an utterance; a run that trains on two thirds of the speakers."""
    rng, data = np.random.default_rng(0), folder / "data"
    names = [f"s{s:03}-u{u:03}" for s in range(speakers) for u in range(each)]
    rows = [Utterance(u, folder / f"{u}.wav", u[:4], u[:4], emotion=CLASSES[i % 4]) for i, u in enumerate(names)]
    sixth = max(1, speakers // 6)
    part = ["test" if s < sixth else "valid" if s < 2 * sixth else "train" for s in range(speakers)]
    write_data_dir(data, rows, [("run01", part[s], f"s{s:03}") for s in sorted(range(speakers), key=lambda s: part[s])])
    feats = ArkWriter(folder / "feats.ark", data / "feats.scp", TWO_BYTES)
    vad = ArkWriter(folder / "vad.ark", data / "vad.scp")
    with feats, vad:
        for name in names:
            frames = int(rng.integers(150, 600))
            feats.write(name, rng.normal(8, 3, (frames, BINS)).astype(np.float32))
            vad.write(name, np.ones(frames, np.float32))
    return data


def matrix_product(dtype: torch.dtype, size: int = 2048) -> float:
    """Operations a second of this machine's matrix product."""
    a = torch.randn(size, size).to(dtype)
    a @ a
    start = time.perf_counter()
    for _ in range(3):
        a @ a
    return 3 * 2 * size**3 / (time.perf_counter() - start)


def convolutions(model: Classifier, batch: int, dtype: torch.dtype) -> Callable[[], None]:
    """A call that does the convolutions of a training step and nothing else, forwards and backwards, on inputs that lie
    ready."""
    made: list[tuple[nn.Module, torch.Tensor]] = []

    def keep(layer: nn.Module, given: tuple[torch.Tensor], _: torch.Tensor) -> None:
        made.append((layer, given[0].detach()))

    hooks = [one.register_forward_hook(keep) for one in model.extractor.modules() if isinstance(one, nn.Conv2d)]
    with torch.autocast(next(model.parameters()).device.type, dtype):
        model(torch.randn(batch, FRAMES, BINS, device=next(model.parameters()).device))
        for hook in hooks:
            hook.remove()
        ready = []
        for number, (layer, x) in enumerate(made):
            x = x.to(dtype).requires_grad_(number > 0)  # nothing learns from the features' gradient
            weight = layer.weight.detach().to(dtype).requires_grad_()
            ready.append((layer, x, weight, torch.randn_like(layer(x))))

    def call() -> None:
        for layer, x, weight, gradient in ready:
            y = nn.functional.conv2d(x, weight, None, layer.stride, layer.padding)
            torch.autograd.grad(y, [x, weight] if x.requires_grad else [weight], gradient)

    return call


def speaker_epoch(
    model: Classifier, sgd: torch.optim.SGD, crops: Crops, target: torch.Tensor, utterances: torch.Tensor, batch: int
) -> None:
    """The recipe's own loop over a crop of each of `utterances`, silently."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        fit(
            model,
            sgd,
            lambda x, i: {"L": cross_entropy(model(x).logits, target[i.to(crops.device)])},
            crops.batch,
            utterances,
            Schedule(1, batch, lambda epoch, share: [0.01], seed=0),
            Progress(),
            after_epoch=lambda epoch: "",
            checkpoint=Path(folder) / "checkpoint.pt",
            config={},
        )


class SpeakerLoss(nn.Module):
    def forward(self, output: tuple, labels: torch.Tensor) -> torch.Tensor:
        return cross_entropy(output.logits, labels)


class EmotionLoss(nn.Module):
    """L_emo + λ (L_AD⁺ + L_AD⁻), written out."""

    def __init__(self, channels: int, speakers: int) -> None:
        super().__init__()
        self.plus, self.minus = nn.Linear(channels, len(CLASSES)), nn.Linear(channels, speakers)

    def forward(self, output: tuple, labels: torch.Tensor) -> torch.Tensor:
        plus, minus = self.plus(output.embedding), self.minus(output.spaces[-1][1])
        y_e, y_s = labels % len(CLASSES), labels // len(CLASSES)
        return cross_entropy(output.logits, y_e) + 0.5 * (cross_entropy(plus, y_e) + cross_entropy(minus, y_s))


def plain_finetuning(data: Path) -> None:
    """What FINETUNING asks of the recipe, by the plain loop: train, look at the validation speakers, score."""
    parts = read_folds(data / "folds")["run01"]
    utt2spk, emotion = read_table(data / "utt2spk"), plain.labels_of(data, "utt2emo")
    names = {part: [name for name in utt2spk if utt2spk[name] in speakers] for part, speakers in parts.items()}
    speaker = {name: i for i, name in enumerate(parts["train"])}
    labels = {name: emotion[name] + len(CLASSES) * speaker.get(utt2spk[name], 0) for name in utt2spk}
    model = Classifier(Network(AD=True), len(CLASSES))
    loss = EmotionLoss(model.classifier.in_features, len(speaker))

    def whole(part: str) -> Iterator[torch.Tensor]:
        archive = plain.Archive(data, names[part], labels, 0)
        return (archive[i][0] for i in range(len(archive)))

    optimiser = torch.optim.Adam([*model.parameters(), *loss.parameters()], lr=1e-3)
    for _ in range(8):
        plain.train(model, loss, plain.Archive(data, names["train"], labels, FRAMES), 16, 1, optimiser)
        plain.posteriors(model, whole("valid"))
    for part in ("test", "valid", "test"):  # scores.last, scores.valid, scores
        plain.posteriors(model, whole(part))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=4, help="steps a round")
    parser.add_argument("--speakers", type=int, default=24, help="of the fine-tuning run, 28 utterances each")
    parser.add_argument("--plain-finetuning", type=Path, help=argparse.SUPPRESS)  # what this program calls itself with
    options = parser.parse_args()
    if options.plain_finetuning:
        plain_finetuning(options.plain_finetuning)
        return
    device, load = pick_device(), os.getloadavg()[0]
    fast = torch.bfloat16 if has_bfloat16(device) else torch.float32
    crops = options.batch * options.steps
    with tempfile.TemporaryDirectory() as folder:
        data = make_data_dir(Path(folder), 32, -(-crops // 32))
        labels = plain.labels_of(data, "utt2spk")
        names = list(read_table(data / "utt2spk"))[:crops]
        resident = Crops(pack(data, Input()), FRAMES, device)
        target = torch.tensor([labels[name] for name in names], device=device)
        torch.manual_seed(0)
        ours = Classifier(Network(), 32).to(device, memory_format=torch.channels_last)
        peer = Classifier(Network(), 32)
        sgd = torch.optim.SGD(ours.parameters(), lr=0.01, momentum=0.9)
        plain_sgd = torch.optim.SGD(peer.parameters(), lr=0.01, momentum=0.9)
        with FlopCounterMode(display=False) as counter:
            cross_entropy(ours(torch.randn(2, FRAMES, BINS, device=device)).logits, target[:2]).backward()
        flop = counter.get_total_flops() / 2 * crops

        generator = torch.Generator().manual_seed(0)
        archive = plain.Archive(data, names, labels, FRAMES)
        work = {
            "plain loop": lambda: plain.train(peer, SpeakerLoss(), archive, options.batch, 1, plain_sgd),
            "ours": lambda: speaker_epoch(ours, sgd, resident, target, torch.arange(crops), options.batch),
            "ours, reading alone": lambda: [resident.batch(i, generator) for i in torch.arange(crops).split(64)],
        }
        rates: list[float] = []
        alone = convolutions(ours, options.batch, fast)
        work["convolutions alone"] = lambda: [alone() for _ in range(options.steps)]
        work["ceiling"] = lambda: rates.append(matrix_product(fast))
        times = interleave(work, options.rounds)
        small = make_data_dir(Path(folder) / "small", options.speakers, 28)
        verb = [sys.executable, "steps/finetune.py", *FINETUNING, str(small), f"{folder}/exp"]
        plainly = [sys.executable, __file__, "--plain-finetuning", str(small)]

        def finetuning() -> float:
            spawn(["rm", "-rf", f"{folder}/exp"])
            return spawn(verb, stdout=-3).wall

        runs = interleave(
            {"plain run": lambda: spawn(plainly, stdout=-3).wall, "our run": finetuning},
            max(2, options.rounds // 2),
            "own",
        )
    shares = [flop / seconds / rate for seconds, rate in zip(times["ours"], rates[-options.rounds :])]
    bare = [flop / seconds / rate for seconds, rate in zip(times["convolutions alone"], rates[-options.rounds :])]
    kind = str(fast).removeprefix("torch.")
    save(
        "training",
        f"Training: steps of {options.batch} crops of {FRAMES} frames, and a fine-tuning run",
        [
            Row(
                "pre-training, ours against the plain loop",
                ratios(times, "plain loop", "ours"),
                reach=4 if fast == torch.bfloat16 else 1.6,
            ),
            Row(f"its share of the {kind} matrix product's rate", [100 * one for one in shares], "%", reach=75),
            Row("the same, of PyTorch's convolutions alone", [100 * one for one in bare], "%"),
            Row(
                "reading crops, share of our step",
                [100 * a / b for a, b in zip(times["ours, reading alone"], times["ours"])],
                "%",
                reach=3,
                at_most=True,
            ),
            Row(
                "fine-tuning with AD from features to scores, ours against the plain loop",
                ratios(runs, "plain run", "our run"),
                reach=3,
            ),
            Row("our pre-training", [crops / one for one in times["ours"]], "crops/s"),
            Row("our pre-training", [flop / one / 1e9 for one in times["ours"]], "GFLOP/s"),
            Row(f"{kind} matrix product", [one / 1e9 for one in rates[-options.rounds :]], "GFLOP/s"),
        ],
        clock="Wall time, all cores",
        times={**times, **runs},
        packages=["torch", "numpy", "kaldiio"],
        load=load,
    )


if __name__ == "__main__":
    run(main)
