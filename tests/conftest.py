"""What tests share: small data dirs with features, and programs run as users run them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from utils.archive import ArkWriter
from utils.data_dir import Utterance, write_data_dir, write_table

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def type_in():
    """Run a command line in a folder; returns the finished process, whose output never holds a traceback."""

    def run(*words, cwd=ROOT, code=0, **environment):
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
        words = [sys.executable, *words] if str(words[0]).endswith(".py") else words
        done = subprocess.run(
            [str(word) for word in words], cwd=cwd, env=variables, capture_output=True, text=True, timeout=600
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


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
