"""What the README tells a newcomer to type works as it stands there."""

import json
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
def recordings(tmp_path):
    """A corpus of five speakers and four emotions, with a table of it."""
    rng, time = np.random.default_rng(0), np.arange(16000) / 16000
    rows = ["path,speaker,emotion"]
    for number, speaker in enumerate(["anna", "ben", "carl", "dora", "eve"]):
        for emotion in ("angry", "happy", "neutral", "sad"):
            for take in range(2):
                rows.append(f"{speaker}/{emotion}_{take}.wav,{speaker},{emotion}")
                path = tmp_path / f"{speaker}/{emotion}_{take}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                voice = sum(np.sin(2 * np.pi * (100 + 20 * number) * k * time) / k for k in range(1, 9))
                soundfile.write(path, 0.1 * voice + 0.01 * rng.normal(size=len(time)), 16000)
    (tmp_path / "my.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_a_corpus_of_ones_own(recordings):
    """As written there, with small networks; and again from the first stage, up to the results."""
    readme = (ROOT / "README.md").read_text()
    typed = re.search(r"^    (egs/open/run.sh --table my.csv)  .*networks", readme, re.MULTILINE)[1].split()
    for name in ("systems", "groups.yaml", "fbank.yaml"):
        (recordings / "conf").mkdir(exist_ok=True)
        (recordings / "conf" / name).symlink_to(ROOT / "egs/open/conf" / name)
    small = "network: {width: 2}\ninput: {crop: 40}\ntraining: {epochs: 1, batch: 16}\n"
    (recordings / "conf/finetune.yaml").write_text(small)
    places = ["--conf", "conf", "--data", "data", "--exp", "exp"]
    words = [str(ROOT / typed[0]), *typed[1:], *places, "--systems", "vgg5_ad", "--runs", "anna ben"]
    scores = recordings / "exp/my/vgg5_ad/ben_seed0/scores"
    for again in (["--controls", "svm"], ["--controls", "", "--stage", "1", "--stop-stage", "4"]):
        before = scores.stat().st_mtime_ns if scores.exists() else 0
        done = subprocess.run([*words, *again], cwd=recordings, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "40 utterances, 5 speakers, ang 10, hap 10, neu 10, sad 10" in done.stdout, done.stdout
        assert "vgg5_ad" in (recordings / "exp/my/RESULTS.md").read_text()
        assert scores.stat().st_mtime_ns > before


def test_what_is_said_of_the_model_is_what_was_measured():
    made = json.loads((ROOT / "egs/open/model/results.json").read_text())
    seen, unseen = made["unseen_speakers"]["all"]["all"], made["unseen_corpora"]["alone"].values()
    ua, ece = sorted(one["ua"] for one in unseen), sorted(one["ece"] for one in unseen)
    said = " ".join((ROOT / "README.md").read_text().split())
    assert f"{sum(count for count, _ in made['corpora'].values())} acted recordings" in said
    assert f"recall) is {seen['ua']:.0f} % on unseen speakers, and {ua[0]:.0f} to {ua[-1]:.0f} % on unseen corp" in said
    told = sorted(one["ua"] for one in made["unseen_corpora"]["speaker"].values())
    assert f"With `--adapt speaker` it is {told[0]:.0f} to {told[-1]:.0f} % on unseen corpora: where it is told" in said
    worst = max(one["ece"] for one in made["unseen_speakers"]["corpus"].values())
    assert (
        f"(ECE {seen['ece']:.2f}, of a corpus up to {worst:.2f}; on unseen corpora {ece[0]:.2f} to {ece[-1]:.2f})"
        in said
    )


def test_a_system_of_ones_own(blocks, tmp_path, type_in):
    """The example's keys are those of the configuration."""
    (tmp_path / "systems").symlink_to(ROOT / "egs/iemocap/conf/systems")
    settings = config.read_files([ROOT / "egs/iemocap/conf/systems/resnet18_pretrain_ad.yaml"], Config)
    (tmp_path / "mine.yaml").write_text(blocks["yaml"].replace("parent: resnet18_pretrain_ad\n", ""))
    mine = config.merge(settings, config.read_files([tmp_path / "mine.yaml"], Config))
    assert (mine["network"]["D"], mine["training"]["lambda_ad"], mine["network"]["AD"]) == (16, 1.0, True)
