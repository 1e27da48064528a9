#!/usr/bin/env python3
"""Pre-train a feature extractor: speakers by softmax (or AAM-softmax) over random crops.

  steps/pretrain.py [options] <train-dir> <heldout-dir> <exp-dir>
  steps/pretrain.py --config conf/pretrain.yaml data/train data/heldout exp/resnet18

Leaves model.safetensors, config.yaml and `result`, the share of held-out utterances whose speaker is found. An
interrupted training goes on where it was when it is called again; what was made from other settings or features is
moved to <exp-dir>/.backup, and made anew. Under torchrun, several processes train one network,
to the same end but for rounding; each holds the whole training set, and they share a file system.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import steps  # noqa: F401  # isort: skip (Ctrl-C is one line while all that follows is loaded)

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from steps.frontend.copypaste import Augmented
from steps.frontend.crops import Crops
from steps.frontend.settings import Augmentation, Input
from steps.frontend.utterances import read_utterances
from steps.nnet.aam_softmax import aam_softmax, cosines
from steps.nnet.inference import infer
from steps.nnet.networks import Classifier, Output
from steps.nnet.settings import Network, Precision
from steps.training.checkpoint import save_model
from steps.training.device import pick_device
from steps.training.distributed import ALONE, Ranks, joined_ranks
from steps.training.lineage import begin, lineage
from steps.training.loop import fit
from utils import cli, config, data_dir
from utils.files import whole


@dataclass
class Training:
    """Stochastic gradient descent with momentum; the learning rate falls exponentially, step by step."""

    epochs: int = 30
    batch: int = 128  # crops a step
    bn_group: int = 0  # crops over which the batch norm takes its statistics; 0: all of a step's
    lr: float = 0.1  # learning rate at the start …
    final_lr: float = 1e-4  # … and at the end
    momentum: float = 0.9
    weight_decay: float = 1e-4
    loss: Literal["softmax", "aam"] = "softmax"  # "aam": additive angular margin …
    margin: float = 0.2  # … of so many radians …
    scale: float = 30.0  # … on cosines times this
    heldout_every: int = 5  # epochs between two looks at the held-out utterances
    seed: int = 0
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        config.require_positive(self, "epochs", "batch", "lr", "final_lr", "scale", "heldout_every")
        config.require_not_negative(self, "momentum", "weight_decay", "margin", "bn_group")


@dataclass
class Config:
    network: Network = field(default_factory=Network)
    input: Input = field(default_factory=Input)
    training: Training = field(default_factory=Training)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        self.input.check_crop(self.network.least)


def pretrain(train: Path, heldout: Path, out: Path, settings: Config, ranks: Ranks = ALONE) -> None:
    """Train on the data dir `train`, look at `heldout`, leave the model in `out`."""
    training, device = settings.training, pick_device()
    utt2spk = data_dir.read_table(train / "utt2spk")
    speakers = {speaker: i for i, speaker in enumerate(sorted(set(utt2spk.values())))}
    utterances = read_utterances(train, settings.input, np.float16)  # what Crops keeps: VoxCeleb1 is 10 GB then
    speaker_of = [utt2spk[name] for name in utterances]
    labels = torch.tensor([speakers[speaker] for speaker in speaker_of], device=device)
    crops = Crops(list(utterances.values()), settings.input.crop, device)
    del utterances
    unseen = read_utterances(heldout, settings.input) if heldout.is_dir() and ranks.rank == 0 else {}
    truth = data_dir.read_table(heldout / "utt2spk") if unseen else {}
    together = f", {ranks.size} processes" if ranks.size > 1 else ""
    ranks.say(f"{len(speakers)} speakers, {len(crops)} utterances, {len(unseen)} held out; on {device}{together}")

    torch.manual_seed(training.seed)
    model = Classifier(settings.network, len(speakers)).to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(model.parameters(), momentum=training.momentum, weight_decay=training.weight_decay)

    def decide(output: Output) -> torch.Tensor:
        """(N, speakers), highest for whom it takes for the speaker; as the loss has it."""
        if training.loss == "softmax":
            return output.logits
        weight = model.classifier.weight.detach()
        return cosines(output.embedding, weight.to(output.embedding.device))

    def terms(x: torch.Tensor, index: torch.Tensor) -> dict[str, torch.Tensor]:
        output, target = model(x), labels[index.to(device)]
        if training.loss == "aam":
            loss = aam_softmax(output.embedding, model.classifier.weight, target, training.margin, training.scale)
        else:
            loss = cross_entropy(output.logits, target)
        return {"L": loss, "accuracy": (decide(output).argmax(1) == target).float().mean()}

    def after_epoch(epoch: int, memory: dict[str, Any]) -> str:
        if not unseen or (epoch % training.heldout_every and epoch < training.epochs):
            return ""
        found = decide(infer(model, list(unseen.values()))).argmax(dim=1).tolist()
        memory["right"] = sum(speakers.get(truth[name]) == one for name, one in zip(unseen, found))
        return f"held-out accuracy {memory['right'] / len(unseen):.4f}"

    (out / "model.safetensors").unlink(missing_ok=True)  # all is checked: from here on the training is unfinished
    memory = fit(
        model,
        optimiser,
        terms,
        Augmented(crops, settings.augmentation, speaker_of, [""] * len(crops), torch.arange(len(crops))).batch,
        torch.arange(len(crops)),
        epochs=training.epochs,
        batch_size=training.batch,
        rates=lambda epoch, progress: [training.lr * (training.final_lr / training.lr) ** progress],
        seed=training.seed,
        precision=training.precision,
        checkpoint=out / "checkpoint.pt",
        config=asdict(settings),
        after_epoch=after_epoch,
        ranks=ranks,
        bn_group=training.bn_group,
    )
    if ranks.rank > 0:
        return
    config.save(settings, out / "config.yaml")
    with whole(out / "speakers") as temporary:
        temporary.write_text("".join(f"{speaker}\n" for speaker in speakers))
    if unseen:
        result = (
            f"%ACC {100 * memory['right'] / len(unseen):.2f} [ {memory['right']} / {len(unseen)} held-out utterances, "
        )
        with whole(out / "result") as temporary:
            temporary.write_text(result + f"{len(speakers)} speakers ] {out}\n")
        print((out / "result").read_text(), end="")
    save_model(model, out / "model.safetensors")
    (out / "checkpoint.pt").unlink()


def main() -> None:
    parser = config.arguments(Config, __doc__)
    parser.add_argument("train", type=Path, help="data dir to train on")
    parser.add_argument("heldout", type=Path, help="data dir of other sessions of the same speakers; may be absent")
    parser.add_argument("out", type=Path, help="folder for the model")
    options, settings = config.parse(parser, Config)
    settings.augmentation.check_neutral(())
    with joined_ranks() as ranks:
        if ranks.rank == 0:
            begin(options.out, lineage(settings, options.train), keep=["log"])
        ranks.greatest(0, pick_device())  # the others wait for that
        pretrain(options.train, options.heldout, options.out, settings, ranks)


if __name__ == "__main__":
    cli.run(main)
