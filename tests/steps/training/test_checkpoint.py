"""A checkpoint that this training has not written is refused in one line, which says what to do."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from steps.frontend.options import Input
from steps.frontend.utterances import read_corpus
from steps.nnet.architecture import Network
from steps.systems.system import Config, Training
from steps.systems.train_run import train_run
from steps.training.checkpoint import load_checkpoint, load_model, save_checkpoint, save_model
from steps.training.interruption import Interruption
from utils import config, folds
from utils.cli import UserError

SETTINGS = Config(Network(width=2), Input(crop=40), Training(epochs=1, batch=8))
PARTS = {"train": ["s0", "s1"], "valid": ["s2"], "test": ["s3"]}
OWN = {"config": {**config.chosen(SETTINGS), "parts": PARTS, "seed": 0}}


class Foreign:
    pass


def write_garbage(path):
    path.write_bytes(b"garbage")


def write_nothing(path):
    path.write_bytes(b"")


def write_pickle(path):
    path.write_bytes(pickle.dumps(Foreign()))


def write_json(path):
    path.write_text('{"config": 1}')


FOREIGN = {
    "garbage": write_garbage,
    "nothing": write_nothing,
    "a pickle": write_pickle,
    "JSON": write_json,
    "a tensor": torch.zeros(3),
    "an empty dictionary": {},
    "a list": [1, 2],
    "a configuration alone": OWN,
    "nothing but names": {**OWN, "model": {}, "optimiser": {}, "progress": {}, "random": {}, "generator": None},
    "weights alone": torch.nn.Linear(2, 2).state_dict(),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_checkpoint_is_refused_in_one_line(emotional, tmp_path, content):
    path = tmp_path / "run/checkpoint.pt"
    path.parent.mkdir()
    content(path) if callable(content) else torch.save(content, path)
    corpus = read_corpus(emotional, SETTINGS.input, torch.device("cpu"))
    assert folds.read(emotional / "folds")["r1"] == PARTS
    with pytest.raises(UserError, match=r"checkpoint.pt: is no checkpoint of .*; remove it to start over") as error:
        train_run(corpus, PARTS, path.parent, 0, SETTINGS, Path())
    assert len(str(error.value).splitlines()) == 1


def test_a_whole_module_is_not_unpickled(emotional, tmp_path):
    save_checkpoint(tmp_path / "checkpoint.pt", {"config": torch.nn.Linear(2, 2)})
    corpus = read_corpus(emotional, SETTINGS.input, torch.device("cpu"))
    with pytest.raises(UserError, match=r"is no checkpoint of this training \(UnpicklingError\)"):
        train_run(corpus, PARTS, tmp_path, 0, SETTINGS, Path())


def test_a_foreign_bit_in_a_checkpoint_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"config": {}, "model": torch.zeros(10_000)})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55  # torch itself reads it without a word
    path.write_bytes(content)
    with pytest.raises(UserError, match="is no checkpoint of this training"):
        load_checkpoint(path, {})


def test_a_foreign_pipe_in_place_of_a_checkpoint_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match="is no checkpoint of this training"):
        load_checkpoint(tmp_path / "checkpoint.pt", {})


def test_variances_below_0_are_refused(tmp_path):
    network = torch.nn.Sequential(torch.nn.BatchNorm1d(3))
    network[0].running_var[1] = -5
    save_model(network, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="0.running_var holds variances below 0"):
        load_model(network, tmp_path / "model.safetensors")


PUT_OFF = """
import signal, time
from steps.training.interruption import Interruption
signal.signal(signal.SIGINT, signal.SIG_IGN)
with Interruption() as interruption:
    signal.raise_signal(signal.SIGINT)
    assert interruption.wanted == 0
    signal.raise_signal(signal.SIGTERM)
    assert interruption.wanted == signal.SIGTERM
    interruption.obey(interruption.wanted)
print("survived")
"""


def test_a_signal_that_no_handler_was_set_for_ends_the_program_and_an_ignored_one_does_not():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", PUT_OFF], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, "", "")


def test_a_signal_acts_behind_the_block():
    with pytest.raises(KeyboardInterrupt), Interruption():
        signal.raise_signal(signal.SIGINT)
        reached = True
    assert reached
