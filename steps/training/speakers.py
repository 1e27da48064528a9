"""Pre-training: a network learns to tell speakers apart, from data dirs to a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy, mse_loss

from steps.frontend.copypaste import Augmented
from steps.frontend.crops import Crops
from steps.frontend.given import Given
from steps.frontend.packed import pack
from steps.nnet.inference import infer
from steps.nnet.networks import Classifier, Output
from steps.nnet.speaker_loss import aam_softmax, cosines
from steps.training.checkpoint import save_model
from steps.training.device import on_device, pick_device
from steps.training.distributed import ALONE, Ranks
from steps.training.loop import Progress, Schedule, fit
from steps.training.pretraining import Config
from utils import config, runs
from utils.files import whole
from utils.table import lines


@dataclass
class HeldOut(Progress):
    """A pre-training, and its last test on the held-out utterances."""

    correct: int = 0  # utterances whose speaker was found


def numbered(speakers: Iterable[str]) -> tuple[np.ndarray, dict[str, int]]:
    """(N,) int32: the number of each utterance's speaker; speaker → number, sorted. Holds each name once."""
    first: dict[str, int] = {}
    found = np.fromiter((first.setdefault(speaker, len(first)) for speaker in speakers), dtype=np.int32)
    known = {speaker: i for i, speaker in enumerate(sorted(first))}
    return np.array([known[speaker] for speaker in first], dtype=np.int32)[found], known


def standardised(vectors: dict[str, np.ndarray]) -> torch.Tensor:
    """(N, K) of mean 0 and deviation 1 in each of K places, within ± 5, so that no utterance weighs too much; a place
    that never changes is 0."""
    values = np.stack([*vectors.values()]).astype(np.float64)
    moving = np.ptp(values, axis=0) > 0  # the deviation of what does not may be a little above 0
    values = np.where(moving, values - values.mean(axis=0), 0) / np.where(moving, values.std(axis=0), 1)
    return torch.from_numpy(values.clip(-5, 5).astype(np.float32))


def pretrain(
    train: Path, heldout: Path, out: Path, settings: Config, ranks: Ranks = ALONE, teacher: Path | None = None
) -> None:
    """Train on the data dir `train`, look at `heldout`, leave the model in `out`. `teacher`: vectors of the training
    utterances, which the embedding is to hold, too."""
    training, device = settings.training, pick_device()
    crops = Crops(pack(train, settings.input, out), settings.input.crop, device)  # in the order of utt2spk
    numbers, speakers = numbered(value for _, value in lines(train / "utt2spk"))
    labels = torch.from_numpy(numbers).to(device, torch.long)
    unseen = pack(heldout, settings.input, out) if heldout.is_dir() and ranks.rank == 0 else []
    truth = [speakers.get(value) for _, value in lines(heldout / "utt2spk")] if unseen else []
    together = f", {ranks.size} processes" if ranks.size > 1 else ""
    ranks.say(f"{len(speakers)} speakers, {len(crops)} utterances, {len(unseen)} held out; on {device}{together}")
    ranks.say(f"{out}: {training.epochs * len(crops):,} crops to train")

    torch.manual_seed(training.seed)
    model = on_device(Classifier(settings.network, len(speakers)), device)
    trained = torch.nn.ModuleDict({"model": model})
    taught = None
    if teacher:
        taught = standardised(Given(teacher, train).read()).to(device)
        size = model.classifier.in_features
        pupil = torch.nn.Sequential(torch.nn.BatchNorm1d(size), torch.nn.Linear(size, taught.shape[1]))
        trained["pupil"] = pupil.to(device)
    optimiser = torch.optim.SGD(trained.parameters(), momentum=training.momentum, weight_decay=training.weight_decay)

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
        accuracy = {"accuracy": (decide(output).argmax(1) == target).float().mean()}
        if taught is None:
            return {"L": loss, **accuracy}
        error = mse_loss(trained["pupil"](output.embedding), taught[index.to(device)])
        return {"L": loss + training.lambda_teacher * error, "L_teacher": error, **accuracy}

    def after_epoch(epoch: int) -> str:
        if not unseen or (epoch % training.heldout_every and epoch < training.epochs):
            return ""
        decisions = decide(infer(model, unseen)).argmax(dim=1).tolist()
        progress.correct = sum(true == decision for true, decision in zip(truth, decisions))
        return f"held-out accuracy {progress.correct / len(unseen):.4f}"

    (out / runs.MODEL).unlink(missing_ok=True)  # all is checked: from here on the training is unfinished
    progress, lowered = HeldOut(), training.final_lr / training.lr
    fit(
        trained,
        optimiser,
        terms,
        Augmented(crops, settings.augmentation, numbers).batch,
        torch.arange(len(crops)),
        Schedule(
            training.epochs,
            training.batch,
            lambda epoch, share: [training.lr * lowered**share],
            training.seed,
            training.precision,
            training.bn_group,
        ),
        progress,
        after_epoch=after_epoch,
        checkpoint=out / runs.CHECKPOINT,
        config=config.chosen(settings),
        ranks=ranks,
        ahead=crops.far,
    )
    if ranks.rank > 0:
        return
    config.save(settings, out / runs.CONFIG)
    with whole(out / "speakers") as temporary:
        temporary.write_text("".join(f"{speaker}\n" for speaker in speakers))
    if unseen:
        result = f"%ACC {100 * progress.correct / len(unseen):.2f} [ {progress.correct} / {len(unseen)} held-out "
        result += f"utterances, {len(speakers)} speakers ] {out}\n"
        with whole(out / runs.RESULT) as temporary:
            temporary.write_text(result)
        print(result, end="")
    save_model(model, out / runs.MODEL)
    (out / runs.CHECKPOINT).unlink()
