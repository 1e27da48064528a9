"""local/mini.py and local/synthesis.py: tiny corpora, by the command and as data preparation will find them."""

import hashlib
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from local import mini
from local.synthesis import EMOTIONS, Speaker, Turn, speak_all, stream
from utils.cli import UserError

pytest.importorskip("espeakng_loader")
ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "local/mini.py"]


def command(*arguments):
    return subprocess.run([*COMMAND, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def voxceleb1(tmp_path_factory):
    root = tmp_path_factory.mktemp("mini") / "voxceleb1"
    result = command("--speakers", 2, "--utterances", 4, "voxceleb1", root)
    assert result.returncode == 0, result.stderr
    return root


@pytest.fixture(scope="module")
def iemocap(tmp_path_factory):
    root = tmp_path_factory.mktemp("mini") / "iemocap"
    result = command("--utterances", 4, "iemocap", root)
    assert result.returncode == 0, result.stderr
    return root


def turns(root):
    """Label lines of the top level: (name, label, seconds, dialog)."""
    for path in sorted(root.glob("Session?/dialog/EmoEvaluation/[!.]*.txt")):
        head, *blocks = path.read_text().strip().split("\n\n")
        assert head == "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"
        for block in blocks:
            line, *raters = block.split("\n")
            match = re.fullmatch(
                r"\[([\d.]+) - ([\d.]+)\]\t(\w+)\t([a-z]{3})\t\[\d\.\d{4}, \d\.\d{4}, \d\.\d{4}\]", line
            )
            assert match, line
            assert any(re.fullmatch(r"C-E2:\t[A-Z][a-z]+;\t\(\)", rater) for rater in raters)
            assert any(re.fullmatch(r"A-E3:\tval [1-5]; act [1-5]; dom  [1-5];\t\(\)", rater) for rater in raters)
            yield match[3], match[4], float(match[2]) - float(match[1]), path.stem


def digests(root):
    return {path.relative_to(root): hashlib.sha256(path.read_bytes()).digest() for path in root.rglob("*.*")}


def pitch(path):
    """Median over frames of the strongest autocorrelation between 60 and 450 Hz, in Hz."""
    sound, rate = soundfile.read(path)
    frames = np.lib.stride_tricks.sliding_window_view(sound, 1024)[::400]
    frames = frames[frames.std(axis=1) > np.median(frames.std(axis=1))] * np.hanning(1024)
    lags = np.fft.irfft(np.abs(np.fft.rfft(frames, 4096)) ** 2)[:, rate // 450 : rate // 60]
    return np.median(rate / (rate // 450 + lags.argmax(axis=1)))


def test_voxceleb1_layout(voxceleb1):
    names = [str(path.relative_to(voxceleb1)) for path in voxceleb1.rglob("*.wav")]
    assert len(names) == (2 + 3) * 4
    pattern = r"(dev/wav/id1000[12]|test/wav/id1027[0-2])/[\w-]{11}/0000[1-3]\.wav"
    assert all(re.fullmatch(pattern, name) for name in names)
    assert all(len(list(speaker.iterdir())) == 2 for speaker in voxceleb1.glob("*/wav/*"))
    info = soundfile.info(voxceleb1 / names[0])
    assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
    header, *rows = (voxceleb1 / "vox1_meta.csv").read_text().splitlines()
    assert header.split("\t") == ["VoxCeleb1 ID", "VGGFace1 ID", "Gender", "Nationality", "Set"]
    rows = [row.split("\t") for row in rows]
    assert {(name, part) for name, _, _, _, part in rows} == {(n.split("/")[2], n.split("/")[0]) for n in names}
    assert {gender for _, _, gender, _, _ in rows} == {"m", "f"}


def test_trials_name_test_files_and_tell_the_truth(voxceleb1):
    trials = [line.split(" ") for line in (voxceleb1 / "veri_test.txt").read_text().splitlines()]
    assert len(trials) == 2 * 3 * 3  # 3 + 1 utterances of each of 3 speakers in two videos
    assert sum(target == "1" for target, _, _ in trials) == len(trials) / 2
    for target, first, second in trials:
        assert (first.split("/")[0] == second.split("/")[0]) == (target == "1")
        assert first.split("/")[1] != second.split("/")[1]
        assert all((voxceleb1 / "test/wav" / name).is_file() for name in (first, second))


def test_iemocap_layout(iemocap):
    found = list(turns(iemocap))
    pattern = r"Ses0([1-5])([FM])_(impro|script)(\d\d)([ab]?)(?:_(\d)([ab]?))?_([FM])(\d{3})"
    matches = {name: re.fullmatch(pattern, name) for name, *_ in found}
    assert all(matches.values())
    classes, actors, labels = {}, {}, {}
    for name, label, seconds, dialog in found:
        path = iemocap / f"Session{name[4]}" / "sentences" / "wav" / dialog / f"{name}.wav"
        info = soundfile.info(path)
        assert (info.samplerate, info.channels) == (16000, 1)
        assert seconds == pytest.approx(info.frames / 16000, abs=2e-4)
        assert label == "xxx" or label in EMOTIONS
        actors.setdefault(dialog, set()).add(matches[name][8])
        labels.setdefault(dialog, set()).add(label)
        if matches[name][3] == "impro":
            classes.setdefault(f"Ses0{matches[name][1]}{matches[name][8]}", set()).add(label)
    assert len(found) == len(list(iemocap.rglob("sentences/wav/*/[!.]*.wav")))
    assert len(classes) == 10
    assert all(have >= {"neu", "sad", "ang", "hap", "exc", "fru", "xxx"} for have in classes.values())
    assert all(both == {"F", "M"} for both in actors.values())
    assert sum(len(have) > 1 for have in labels.values()) > len(labels) / 2  # a dialog does not tell the emotion
    irregular = {"Ses03M_impro05a", "Ses03M_impro05b", "Ses03M_impro08a", "Ses03M_impro08b", "Ses05M_script01_1b"}
    assert irregular < set(labels)


def test_iemocap_traps(iemocap):
    for session in range(1, 6):
        labels = iemocap / f"Session{session}" / "dialog" / "EmoEvaluation"
        assert all(list((labels / name).glob("*.txt")) for name in ("Attribute", "Categorical", "Self-evaluation"))
        for junk in (labels, iemocap / f"Session{session}" / "sentences" / "wav"):
            with pytest.raises(UnicodeDecodeError):
                next(junk.rglob("._*")).read_text(encoding="utf-8")


def test_same_seed_same_files_however_many_jobs(voxceleb1, tmp_path):
    size = ("--speakers", 2, "--utterances", 4, "voxceleb1")
    assert command("--nj", 1, *size, tmp_path / "again").returncode == 0
    assert digests(tmp_path / "again") == digests(voxceleb1)
    plans = [mini.iemocap(tmp_path, seed, 12) for seed in (0, 0, 1)]
    assert plans[0] == plans[1] != plans[2]


def test_speakers_sound_different(voxceleb1):
    man, woman = (
        [pitch(path) for path in sorted((voxceleb1 / "dev" / "wav" / name).rglob("*.wav"))]
        for name in ("id10001", "id10002")
    )
    assert 70 < np.median(man) < np.median(woman) / 1.3 < 300


def test_strength_is_all_that_an_emotion_does():
    speaker = Speaker(stream(0, "somebody"), "f")

    def mean(emotion, strength):
        return np.mean([speaker.manner(stream(n), emotion, strength) for n in range(200)], axis=0)

    assert np.array_equal(mean("ang", 0), mean("sad", 0))
    assert (mean("ang", 1.5) - mean("sad", 1.5))[[0, 3, 4, 5]].min() > 0  # higher, louder, brighter, more emphatic


def test_texts_do_not_tell_the_label(tmp_path):
    words = {}
    for seed in range(20):
        plan, spoken = mini.iemocap(tmp_path, seed, 48)
        labels = {name: label for dialog in spoken.values() for name, label in dialog}
        for _, mine in plan.values():
            for turn in mine:
                words.setdefault(labels[Path(turn.path).stem], []).append(len(turn.text.split()))
    means = {label: (np.mean(have), np.std(have) / len(have) ** 0.5) for label, have in words.items()}
    overall = np.mean(sum(words.values(), []))
    assert all(abs(mean - overall) < 4 * error for mean, error in means.values())


def test_only_its_own_folders_are_replaced(monkeypatch, tmp_path):
    monkeypatch.setattr(mini, "speak_all", lambda *_: iter(()))
    (tmp_path / "thesis.tex").write_text("years")
    for folder in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(UserError, match="did not make it"):
            mini.generate("voxceleb1", folder)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    own = tmp_path / "own"
    for seed in (0, 1):  # the second finds the first's, with something in it that is of no use any more
        mini.generate("voxceleb1", own, seed=seed)
        assert (own / "veri_test.txt").is_file() and not (own / "stale").exists()
        (own / "stale").touch()
    mini.generate("voxceleb1", own, seed=1)
    assert (own / "stale").exists(), "what was made from the same numbers stays"
    mini.generate("voxceleb1", own, seed=1, redo=True)
    assert not (own / "stale").exists()


@pytest.mark.parametrize("options", [("--strength", "nan"), ("--strength", "-1"), ("--nj", "0"), ("--speakers", "x")])
def test_bad_options_are_named(options, tmp_path):
    result = command(*options, "iemocap", tmp_path / "new")
    assert result.returncode == 2 and options[0] in result.stderr and "Traceback" not in result.stderr


def test_a_missing_synthesiser_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UserError, match="espeakng-loader is missing"):
        mini.generate("iemocap", tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_a_speaker_that_fails_stops_the_rest(tmp_path):
    speakers = {
        "mute": ("m", [Turn("a.wav", "", "neu", "hall")]),
        "fine": ("f", [Turn("b.wav", "Yes.", "neu", "hall")]),
    }
    with pytest.raises(UserError, match="mute"):
        list(speak_all(tmp_path, speakers, 0, 1.5, 1))


def test_interrupted_it_leaves_nothing(tmp_path):
    process = subprocess.Popen([*COMMAND, "voxceleb1", tmp_path / "new"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("*.wav")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in errors
    assert not list(tmp_path.iterdir())
