"""Which utterances each option of subset_data_dir.py picks."""

import sys

import pytest

from utils.cli import UserError
from utils.subset_data_dir import evenly, main
from utils.table import read_table, write_table
from utils.validate_data_dir import validate


@pytest.fixture
def pick(data, tmp_path, monkeypatch):
    """The utterances that a command line picks, options first; "N" stands for no number."""

    def run(*options, number=None):
        words = [*options, data, *([] if number is None else [number]), tmp_path / "part"]
        monkeypatch.setattr(sys, "argv", ["subset_data_dir.py", *map(str, words)])
        main()
        assert validate(tmp_path / "part") == len(read_table(tmp_path / "part" / "utt2spk"))
        return list(read_table(tmp_path / "part" / "utt2spk"))

    return run


def test_first_last_and_shortest(pick, data):
    everybody = list(read_table(data / "utt2spk"))
    assert pick("--first", number=3) == everybody[:3]
    assert pick("--last", number=3) == everybody[-3:]
    assert pick("--shortest", number=3) == everybody[-3:]  # their utt2num_frames is smallest
    write_table(data / "utt2num_frames", {name: str(1 + at) for at, name in enumerate(everybody)})
    assert pick("--shortest", number=3) == everybody[:3]
    (data / "utt2num_frames").unlink()
    assert pick("--shortest", number=3) == everybody[-3:]  # by utt2dur
    assert pick("--first", number=27) == everybody


def test_evenly_spread(pick, data):
    assert evenly("abcdefghij", 5) == list("acegi") and evenly("abc", 9) == list("abc")
    names = pick(number=9)
    assert len(names) == 9 and {name[:4] for name in names} >= {"spk2", "spk3", "spk4", "spk5"}
    assert pick(number=9) == names


def test_per_speaker(pick):
    names = pick("--per-spk", number=3)
    counts = [sum(name.startswith(f"spk{number}") for name in names) for number in range(6)]
    assert counts == [2, 3, 3, 3, 3, 3]
    assert [name for name in names if name.startswith("spk5")] == ["spk5-u0", "spk5-u2", "spk5-u4"]


def test_whole_speakers(pick, data):
    names = pick("--speakers", number=10)
    spk2utt = read_table(data / "spk2utt")
    speakers = {name[:4] for name in names}
    assert names == [name for speaker in spk2utt if speaker in speakers for name in spk2utt[speaker].split()]
    assert 10 <= len(names) < 10 + 7
    assert pick("--speakers", number=10) == names


def test_lists(pick, data, tmp_path, capsys):
    (tmp_path / "list").write_text("spk3-u1 further fields\nzz\n\nspk1-u0\nspk1-u0\n")
    assert pick("--utt-list", tmp_path / "list") == ["spk1-u0", "spk3-u1"]
    assert "1 of 3 ids are not in the data dir, first 'zz'" in capsys.readouterr().err
    (tmp_path / "list").write_text("spk1\nspk0\n")
    assert pick("--spk-list", tmp_path / "list") == ["spk0-u0", "spk0-u1", "spk1-u0", "spk1-u1", "spk1-u2"]
    assert capsys.readouterr().err.count("\n") == 1  # that some runs of `folds` lack a part now


@pytest.mark.parametrize("number", [0, 28, -1])
def test_numbers_that_cannot_be(pick, number, tmp_path):
    with pytest.raises(UserError, match=f"cannot choose {number} of its 27 utterances"):
        pick("--", number=number)
    assert not (tmp_path / "part").exists()


def test_lengths_that_are_none(pick, data):
    (data / "utt2num_frames").write_text("spk1-u0 100\n")
    with pytest.raises(UserError, match="utt2num_frames: no length for each"):
        pick("--shortest", number=3)


def test_mistyped(data, tmp_path, type_in):
    tool = "utils/subset_data_dir.py"
    assert "expected SOURCE N DEST" in type_in(tool, data, tmp_path / "part", code=2).stderr
    assert "not allowed with" in type_in(tool, "--first", "--last", data, 3, tmp_path / "part", code=2).stderr
    assert "unrecognized arguments: --firs" in type_in(tool, "--firs", data, 3, tmp_path / "part", code=2).stderr
    assert "absent: " in type_in(tool, "--utt-list", "absent", data, tmp_path / "part", code=1).stderr
    done = type_in(tool, data, "--first", 3, tmp_path / "part")  # options may come anywhere
    assert done.stdout == f"subset_data_dir.py: {tmp_path}/part has 3 utterances of {data}\n"


def test_a_length_that_is_no_number_chooses_nothing(data, tmp_path, type_in):
    lengths = (data / "utt2num_frames").read_text()
    (data / "utt2num_frames").write_text(lengths.replace(" 900\n", " nan\n"))
    said = type_in("utils/subset_data_dir.py", "--shortest", data, 5, tmp_path / "few", code=1).stderr
    assert "no length for each utterance" in said and "has nan" in said
