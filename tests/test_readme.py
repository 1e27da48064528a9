"""What the README tells a newcomer to type works as it stands there."""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def blocks():
    """The README's code blocks by language."""
    return dict(
        re.findall(r"^```(python|bash)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    )


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
    """In a copy of the repository: the two files as written, trained without a pre-trained network."""
    home = tmp_path / "recipe"
    home.mkdir()
    for name in ("steps", "utils", "path.sh", "cmd.sh", "requirements.txt"):
        (home / name).symlink_to(ROOT / name)
    for folder in ("local", "egs/mycorpus"):
        (home / folder).mkdir(parents=True)
    (home / "egs/emotion_stages.sh").symlink_to(ROOT / "egs/emotion_stages.sh")
    (home / "egs/iemocap").symlink_to(ROOT / "egs/iemocap")
    (home / "local/mycorpus.py").write_text(blocks["python"])
    (home / "egs/mycorpus/run.sh").write_text(blocks["bash"])
    steps = re.search(
        r"^    cd egs/mycorpus.*?(?=^    \./run.sh)", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    subprocess.run(["bash", "-e", "-c", steps[0]], cwd=home, check=True)
    small = "network: {width: 2}\ninput: {crop: 40}\ntraining: {epochs: 1, batch: 16}\n"
    (home / "egs/mycorpus/conf/finetune.yaml").write_text(small)
    words = ["egs/mycorpus/run.sh", "--mycorpus", corpus, "--systems", "vgg5_ad", "--runs", "run01 run02"]
    for again in ([], ["--stage", "1"]):
        done = subprocess.run([*words, *again], cwd=home, env={**os.environ}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "5 speakers, {'ang': 10, 'hap': 10, 'neu': 10, 'sad': 10}" in done.stdout, done.stdout
        assert "| vgg5_ad |" in done.stdout and "16 utterances of 2 speakers" in done.stdout
        assert (home / "egs/mycorpus/exp/vgg5_ad/run02_seed0/scores").exists()
