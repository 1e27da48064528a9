#!/usr/bin/env python3
"""Train emotion systems on a list of runs and score the speakers that each run left out.

  steps/finetune.py [options] <data-dir> <exp-dir>
  steps/finetune.py --config conf/finetune.yaml --config conf/systems/resnet18_pretrain_ad.yaml \\
    --pretrained ../voxceleb1/exp/resnet18 --runs "Ses01F Ses01M" --seeds "0 1" data/iemocap exp/resnet18_pretrain_ad
  steps/finetune.py --config conf/finetune.yaml --systems "vgg5 vgg5_ad" --nj 8 --cmd "$cuda_cmd" data/iemocap exp

The last one trains several systems, of conf/systems/<system>.yaml into <exp-dir>/<system>, as one array of jobs; each
job has a share of what is not finished yet (<exp-dir>/log/finetune.<job>.list).

<exp-dir>/<run>_seed<k>/ gets
  scores, scores.valid           posteriors for the test and the validation speakers, of the epoch that is best on the
                                 validation speakers
  scores.last                    the same for the test speakers, of the last epoch, where there are epochs
  embedding.{ark,scp}            of every utterance of the run, what the classifier sees; with AD, what F⁻ holds is in
                                 embedding_minus.{ark,scp}
  model.safetensors              the network of that epoch
  history.tsv, log/              losses and validation results of every epoch; the same for TensorBoard
  config.yaml, environment.yaml  the configuration, whole; code, versions, machine, time
  leak                           only where the data dir is marked so (utils/leak_data_dir.py)
Runs whose scores are there are left as they are; an interrupted run goes on from where it was. What was made from other
settings, features, labels, folds or another pre-trained model than now is moved to its .backup, and trained anew.
--training.oracle true adds scores.oracle, of the epoch that is best on the test speakers, and changes nothing else: a
finished run that has it serves without it too, and one that has not is trained again where it is, to the same scores.

A pre-trained model whose folder lists speakers of the data dir (`speakers`, as steps/pretrain.py leaves it) is refused:
they would be no strangers when they are tested. Only ids can be compared, and only where there is such a list.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from steps.systems.checks import check_classes, check_pretrained
from steps.systems.settings import Config
from steps.training.lineage import begin, lineage, outdated
from steps.training.tasks import Task, deal, read_tasks, write_tasks
from utils import cli, config, folds, jobs, leak
from utils.made_from import digest
from utils.table import read_table


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
    parser.add_argument("--check", type=bool, default=False, help="true: only say which runs are out of date, and why")
    parser.add_argument("--nj", type=int, default=0, help="jobs that the work is dealt over; 0: it is done here")
    parser.add_argument("--cmd", default="utils/run.py", help="job runner")
    parser.add_argument("--list", default="", help="file of lines <system> <run> <seed>: these alone (for the jobs)")
    return parser


def settings_of(options: config.Namespace) -> dict[str, Config]:
    """The configuration of each system; without --systems, of the one that --config names."""
    files = {name: options.systems_dir / f"{name}.yaml" for name in options.systems.split()}
    words = {name: [*sys.argv[1:], "--config", str(file)] for name, file in files.items()} or {"": sys.argv[1:]}
    return {name: config.parse(arguments(), Config, args)[1] for name, args in words.items()}


def chosen(partition: folds.Folds, options: config.Namespace) -> folds.Folds:
    """The runs asked for."""
    runs = options.runs.split() or list(partition)
    if unknown := [run for run in runs if run not in partition]:
        raise cli.UserError(f"{options.data}/folds: there is no run {unknown[0]}; there are: {' '.join(partition)}")
    return {run: partition[run] for run in runs}


def lineage_of(task: Task, settings: Config, runs: folds.Folds, options: config.Namespace) -> dict[str, Any]:
    """The record of what a run is made from."""
    others: dict[str, Any] = {f"speakers of {task.run}, {part}": names for part, names in runs[task.run].items()}
    others["training.oracle"] = None  # equal to everything: it trains nothing differently
    if settings.training.pretrained:
        others["pre-trained model, content"] = digest(Path(options.pretrained) / "model.safetensors")
    return lineage(settings, options.data, **others)


def lacking(place: Path, settings: Config) -> str:
    """The score file, of those that a finished run has left, that is not in `place`; "" where it is finished."""
    wanted = ["scores", *["scores.oracle"] * settings.has_oracle]
    return next((name for name in wanted if not (place / name).exists()), "")


def main() -> None:
    options, _ = config.parse(arguments(), Config)
    systems, partition = settings_of(options), folds.of_data_dir(options.data)
    leak.check_home(options.data, options.out if options.systems else options.out.resolve().parent)
    runs, seeds = chosen(partition, options), cli.numbers("--seeds", options.seeds)
    if not seeds:
        raise cli.UserError("--seeds is empty: name at least one")
    tasks = [Task(system, run, seed) for system in systems for run in runs for seed in seeds]
    if options.list:
        tasks = [task for task in read_tasks(options.list) if task in tasks]
    records = {task: lineage_of(task, systems[task.system], runs, options) for task in tasks}
    stale = {task: why for task in tasks if (why := outdated(task.place(options.out), records[task]))}
    missing = {task: name for task in tasks if (name := lacking(task.place(options.out), systems[task.system]))}
    if options.check:
        stale = {task: f"has no {name}" for task, name in missing.items() if name != "scores"} | stale
        print("".join(f"{task.place(options.out)}: {why}\n" for task, why in stale.items()), end="")
        return
    if not options.redo:
        tasks = [task for task in tasks if task in stale or task in missing]
    utt2spk, utt2emo = (read_table(options.data / name) for name in ("utt2spk", "utt2emo"))
    for system in {task.system: None for task in tasks}:  # refused here rather than behind the first run
        check_pretrained(Path(options.pretrained), systems[system], utt2spk.values())
        check_classes(systems[system], runs, utt2spk, utt2emo, system)
    for words in folds.left_out(partition, set(utt2spk.values())) if tasks and not options.list else ():
        cli.warn(f"{options.data}/folds: {words}")
    for task in tasks:  # from here on it counts as unfinished
        begin(task.place(options.out), records[task])
        leak.pass_on(options.data, task.place(options.out))
        for path in task.place(options.out).glob("scores*"):
            path.unlink()
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
    # Here, since whoever only deals out jobs, or looks at what is out of date, has an answer in a tenth of the time.
    from steps.frontend.utterances import read_corpus
    from steps.systems.run import train_run
    from steps.training.device import pick_device

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
