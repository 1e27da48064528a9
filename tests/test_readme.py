"""What the README tells a newcomer to type works as it stands there."""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from steps.systems.system import Config
from utils import config

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def blocks():
    """The README's code blocks by language."""
    return dict(re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE))


@pytest.fixture
def corpus(tmp_path):
    rng, time = np.random.default_rng(0), np.arange(16000) / 16000
    for number, speaker in enumerate(["F1", "F2", "F3", "M1", "M2"]):
        for emotion in ("angry", "happy", "neutral", "sad", "bored"):
            for take in range(2):
                path = tmp_path / f"corpus/{speaker}/{speaker}_{emotion}_{take}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                voice = sum(np.sin(2 * np.pi * (100 + 20 * number) * k * time) / k for k in range(1, 9))
                soundfile.write(path, 0.1 * voice + 0.01 * rng.normal(size=len(time)), 16000)
    return tmp_path / "corpus"


def test_a_corpus_of_ones_own(blocks, corpus, tmp_path):
    """In a copy of the repository, as written there, trained without a pre-trained network."""
    home = tmp_path / "recipe"
    (home / "egs").mkdir(parents=True)
    for name in ("steps", "utils", "path.sh", "cmd.sh", "requirements.txt", "egs/iemocap", "egs/ravdess"):
        (home / name).symlink_to(ROOT / name)
    (home / "local").mkdir()
    (home / "local/mycorpus.py").write_text(blocks["python"])
    readme = (ROOT / "README.md").read_text()
    typed = re.search(r"^    mkdir egs/mycorpus.*?(?=^    \./run.sh)", readme, re.DOTALL | re.MULTILINE)
    subprocess.run(["bash", "-e", "-c", typed[0]], cwd=home, check=True)
    small = "network: {width: 2}\ninput: {crop: 40}\ntraining: {epochs: 1, batch: 16}\n"
    (home / "egs/mycorpus/conf/finetune.yaml").write_text(small)
    words = ["egs/mycorpus/run.sh", "--mycorpus", corpus, "--runs", "run01 run02"]
    words += ["--systems", "vgg5_ad", "--controls", "svm"]
    for again in ([], ["--stage", "1"]):
        done = subprocess.run([*words, *again], cwd=home, env={**os.environ}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "5 speakers, {'ang': 10, 'hap': 10, 'neu': 10, 'sad': 10}" in done.stdout, done.stdout
        assert "vgg5_ad" in (home / "egs/mycorpus/exp/RESULTS.md").read_text()
        assert (home / "egs/mycorpus/exp/vgg5_ad/run02_seed0/scores").exists()


def test_a_system_of_ones_own(blocks, tmp_path, type_in):
    """The example's keys are those of the configuration."""
    (tmp_path / "systems").symlink_to(ROOT / "egs/iemocap/conf/systems")
    settings = config.read_files([ROOT / "egs/iemocap/conf/systems/resnet18_pretrain_ad.yaml"], Config)
    (tmp_path / "mine.yaml").write_text(blocks["yaml"].replace("parent: resnet18_pretrain_ad\n", ""))
    mine = config.merge(settings, config.read_files([tmp_path / "mine.yaml"], Config))
    assert (mine["network"]["D"], mine["training"]["lambda_ad"], mine["network"]["AD"]) == (16, 1.0, True)
