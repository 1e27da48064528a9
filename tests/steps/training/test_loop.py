"""Trainings that are killed, or told to end, again and again, and go on to the bit-identical end."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
import torch

from steps.frontend.options import Input
from steps.frontend.utterances import read_corpus
from steps.nnet.architecture import Network
from steps.systems.system import Config, Training
from steps.systems.train_run import train_run
from steps.training import ahead, loop, pretraining, speakers
from steps.training.checkpoint import load_checkpoint
from steps.training.distributed import Ranks
from utils import folds

NETWORK, INPUT = {"width": 2}, Input(crop=40)


def pre_train(data, out):
    settings = pretraining.Config(Network(**NETWORK), INPUT, pretraining.Training(epochs=3, batch=8, heldout_every=1))
    speakers.pretrain(data, data, out, settings)


def fine_tune(data, out):
    settings = Config(Network(**NETWORK, AD=True, D=2), INPUT, Training(epochs=4, batch=4, milestones=[3]))
    train_run(read_corpus(data, INPUT, torch.device("cpu")), folds.read(data / "folds")["r1"], out, 0, settings, Path())


def pre_train_ahead(data, out):
    """With crops made ahead of the step, as for a GPU that has no room for all frames. (In a process of its own.)"""
    loop.batches = lambda *arguments: ahead.batches(*arguments[:-1], True)
    pre_train(data, out)


WORK = {"pre-training": pre_train, "fine-tuning": fine_tune, "pre-training, ahead": pre_train_ahead}


def start(work, *arguments, save_every=300.0):
    """Run it in a process of its own, which ends as a program would. (One thread: a fork has no others.)"""
    if child := os.fork():
        return child
    code = 70
    try:
        torch.set_num_threads(1)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        loop.SAVE_EVERY = save_every
        work(*arguments)
        code = 0
    except SystemExit as end:
        code = end.code
    finally:
        os._exit(code)


def interrupt(child, number, checkpoint, pause):
    """Send the signal `pause` seconds after the child has left a new checkpoint; returns how the child ended."""
    before = stamp(checkpoint)
    while stamp(checkpoint) in (None, before):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    time.sleep(pause)
    os.kill(child, number)
    return end(child)


def end(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def stamp(path):
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def contents(folder):
    """What a training leaves, but for the conditions it was made under and what names its folder."""
    names = {path.name for path in folder.iterdir() if path.is_file()} - {"environment.yaml"}
    return {name: (folder / name).read_bytes().replace(str(folder).encode(), b"") for name in names}


@pytest.fixture(params=WORK)
def whole_and_work(request, emotional, tmp_path):
    assert end(start(WORK[request.param.partition(",")[0]], emotional, tmp_path / "whole")) == 0
    return contents(tmp_path / "whole"), lambda out: (WORK[request.param], emotional, out)


def test_killed_five_times_at_random_it_ends_the_same_to_the_bit(whole_and_work, tmp_path):
    whole, work = whole_and_work
    chance, out = random.Random(0), tmp_path / "cut"
    for _ in range(5):
        child = start(*work(out), save_every=0.0)
        assert interrupt(child, signal.SIGKILL, out / "checkpoint.pt", chance.uniform(0, 0.1)) in (-9, 0)
        for path in out.glob("checkpoint.pt"):
            state = torch.load(path, weights_only=True)
            assert load_checkpoint(path, state["config"])["progress"]["step"] >= 0
        assert {path.name for path in out.glob("[!.]*")} <= {"checkpoint.pt", *whole, "environment.yaml", "log"}
    assert end(start(*work(out))) == 0
    assert contents(out) == whole


def test_told_to_end_it_saves_at_once_and_loses_nothing(whole_and_work, tmp_path, monkeypatch):
    """SIGTERM comes in the middle of every third step."""
    whole, work = whole_and_work
    real, calls, out, codes, done = Ranks.backward, [], tmp_path / "cut", [], []

    def signalled(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments)

    monkeypatch.setattr(Ranks, "backward", signalled)
    while codes[-1:] != [0]:
        codes.append(end(start(*work(out))))
        states = [torch.load(path, weights_only=True) for path in out.glob("checkpoint.pt")]
        places = [state["progress"] for state in states]
        done += [4 * (place["epoch"] - 1) + place["step"] for place in places]
    assert done == [3 * i for i in range(1, len(done) + 1)] and set(codes[:-1]) == {143}
    assert contents(out) == whole
