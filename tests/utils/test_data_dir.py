"""Data dirs: how they are written, and how a subset carries every table along."""

import os
import subprocess
import sys

import pytest

from utils.cli import UserError
from utils.data_dir import Utterance, check_prefixes, keyed_on, tables, write_data_dir
from utils.parts import subset
from utils.table import read_lines, read_table
from utils.validate_data_dir import validate


@pytest.mark.parametrize(
    "name, segments, kind",
    [
        ("utt2emo", False, "utterance"),
        ("utt2neverheard", True, "utterance"),
        ("xvector.scp", False, "utterance"),
        ("text", False, "utterance"),
        ("wav.scp", False, "utterance"),
        ("wav.scp", True, "recording"),
        ("reco2dur", True, "recording"),
        ("spk2gender", False, "speaker"),
        ("cmvn.scp", False, "speaker"),
        ("folds", False, "speaker"),
        ("frame_shift", False, ""),
        ("lost", False, ""),
    ],
)
def test_keyed_on(name, segments, kind):
    assert keyed_on(name, segments) == kind


# Sorted by utterance, the speakers must come out sorted too. "-" sorts before digits, letters and "_".
@pytest.mark.parametrize(
    "utt2spk",
    [
        {"a-1": "a", "a_b-1": "a_b"},
        {"a-1": "a", "a-2": "a", "ab-1": "ab", "a1-1": "a1"},
        {"a_1": "a", "a_b_1": "a_b", "a_c": "a_c"},
        {"utt1": "utt1", "utt10": "utt10", "utt2": "utt2"},  # each utterance its own speaker
        {"Z-1": "Z", "a-1": "a", "é-1": "é"},
    ],
)
def test_prefixes_that_sort(utt2spk):
    check_prefixes(utt2spk, "x")


@pytest.mark.parametrize(
    "utt2spk, said",
    [
        ({"a-x": "a", "a-b-1": "a-b"}, "'a-x' of speaker 'a' comes after the utterances of speaker 'a-b'"),
        ({"a_x": "a", "a_b_1": "a_b"}, "'a_x' of speaker 'a' comes after the utterances of speaker 'a_b'"),
        ({"s1_1": "s1", "s10_1": "s10"}, "'s1_1' of speaker 's1' comes after the utterances of speaker 's10'"),
        ({"a-1": "a", "x-1": "b"}, "'x-1' does not begin with its speaker-id 'b'"),
    ],
)
def test_prefixes_that_do_not(utt2spk, said):
    with pytest.raises(UserError) as error:
        check_prefixes(utt2spk, "data/x")
    assert str(error.value).startswith("data/x: ") and said in str(error.value)


def one(name="s-1", speaker="s", session="d", gender="", emotion="", wav="a.wav"):
    return Utterance(name, wav, speaker, session, gender, emotion)


def test_write_data_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [one("t-2", "t", "d2", "f", "sad"), one("t-1", "t", "d1", "f", "ang"), one("s-1", "s", "d1", "m", "ang")]
    write_data_dir("x", rows, [("run01", "train", "s"), ("run01", "test", "t")])
    assert {path.name: path.read_text() for path in tables("x")} == {
        "wav.scp": "".join(f"{name} {tmp_path}/a.wav\n" for name in ("s-1", "t-1", "t-2")),
        "utt2spk": "s-1 s\nt-1 t\nt-2 t\n",
        "spk2utt": "s s-1\nt t-1 t-2\n",
        "utt2session": "s-1 d1\nt-1 d1\nt-2 d2\n",
        "spk2gender": "s m\nt f\n",
        "utt2emo": "s-1 ang\nt-1 ang\nt-2 sad\n",
        "folds": "run01 train s\nrun01 test t\n",
    }
    write_data_dir("x", [one()])  # replaces: nothing of the old one stays
    assert [path.name for path in tables("x")] == ["spk2utt", "utt2session", "utt2spk", "wav.scp"]


def test_gender_known_of_some_speakers_only_is_left_out_aloud(tmp_path, capsys):
    write_data_dir(tmp_path / "x", [one(gender="m"), one("t-1", "t")])
    assert not (tmp_path / "x" / "spk2gender").exists()
    assert "no gender for speaker 't'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "rows, said",
    [
        ([one(wav="a.wav"), one(wav="b.wav")], "utterance 's-1' stands for both a.wav and b.wav"),
        ([one("s1")], "'s1' does not begin with 's-'"),
        ([one("s- 1")], "white space"),
        ([one(session="")], "must not be empty"),
        ([one(emotion="ang"), one("s-2")], "only one has an emotion"),
        ([one("a-x", "a"), one("a-b-1", "a-b")], "comes after the utterances of speaker"),
        ([], "no utterances"),
        ([one(wav="a\nb.wav")], r"a\nb.wav': a file whose name has a line break, or ends in a blank or '|': rename it"),
        ([one(wav="a.wav ")], "a.wav ': a file whose name"),
        ([one(wav="sox a.wav |")], "sox a.wav |': a file whose name"),
        ([Utterance("s-1", "a\n.wav", "s", "d", end=1.0)], r"a\n.wav': a file whose name"),
    ],
)
def test_write_data_dir_refuses_and_leaves_what_was_there(tmp_path, rows, said):
    write_data_dir(tmp_path / "x", [one()])
    with pytest.raises(UserError) as error:
        write_data_dir(tmp_path / "x", rows)
    assert said in str(error.value)
    assert os.listdir(tmp_path) == ["x"] and read_table(tmp_path / "x" / "utt2spk") == {"s-1": "s"}


def test_nothing_but_a_data_dir_is_replaced(data, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis").touch()
    for place in (tmp_path / "precious", tmp_path, data, data / "utt2spk"):
        with pytest.raises(UserError, match="not replaced|is read"):
            subset(data, place, ["spk1-u0"])
    assert (tmp_path / "precious" / "thesis").exists() and validate(data) == 27
    (tmp_path / "link").symlink_to(tmp_path / "new")
    (tmp_path / "new").mkdir()
    subset(data, tmp_path / "link", ["spk1-u0"])  # an empty folder is; a link is followed
    assert validate(tmp_path / "new") == 1


CHOSEN = ["spk1-u0", "spk1-u2", "spk4-u5", "spk0-u1"]


def test_subset_keeps_every_table_by_its_key(data, tmp_path, expect_subset):
    subset(data, tmp_path / "part", CHOSEN)
    expect_subset(data, tmp_path / "part", CHOSEN)
    assert validate(tmp_path / "part") == 4


def test_subset_with_segments(segmented, tmp_path, expect_subset):
    subset(segmented, tmp_path / "part", CHOSEN)
    expect_subset(segmented, tmp_path / "part", CHOSEN)
    assert list(read_table(tmp_path / "part" / "wav.scp")) == ["rec-spk0", "rec-spk1", "rec-spk4"]
    assert validate(tmp_path / "part") == 4


def test_subset_of_unsorted_or_incomplete_tables_takes_the_right_lines_and_says_so(data, tmp_path, capsys):
    lines = read_lines(data / "feats.scp")
    (data / "feats.scp").write_text("\n".join(reversed(lines)))  # and no newline at the end
    (data / "vad.scp").write_text("spk1-u0 x\n")
    subset(data, tmp_path / "part", CHOSEN)
    assert read_lines(tmp_path / "part" / "feats.scp") == [
        line for line in reversed(lines) if line.split()[0] in CHOSEN
    ]
    assert f"{data}/vad.scp: 1 lines for 4 utterances" in capsys.readouterr().err


def test_subset_refuses_what_is_not_there(data, tmp_path):
    for utterances in (["spk1-u0", "nobody"], []):
        with pytest.raises(UserError, match="no utterance"):
            subset(data, tmp_path / "part", utterances)
    with pytest.raises(UserError, match="no such file"):
        subset(tmp_path / "absent", tmp_path / "part", ["a"])
    assert not (tmp_path / "part").exists()


def lose(path, first=5, last=8):
    """Take lines out of a table."""
    lines = read_lines(path)
    path.write_text("".join(f"{line}\n" for line in lines[:first] + lines[last:]))


@pytest.mark.parametrize("table", ["utt2spk", "utt2emo", "utt2session", "wav.scp"])
@pytest.mark.parametrize(
    "words",
    [
        ["combine_data.py", "DEST", "DATA"],
        ["augment_data_dir.py", "--kinds", "babble", "DATA", "DEST"],
        ["leak_data_dir.py", "--kind", "prefix", "DATA", "DEST"],
        ["make_folds.py", "--folds", "3", "DATA"],
        ["make_folds.py", "--csv", "DEST", "DATA"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_tables_that_disagree_are_not_worked_with(data, tmp_path, type_in, words, table):
    if words[0].startswith("augment"):
        (data / "folds").unlink()
    lose(data / table)
    before = (data / "folds").read_bytes() if (data / "folds").is_file() else b""
    places = {"DATA": data, "DEST": tmp_path / "dest"}
    said = type_in(f"utils/{words[0]}", *(places.get(word, word) for word in words[1:]), code=1).stderr
    assert "3 utterances" in said and "utils/fix_data_dir.py" in said and said.count("\n") == 1
    assert not (tmp_path / "dest").exists()
    assert before == ((data / "folds").read_bytes() if (data / "folds").is_file() else b"")


@pytest.mark.parametrize("program", ["copy_data_dir.py", "split_data.py"])
def test_utterances_that_utt2spk_does_not_have_are_not_lost_without_a_word(data, tmp_path, type_in, program):
    lose(data / "utt2spk")
    said = type_in(f"utils/{program}", data, tmp_path / "dest" if program[0] == "c" else 2).stderr
    assert "wav.scp: 27 lines for 24 utterances" in said


def test_a_table_that_is_a_dead_link_or_a_folder_is_not_passed_over(data, tmp_path, type_in):
    for make, said in (
        (lambda path: path.symlink_to(tmp_path / "nothing"), "utt2emo: is a link to nothing"),
        (lambda path: path.symlink_to("utt2emo"), "utt2emo: is a link to nothing"),
        (lambda path: path.mkdir(), "utt2emo: is a folder"),
    ):
        (data / "utt2emo").unlink()
        make(data / "utt2emo")
        for words in (["copy_data_dir.py", data, tmp_path / "dest"], ["fix_data_dir.py", data]):
            assert said in type_in(f"utils/{words[0]}", *words[1:], code=1).stderr
        if (data / "utt2emo").is_dir():
            (data / "utt2emo").rmdir()
            (data / "utt2emo").touch()


def test_a_data_dir_that_lost_a_table_is_made_again(tmp_path):
    rows = [Utterance(f"s{k}-1", tmp_path / f"{k}.wav", f"s{k}", f"s{k}", "m", "ang") for k in range(3)]
    for name in ("utt2emo", "wav.scp", "utt2session"):
        write_data_dir(tmp_path / "data", rows)
        (tmp_path / "data" / name).unlink()
        write_data_dir(tmp_path / "data", rows)
        assert (tmp_path / "data" / name).is_file()
    (tmp_path / "data/utt2emo").write_text("s0-1 sad\ns1-1 sad\ns2-1 sad\n")
    write_data_dir(tmp_path / "data", rows)  # edited on purpose, perhaps
    assert "sad" in (tmp_path / "data/utt2emo").read_text()
    write_data_dir(tmp_path / "data", rows, redo=True)
    assert "sad" not in (tmp_path / "data/utt2emo").read_text()


def test_another_call_finds_stretches_of_recordings_as_they_are(tmp_path):
    """Python orders a set of words anew in each process."""
    make = (
        "from utils.data_dir import Utterance, write_data_dir\n"
        "write_data_dir('data', [Utterance(f's{k}-1', f'{k}.wav', f's{k}', f's{k}', 'm', begin=1, end=2) "
        "for k in range(9)])"
    )
    made = set()
    for seed in ("1", "2"):
        env = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", make], cwd=tmp_path, env=env, check=True)
        made.add(((tmp_path / "data").stat().st_ino, (tmp_path / "data/.made_from.data").read_text()))
    assert len(made) == 1
