"""steps/audit.py as users see it, from recordings to the page."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from steps.evaluation import results
from utils.data_dir import Utterance, write_data_dir
from utils.scores import write_scores

CLASSES, SPEAKERS = ["ang", "hap", "sad"], [f"s{number}" for number in range(6)]


def speech(seconds, rate, rng):
    time = np.arange(int(seconds * rate)) / rate
    voice = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, int(rate / 2 / 141)))
    return rng.uniform(0.05, 0.1) * voice * (1 + np.sin(2 * np.pi * 3 * time)) + 0.0005 * rng.normal(size=len(time))


@pytest.fixture
def corpus(tmp_path, type_in):
    """Recordings of 6 speakers in 3 classes: build(rates) gives each class its sampling rate."""

    def build(rates=(16000, 16000, 16000), copies=(), features=True):
        rng, rows = np.random.default_rng(0), []
        for speaker in SPEAKERS:
            for one, rate in zip(CLASSES, rates):
                for take in range(3):
                    path = tmp_path / f"wav/{speaker}_{one}_{take}.wav"
                    path.parent.mkdir(exist_ok=True)
                    soundfile.write(path, speech(rng.uniform(0.8, 1.2), rate, rng), rate)
                    rows.append(Utterance(f"{speaker}-{one}{take}", path, speaker, speaker, "f", one))
        for one, other in copies:
            samples, rate = soundfile.read(tmp_path / f"wav/{one}.wav", dtype="int16")
            soundfile.write(tmp_path / f"wav/{other}.wav", samples, rate, format="FLAC")
        parts = {"train": SPEAKERS[:4], "valid": SPEAKERS[4:5], "test": SPEAKERS[5:]}
        write_data_dir(tmp_path / "data", rows, [("r1", part, one) for part in parts for one in parts[part]])
        if features:
            type_in("steps/make_fbank.py", "--nj", "1", tmp_path / "data")
        return tmp_path / "data"

    return build


def test_a_sound_corpus_passes_and_says_so(corpus, tmp_path, type_in):
    done = type_in("steps/audit.py", corpus(), tmp_path / "exp")
    found = json.loads((tmp_path / "exp/audit.json").read_text())
    assert not [row for row in found["findings"] if row["severity"] != "note"] and not found["forced"]
    assert "sampling rate 16000 Hz, channels 1, file type WAV/PCM_16" in done.stdout and "speaker" in done.stdout
    for suffix in ("png", "svg"):
        assert (tmp_path / f"exp/figures/corpus.{suffix}").stat().st_size > 1000
    assert "sampling rate" in (tmp_path / "exp/figures/corpus.svg").read_text()


def test_one_class_that_its_recordings_give_away_is_enough(corpus, tmp_path, type_in):
    """One of three at another rate: UA over all three is half way to certainty only."""
    done = type_in("steps/audit.py", corpus(rates=(16000, 8000, 16000)), tmp_path / "exp", code=1)
    assert "error: sampling rate tells the class, UA 66.7 where chance is 33.3" in done.stderr


def test_errors_are_written_then_end_in_a_line_each_unless_forced(corpus, tmp_path, type_in):
    data = corpus(rates=(16000, 8000, 22050), copies=[("s0_ang_0", "s5_ang_1")])
    done = type_in("steps/audit.py", data, tmp_path / "exp", code=1)
    said = done.stderr.splitlines()
    assert "audit.py: error: sampling rate tells the class, UA 100.0 where chance is 33.3" in done.stderr
    assert "the same sound in two parts of a run: 2 of 54 utterances (s0-ang0 = s5-ang1)" in done.stderr
    assert (
        said[-1].endswith("mend the data, or go on all the same with --force true") and len(said) == 4
    )  # bandwidth, too
    before = json.loads((tmp_path / "exp/audit.json").read_text())
    assert before["guesses"]["bandwidth"]["by_class"]["hap"] == pytest.approx(4000, rel=0.15)
    assert before["guesses"]["rate"]["by_class"] == {"ang": 16000, "hap": 8000, "sad": 22050}
    assert "what is tested was trained on" in done.stdout
    type_in("steps/audit.py", "--force", "true", data, tmp_path / "exp")
    after = json.loads((tmp_path / "exp/audit.json").read_text())
    assert after == before | {"forced": True, "sum": after["sum"]} and after["sum"] != before["sum"]


def test_a_damaged_audit_is_made_anew(corpus, tmp_path, type_in):
    words = ["steps/audit.py", corpus(features=False), tmp_path / "exp"]
    type_in(*words)
    whole = (tmp_path / "exp/audit.json").read_text()
    (tmp_path / "exp/audit.json").write_text(whole[:100])
    assert "audit.json: is not JSON" in type_in(*words).stderr
    assert (tmp_path / "exp/audit.json").read_text() == whole


def test_without_features_it_says_less(corpus, tmp_path, type_in):
    done = type_in("steps/audit.py", corpus(features=False), tmp_path / "exp")
    assert "Not looked at, as it is not there: utt2sentence, utt2heard, utt2dur, utt2hash, utt2sound" in done.stdout
    assert "no such file" in type_in("steps/audit.py", tmp_path, tmp_path / "exp", code=1).stderr
    with open(tmp_path / "data/utt2emo", "a") as table:
        table.write("zz-1 ang\n")
    done = type_in("steps/audit.py", tmp_path / "data", tmp_path / "exp", code=1)
    assert "utt2spk: 1 utterances of utt2emo missing, first 'zz-1'" in done.stderr


@pytest.fixture
def scored(tmp_path, type_in):
    """Scores of one system, to stand beside an audit.json in the same folder."""
    place = tmp_path / "exp/plain/r1_seed0"
    names = [f"s5-{one}{take}" for one in CLASSES for take in range(3)]
    labels = {name: name[3:6] for name in names}
    posteriors = {name: np.eye(3)[CLASSES.index(labels[name])] for name in names}
    for name in ("scores", "scores.valid", "scores.last"):
        write_scores(place / name, CLASSES, posteriors, dict.fromkeys(names, "s4" if "v" in name else "s5"), labels)
    (place / "config.yaml").write_text("network: {width: 4}\n")
    (place / "environment.yaml").write_text("date: '2026-01-01'\nseconds: 1\ncommand: steps/finetune.py\n")
    (tmp_path / "conf/systems").mkdir(parents=True)
    (tmp_path / "conf/systems/plain.yaml").write_text("{}\n")

    def score():
        said = type_in("steps/score.py", "--conf", tmp_path / "conf", tmp_path / "exp").stdout
        type_in("steps/report.py", tmp_path / "exp")
        return said, (tmp_path / "exp/RESULTS.md").read_text(), (tmp_path / "exp/report.html").read_text()

    return score


def test_what_is_wrong_with_the_corpus_stands_beside_the_results(corpus, scored, tmp_path, type_in):
    said, text, page = scored()
    assert "The corpus" not in text and "the corpus itself" not in said + page
    type_in("steps/audit.py", "--force", "true", corpus(rates=(16000, 8000, 22050)), tmp_path / "exp")
    shutil.rmtree(tmp_path / "exp/figures")
    said, text, page = scored()
    assert "Warning: the corpus itself has 2 errors (steps/audit.py)." in said
    kept = results.read(tmp_path / "exp" / "results.json")["corpus_findings"]
    assert kept["forced"] and {row["what"] for row in kept["findings"]} >= {"rate", "bandwidth"}
    section = text.partition("\n## The corpus\n")[2].partition("\n## ")[0]
    assert "--force true" in section and "![corpus](figures/corpus.png)" in section
    assert "| error | sampling rate tells the class | 100.0 | 33.3 |" in section and "| note |" not in section
    assert page.count("The class, guessed without listening") == 1
    assert (tmp_path / "exp/figures/corpus.png").is_file()
    made = results.read(tmp_path / "exp" / "results.json")
    del made["corpus_findings"]  # as in results kept before there was an audit
    results.write(tmp_path / "exp" / "results.json", made)
    type_in("steps/report.py", tmp_path / "exp")
    assert "The corpus" not in (tmp_path / "exp/RESULTS.md").read_text()
