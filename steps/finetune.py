#!/usr/bin/env python3
"""Train emotion systems on a list of runs and score the speakers that each run left out.

  steps/finetune.py [options] <data-dir> <exp-dir>
  steps/finetune.py --config conf/finetune.yaml --config conf/systems/resnet18_pretrain_ad.yaml \\
    --pretrained ../voxceleb1/exp/resnet18 --runs "Ses01F Ses01M" --seeds "0 1" data/iemocap exp/resnet18_pretrain_ad
  steps/finetune.py --config conf/finetune.yaml --systems "vgg5 vgg5_ad" --nj 8 --cmd "$cuda_cmd" data/iemocap exp

The last one trains several systems, of conf/systems/<system>.yaml into <exp-dir>/<system>, as one array of jobs; each
job has a share of what is not finished yet (<exp-dir>/log/finetune.<job>.list).

<exp-dir>/<run>_seed<k>/ gets config.yaml, environment.yaml, model.safetensors (of the epoch that is best on the
validation speakers), scores (test), scores.valid, and scores.last (test, last epoch). Runs whose scores are there are
left as they are; an interrupted run goes on from its last epoch.
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from steps.evaluation.metrics import classification_metrics
from steps.evaluation.scores import write_scores
from steps.frontend.network_input import Input
from steps.frontend.utterances import Corpus, read_corpus
from steps.nnet.networks import Classifier, Network, Objective
from steps.training.checkpoint import load_model, save_model
from steps.training.device import Precision, pick_device
from steps.training.loop import fit
from steps.training.provenance import save_environment
from steps.training.tasks import Task, deal, read_tasks, write_tasks
from utils import cli, config, data_dir, folds, jobs


@dataclass
class Training:
    """Adam; what is newly initialised learns at `classifier_lr`, the extractor at `extractor_lr`."""

    pretrained: bool = False  # start the extractor from the model in --pretrained
    epochs: int = 50
    batch: int = 128  # crops a step
    classifier_lr: float = 0.01
    extractor_lr: float = 1e-3
    # Both rates fall to a tenth as these epochs start.
    milestones: list[int] = field(default_factory=lambda: [21, 31, 41])
    lambda_ad: float = 0.5  # λ in L = L_emo + λ (L_AD⁺ + L_AD⁻)
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        config.require_positive(self, "epochs", "batch")


@dataclass
class Config:
    network: Network = field(default_factory=Network)
    input: Input = field(default_factory=Input)
    training: Training = field(default_factory=Training)


@torch.inference_mode()
def posteriors(model: Classifier, inputs: list[np.ndarray]) -> np.ndarray:
    """Class posteriors of whole utterances, (N, classes); one at a time and in float32, so that none depends on its
    neighbours."""
    device = next(model.parameters()).device
    model.eval()
    logits = [model(torch.from_numpy(frames)[None].to(device)).logits for frames in inputs]
    return torch.cat(logits).softmax(dim=1).cpu().numpy()


def train_run(
    corpus: Corpus, parts: dict[str, list[str]], out: Path, seed: int, settings: Config, pretrained: str
) -> None:
    """One run with one seed: select the epoch on the validation speakers, score the test speakers."""
    training, device, began = settings.training, corpus.crops.device, time.monotonic()
    index = {part: corpus.of(speakers) for part, speakers in parts.items()}
    inputs = {part: [corpus.inputs[i] for i in index[part].tolist()] for part in ("valid", "test")}
    y_e = torch.zeros(len(corpus.utterances), dtype=torch.long, device=device)
    y_e[index["train"]] = torch.from_numpy(corpus.labels(index["train"])).to(device)
    number = {speaker: i for i, speaker in enumerate(sorted(parts["train"]))}
    y_s = torch.tensor([number.get(corpus.speakers[name], -1) for name in corpus.utterances], device=device)

    torch.manual_seed(seed)
    model = Classifier(settings.network, len(corpus.classes)).to(device, memory_format=torch.channels_last)
    objective = Objective(model, len(number), training.lambda_ad).to(device)
    if training.pretrained:
        load_model(model, Path(pretrained) / "model.safetensors", part="extractor")
    both = torch.nn.ModuleDict({"model": model, "objective": objective})
    extractor, rest = [], []  # lists: a resumed optimiser knows its parameters by their order
    for name, parameter in both.named_parameters():
        (extractor if name.startswith("model.extractor.") else rest).append(parameter)
    optimiser = torch.optim.Adam([{"params": extractor}, {"params": rest}])

    def terms(x: torch.Tensor, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        batch = batch.to(device)
        return objective(model(x), y_e[batch], y_s[batch])

    def rates(epoch: int, progress: float) -> list[float]:
        tenths = sum(epoch >= milestone for milestone in training.milestones)
        return [lr * 0.1**tenths for lr in (training.extractor_lr, training.classifier_lr)]

    def after_epoch(epoch: int, memory: dict[str, Any]) -> str:
        found = classification_metrics(corpus.labels(index["valid"]), posteriors(model, inputs["valid"]).argmax(axis=1))
        if [found.wf1, found.ua] >= memory.get("best", [0.0, 0.0]):  # ties: the later epoch
            weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            memory.update(best=[found.wf1, found.ua], epoch=epoch, weights=weights)
        return f"valid wF1 {found.wf1:.2f} UA {found.ua:.2f}"

    def score(part: str, name: str) -> None:
        names = [corpus.utterances[i] for i in index[part].tolist()]
        rows = dict(zip(names, posteriors(model, inputs[part])))
        write_scores(out / name, corpus.classes, rows, corpus.speakers, corpus.emotions)

    memory = fit(
        both,
        optimiser,
        terms,
        corpus.crops.batch,
        index["train"],
        epochs=training.epochs,
        batch_size=training.batch,
        rates=rates,
        seed=seed,
        precision=training.precision,
        checkpoint=out / "checkpoint.pt",
        config={**asdict(settings), "parts": parts},
        after_epoch=after_epoch,
    )
    config.save(settings, out / "config.yaml")
    score("test", "scores.last")
    model.load_state_dict(memory["weights"])
    save_model(model, out / "model.safetensors")
    score("valid", "scores.valid")
    source = Path(pretrained) if training.pretrained else None
    save_environment(out / "environment.yaml", device, training.precision, time.monotonic() - began, source)
    score("test", "scores")  # the last of the files: where it is, the run is finished
    (out / "checkpoint.pt").unlink()
    print(
        f"{out}: epoch {memory['epoch']} of {training.epochs} selected, valid wF1 {memory['best'][0]:.2f}", flush=True
    )


def arguments() -> config.ArgumentParser:
    parser = config.arguments(Config, __doc__)
    parser.add_argument("data", type=Path, help="data dir with feats.scp, utt2emo and folds")
    parser.add_argument("out", type=Path, help="folder of the system; with --systems, of their folders")
    parser.add_argument("--systems", default="", help="systems, separated by spaces")
    parser.add_argument("--systems-dir", type=Path, default=Path("conf/systems"), help="where their YAML files are")
    parser.add_argument("--pretrained", default="", help="folder of a pre-trained model, for those that start from one")
    parser.add_argument("--runs", default="", help="runs of <data-dir>/folds, separated by spaces [all]")
    parser.add_argument("--seeds", default="0", help="seeds, separated by spaces")
    parser.add_argument("--redo", type=bool, default=False, help="true: train again what is finished")
    parser.add_argument("--nj", type=int, default=0, help="jobs that the work is dealt over; 0: it is done here")
    parser.add_argument("--cmd", default="utils/run.py", help="job runner")
    parser.add_argument("--list", default="", help="file of lines <system> <run> <seed>: these alone (for the jobs)")
    return parser


def settings_of(options: config.Namespace) -> dict[str, Config]:
    """The configuration of each system; without --systems, of the one that --config names."""
    files = {name: options.systems_dir / f"{name}.yaml" for name in options.systems.split()}
    words = {name: [*sys.argv[1:], "--config", str(file)] for name, file in files.items()} or {"": sys.argv[1:]}
    return {name: config.parse(arguments(), Config, args)[1] for name, args in words.items()}


def checked_folds(options: config.Namespace) -> folds.Folds:
    """The runs asked for, of which none leaks."""
    partition, data = folds.read(options.data / "folds"), options.data
    folds.check(partition, data_dir.read_table(data / "utt2spk"), data_dir.read_table(data / "utt2session"))
    runs = options.runs.split() or list(partition)
    if unknown := [run for run in runs if run not in partition]:
        raise cli.UserError(f"{data}/folds: there is no run {unknown[0]}; there are: {' '.join(partition)}")
    tested = [speaker for run in runs for speaker in partition[run]["test"]]
    if twice := {speaker for speaker in tested if tested.count(speaker) > 1}:
        raise cli.UserError(f"{data}/folds: {min(twice)} is tested in two runs, whose scores cannot be pooled")
    return {run: partition[run] for run in runs}


def main() -> None:
    options, _ = config.parse(arguments(), Config)
    systems, runs, seeds = settings_of(options), checked_folds(options), options.seeds.split()
    if not all(seed.isdigit() for seed in seeds):
        raise cli.UserError(f"--seeds '{options.seeds}': expected whole numbers separated by spaces")
    tasks = [Task(system, run, int(seed)) for system in systems for run in runs for seed in seeds]
    if options.list:
        tasks = [task for task in read_tasks(options.list) if task in tasks]
    finished = [] if options.redo else [task for task in tasks if (task.place(options.out) / "scores").exists()]
    for task in finished:
        if config.load(Config, task.place(options.out) / "config.yaml") != systems[task.system]:
            raise cli.UserError(
                f"{task.place(options.out)}: was made with another configuration; redo the stage, or use another --exp"
            )
    tasks = [task for task in tasks if task not in finished]
    for system in {task.system: None for task in tasks}:  # refused here rather than behind the first run
        if systems[system].training.pretrained:
            model = Classifier(systems[system].network, 2)
            load_model(model, Path(options.pretrained) / "model.safetensors", part="extractor")
    for task in tasks:  # with --redo: from here on it counts as unfinished
        (task.place(options.out) / "scores").unlink(missing_ok=True)
    if not tasks:
        print(f"{options.out}: all runs have been scored")
    elif options.nj:
        train_in_jobs(tasks, options)
    else:
        train_here(tasks, systems, runs, options)


def train_in_jobs(tasks: list[Task], options: config.Namespace) -> None:
    """One array of jobs, with a list of its own for each."""
    logs, jobs_wanted = options.out / "log", min(options.nj, len(tasks))
    for number, share in enumerate(deal(tasks, jobs_wanted), 1):
        write_tasks(logs / f"finetune.{number}.list", share)
    again = [*sys.argv, "--nj", "0", "--redo", "false", "--list", f"{logs}/finetune.JOB.list"]
    if not jobs.call(options.cmd, f"JOB=1:{jobs_wanted}", f"{logs}/finetune.JOB.log", *again):
        raise cli.UserError(f"{options.out}: training failed; the log is named above")


def train_here(tasks: list[Task], systems: dict[str, Config], runs: folds.Folds, options: config.Namespace) -> None:
    """One after the other."""
    wanted = corpus = None
    for number, task in enumerate(tasks, 1):
        settings, place = systems[task.system], task.place(options.out)
        if settings.input != wanted:  # most systems read the same features in the same way
            wanted, corpus = settings.input, read_corpus(options.data, settings.input, pick_device())
        sizes = ", ".join(f"{part} {len(speakers)}" for part, speakers in runs[task.run].items())
        print(f"run {number} of {len(tasks)}: {place.relative_to(options.out)} (speakers: {sizes})", flush=True)
        train_run(corpus, runs[task.run], place, task.seed, settings, options.pretrained)


if __name__ == "__main__":
    cli.run(main)
