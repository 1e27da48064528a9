"""What makes a data dir invalid, and whether Kaldi agrees."""

import os
import subprocess
from pathlib import Path

import pytest

from utils.cli import UserError
from utils.data_dir import tables
from utils.table import read_lines, read_table, write_lines
from utils.validate_data_dir import validate


def lines(table, change):
    """A way to spoil a data dir: `change` gets the lines of `table` and returns others."""
    return lambda data: write_lines(data / table, change(read_lines(data / table)))


def swap(rows):
    return [rows[0], rows[2], rows[1], *rows[3:]]


def drop(rows):
    return rows[:3] + rows[4:]


def to(number, value):
    return lambda rows: [f"{row.split()[0]} {value}" if at == number else row for at, row in enumerate(rows, 1)]


def text(table, change):
    return lambda data: (data / table).write_text(change((data / table).read_text()))


def marked(table):
    return lambda data: (data / table).write_bytes(b"\xef\xbb\xbf" + (data / table).read_bytes())


def unlink(table):
    return lambda data: (data / table).unlink()


# What is done, what is said of it, and whether Kaldi's script refuses it as well.
SPOILT = {
    "byte order mark": (marked("utt2emo"), "utt2emo:1: begins with a byte order mark", False),
    "byte order mark in utt2spk": (marked("utt2spk"), "utt2spk:1: begins with a byte order mark", True),
    "unsorted": (lines("utt2dur", swap), "utt2dur:3: 'spk0-u1' stands after 'spk1-u0'", True),
    "unsorted utt2spk": (lines("utt2spk", swap), "utt2spk:3: 'spk0-u1' stands after 'spk1-u0'", True),
    "twice": (lines("wav.scp", lambda rows: rows[:2] + rows[1:]), "wav.scp:3: 'spk0-u1' stands twice", True),
    "utterance missing": (lines("feats.scp", drop), "feats.scp: 1 utterances missing, first 'spk1-u1'", True),
    "vad missing": (lines("vad.scp", drop), "vad.scp: 1 utterances missing", True),
    "dur missing": (lines("utt2dur", drop), "utt2dur: 1 utterances missing", True),
    "frames missing": (lines("utt2num_frames", drop), "utt2num_frames: 1 utterances missing", True),
    "emotion missing": (lines("utt2emo", drop), "utt2emo: 1 utterances missing", False),
    "session missing": (lines("utt2session", drop), "utt2session: 1 utterances missing", False),
    "too many": (lines("wav.scp", lambda rows: rows + ["zz /c"]), "wav.scp: 1 utterances too many", True),
    "too many of an unknown table": (lines("utt2remark", lambda rows: rows + ["zz 1"]), "1 utterances too many", False),
    "gender missing": (lines("spk2gender", drop), "spk2gender: 1 speakers missing, first 'spk3'", True),
    "gender F": (lines("spk2gender", to(2, "F")), "spk2gender:2: expected '<key> <value>' with m or f", True),
    "cmvn missing": (lines("cmvn.scp", drop), "cmvn.scp: 1 speakers missing", True),
    "spk2utt incomplete": (lines("spk2utt", to(2, "spk1-u0")), "spk2utt: speaker 'spk1' does not have", True),
    "spk2utt lacks one": (lines("spk2utt", drop), "spk2utt: 1 speakers missing, first 'spk3'", True),
    "no spk2utt": (unlink("spk2utt"), "spk2utt: no such file", True),
    "no utt2spk": (unlink("utt2spk"), "utt2spk: no such file", True),
    "no wav": (unlink("wav.scp"), "wav.scp: no such file (if that is intended: --no-wav)", True),
    "no feats": (unlink("feats.scp"), "feats.scp: no such file (if that is intended: --no-feats)", True),
    "empty": (text("utt2spk", lambda _: ""), "utt2spk: empty file", True),
    "two speakers": (
        lines("utt2spk", to(3, "spk1 spk2")),
        "utt2spk:3: expected '<key> <value>' with one speaker",
        None,
    ),
    "no value": (lines("utt2emo", to(3, "")), "utt2emo:3: expected '<key> <value>' with one word", False),
    "blank line": (text("wav.scp", lambda old: old + "\n"), "wav.scp:28: expected", True),
    "two words": (lines("utt2emo", to(3, "very sad")), "utt2emo:3: expected '<key> <value>' with one word", False),
    "no number": (lines("utt2dur", to(3, "long")), "utt2dur:3: expected '<key> <value>' with a duration", None),
    "not a number": (lines("utt2dur", to(3, "nan")), "utt2dur:3: expected", None),
    "no length": (lines("utt2dur", to(3, "0")), "utt2dur:3: expected", True),
    "half a frame": (lines("utt2num_frames", to(3, "9.5")), "utt2num_frames:3: expected", True),
    "command": (
        lines("wav.scp", to(3, "sox a.wav -t wav - |")),
        "wav.scp:3: expected '<key> <value>' with a path",
        False,
    ),
    "command in feats": (lines("feats.scp", to(3, "copy-feats a - | ")), "feats.scp:3: expected", False),
    "output command": (lines("wav.scp", to(3, "| rm -r x")), "wav.scp:3: expected", False),
    "home": (lines("wav.scp", to(3, "~/a.wav")), "wav.scp:3: expected", True),
    "windows": (
        text("utt2emo", lambda old: old.replace("\n", "\r\n")),
        "utt2emo:1: does not end in a plain newline",
        False,
    ),
    "cut off": (text("wav.scp", lambda old: old[:-1]), "wav.scp:27: does not end in a plain newline", True),
    "fold of a stranger": (
        lines("folds", lambda rows: [*rows, "run01 test zz"]),
        "speaker 'zz' is not in utt2spk",
        False,
    ),
    "fold form": (lines("folds", lambda rows: [*rows, "run01 dev spk1"]), "folds:19: expected '<run>", False),
    "fold leak": (lines("folds", lambda rows: [*rows, "run01 train spk0"]), "run01: speaker 'spk0' is in both", False),
    "session leak": (
        lines("utt2session", lambda rows: [f"{row.split()[0]} d" for row in rows]),
        "session 'd' is",
        False,
    ),
    "tested twice": (
        lines("folds", lambda rows: [*rows, "run09 test spk0"]),
        "'spk0' is tested in two runs",
        False,
    ),
    "one recording of two": (
        lines("wav.scp", to(3, "/c/spk5/0.wav")),
        "'spk1-u0' (test) and 'spk5-u0' (train) are the same recording under two speakers: /c/spk5/0.wav",
        False,
    ),
    "features of two": (
        lines("feats.scp", to(3, "/x/feats.scp.ark:26")),
        "are the same recording under two speakers: /x/feats.scp.ark:26",
        False,
    ),
}


@pytest.mark.parametrize("how", SPOILT)
def test_invalid(data, how):
    spoil, said, _ = SPOILT[how]
    spoil(data)
    with pytest.raises(UserError) as error:
        validate(data)
    assert said in str(error.value)


def test_valid(data, tmp_path):
    assert validate(data) == 27
    with pytest.raises(UserError, match="absent: no such data dir"):
        validate(tmp_path / "absent")


def test_what_need_not_be_there(data):
    (data / "feats.scp").unlink()
    assert validate(data, feats=False) == 27
    (data / "wav.scp").unlink()
    assert validate(data, feats=False, wav=False) == 27
    for path in tables(data):
        if path.name not in ("utt2spk", "spk2utt"):
            path.unlink()
    assert validate(data, feats=False, wav=False) == 27


def test_tabs_are_as_good_as_spaces(data):
    for path in tables(data):
        path.write_text(path.read_text().replace(" ", "\t"))
    assert validate(data) == 27


def test_a_text_may_be_without_words(data):
    write_lines(
        data / "text", [f"{name} {'hi' * (at % 2)}".strip() for at, name in enumerate(read_table(data / "utt2spk"))]
    )
    assert validate(data) == 27


@pytest.mark.parametrize(
    "spoil, said",
    [
        (unlink("wav.scp"), "needs wav.scp"),
        (lines("wav.scp", drop), "wav.scp: 1 recordings missing, first 'rec-spk3'"),
        (lines("reco2dur", drop), "reco2dur: 1 recordings missing"),
        (lines("segments", drop), "segments: 1 utterances missing"),
        (lines("segments", to(3, "rec-spk0 2.0 1.0")), "segments:3: expected"),
        (lines("segments", to(3, "rec-spk0 2.0")), "segments:3: expected"),
        (lines("segments", to(3, "rec-spk0 now then")), "segments:3: expected"),
        (lines("segments", to(3, "")), "segments:3: expected"),
    ],
)
def test_segments(segmented, spoil, said):
    assert validate(segmented) == 27
    spoil(segmented)
    with pytest.raises(UserError) as error:
        validate(segmented, wav=False)
    assert said in str(error.value)


def test_a_run_without_test_speakers_is_told_but_valid(data, capsys):
    lines("folds", lambda rows: [row for row in rows if not row.startswith("run02 test")])(data)
    assert validate(data) == 27
    assert "1 partitions have no speaker, first run02 no test" in capsys.readouterr().err


def test_speakers_that_the_folds_leave_out_are_told(data, capsys):
    assert validate(data) == 27 and not capsys.readouterr().err
    lines("folds", lambda rows: [row for row in rows if "spk1" not in row and row != "run01 test spk0"])(data)
    assert validate(data) == 27
    said = capsys.readouterr().err
    assert "folds: in no run: 1 of 6 speakers (spk1)" in said and "folds: never tested: 1 of 6 speakers (spk0)" in said


def test_two_speakers_may_share_a_recording_but_not_one_stretch_of_it(segmented):
    lines("segments", to(3, "rec-spk5 2.5 3.0"))(segmented)
    assert validate(segmented) == 27
    lines("segments", to(3, "rec-spk5 3.0 3.9"))(segmented)
    with pytest.raises(UserError, match="'spk1-u0' .* and 'spk5-u3' .* are the same recording .*: /c/spk5.wav 3 3.9"):
        validate(segmented)


def test_typed_in(data, type_in):
    done = type_in("utils/validate_data_dir.py", "--no-text", data)
    assert done.stdout == f"validate_data_dir.py: successfully validated data-directory {data}\n"
    SPOILT["unsorted"][0](data)
    done = type_in("utils/validate_data_dir.py", data, code=1)
    assert done.stderr.count("\n") == 1 and done.stderr.startswith(f"validate_data_dir.py: {data}/utt2dur:3: ")


KALDI = Path(os.environ.get("KALDI_ROOT", "/nowhere")) / "egs/wsj/s5"


def kaldi_accepts(path):
    command = ["utils/validate_data_dir.sh", "--no-text", str(path)]
    done = subprocess.run(command, cwd=KALDI, capture_output=True, text=True)
    return "Successfully validated" in done.stdout


@pytest.mark.skipif(not KALDI.is_dir(), reason="KALDI_ROOT names no Kaldi to compare with")
@pytest.mark.parametrize("kind", ["data", "segmented"])
def test_kaldi_accepts_what_this_accepts(kind, request):
    path = request.getfixturevalue(kind)
    assert validate(path) == 27 and kaldi_accepts(path)


@pytest.mark.skipif(not KALDI.is_dir(), reason="KALDI_ROOT names no Kaldi to compare with")
@pytest.mark.parametrize("how", [how for how, (_, _, refused) in SPOILT.items() if refused is not None])
def test_kaldi_refuses_no_more_than_this(data, how):
    SPOILT[how][0](data)
    assert kaldi_accepts(data) is not SPOILT[how][2]


@pytest.mark.skipif(not KALDI.is_dir(), reason="KALDI_ROOT names no Kaldi to compare with")
@pytest.mark.parametrize(
    "speakers", [("a", "a_b"), ("a", "a-b"), ("a-", "a-b-"), ("s1", "s10"), ("A", "a"), ("z", "é")]
)
@pytest.mark.parametrize("joint", ["-", "_", ""])
def test_kaldi_agrees_on_how_speakers_sort(tmp_path, speakers, joint):
    utt2spk = {f"{speaker}{joint}{name}": speaker for speaker in speakers for name in ("c1", "x2")}
    write_lines(tmp_path / "utt2spk", [f"{name} {utt2spk[name]}" for name in sorted(utt2spk)])
    write_lines(
        tmp_path / "spk2utt", [f"{s} {' '.join(n for n in sorted(utt2spk) if utt2spk[n] == s)}" for s in speakers]
    )
    try:
        accepted = validate(tmp_path, feats=False, wav=False) == 4
    except UserError:
        accepted = False
    command = ["utils/validate_data_dir.sh", "--no-text", "--no-feats", "--no-wav", str(tmp_path)]
    done = subprocess.run(command, cwd=KALDI, capture_output=True, text=True)
    assert ("Successfully validated" in done.stdout) == accepted
