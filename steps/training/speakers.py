"""Pre-training: a network learns to tell speakers apart, from data dirs to a model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from steps.frontend.copypaste import Augmented
from steps.frontend.crops import Crops
from steps.frontend.utterances import read_utterances
from steps.nnet.inference import infer
from steps.nnet.networks import Classifier, Output
from steps.nnet.speaker_loss import aam_softmax, cosines
from steps.training.checkpoint import save_model
from steps.training.device import on_device, pick_device
from steps.training.distributed import ALONE, Ranks
from steps.training.extractor import Config
from steps.training.loop import Progress, Schedule, fit
from utils import config, data_dir, runs
from utils.files import whole


@dataclass
class HeldOut(Progress):
    """A pre-training, and its last test on the held-out utterances."""

    correct: int = 0  # utterances whose speaker was found


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
    model = on_device(Classifier(settings.network, len(speakers)), device)
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

    def after_epoch(epoch: int) -> str:
        if not unseen or (epoch % training.heldout_every and epoch < training.epochs):
            return ""
        decisions = decide(infer(model, list(unseen.values()))).argmax(dim=1).tolist()
        progress.correct = sum(speakers.get(truth[name]) == decision for name, decision in zip(unseen, decisions))
        return f"held-out accuracy {progress.correct / len(unseen):.4f}"

    (out / runs.MODEL).unlink(missing_ok=True)  # all is checked: from here on the training is unfinished
    progress, lowered = HeldOut(), training.final_lr / training.lr
    fit(
        model,
        optimiser,
        terms,
        Augmented(crops, settings.augmentation, speaker_of, [""] * len(crops), torch.arange(len(crops))).batch,
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
        config=asdict(settings),
        ranks=ranks,
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
