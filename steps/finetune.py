#!/usr/bin/env python3
"""Train emotion systems on a list of runs and score the speakers that each run left out.

  steps/finetune.py [options] <data-dir> <exp-dir>
  steps/finetune.py --config conf/finetune.yaml --conf conf --systems "vgg5 vgg5_ad" --seeds "0 1" --nj 8 \\
    --cmd "$cuda_cmd" --pretrained ../voxceleb1/exp/resnet18 data/iemocap exp
  steps/finetune.py --config conf/finetune.yaml --config conf/systems/vgg5.yaml data/iemocap exp/vgg5

With --systems, names of systems or groups of <conf>/groups.yaml, each system is conf/systems/<system>.yaml and goes to
<exp-dir>/<system>. A system that needs what is not there (--embeddings, <data-dir>/utt2corpus) is left out of a group,
which is said; by its name it is refused. The runs that are not finished are dealt over --nj jobs
(<exp-dir>/log/finetune.<job>.list), with the configuration as it is then (<exp-dir>/log/conf), first those of systems
without epochs, which take seconds. Without --systems, one system, of --config, goes to <exp-dir>.

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
from other settings, features, labels, folds, embeddings or another pre-trained model than now is moved to its .backup,
and trained again; a run that <data-dir>/folds no longer has is moved so, too, of whichever system. --training.oracle
true adds scores.oracle, of the epoch that is best on the test speakers, and changes nothing else.

--embeddings FILE gives systems of `backend: {sees: given}` (conf/systems/given_*.yaml) a vector for every utterance, of
whatever model: an scp of Kaldi archives, or an .npz of arrays. A vector (C,) is taken as it is, of a matrix (T, C) mean
and standard deviation over time. Keys are utterance-ids or, of whole recordings, paths as in wav.scp, file names, or
these without their ending. In a folder, <name>.npz is for the systems of `backend: {vectors: <name>}`.

A pre-trained model whose folder lists speakers of the data dir (`speakers`, written by steps/pretrain.py) is refused:
the test speakers must be unknown to it. Ids are compared; a person with two ids is not found.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from steps.systems.checks import check_circles, check_starts, without_lacking
from steps.systems.combination import take_up
from steps.systems.dealing import train_in_jobs
from steps.systems.plan import Plan
from steps.systems.progress import Watch
from steps.systems.system import Config
from utils import cli, config, folds, jobs, runs, systems
from utils.files import set_aside
from utils.hold import hold
from utils.record import begin
from utils.runs import Run
from utils.table import read_table


def arguments() -> config.ArgumentParser:
    parser = config.arguments(Config, __doc__)
    parser.add_argument("data", type=cli.path_of, help="data dir with feats.scp, utt2emo and folds")
    parser.add_argument("out", type=cli.path_of, help="folder of the system; with --systems, of their folders")
    parser.add_argument("--systems", default="", help="systems and groups of them, separated by spaces")
    parser.add_argument("--conf", type=cli.path_of, default=Path("conf"), help="folder of systems/ and groups.yaml")
    parser.add_argument(
        "--pretrained", default="", help="folder of a pre-trained model; seed k starts from its seed<k>, if any"
    )
    parser.add_argument(
        "--embeddings", default="", help="scp, .npz or folder of vectors, for systems that see given ones"
    )
    parser.add_argument("--runs", default="", help="runs of <data-dir>/folds, separated by spaces [all]")
    parser.add_argument("--seeds", default="0", help="seeds, separated by spaces")
    parser.add_argument("--redo", type=bool, default=False, help="true: train again what is finished")
    parser.add_argument("--nj", type=int, default=0, help="jobs that the work is dealt over; 0: it is done here")
    parser.add_argument("--cmd", default="utils/run.py", help="job runner")
    parser.add_argument("--lenient", type=bool, default=False, help="true: leave out even by name what lacks something")
    parser.add_argument(
        "--check", type=bool, default=False, help="true: look at systems and models alone, without data"
    )
    parser.add_argument("--list", default="", help="for the jobs: file of lines <system> <run> <seed>, these alone")
    return parser


def settings_of(options: config.Namespace) -> dict[str, Config]:
    """The configuration of each system; without --systems, of the one that --config names."""
    names = systems.select(options.conf, options.systems)
    if options.systems.strip() and not names:
        raise cli.UserError(f"--systems '{options.systems}' names no system of {options.conf}/systems")
    if not names:
        return without_lacking({"": config.parse(arguments(), Config)[1]}, options)
    every: dict[str, Config] = {}
    while names:  # a system that takes others up brings them along
        path = options.conf / "systems" / f"{(name := names.pop(0))}.yaml"
        every[name] = config.parse(arguments(), Config, [*sys.argv[1:], "--config", str(path)])[1]
        names += [part for part in every[name].backend.of if part not in [*every, *names]]
    check_circles(every)
    return without_lacking(every, options)


def main() -> None:
    options, _ = config.parse(arguments(), Config)
    if options.check:
        check(options)
        return
    with hold(options.data, shared=True):  # all runs read the same features and labels
        train(options)


def check(options: config.Namespace) -> None:
    """Refuse what can be refused before there is a data dir."""
    every, seeds = settings_of(options), cli.numbers("--seeds", options.seeds)
    if options.pretrained:
        check_starts(every.values(), seeds, options, ())


def train(options: config.Namespace) -> None:
    """What is unfinished or out of date, here or in jobs."""
    if not (settings := settings_of(options)):
        print(f"{options.out}: no system can be trained on {options.data}")
        return
    plan = Plan(options, settings)
    if options.list:
        train_here(plan, [run for run in plan.runs if plan.unfinished(run)])
        return
    if options.nj:
        jobs.runner_of(options.cmd)  # before anything is moved
    with hold(options.out):
        leave_behind(plan)
        todo = [run for run in plan.runs if options.redo or plan.unfinished(run)]
        if not todo:
            count = len(plan.runs)
            print(f"{options.out}: {f'all {count} runs are' if count > 1 else 'the run is'} finished and up to date")
            return
        for run in todo:
            plan.vectors_for(plan.settings[run.system])  # broken ones are refused before anything is touched
        for run in todo:  # nothing is touched where somebody else still trains one of them
            with hold(plan.folder(run)):
                pass
        for run in todo:  # from here on it counts as unfinished
            with hold(plan.folder(run)):
                begin(plan.folder(run), plan.origin(run))
                runs.pass_on_leak(options.data, plan.folder(run))
                (plan.folder(run).parent / runs.RESULT).unlink(missing_ok=True)
                for path in plan.folder(run).glob(f"{runs.SCORES}*"):
                    path.unlink()
                if not (plan.folder(run) / runs.CHECKPOINT).exists():  # nothing is gone on with
                    (plan.folder(run) / runs.HISTORY).unlink(missing_ok=True)
        utt2spk = read_table(options.data / "utt2spk")
        unlearned = folds.unlearned(plan.folds, utt2spk, read_table(options.data / "utt2emo"))
        for words in (*folds.left_out(plan.folds, set(utt2spk.values())), *unlearned):
            cli.warn(f"{options.data}/folds: {words}")
        print(f"{options.out}: {len(todo)} of {len(plan.runs)} runs to train, {plan.crops(todo):,} crops", flush=True)
        with Watch(plan, todo) if len(todo) > 1 else nullcontext():
            if alone := [run for run in todo if not plan.parts(run)]:
                train_in_jobs(options, settings, alone) if options.nj else train_here(plan, alone)
            for run in todo:
                if run not in alone:  # seconds of work, once all that it takes up is there
                    with hold(plan.folder(run)):
                        take_up(plan, run)


def leave_behind(plan: Plan) -> None:
    """Move aside the runs, of all systems in the folder, that the data dir's folds no longer have: beside those of now
    they cannot be scored."""
    stale = plan.stale()
    for folder in stale:  # nothing is touched where somebody else still trains one of them
        with hold(folder):
            pass
    for folder in stale:
        with hold(folder):
            where = set_aside(folder, [".lock"])
        (folder.parent / runs.RESULT).unlink(missing_ok=True)
        cli.warn(f"{folder}: {plan.options.data}/folds has no such run: moved to {where}")


def train_here(plan: Plan, todo: list[Run]) -> None:
    """One run after the other, each held while it is written."""
    # Here, since whoever only deals out jobs has an answer in a tenth of the time.
    from steps.frontend.utterances import read_corpus
    from steps.systems.train_run import train_run
    from steps.training.device import pick_device

    wanted: object = None
    corpus = None
    for number, run in enumerate(todo):
        settings, folder = plan.settings[run.system], plan.folder(run)
        reads = (settings.input, plan.vectors_seen(settings))
        if corpus is None or reads != wanted:  # most systems read the same features in the same way
            given = plan.vectors_for(settings)
            wanted, corpus = (
                reads,
                read_corpus(plan.options.data, settings.input, pick_device(), given, plan.options.out),
            )
        sizes = ", ".join(f"{part} {len(speakers)}" for part, speakers in plan.folds[run.run].items())
        print(
            f"run {number + 1} of {len(todo)}: {folder.relative_to(plan.options.out)} (speakers: {sizes})",
            flush=True,
        )
        with hold(folder):
            begin(folder, plan.origin(run))
            train_run(corpus, plan.folds[run.run], folder, run.seed, settings, plan.pretrained(run.system, run.seed))


if __name__ == "__main__":
    cli.run(main)
