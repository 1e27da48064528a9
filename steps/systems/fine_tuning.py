"""Training a system's network: Adam on random crops, the epoch selected on the validation speakers."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from steps.evaluation.metrics import Metrics, classification_metrics
from steps.frontend.copypaste import Augmented
from steps.nnet.inference import infer
from steps.nnet.networks import Classifier
from steps.nnet.objective import Objective
from steps.systems.partition import Partition
from steps.systems.system import Config, Training
from steps.training.averaging import refresh_batch_norms, running_mean
from steps.training.checkpoint import load_model
from steps.training.device import on_device
from steps.training.history import Board, write_history
from steps.training.loop import Progress, Schedule, fit
from steps.training.order import draw
from utils import config, runs


@dataclass
class Selection(Progress):
    """A training, and of its epochs the one that is best on the validation speakers; with training.oracle, the
    posteriors of the one that is best on the test speakers."""

    selected: int = 0  # the epoch; 0: none yet
    merit: list[float] = field(default_factory=lambda: [0.0])  # what it was selected by, in order
    averaged: int = 0  # epochs that `weights` are the mean of
    weights: dict[str, torch.Tensor] = field(default_factory=dict)  # of the network then, or the mean of several epochs
    oracle_wf1: float = 0.0
    oracle: torch.Tensor | None = None  # (N, classes)


def posteriors(model: Classifier, inputs: list[np.ndarray]) -> np.ndarray:
    """Class posteriors of whole utterances, (N, classes)."""
    return infer(model, inputs).logits.softmax(dim=1).numpy()


def train_network(
    run: Partition, out: Path, seed: int, settings: Config, pretrained: Path
) -> tuple[Classifier, Selection]:
    """The network after its last epoch, and the selected epoch. Goes on from <out>/checkpoint.pt if there is one."""
    training, corpus, device = settings.training, run.corpus, run.device
    torch.manual_seed(seed)
    model = on_device(Classifier(settings.network, len(corpus.classes)), device)
    objective = build_objective(model, run, training).to(device)
    load_pretrained(model, pretrained, settings)
    if training.probe_C:
        probe_first(model, run, training)
    trained = torch.nn.ModuleDict({"model": model, "objective": objective})
    # Lists: a resumed optimiser knows its parameters by their order.
    extractor: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, parameter in trained.named_parameters():
        (extractor if name.startswith(("model.extractor.", "model.adapters.")) else rest).append(parameter)
    optimiser = torch.optim.Adam([{"params": extractor}, {"params": rest}])
    emotions, speakers = ([table[name] for name in corpus.utterances] for table in (corpus.emotions, corpus.speakers))
    batch = Augmented(corpus.crops, settings.augmentation, speakers, emotions, run.index["train"]).batch
    board, selection = Board(out / "log"), Selection()

    def terms(x: torch.Tensor, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        batch = batch.to(device)
        y_c = run.y_c[batch] if training.L_AD_minus_corpus else None
        return objective(model(x), run.y_e[batch], run.y_s[batch], y_c)

    def rates(epoch: int, progress: float) -> list[float]:
        tenths = sum(epoch >= milestone for milestone in training.milestones)
        return [lr * 0.1**tenths for lr in (training.extractor_lr, training.classifier_lr)]

    def test(part: str) -> tuple[Metrics, np.ndarray]:
        scores = posteriors(model, run.inputs(part))
        return classification_metrics(run.labels(part), scores.argmax(axis=1)), scores

    def after_epoch(epoch: int) -> str:
        valid, _ = test("valid")
        merits = {"wf1": [valid.wf1, valid.ua], "ua": [valid.ua, valid.wf1]}
        merit = merits.get(training.selection, [float(epoch)])
        if training.selection == "average":
            number = epoch - 2 * training.epochs // 3
            if number > selection.averaged:  # once each, though an epoch's end may be interrupted and come again
                selection.weights = running_mean(selection.weights, model.state_dict(), number)
                selection.averaged = number
        elif merit >= selection.merit:  # ties: the later epoch
            selection.selected, selection.merit = epoch, merit
            selection.weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        if training.oracle:
            metrics, scores = test("test")
            if metrics.wf1 >= selection.oracle_wf1:
                selection.oracle_wf1, selection.oracle = metrics.wf1, torch.from_numpy(scores)
        selection.history[-1] |= {"valid wF1": valid.wf1, "valid UA": valid.ua}
        write_history(out / runs.HISTORY, selection.history)
        board.write(selection.history[-1])
        return f"valid wF1 {valid.wf1:.2f} UA {valid.ua:.2f}"

    fit(
        trained,
        optimiser,
        terms,
        batch,
        run.index["train"],
        Schedule(training.epochs, training.batch, rates, seed, training.precision),
        selection,
        after_epoch=after_epoch,
        checkpoint=out / runs.CHECKPOINT,
        config={**config.chosen(settings), "parts": run.parts, "seed": seed},
        weights=run.weights(training),
        ahead=corpus.crops.far,
    )
    board.close()
    if training.selection == "average":
        mean = copy.deepcopy(model)
        mean.load_state_dict(selection.weights)
        generator = torch.Generator().manual_seed(seed)
        train = run.index["train"]
        order = train[draw(len(train), run.weights(training), generator)]
        pieces = order.tensor_split(-(-len(order) // training.batch))  # of nearly one size: batch norm takes no single
        refresh_batch_norms(mean, (batch(piece, generator) for piece in pieces))
        selection.weights = mean.state_dict()
    return model, selection


def load_pretrained(model: Classifier, folder: Path, settings: Config) -> None:
    """Start the extractor from the model in `folder`, if `settings` want it; with instance norm, without the running
    statistics of batch norm. Raises UserError where it does not fit."""
    if settings.training.pretrained:
        without = ("running_mean", "running_var", "num_batches_tracked") if settings.network.norm == "instance" else ()
        load_model(model, folder / runs.MODEL, module="extractor", without=without)


@torch.no_grad()
def probe_first(model: Classifier, run: Partition, training: Training) -> None:
    """Linear probing, then fine-tuning (Kumar et al. 2022): a classifier that starts at random would first bend the
    extractor to itself. Sets `embedding_norm`, which learns no more, and `classifier`."""
    from sklearn.linear_model import LogisticRegression  # here, as other networks do without
    from sklearn.preprocessing import StandardScaler

    embeddings = infer(model, run.inputs("train")).embedding.numpy()
    weights = run.weights(training)
    sample_weight = None if weights is None else weights.numpy()
    scaler = StandardScaler().fit(embeddings, sample_weight=sample_weight)
    probe = LogisticRegression(C=training.probe_C, max_iter=2000)
    probe.fit(scaler.transform(embeddings), run.labels("train"), sample_weight=sample_weight)
    weight, bias = probe.coef_, probe.intercept_
    if len(probe.classes_) == 2:  # one margin: half of it for each class
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    statistics = {"running_mean": scaler.mean_, "running_var": scaler.scale_**2}
    norm, classifier = model.embedding_norm, model.classifier
    norm.load_state_dict(norm.state_dict() | {name: torch.from_numpy(own) for name, own in statistics.items()})
    model.freeze(norm)
    classes = torch.from_numpy(probe.classes_)
    classifier.weight[classes] = torch.from_numpy(weight).to(classifier.weight)
    classifier.bias[classes] = torch.from_numpy(bias).to(classifier.bias)


def build_objective(model: Classifier, run: Partition, training: Training) -> Objective:
    """The objective that `training` describes, for the training speakers of `run`."""
    counts = torch.bincount(run.y_e[run.index["train"]], minlength=len(run.corpus.classes))
    weigh = training.class_balanced and not training.corpus_balanced  # which draws by class, too
    return Objective(
        model,
        len(run.speakers),
        training.lambda_ad,
        plus=training.L_AD_plus,
        minus=training.L_AD_minus,
        lambda_speaker=training.lambda_speaker,
        adversarial=training.adversarial,
        class_weights=counts.sum() / (len(counts) * counts.clamp(min=1)) if weigh else None,
        corpora=len(run.corpora) if training.L_AD_minus_corpus else 0,
        label_smoothing=training.label_smoothing,
    )
