"""Data dirs made of several, split and copied: what is kept, what is refused."""

import pytest

from utils.cli import UserError
from utils.combine_data import combine
from utils.parts import subset
from utils.split_data import split
from utils.table import read_lines, read_table, write_lines
from utils.validate_data_dir import validate


def contents(path):
    return {one.name: one.read_bytes() for one in path.iterdir() if one.is_file() and one.name[0] != "."}


@pytest.fixture
def halves(data, tmp_path):
    """`data` in two data dirs that share spk3."""
    names = list(read_table(data / "utt2spk"))
    subset(data, tmp_path / "a", names[:11])
    subset(data, tmp_path / "b", names[11:])
    assert list(read_table(tmp_path / "a" / "spk2utt"))[-1] == list(read_table(tmp_path / "b" / "spk2utt"))[0] == "spk3"
    return tmp_path / "a", tmp_path / "b"


def change(path, old, new):
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize("per_utt", [False, True])
def test_the_parts_of_a_split_make_the_whole(data, tmp_path, per_utt, capsys):
    parts = split(data, 4, per_utt)
    assert combine(tmp_path / "whole", parts[::-1]) == 27
    assert contents(tmp_path / "whole") == contents(data)
    assert capsys.readouterr().err == ""


def test_the_parts_of_a_segmented_split_make_the_whole(segmented, tmp_path):
    assert combine(tmp_path / "whole", split(segmented, 5, per_utt=True)) == 27
    assert contents(tmp_path / "whole") == contents(segmented)


def test_what_only_some_have_is_left_out_aloud(halves, tmp_path, capsys):
    (halves[1] / "utt2remark").unlink()
    (halves[0] / "vad.scp").unlink()
    (halves[1] / "notes").write_text("something else\n")
    combine(tmp_path / "whole", halves)
    said = capsys.readouterr().err
    assert f"utt2remark is left out, as {halves[1]} has none" in said
    assert f"vad.scp is left out, as {halves[0]} has none" in said
    assert "notes is left out: it differs" in said
    assert validate(tmp_path / "whole") == 27
    assert not {"utt2remark", "vad.scp", "notes"} & set(contents(tmp_path / "whole"))


def test_what_stands_in_several_is_taken_once(data, halves, tmp_path, capsys):
    combine(tmp_path / "whole", [data, halves[0]])
    assert contents(tmp_path / "whole") == contents(data)
    assert "11 utterances stand in more than one data dir, and are taken once" in capsys.readouterr().err


@pytest.mark.parametrize(
    "table, old, new, said",
    [
        ("spk2gender", "spk3 f", "spk3 m", "spk2gender: 'spk3 m', but a data dir before it has 'spk3 f'"),
        ("frame_shift", "0.01", "0.0125", "frame_shift differs"),
        ("folds", "run01 valid spk3", "run01 test spk3", "run01: speaker 'spk3' is in both"),
        ("folds", "run01", "run 01", "expected '<run>"),
    ],
)
def test_contradictions_are_refused(halves, tmp_path, table, old, new, said):
    assert old in (halves[1] / table).read_text()
    change(halves[1] / table, old, new)
    with pytest.raises(UserError) as error:
        combine(tmp_path / "whole", halves)
    assert said in str(error.value)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "b", "data"]


def test_a_frame_shift_of_odd_bytes_is_no_number(halves, tmp_path):
    (halves[1] / "frame_shift").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="frame_shift"):
        combine(tmp_path / "whole", halves)


def test_a_data_dir_that_holds_what_is_read_is_not_replaced(data, type_in, tmp_path):
    split(data, 2)
    parts = [data / "split2" / part for part in "12"]
    for words in (["copy_data_dir.py", parts[0], data], ["subset_data_dir.py", parts[0], 3, data],
                  ["combine_data.py", data, *parts]):  # fmt: skip
        said = type_in(f"utils/{words[0]}", *words[1:], code=1).stderr
        assert f"{data}: is read, or holds what is read ({parts[0]})" in said
        assert validate(data) == 27 and parts[1].is_dir()


def test_an_utterance_with_two_wavs_is_refused(data, halves, tmp_path):
    change(halves[0] / "wav.scp", "/c/spk1/0.wav", "/c/spk1/9.wav")
    with pytest.raises(UserError, match="wav.scp: 'spk1-u0 /c/spk1/9.wav', but a data dir before it has"):
        combine(tmp_path / "whole", [data, halves[0]])


def test_speakers_that_do_not_sort_together_are_refused(data, tmp_path):
    for old, new in (("a", "a"), ("b", "a-b")):
        (tmp_path / old).mkdir()
        write_lines(tmp_path / old / "utt2spk", [f"{new}-x {new}"])
    with pytest.raises(UserError, match="'a-x' of speaker 'a' comes after"):
        combine(tmp_path / "whole", [tmp_path / "a", tmp_path / "b"])


def test_runs_that_only_some_have_are_told(halves, tmp_path, capsys):
    write_lines(halves[0] / "folds", [line for line in read_lines(halves[0] / "folds") if "run03" not in line])
    combine(tmp_path / "whole", halves)
    assert "do not have the same runs" in capsys.readouterr().err
    for run, half in zip(("run01", "run02"), halves):  # each has its own, as several corpora do
        write_lines(half / "folds", [line for line in read_lines(half / "folds") if line.startswith(run)])
    combine(tmp_path / "each", halves)
    assert "runs" not in capsys.readouterr().err
    assert "run03 test spk5" in (tmp_path / "whole" / "folds").read_text()


def test_runs_stay_beside_speakers_who_are_in_none(halves, tmp_path, capsys):
    (halves[1] / "folds").unlink()
    combine(tmp_path / "whole", halves)
    assert f"folds: {halves[1]} has none, so no run has its speakers" in capsys.readouterr().err
    assert sorted(read_lines(tmp_path / "whole/folds")) == sorted(read_lines(halves[0] / "folds"))


def test_segments_in_some_only_are_refused(data, halves, segmented, tmp_path):
    with pytest.raises(UserError, match="some data dirs have segments"):
        combine(tmp_path / "whole", [segmented, halves[0]])


def test_typed_in(data, halves, tmp_path, type_in):
    done = type_in("utils/combine_data.py", tmp_path / "whole", *halves)
    assert done.stdout == f"combine_data.py: {tmp_path}/whole has 27 utterances\n"
    assert "is read" in type_in("utils/combine_data.py", halves[0], *halves, code=1).stderr
    assert "no utt2spk" in type_in("utils/combine_data.py", tmp_path / "c", tmp_path, code=1).stderr
    done = type_in("utils/split_data.py", "--per-utt", data, 3)
    assert done.stdout == f"{data}/split3utt\n" and validate(data / "split3utt" / "3") == 9
    assert "--per-utt" in type_in("utils/split_data.py", "--per-utt=yes", data, 3, code=2).stderr
    assert "no such file" in type_in("utils/split_data.py", tmp_path, 3, code=1).stderr
    type_in("utils/copy_data_dir.py", data, tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(data)
