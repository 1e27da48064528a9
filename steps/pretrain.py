#!/usr/bin/env python3
"""Pre-train a feature extractor: speakers by softmax (or AAM-softmax) over random crops.

  steps/pretrain.py [options] <train-dir> <heldout-dir> <exp-dir>
  steps/pretrain.py --config conf/pretrain.yaml data/train data/heldout exp/resnet18
  steps/pretrain.py --config conf/pretrain.yaml --cmd "$cuda_cmd --gpu 4 --nodes 2" data/train data/heldout exp/resnet18

With --cmd this is one job, of a process for each GPU, with the configuration as it is when the queue is given it. With
--teacher the network also learns to find a vector of each whole utterance, made by another model or by formula
(functionals.scp of a data dir), in its embedding of a crop.

Leaves model.safetensors, config.yaml, `speakers` and `result`, the share of held-out utterances whose speaker is found.
A finished model that is up to date is kept; an interrupted training resumes from its last checkpoint, with identical
results; what was made from other settings or features is moved to <exp-dir>/.backup, and made again. Under torchrun,
several processes train one network, to the same end but for rounding; they share a file system and, on one machine, the
training set in memory.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from steps.frontend.given import Given
from steps.training.pretraining import Config
from utils import cli, config, jobs, runs
from utils.archive import scp_content
from utils.hold import hold
from utils.record import Origin, begin, content, of_settings, outdated

VERSION = 1  # raised when another model comes of the same data and settings


def origin(options: config.Namespace, settings: Config) -> Origin:
    """What the model is made from."""
    read = {}
    for data in (options.train, options.heldout):
        if data.is_dir():
            read[f"features of {data.name}"] = scp_content(data / "feats.scp")
            read[f"speakers of {data.name}"] = content(data / "utt2spk")
            if settings.input.vad:
                read[f"speech decisions of {data.name}"] = scp_content(data / "vad.scp")
    if options.teacher:
        read["the teacher's vectors"] = Given(options.teacher, options.train).content
    return Origin("pretrain", VERSION, of_settings(settings), read, of_settings(Config()))


def train_in_job(options: config.Namespace, settings: Config) -> None:
    """Through the job runner."""
    log = options.out / "log/pretrain.log"
    config.save(settings, saved := log.with_suffix(".yaml"))
    again = [sys.argv[0], "--config", str(saved), "--redo", str(options.redo).lower()]
    again += ["--teacher", str(options.teacher)] if options.teacher else []
    again += [str(options.train), str(options.heldout), str(options.out)]
    if not jobs.call(options.cmd, str(log), "utils/torchrun.py", str(log), *again):
        raise cli.UserError(f"{options.out}: training failed; the log is named above")


def main() -> None:
    parser = config.arguments(Config, __doc__)
    parser.add_argument("train", type=cli.path_of, help="data dir to train on")
    parser.add_argument("heldout", type=cli.path_of, help="other sessions of the same speakers; may be absent")
    parser.add_argument("out", type=cli.path_of, help="folder for the model")
    parser.add_argument("--teacher", type=cli.path_of, help="vectors of the training utterances: an scp or an .npz")
    parser.add_argument("--redo", type=bool, default=False, help="true: train again what is finished")
    parser.add_argument("--cmd", default="", help="job runner [none: the work is done here]")
    options, settings = config.parse(parser, Config)
    settings.augmentation.check_neutral(())
    with hold(options.train, shared=True), hold(options.heldout, shared=True):
        train(options, settings)


def train(options: config.Namespace, settings: Config) -> None:
    """What is unfinished or out of date, here or in a job."""
    if not (options.train / "feats.scp").is_file():  # before anything is moved or queued
        raise cli.UserError(f"{options.train}/feats.scp: no such file; steps/make_fbank.py makes it")
    out, made = options.out, origin(options, settings)
    if not options.redo and not outdated(out, made, out / runs.MODEL):  # of several processes, each comes to see that
        print(f"{out}: the model is there and up to date")
        return
    if options.cmd:
        train_in_job(options, settings)
        return
    from steps.training.device import pick_device  # here, as torch takes seconds to load
    from steps.training.distributed import joined_ranks
    from steps.training.speakers import pretrain

    with joined_ranks() as ranks, hold(out) if ranks.rank == 0 else nullcontext():
        if ranks.rank == 0:
            begin(out, made, keep=["log"])
        ranks.greatest(0, pick_device())  # the others wait for that
        pretrain(options.train, options.heldout, out, settings, ranks, options.teacher)


if __name__ == "__main__":
    cli.run(main)
