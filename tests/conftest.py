"""What tests share: a small data dir with features, and programs called as users call them."""

import io
import runpy
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from utils import jobs
from utils.archive import ArkWriter
from utils.data_dir import Utterance, write_data_dir
from utils.table import write_table

ROOT = Path(__file__).resolve().parent.parent

# In the background of a script, or under nohup, the tests would be born with these signals ignored, and so would every
# program that they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def type_in(monkeypatch):
    """Call a program as from a shell in the repository's root, but in this process, where torch is loaded already;
    returns what it wrote. An exception that the program lets through fails the test."""

    def run(script, *words, code=0):
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(sys, "argv", [script, *map(str, words)])
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
            runpy.run_path(script, run_name="__main__")
        done = SimpleNamespace(stdout=out.getvalue(), stderr=err.getvalue())
        assert (end.value.code or 0) == code, done
        return done

    return run


@pytest.fixture
def jobs_here(type_in, monkeypatch):
    """Jobs run in this process, where torch is loaded already: their runner runs `true` in their stead, and then they
    come one after the other, each with its log."""

    real = jobs.call

    def call(runner, *words):
        request, argv = jobs.Parser("").parse(words), sys.argv
        assert real(runner, *words[: -len(request.command)], "true")
        for value in request.values:
            done = type_in(*request.command_of(value))
            with open(request.log_of(value), "a") as log:
                log.write(done.stdout + done.stderr)
        sys.argv = argv
        return True

    monkeypatch.setattr(jobs, "call", call)


@pytest.fixture
def edited_meanwhile(tmp_path):
    """edited_meanwhile(file, text): a job runner (--cmd) that writes `text` into `file` while its jobs wait."""

    def runner(file, text):
        script = tmp_path / "runner.py"
        script.write_text(
            f"import os, sys\nopen({str(file)!r}, 'w').write({text!r})\n"
            f"os.execv(sys.executable, [sys.executable, 'utils/run.py', *sys.argv[1:]])\n"
        )
        return f"{sys.executable} {script}"

    return runner


@pytest.fixture
def emotional(tmp_path):
    """A data dir of 4 speakers × 8 utterances of random features that lean a little towards their emotion."""
    rng = np.random.default_rng(0)
    data, emotions = tmp_path / "data", ["ang", "hap"]
    utterances = [
        Utterance(f"s{s}-{i}", tmp_path / f"s{s}-{i}.wav", f"s{s}", f"d{s // 2}", "mf"[s % 2], emotions[i % 2])
        for s in range(4)
        for i in range(8)
    ]
    roles = [("r1", part, f"s{s}") for s, part in enumerate(["train", "train", "valid", "test"])]
    roles += [("r2", part, f"s{s}") for s, part in enumerate(["valid", "test", "train", "train"])]
    write_data_dir(data, utterances, roles)
    with (
        ArkWriter(tmp_path / "f.ark", data / "feats.scp", 3) as feats,
        ArkWriter(tmp_path / "v.ark", data / "vad.scp") as vad,
    ):
        for utterance in sorted(utterances, key=lambda one: one.name):
            frames = int(rng.integers(60, 90))
            feats.write(utterance.name, rng.normal(15, 3, (frames, 41)) * (1 + emotions.index(utterance.emotion)))
            vad.write(utterance.name, np.ones(frames))
    write_table(data / "utt2dur", {utterance.name: "1.000" for utterance in utterances})
    return data
