#!/usr/bin/env python3
"""Train emotion systems on a list of runs and score the speakers that each run left out.

  steps/finetune.py [options] <data-dir> <exp-dir>
  steps/finetune.py --config conf/finetune.yaml --conf conf --systems "vgg5 vgg5_ad" --seeds "0 1" --nj 8 \\
    --cmd "$cuda_cmd" --pretrained ../voxceleb1/exp/resnet18 data/iemocap exp
  steps/finetune.py --config conf/finetune.yaml --config conf/systems/vgg5.yaml data/iemocap exp/vgg5

With --systems, names of systems or groups of <conf>/groups.yaml, each system is conf/systems/<system>.yaml and goes to
<exp-dir>/<system>; the runs that are not finished are dealt over --nj jobs (<exp-dir>/log/finetune.<job>.list), first
those of systems without epochs, which take seconds. Without it, one system, of --config, goes to <exp-dir>.

<exp-dir>/<run>_seed<k>/ gets
  scores, scores.valid           posteriors for the test and the validation speakers, of the epoch that is best on the
                                 validation speakers
  scores.last                    the same for the test speakers, of the last epoch, where there are epochs
  embedding.{ark,scp}            of every utterance of the run, what the classifier sees; with AD, what F⁻ holds is in
                                 embedding_minus.{ark,scp}
  model.safetensors              the network of that epoch
  history.tsv, log/              losses and validation results of every epoch; the same for TensorBoard
  config.yaml, environment.yaml  the configuration, whole; code, versions, machine, time, cost
  leak                           only where the data dir has falsified speakers (utils/leak_data_dir.py)
A finished run is kept; an interrupted one resumes from its last checkpoint, with identical results. A run that was made
from other settings, features, labels, folds or another pre-trained model than now is moved to its .backup, and trained
again. --training.oracle true adds scores.oracle, of the epoch that is best on the test speakers, and changes nothing
else.

A pre-trained model whose folder lists speakers of the data dir (`speakers`, written by steps/pretrain.py) is refused:
the test speakers must be unknown to it. Ids are compared; a person with two ids is not found.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from steps.systems.checks import check_classes, check_pretrained
from steps.systems.system import Config
from steps.training.tasks import deal, read_list, write_list
from utils import cli, config, folds, jobs, runs, systems
from utils.archive import scp_content
from utils.hold import hold
from utils.record import Origin, begin, content, of_settings, outdated
from utils.runs import Run
from utils.table import read_table

VERSION = 1  # raised when a training makes another result of the same things


def arguments() -> config.ArgumentParser:
    parser = config.arguments(Config, __doc__)
    parser.add_argument("data", type=Path, help="data dir with feats.scp, utt2emo and folds")
    parser.add_argument("out", type=Path, help="folder of the system; with --systems, of their folders")
    parser.add_argument("--systems", default="", help="systems and groups of them, separated by spaces")
    parser.add_argument("--conf", type=Path, default=Path("conf"), help="folder of systems/ and groups.yaml")
    parser.add_argument("--pretrained", default="", help="folder of a pre-trained model, for those that start from one")
    parser.add_argument("--runs", default="", help="runs of <data-dir>/folds, separated by spaces [all]")
    parser.add_argument("--seeds", default="0", help="seeds, separated by spaces")
    parser.add_argument("--redo", type=bool, default=False, help="true: train again what is finished")
    parser.add_argument("--nj", type=int, default=0, help="jobs that the work is dealt over; 0: it is done here")
    parser.add_argument("--cmd", default="utils/run.py", help="job runner")
    parser.add_argument("--list", default="", help="for the jobs: file of lines <system> <run> <seed>, these alone")
    return parser


class Plan:
    """What is asked for: systems × runs × seeds, and what each is made from."""

    def __init__(self, options: config.Namespace) -> None:
        """Raises UserError for whatever is wrong with it."""
        self.options = options
        names = systems.select(options.conf, options.systems)
        if options.systems.strip() and not names:
            raise cli.UserError(f"--systems '{options.systems}' names no system of {options.conf}/systems")
        words = {name: [*sys.argv[1:], "--config", f"{options.conf}/systems/{name}.yaml"] for name in names}
        words = words or {"": sys.argv[1:]}
        self.settings = {name: config.parse(arguments(), Config, args)[1] for name, args in words.items()}
        self.folds = folds.of_data_dir(options.data)
        chosen = options.runs.split() or list(self.folds)
        if unknown := [run for run in chosen if run not in self.folds]:
            known = " ".join(self.folds)
            raise cli.UserError(f"{options.data}/folds: there is no run {unknown[0]}; there are: {known}")
        seeds = cli.numbers("--seeds", options.seeds)
        if not seeds:
            raise cli.UserError("--seeds is empty: name at least one")
        quick_first = sorted(self.settings, key=lambda name: self.settings[name].training.epochs > 0)
        self.runs = list(
            dict.fromkeys(Run(name, run, seed) for name in quick_first for run in chosen for seed in seeds)
        )
        if options.list:
            self.runs = [run for run in read_list(options.list) if run in self.runs]
        self.check({run: self.folds[run] for run in chosen})
        self.content = {"features": scp_content(options.data / "feats.scp")}
        self.content["labels"] = content(options.data / "utt2spk", options.data / "utt2emo")

    def check(self, chosen: folds.Folds) -> None:
        """Refuse here what would be refused behind the first run."""
        data = self.options.data
        runs.check_home(data, self.options.out if self.options.systems else self.options.out.resolve().parent)
        utt2spk, utt2emo = (read_table(data / name) for name in ("utt2spk", "utt2emo"))
        for name, settings in self.settings.items():
            check_pretrained(Path(self.options.pretrained), settings, utt2spk.values())
            check_classes(settings, chosen, utt2spk, utt2emo, name)

    def folder(self, run: Run) -> Path:
        return run.folder(self.options.out)

    def origin(self, run: Run) -> Origin:
        """What a run is made from."""
        settings, read = self.settings[run.system], dict(self.content)
        if settings.input.vad:
            read["speech decisions"] = scp_content(self.options.data / "vad.scp")
        if settings.training.pretrained:
            read["pre-trained model"] = content(Path(self.options.pretrained) / runs.MODEL)
        chosen = of_settings(settings, ["training.oracle"])
        chosen |= {f"speakers of {part}": " ".join(names) for part, names in self.folds[run.run].items()}
        return Origin("finetune", VERSION, chosen, read, of_settings(Config()))

    def unfinished(self, run: Run) -> str:
        """Why a run is to be trained; "" where it is finished."""
        wanted = [runs.SCORES, *[runs.ORACLE] * self.settings[run.system].has_oracle]
        return outdated(self.folder(run), self.origin(run), *(self.folder(run) / name for name in wanted))


def main() -> None:
    options, _ = config.parse(arguments(), Config)
    plan = Plan(options)
    if options.list:
        train_here(plan, [run for run in plan.runs if plan.unfinished(run)])
        return
    with hold(options.out):
        todo = [run for run in plan.runs if options.redo or plan.unfinished(run)]
        if not todo:
            count = len(plan.runs)
            print(f"{options.out}: {f'all {count} runs are' if count > 1 else 'the run is'} finished and up to date")
            return
        for run in todo:  # nothing is touched where somebody else still trains one of them
            with hold(plan.folder(run)):
                pass
        for run in todo:  # from here on it counts as unfinished
            with hold(plan.folder(run)):
                begin(plan.folder(run), plan.origin(run))
                runs.pass_on_leak(options.data, plan.folder(run))
                for path in plan.folder(run).glob(f"{runs.SCORES}*"):
                    path.unlink()
        for words in folds.left_out(plan.folds, set(read_table(options.data / "utt2spk").values())):
            cli.warn(f"{options.data}/folds: {words}")
        print(f"{options.out}: {len(todo)} of {len(plan.runs)} runs to train", flush=True)
        if options.nj:
            train_in_jobs(plan, todo)
        else:
            train_here(plan, todo)


def train_in_jobs(plan: Plan, todo: list[Run]) -> None:
    """One array of jobs, with a list of its own for each."""
    out, count = plan.options.out, min(plan.options.nj, len(todo))
    for number, share in enumerate(deal(todo, count), 1):
        write_list(out / f"log/finetune.{number}.list", share)
    again = [*sys.argv, "--nj", "0", "--redo", "false", "--list", f"{out}/log/finetune.JOB.list"]
    if not jobs.call(plan.options.cmd, f"JOB=1:{count}", f"{out}/log/finetune.JOB.log", *again):
        raise cli.UserError(f"{out}: training failed; the log is named above")


def train_here(plan: Plan, todo: list[Run]) -> None:
    """One run after the other, each held while it is written."""
    # Here, since whoever only deals out jobs has an answer in a tenth of the time.
    from steps.frontend.utterances import read_corpus
    from steps.systems.train_run import train_run
    from steps.training.device import pick_device

    wanted, corpus, began = None, None, time.monotonic()
    for number, run in enumerate(todo):
        settings, folder = plan.settings[run.system], plan.folder(run)
        if corpus is None or settings.input != wanted:  # most systems read the same features in the same way
            wanted, corpus = settings.input, read_corpus(plan.options.data, settings.input, pick_device())
        sizes = ", ".join(f"{part} {len(speakers)}" for part, speakers in plan.folds[run.run].items())
        left = (time.monotonic() - began) / number * (len(todo) - number) / 60 if number else 0.0
        about = f", about {left:.0f} min to go" if left >= 1 else ""
        print(
            f"run {number + 1} of {len(todo)}: {folder.relative_to(plan.options.out)} (speakers: {sizes}){about}",
            flush=True,
        )
        with hold(folder):
            begin(folder, plan.origin(run))
            train_run(corpus, plan.folds[run.run], folder, run.seed, settings, plan.options.pretrained)


if __name__ == "__main__":
    cli.run(main)
