"""steps/predict.py as its users call it, with the model that comes with the recipe."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import yaml
from safetensors.numpy import load_file, save_file

from steps.frontend.descriptors import Descriptor
from steps.prediction import head
from steps.prediction import model as prediction_model
from steps.prediction.answering import answers
from steps.prediction.model import Model, Settings, sum_of, with_prior
from tests.steps.prediction.test_waveform import MODEL, voice
from utils import config
from utils.cli import UserError

CLASSES = ["ang", "hap", "neu", "sad"]
HEAD = ["path", "begin", "end", "class", *CLASSES, "unlike", "flags"]


@pytest.fixture
def sounds(tmp_path):
    """Some recordings of several kinds."""
    folder = tmp_path / "sounds"
    (folder / "deep").mkdir(parents=True)
    for seed, name in enumerate(["a.wav", "b.flac", "deep/c.wav"]):
        soundfile.write(folder / name, voice(2 + seed / 2, seed).astype(np.int16), 16000)
    return folder


def rows(done):
    head, *lines = [line.split("\t") for line in done.stdout.splitlines()]
    return head, [dict(zip(head, line)) for line in lines]


def expected(path, **more):
    signal, rate = soundfile.read(path, dtype="int16", always_2d=True)
    descriptor = Descriptor(16000, Model(MODEL).settings.highest)
    descriptor.hear(signal[:, 0])
    return Model(MODEL)(descriptor.vector()[None])


def test_a_folder_is_answered_file_by_file_as_the_model_does(sounds, type_in):
    head, lines = rows(type_in("steps/predict.py", sounds))
    assert head == HEAD and [line["path"] for line in lines] == [
        str(sounds / n) for n in ("a.wav", "b.flac", "deep/c.wav")
    ]
    for line in lines:
        answer = expected(line["path"])
        np.testing.assert_allclose([float(line[name]) for name in CLASSES], answer.posteriors[0], atol=6e-5)
        assert line["class"] == CLASSES[answer.posteriors[0].argmax()]
        assert ("unsure" in line["flags"]) == (answer.posteriors.max() < 0.5)


@pytest.fixture
def model(tmp_path):
    """A copy of the model that comes with the recipe."""
    return Path(shutil.copytree(MODEL, tmp_path / "model"))


def swap_classes(model):
    text = (model / "config.yaml").read_text()
    (model / "config.yaml").write_text(text.replace("- ang\n- hap", "- hap\n- ang"))


def put(name, before, after):
    def change(model):
        text = (model / name).read_text()
        assert before in text
        (model / name).write_text(text.replace(before, after))

    return change


def flip(name):
    def change(model):
        content = bytearray((model / name).read_bytes())
        content[len(content) // 2] ^= 0xFF
        (model / name).write_bytes(content)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swap_classes, []),
        (put("config.yaml", "highest: 4961.0", "highest: 4161.0"), []),
        (put("calibration.yaml", "unlike: ", "unlike: 9"), []),
        (flip("model.onnx"), []),
        (flip("model.safetensors"), ["--adapt", "all"]),
    ],
    ids=["classes swapped", "band", "threshold", "graph", "weights"],
)
def test_a_model_that_is_not_as_it_was_made_is_refused(sounds, model, type_in, change, words):
    sounds = [sounds / "a.wav"] * 20
    assert rows(type_in("steps/predict.py", "--model", model, *words, *sounds))[1]
    change(model)
    said = type_in("steps/predict.py", "--model", model, *words, *sounds, code=1).stderr
    assert "is not what config.yaml was written for" in said and said.count("\n") == 1
    said = type_in("steps/export.py", "--model", model, model.parent / "graphs", code=1).stderr
    assert "is not what config.yaml was written for" in said


def test_what_cannot_be_read_is_named_and_counted_and_the_others_go_on(sounds, type_in):
    (sounds / "text.wav").write_text("hello")
    soundfile.write(sounds / "silent.wav", np.zeros(16000), 16000)
    words = [sounds / name for name in ("none.wav", "text.wav", "silent.wav", "a.wav")]
    done = type_in("steps/predict.py", *words, code=1)
    assert [line["path"] for line in rows(done)[1]] == [str(sounds / "a.wav")]
    said = done.stderr.splitlines()
    assert len(said) == 4 and "none.wav: not answered: no such file" in said[0] and "cannot be decoded" in said[1]
    assert "silent" in said[2] and said[3].endswith("3 of 4 recordings were not answered")


def test_names_come_from_a_table_an_scp_or_standard_input(sounds, tmp_path, type_in, monkeypatch):
    (sounds / "t.csv").write_text("file,start,end\na.wav,0.5,1.5\nb.flac,,\n")
    (tmp_path / "wav.scp").write_text(f"one {sounds}/a.wav\ntwo {sounds}/deep/c.wav\n")
    table, scp = (
        rows(type_in("steps/predict.py", sounds / "t.csv"))[1],
        rows(type_in("steps/predict.py", tmp_path / "wav.scp"))[1],
    )
    assert [(line["path"], line["begin"], line["end"]) for line in table] == [
        ("a.wav", "0.50", "1.50"),
        ("b.flac", "0.00", "2.50"),
    ]
    assert [line["path"] for line in scp] == ["one", "two"]
    (tmp_path / "typed").write_text(f"{sounds}/a.wav\n\n{sounds}/b.flac\0{sounds}/deep/c.wav")
    with open(tmp_path / "typed") as typed:
        monkeypatch.setattr(sys, "stdin", typed)
        assert len(rows(type_in("steps/predict.py", "-"))[1]) == 3
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        (tmp_path / "typed").write_text(f"{sounds}/a.wav\n", encoding=encoding)
        with open(tmp_path / "typed") as typed:
            monkeypatch.setattr(sys, "stdin", typed)
            assert "-: is UTF-16: expected paths in UTF-8" in type_in("steps/predict.py", "-", code=1).stderr
    (tmp_path / "typed").write_text(f"{sounds}/a.wav\n", encoding="utf-8-sig")
    with open(tmp_path / "typed") as typed:
        monkeypatch.setattr(sys, "stdin", typed)
        assert len(rows(type_in("steps/predict.py", "-"))[1]) == 1
    (tmp_path / "typed").write_text("\n")
    with open(tmp_path / "typed") as typed:
        monkeypatch.setattr(sys, "stdin", typed)
        assert "no recording was named" in type_in("steps/predict.py", "-").stderr
    (tmp_path / "typed").write_text("x" * 100_000)
    with open(tmp_path / "typed") as typed:
        monkeypatch.setattr(sys, "stdin", typed)
        assert "-: a name of more than 65536 bytes" in type_in("steps/predict.py", "-", code=1).stderr
    (tmp_path / "wav.scp").write_text("one touch /tmp/x |\n")
    monkeypatch.undo()
    assert "a pipe is not run" in type_in("steps/predict.py", tmp_path / "wav.scp", code=1).stderr
    (sounds / "t.csv").write_text("name,speaker\na.wav,x\n")
    assert "no column is the path" in type_in("steps/predict.py", sounds / "t.csv", code=1).stderr
    (sounds / "t.csv").write_text("path,begin,end\na.wav,2,1\n")
    assert (
        "t.csv:2: begin '2' and end '1' are no stretch" in type_in("steps/predict.py", sounds / "t.csv", code=1).stderr
    )
    for wrong, said in {'"path": "a.wav", "path": "b.wav"': "stands twice", '"path": {"a": 1}': "of its own"}.items():
        (sounds / "t.jsonl").write_text(f"{{{wrong}}}\n")
        assert said in type_in("steps/predict.py", sounds / "t.jsonl", code=1).stderr
    (sounds / "t.jsonl").write_text('{"path": "a.wav"}\n{"name": "b.flac"}\n')
    assert "t.jsonl:2: names no recording" in type_in("steps/predict.py", sounds / "t.jsonl", code=1).stderr
    assert "an empty name is no recording" in type_in("steps/predict.py", "", code=1).stderr
    (tmp_path / "empty").mkdir()
    assert "holds no recordings" in type_in("steps/predict.py", tmp_path / "empty", code=1).stderr


def test_channels_rates_and_formats(sounds, type_in):
    left, right = voice(2, 5), voice(2, 6)
    soundfile.write(sounds / "two.wav", np.column_stack([left, right]).astype(np.int16), 16000)
    for name, signal in (("left.wav", left), ("right.wav", right)):
        soundfile.write(sounds / name, signal.astype(np.int16), 16000)
    both = rows(type_in("steps/predict.py", "--channels", "each", sounds / "two.wav"))[1]
    alone = rows(type_in("steps/predict.py", sounds / "left.wav", sounds / "right.wav"))[1]
    assert [line["channel"] for line in both] == ["1", "2"]
    assert [[line[name] for name in CLASSES] for line in both] == [[line[name] for name in CLASSES] for line in alone]
    import soxr

    wide = soxr.resample(left, 16000, 44100)
    soundfile.write(sounds / "wide.ogg", wide / 32768, 44100)
    other = rows(type_in("steps/predict.py", sounds / "wide.ogg"))[1][0]
    assert abs(float(other["unlike"]) - float(alone[0]["unlike"])) < 0.3


def test_a_channel_that_is_silent_does_not_cost_the_others(sounds, tmp_path, type_in):
    """As the muted side of a call."""
    left, quiet = voice(6, 0).astype(np.int16), np.zeros(6 * 16000, np.int16)
    soundfile.write(tmp_path / "call.wav", np.stack([quiet, left, quiet, left], axis=1), 16000)
    words = ["steps/predict.py", "--channels", "each", "--by", "windows", "--window", "0.5"]
    plain = type_in(*words, tmp_path / "call.wav", code=1)
    adapted = type_in(*words, "--adapt", "speaker", tmp_path / "call.wav", code=1)
    for done in (plain, adapted):
        rows = [line.split("\t") for line in done.stdout.splitlines()[1:]]
        assert [row[3] for row in rows] == 12 * ["2"] + 12 * ["4"]
        said = done.stderr.splitlines()
        assert "not answered: channel 1: silent" in said[0] and "; channel 3: silent" in said[0]
        assert said[-1].endswith("1 of 1 recordings were not answered, or not in full")


def test_json_says_the_same(sounds, type_in):
    lines = rows(type_in("steps/predict.py", sounds))[1]
    for line, text in zip(lines, type_in("steps/predict.py", "--format", "json", sounds).stdout.splitlines()):
        said = json.loads(text)
        assert said["class"] == line["class"] and [f"{said['posteriors'][name]:.4f}" for name in CLASSES] == [
            line[n] for n in CLASSES
        ]
        assert (",".join(said["flags"]) or "-") == line["flags"]


def test_thresholds_and_prior_are_the_users(sounds, type_in):
    file = sounds / "a.wav"
    assert "unsure" in rows(type_in("steps/predict.py", "--unsure", "1", file))[1][0]["flags"]
    assert "unlike" in rows(type_in("steps/predict.py", "--unlike-above", "0", file))[1][0]["flags"]
    assert rows(type_in("steps/predict.py", "--unlike-above", "99", "--unsure", "0", file))[1][0]["flags"] == "-"
    line = rows(type_in("steps/predict.py", "--prior", "neu=8 sad=0", file))[1][0]
    posteriors = with_prior(expected(file).posteriors, np.array([1, 1, 8, 0]) / 10)[0]
    np.testing.assert_allclose([float(line[name]) for name in CLASSES], posteriors, atol=6e-5)
    for words, message in (
        (["--prior", "fun=1"], "classes are ang hap neu sad"),
        (["--prior", "ang"], "expected <class>=<number>"),
        (["--prior", "ang=2 ang=3"], "once; classes are"),
        (["--prior", "ang=0 hap=0 neu=0 sad=0"], "one at least above"),
        (["--unsure", "2"], "a posterior, from 0 to 1"),
        (["--window", "0"], "from 0.25"),
        (["--window", "nan"], "from 0.25"),
        (["--hop", "0"], "hop 0 s: from 0.05"),
        (["--unlike-above", "nan"], "a score"),
        (["--draw", sounds], "choose --by"),
        (["--by", "windows", "--draw", file], "is no folder"),
        (["--model", sounds], "is no model folder"),
    ):
        assert message in type_in("steps/predict.py", *words, file, code=1).stderr


def test_a_long_recording_is_answered_over_time_and_drawn(sounds, tmp_path, type_in):
    signal = np.concatenate([voice(3, seed) for seed in range(6)])
    signal[9 * 16000 : 11 * 16000] = np.random.default_rng(0).normal(0, 1, 2 * 16000)  # a pause
    soundfile.write(sounds / "long.wav", signal.astype(np.int16), 16000)
    whole = rows(type_in("steps/predict.py", sounds / "long.wav"))[1]
    assert len(whole) == 1 and whole[0]["end"] == "18.00"
    windows = rows(type_in("steps/predict.py", "--by", "windows", "--draw", tmp_path / "p", sounds / "long.wav"))[1]
    assert [line["begin"] for line in windows] == ["0.00", "4.00", "8.00", "12.00", "16.00"]
    kept = [line for line in windows if "unlike" not in line["flags"]] or windows
    mean = np.mean([[float(line[name]) for name in CLASSES] for line in kept], axis=0)
    np.testing.assert_allclose([float(whole[0][name]) for name in CLASSES], mean, atol=2e-4)
    assert [path.suffix for path in (tmp_path / "p").iterdir()] == [".png"]


def test_what_a_speakers_recordings_or_all_have_in_common_is_taken_away(sounds, type_in):
    model, paths, vectors = Model(MODEL), [], []
    for seed in range(6):
        folder = sounds / f"folder{seed % 2}"
        folder.mkdir(exist_ok=True)
        paths.append(folder / f"x{seed}.wav")
        soundfile.write(paths[-1], voice(1.5, seed).astype(np.int16), 16000)
        descriptor = Descriptor(16000, model.settings.highest)
        descriptor.hear(soundfile.read(paths[-1], dtype="int16")[0])
        vectors.append(descriptor.vector())
    table = sounds / "t.csv"
    table.write_text("file,speaker\n" + "".join(f"{path},{'aab'[k % 3]}\n" for k, path in enumerate(paths)))
    ways = {"all": (paths, "000000"), "speaker": (paths, "010101"), "none": (paths, ""), "table": ([table], "aabaab")}
    for way, (what, whose) in ways.items():
        words = ["--adapt", "speaker" if way == "table" else way, *what]
        found = [[float(line[name]) for name in CLASSES] for line in rows(type_in("steps/predict.py", *words))[1]]
        expected = np.stack(vectors)
        for who in set(whose):
            own = np.array([one == who for one in whose])
            share = own.sum() / (own.sum() + 4)
            expected[own] -= share * (np.stack(vectors)[own].mean(axis=0) - model.mean)
        np.testing.assert_allclose(found, model(expected).posteriors, atol=1e-3)


def test_what_is_no_speech_is_flagged_and_changes_nothing_of_its_speakers_recordings(tmp_path, type_in):
    for seed in range(3):
        soundfile.write(tmp_path / f"x{seed}.wav", voice(1.5, seed).astype(np.int16), 16000)
    words = ["steps/predict.py", "--adapt", "speaker", "--unlike-above", "3.3", tmp_path]
    before = rows(type_in(*words))[1]
    assert not any("unlike" in line["flags"] for line in before)
    noise = np.random.default_rng(0).normal(0, 3000, 32000)
    soundfile.write(tmp_path / "z.wav", noise.astype(np.int16), 16000)
    *after, last = rows(type_in(*words))[1]
    assert after == before and "unlike" in last["flags"]
    shutil.copy(tmp_path / "x0.wav", tmp_path / "again.wav")  # another recording, for all that is known
    assert rows(type_in(*words, tmp_path / "x1.wav"))[1][1] != before[0]
    assert rows(type_in(*words, tmp_path / "x1.wav"))[1][:5] == rows(type_in(*words))[1][:5]  # named twice, counts once


def test_a_long_recording_counts_once_and_one_that_breaks_off_not_at_all(tmp_path, type_in):
    long = np.concatenate([voice(4, seed) for seed in range(6)])
    soundfile.write(tmp_path / "long.wav", long.astype(np.int16), 16000)
    soundfile.write(tmp_path / "short.wav", voice(2, 9).astype(np.int16), 16000)
    words = ["steps/predict.py", "--unlike-above", "99", "--adapt", "speaker"]
    model, vectors = Model(MODEL), []
    for k in range(6):
        descriptor = Descriptor(16000, model.settings.highest)
        descriptor.hear(long[k * 64000 : (k + 1) * 64000].astype(np.int16))
        vectors.append(descriptor.vector())
    shift = (np.mean(vectors, axis=0) - model.mean) / 5  # one recording
    expected = model(np.stack(vectors) - shift).posteriors.mean(axis=0)
    alone = rows(type_in(*words, tmp_path / "long.wav"))[1][0]
    np.testing.assert_allclose([float(alone[name]) for name in CLASSES], expected, atol=2e-3)
    before = rows(type_in(*words, tmp_path / "short.wav"))[1]
    long[-16000:] = np.nan
    soundfile.write(tmp_path / "long.wav", long / 32768, 16000, subtype="FLOAT")
    done = type_in(*words, tmp_path, code=1)
    assert rows(done)[1] == before and "long.wav: not answered: holds NaN" in done.stderr


def test_it_says_whom_it_took_for_speakers(sounds, tmp_path, type_in):
    """Spelt otherwise, unknown, in the first column of pandas, in utt2spk; and where nothing tells."""
    for seed in range(4):
        soundfile.write(tmp_path / f"x{seed}.wav", voice(1.5, seed).astype(np.int16), 16000)
    words = ["steps/predict.py", "--adapt", "speaker"]

    def said(text: str, name: str = "t.csv") -> str:
        (tmp_path / name).write_text(text)
        return type_in(*words, tmp_path / name).stderr.partition("--adapt ")[2].splitlines()[0]

    twice = "speaker: 2 speakers with 2 recordings each"
    assert said("path,speaker\nx0.wav,Jose\u0301  M\nx1.wav,José M\nx2.wav,2.0\nx3.wav,2\n") == twice
    assert said(",path,speaker\n0,x0.wav,a\n1,x1.wav,a\n2,x2.wav,b\n3,x3.wav,b\n") == twice
    assert said(",path\n0,x0.wav\n1,x1.wav\n") == "speaker: 1 speaker with 2 recordings; all told by folder"
    assert said("path,speaker\nx0.wav,a\nx1.wav,unknown\nx2.wav,\n") == (
        "speaker: 1 speaker with 1 recording; 1 with one alone, which tells little; 2 recordings of nobody known stay "
        "as they are"
    )
    (tmp_path / "utt2spk").write_text("".join(f"u{k} {'aabb'[k]}\n" for k in range(4)))
    assert said("".join(f"u{k} {tmp_path}/x{k}.wav\n" for k in range(4)), "wav.scp") == twice
    plain = rows(type_in("steps/predict.py", tmp_path / "x1.wav"))[1][0]
    unknown = rows(type_in(*words, tmp_path / "t.csv"))[1][1]
    assert [plain[name] for name in CLASSES] == [unknown[name] for name in CLASSES]
    with_name = [answer.posteriors for answer in answers(tmp_path / "wav.scp", adapt="speaker")]
    printed = rows(type_in(*words, tmp_path / "wav.scp"))[1]
    np.testing.assert_allclose(with_name, [[float(line[name]) for name in CLASSES] for line in printed], atol=6e-5)
    with pytest.raises(UserError, match="adapt 'gender': there are none, speaker, all"):
        next(answers(tmp_path / "wav.scp", adapt="gender"))


def test_each_channel_is_a_speaker_and_where_nobody_speaks_nothing_is_adapted(sounds, tmp_path, type_in):
    both = np.stack([voice(6, seed).astype(np.int16) for seed in (0, 1)], axis=1)
    soundfile.write(tmp_path / "call.wav", both, 16000)
    for channel in range(2):
        (tmp_path / f"{channel}").mkdir()
        soundfile.write(tmp_path / f"{channel}/side.wav", both[:, channel], 16000)
    words = ["steps/predict.py", "--adapt", "speaker", "--by", "windows"]
    call = rows(type_in(*words, "--channels", "each", tmp_path / "call.wav"))[1]
    sides = rows(type_in(*words, tmp_path / "0/side.wav", tmp_path / "1/side.wav"))[1]
    assert [[line[name] for name in CLASSES] for line in call] == [[line[name] for name in CLASSES] for line in sides]
    soundfile.write(tmp_path / "click.wav", np.eye(1, 32000)[0], 16000)
    said = type_in("steps/predict.py", "--adapt", "all", "--by", "turns", tmp_path / "click.wav").stderr
    assert "no turn of speech was heard" in said


def test_it_needs_neither_torch_nor_path_sh(sounds, tmp_path):
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was loaded')")
    program = Path(__file__).resolve().parents[2] / "steps/predict.py"
    done = subprocess.run(
        [sys.executable, program, sounds / "a.wav"], capture_output=True, text=True, cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == "" and len(done.stdout.splitlines()) == 2


def test_a_name_that_is_no_utf8_is_passed_on(sounds):
    name = os.fsencode(sounds) + b"/\xff.wav"
    shutil.copy(os.fsencode(sounds / "a.wav"), name)
    program = Path(__file__).resolve().parents[2] / "steps/predict.py"
    for words, given in (
        ([name], b""),
        ([b"-"], name + b"\n"),
        ([b"-"], name + b"\0"),
        ([b"--format", b"json", name], b""),
    ):
        done = subprocess.run([sys.executable, program, *words], input=given, capture_output=True)
        assert done.returncode == 0 and (
            b"\xff.wav" in done.stdout or json.loads(done.stdout)["path"] == os.fsdecode(name)
        )


def test_options_may_stand_between_recordings(sounds, type_in):
    done = type_in("steps/predict.py", sounds / "a.wav", "--unsure", "1", sounds / "b.flac")
    assert [line["path"] for line in rows(done)[1]] == [str(sounds / "a.wav"), str(sounds / "b.flac")]


def test_names_with_tabs_and_lines_stay_apart_in_a_table(sounds, type_in):
    for name in ("x\ty.wav", "x\ny.wav", "x y.wav"):
        shutil.copy(sounds / "a.wav", sounds / name)
    head, lines = rows(type_in("steps/predict.py", *sorted(sounds.glob("x*y.wav"))))
    assert [line["path"].rpartition("/")[2] for line in lines] == [r"x\ty.wav", r"x\ny.wav", "x y.wav"]
    assert all(line.keys() == set(head) for line in lines)


def test_a_recording_that_is_hardly_speech_is_flagged_though_a_part_is(sounds, type_in):
    noise = np.random.default_rng(0).normal(0, 3000, 16000 * 36)
    noise[: 16000 * 4] = voice(4, 0)
    soundfile.write(sounds / "noisy.wav", noise.astype(np.int16), 16000)
    line = rows(type_in("steps/predict.py", "--unlike-above", "3.7", sounds / "noisy.wav"))[1][0]
    windows = rows(type_in("steps/predict.py", "--unlike-above", "3.7", "--by", "windows", sounds / "noisy.wav"))[1]
    like = [window for window in windows if "unlike" not in window["flags"]]
    assert 0 < len(like) < len(windows) / 2 and "unlike" in line["flags"]
    assert float(line["unlike"]) == pytest.approx(np.median([float(window["unlike"]) for window in windows]), abs=0.01)
    mean = np.mean([[float(window[name]) for name in CLASSES] for window in like], axis=0)
    np.testing.assert_allclose([float(line[name]) for name in CLASSES], mean, atol=1e-4)


def test_a_table_may_name_recordings_of_a_folder_below(sounds, type_in, tmp_path):
    """As nEMO's data.tsv does."""
    folder = tmp_path / "corpus"
    (folder / "samples/one").mkdir(parents=True)
    shutil.copy(sounds / "a.wav", folder / "samples/one/a.wav")
    (folder / "data.tsv").write_text("file_id\na.wav\n")
    named = rows(type_in("steps/predict.py", folder / "data.tsv"))[1]
    assert named == [{**line, "path": "a.wav"} for line in rows(type_in("steps/predict.py", sounds / "a.wav"))[1]]
    (folder / "samples/two").mkdir()
    shutil.copy(sounds / "a.wav", folder / "samples/two/a.wav")
    assert "write more of the path" in type_in("steps/predict.py", folder / "data.tsv", code=1).stderr
    (folder / "data.tsv").write_text("file_id\ntwo/a.wav\none/a.wav\nthree/a.wav\n")
    done = type_in("steps/predict.py", folder / "data.tsv", code=1)
    assert [line["path"] for line in rows(done)[1]] == ["two/a.wav", "one/a.wav"] and "three/a.wav: not" in done.stderr


def test_a_row_may_say_where_it_begins_or_ends_alone(sounds, type_in):
    (sounds / "t.csv").write_text("file,start,end\na.wav,0.5,\na.wav,,1.5\na.wav,0.5,2\na.wav,0,1.5\n")
    lines = rows(type_in("steps/predict.py", sounds / "t.csv"))[1]
    answers = [[line[name] for name in ("begin", "end", *CLASSES)] for line in lines]
    assert answers[0] == answers[2] and answers[1] == answers[3] and answers[0][:2] == ["0.50", "2.00"]
    (sounds / "one.csv").write_text('"path"\r\na.wav\r\n')
    assert rows(type_in("steps/predict.py", sounds / "one.csv"))[1][0]["end"] == "2.00"
    (sounds / "t.csv").write_text("file,start,end\na.wav,00:00:00.5,0 days 00:00:01.5\na.wav,0.5,1.5\na.wav,nan,NaT\n")
    lines = rows(type_in("steps/predict.py", sounds / "t.csv"))[1]  # as in a table of a corpus
    assert lines[0] == lines[1] and lines[2]["end"] == "2.00"
    for wrong, said in {"inf,": "time", ",inf": "time", "2,1": "stretch", "-1,1": "time", "1e12,": "time"}.items():
        (sounds / "t.csv").write_text(f"file,start,end\na.wav,{wrong}\n")
        assert f" no {said}" in type_in("steps/predict.py", sounds / "t.csv", code=1).stderr
    assert "choose --by windows" in type_in("steps/predict.py", "--hop", "1", sounds / "a.wav", code=1).stderr
    (sounds / "t.csv").write_text("file,start,end\na.wav,30,\n")
    assert "beyond the end" in type_in("steps/predict.py", sounds / "t.csv", code=1).stderr


def test_whatever_one_file_is_the_others_are_answered(sounds, tmp_path, type_in):
    (sounds / "folder.wav").mkdir()
    (sounds / "loop.wav").symlink_to(sounds / "loop.wav")
    os.mkfifo(sounds / "pipe.wav")
    soundfile.write(sounds / "huge.wav", 1e30 * voice(1, 0) / 32768, 16000, subtype="FLOAT")
    soundfile.write(sounds / "against.wav", np.stack([voice(1, 0), -voice(1, 0)], axis=1) / 32768, 16000)
    wrong = ["folder.wav", "loop.wav", "pipe.wav", "huge.wav", "against.wav", "a.wav/x.wav", "n" * 300, "nul\0.wav"]
    (tmp_path / "list.jsonl").write_text(
        "".join(json.dumps({"path": str(sounds / name)}) + "\n" for name in [*wrong, "a.wav"])
    )
    done = type_in("steps/predict.py", tmp_path / "list.jsonl", code=1)
    assert [line["path"] for line in rows(done)[1]] == [str(sounds / "a.wav")] and "nan" not in done.stdout
    said = done.stderr.splitlines()
    assert len(said) == len(wrong) + 1 and all(": not answered: " in line for line in said[:-1]), said
    assert "once its channels are mixed" in done.stderr


def test_what_is_named_wrongly_is_said_before_anything_is_answered(sounds, tmp_path, type_in):
    (tmp_path / "empty").mkdir()
    (tmp_path / "wav.scp").write_text(f"one {sounds}/a.wav\ntwo touch {tmp_path}/x |\n")
    for wrong, message in ((tmp_path / "empty", "holds no recordings"), (tmp_path / "wav.scp", "a pipe is not run")):
        done = type_in("steps/predict.py", sounds / "a.wav", wrong, code=1)
        assert message in done.stderr and len(done.stdout.splitlines()) <= 1


def test_pictures_of_different_recordings_have_different_names(sounds, tmp_path, type_in):
    for name in ("x/y.wav", "x_y.wav", "x_y.2.wav"):
        (sounds / name).parent.mkdir(exist_ok=True)
        soundfile.write(sounds / name, voice(3, 0).astype(np.int16), 16000)
    words = [
        "steps/predict.py",
        "--by",
        "windows",
        "--draw",
        tmp_path / "drawn",
        tmp_path / "named.scp",
    ]
    named = {"x/y": "x/y.wav", "x_y": "x_y.wav", "x_y.2": "x_y.2.wav"}
    (tmp_path / "named.scp").write_text("".join(f"{name} {sounds / path}\n" for name, path in named.items()))
    type_in(*words)
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 3


@pytest.mark.parametrize("name", [b"\xff\xfe.wav", rb"$\frac{$.wav", "音\x1b.wav".encode()])
def test_whatever_a_recording_is_called_it_is_drawn(sounds, tmp_path, type_in, recwarn, name):
    path = os.fsdecode(os.fsencode(sounds) + b"/" + name)
    shutil.copyfile(sounds / "a.wav", path)
    type_in("steps/predict.py", "--by", "windows", "--draw", tmp_path / "p", path)
    assert len(list((tmp_path / "p").glob("*.png"))) == 1
    assert not [one for one in recwarn if "Glyph" in str(one.message)]


@pytest.mark.parametrize("wrong", [{"by": "turn"}, {"window": 0}, {"hop": 0.0}, {"unsure": 3}, {"prior": [1, 2, 3]}])
def test_from_python_what_cannot_work_is_refused(sounds, wrong):
    with pytest.raises(UserError):
        list(answers(sounds / "a.wav", **{"by": "windows"} | wrong))
    told = list(answers(sounds / "a.wav", prior=[1, 1, 8, 0]))
    assert told[0].posteriors.sum() == pytest.approx(1)


def test_the_readmes_lines_of_python_run(sounds, monkeypatch, capsys):
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0]
    signal = np.concatenate([voice(2, 1), np.random.default_rng(0).normal(0, 2, 16000), voice(2, 2)])
    soundfile.write(sounds / "call.m4a.wav", signal.astype(np.int16), 16000)
    (sounds / "call.m4a.wav").rename(sounds / "call.m4a")  # libsndfile goes by what is in it
    monkeypatch.chdir(sounds)
    exec(code, {})
    assert capsys.readouterr().out.count("[") >= 2


def test_the_readme_says_what_the_card_does():
    figures = json.loads((MODEL / "results.json").read_text())
    corpora = [row["ua"] for row in figures["unseen_corpora"]["alone"].values()]
    readme = " ".join((Path(__file__).resolve().parents[2] / "README.md").read_text().split())
    assert f"is {figures['unseen_speakers']['all']['all']['ua']:.0f} % on unseen speakers" in readme
    assert f"and {min(corpora):.0f} to {max(corpora):.0f} % on unseen corpora (chance: 25 %)" in readme
    assert f"of {figures['unseen_speakers']['all']['all']['recordings']} acted recordings" in readme


@pytest.mark.parametrize(
    ("name", "lines"), [("calibration.yaml", 0), ("calibration.yaml", 3), *(("config.yaml", k) for k in (0, 3, 5))]
)
def test_what_a_model_lacks_is_not_made_up(sounds, model, type_in, name, lines):
    (model / name).write_text("".join((model / name).read_text().splitlines(keepends=True)[:lines]))
    said = type_in("steps/predict.py", "--model", model, sounds, code=1).stderr
    assert f"{name}: lacks '" in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("calibration.yaml", {"temperature": -1.0}, "temperature is -1.0"),
        ("calibration.yaml", {"unsure": float("nan")}, "unsure is nan"),
        ("calibration.yaml", {"unlike": float("nan")}, "unlike is nan"),
        ("calibration.yaml", {"shortest": -float("inf")}, "shortest is -inf"),
        ("config.yaml", {"highest": 1.0}, "highest is 1 Hz"),
        ("config.yaml", {"sample_frequency": 44100}, "the speech detector takes"),
    ],
    ids=str,
)
def test_a_models_values_that_cannot_work_are_refused(sounds, type_in, tmp_path, file, change, said):
    shutil.copytree(MODEL, tmp_path / "model")
    own = yaml.safe_load((tmp_path / "model" / file).read_text())
    (tmp_path / "model" / file).write_text(yaml.safe_dump(own | change))
    message = type_in("steps/predict.py", "--model", tmp_path / "model", sounds, code=1).stderr
    assert f"{file}: " in message and said in message and message.count("\n") == 1


def graph(size=1851, given="descriptors", answers=("posteriors", "unlike")):
    """A graph that is none of ours."""
    helper, dims = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [helper.make_node("Identity", [given], [name]) for name in answers]
    outputs = [helper.make_tensor_value_info(name, dims, ["N", size]) for name in answers]
    inputs = [helper.make_tensor_value_info(given, dims, ["N", size])]
    made = helper.make_graph(nodes, "other", inputs, outputs)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


def test_a_model_that_is_replaced_while_it_is_opened_is_the_old_one_or_the_new_one(tmp_path, monkeypatch):
    old, new = (shutil.copytree(MODEL, tmp_path / name) for name in ("old", "new"))
    settings = config.load(Settings, new / "config.yaml")
    settings.corpora = ["other"]
    head.write_graph(head.load(new / "model.safetensors"), 2.0, new / "model.onnx")
    settings.sums = {name: sum_of((new / name).read_bytes(), settings) for name in settings.sums}
    config.save(settings, new / "config.yaml")
    read, asked = prediction_model.content_of, []

    def swapped(folder, settings, name):
        asked.append(name)
        if len(asked) == 2:
            shutil.copytree(new, old, dirs_exist_ok=True)
        return read(folder, settings, name)

    monkeypatch.setattr(prediction_model, "content_of", swapped)
    assert Model(old).settings.corpora == ["other"] and len(asked) > 2


@pytest.mark.parametrize("other", [{}, {"size": 7}, {"given": "x"}, {"answers": ("posteriors",)}], ids=str)
def test_another_graph_than_ours_is_refused(sounds, type_in, tmp_path, other):
    shutil.copytree(MODEL, tmp_path / "model")
    (tmp_path / "model/model.onnx").write_bytes(graph(**other))
    message = type_in("steps/predict.py", "--model", tmp_path / "model", sounds, code=1).stderr
    assert "model.onnx" in message and message.count("\n") == 1


@pytest.mark.parametrize("change", [lambda x: x[:-1], lambda x: x * np.nan])
def test_a_mean_that_is_not_ours_is_refused(sounds, model, type_in, change):
    tensors = load_file(MODEL / "model.safetensors")
    save_file(tensors | {"mean": change(tensors["mean"])}, model / "model.safetensors")
    settings = config.load(Settings, model / "config.yaml")
    settings.sums["model.safetensors"] = sum_of((model / "model.safetensors").read_bytes(), settings)
    config.save(settings, model / "config.yaml")
    words = ["--model", model, "--adapt", "all", sounds / "a.wav"]
    message = type_in("steps/predict.py", *words, code=1).stderr
    assert "mean is not that of 1851 descriptors" in message and message.count("\n") == 1


def test_a_picture_of_a_recording_with_a_very_long_path(sounds, tmp_path, type_in):
    deep = sounds.joinpath(*["x" * 100] * 3)
    deep.mkdir(parents=True)
    for name in "de":
        shutil.copyfile(sounds / "a.wav", deep / f"{name}.wav")
    type_in("steps/predict.py", "--by", "windows", "--draw", tmp_path / "p", deep / "d.wav", deep / "e.wav")
    assert len(list((tmp_path / "p").glob("*.png"))) == 2
