"""Training a system's network: Adam on random crops, the epoch selected on the validation speakers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from steps.evaluation.metrics import Metrics, classification_metrics
from steps.frontend.copypaste import Augmented
from steps.nnet.inference import infer
from steps.nnet.networks import Classifier
from steps.nnet.objective import Objective
from steps.systems.partition import Partition
from steps.systems.settings import Config, Training
from steps.training.checkpoint import load_model
from steps.training.history import Board, write_history
from steps.training.loop import fit
from utils.cli import UserError


def posteriors(model: Classifier, inputs: list[np.ndarray]) -> np.ndarray:
    """Class posteriors of whole utterances, (N, classes)."""
    return infer(model, inputs).logits.softmax(dim=1).numpy()


def train_network(
    run: Partition, out: Path, seed: int, settings: Config, pretrained: str
) -> tuple[Classifier, dict[str, Any]]:
    """The network after its last epoch, and the training's memory: "weights" of the selected "epoch", "history" (a row
    an epoch), and, if asked for, the posteriors "oracle". Goes on from <out>/checkpoint.pt if there is one."""
    training, corpus, device = settings.training, run.corpus, run.device
    if (bins := corpus.inputs[0].shape[1]) < settings.network.least:
        raise UserError(f"features have {bins} bins, and the network (vgg5_max_pool) needs {settings.network.least}")
    torch.manual_seed(seed)
    model = Classifier(settings.network, len(corpus.classes)).to(device, memory_format=torch.channels_last)
    objective = build_objective(model, run, training).to(device)
    load_pretrained(model, Path(pretrained), settings)
    both = torch.nn.ModuleDict({"model": model, "objective": objective})
    extractor, rest = [], []  # lists: a resumed optimiser knows its parameters by their order
    for name, parameter in both.named_parameters():
        (extractor if name.startswith(("model.extractor.", "model.adapters.")) else rest).append(parameter)
    optimiser = torch.optim.Adam([{"params": extractor}, {"params": rest}])
    emotions, speakers = ([table[name] for name in corpus.utterances] for table in (corpus.emotions, corpus.speakers))
    batch = Augmented(corpus.crops, settings.augmentation, speakers, emotions, run.index["train"]).batch
    board = Board(out / "log")

    def terms(x: torch.Tensor, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        batch = batch.to(device)
        return objective(model(x), run.y_e[batch], run.y_s[batch])

    def rates(epoch: int, progress: float) -> list[float]:
        tenths = sum(epoch >= milestone for milestone in training.milestones)
        return [lr * 0.1**tenths for lr in (training.extractor_lr, training.classifier_lr)]

    def measure(part: str) -> tuple[Metrics, np.ndarray]:
        found = posteriors(model, run.inputs(part))
        return classification_metrics(run.labels(part), found.argmax(axis=1)), found

    def after_epoch(epoch: int, memory: dict[str, Any]) -> str:
        valid, _ = measure("valid")
        merit = {"wf1": [valid.wf1, valid.ua], "ua": [valid.ua, valid.wf1], "last": [float(epoch)]}[training.selection]
        if merit >= memory.get("best", [0.0]):  # ties: the later epoch
            weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            memory.update(best=merit, epoch=epoch, weights=weights)
        if training.oracle:
            test, found = measure("test")
            if test.wf1 >= memory.get("oracle_wf1", 0.0):
                memory.update(oracle_wf1=test.wf1, oracle=torch.from_numpy(found))
        memory["history"][-1] |= {"valid wF1": valid.wf1, "valid UA": valid.ua}
        write_history(out / "history.tsv", memory["history"])
        board.write(memory["history"][-1])
        return f"valid wF1 {valid.wf1:.2f} UA {valid.ua:.2f}"

    memory = fit(
        both,
        optimiser,
        terms,
        batch,
        run.index["train"],
        epochs=training.epochs,
        batch_size=training.batch,
        rates=rates,
        seed=seed,
        precision=training.precision,
        checkpoint=out / "checkpoint.pt",
        config={**asdict(settings), "parts": run.parts},
        after_epoch=after_epoch,
    )
    board.close()
    return model, memory


def load_pretrained(model: Classifier, folder: Path, settings: Config) -> None:
    """Start the extractor from the model in `folder`, if `settings` want it. Raises UserError where it does not fit. An
    extractor with instance norm leaves a batch norm's running statistics, which it has no use for."""
    if settings.training.pretrained:
        without = ("running_mean", "running_var", "num_batches_tracked") if settings.network.norm == "instance" else ()
        load_model(model, folder / "model.safetensors", part="extractor", without=without)


def build_objective(model: Classifier, run: Partition, training: Training) -> Objective:
    """The objective that `training` describes, for the training speakers of `run`."""
    counts = torch.bincount(run.y_e[run.index["train"]], minlength=len(run.corpus.classes))
    return Objective(
        model,
        len(run.speakers),
        training.lambda_ad,
        plus=training.L_AD_plus,
        minus=training.L_AD_minus,
        lambda_speaker=training.lambda_speaker,
        adversarial=training.adversarial,
        class_weights=counts.sum() / (len(counts) * counts.clamp(min=1)) if training.class_balanced else None,
    )
