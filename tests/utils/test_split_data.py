"""utils/split_data.py: parts of about one size, which together are the whole."""

import os

import pytest

from utils.cli import UserError
from utils.data_dir import Utterance, write_data_dir
from utils.split_data import split
from utils.table import read_lines, read_table
from utils.validate_data_dir import validate


@pytest.mark.parametrize("nj", [1, 2, 4, 6])
def test_split_by_speaker(data, nj, expect_subset):
    parts = split(data, nj)
    assert parts == [data / f"split{nj}" / str(number) for number in range(1, nj + 1)]
    utterances = [list(read_table(part / "utt2spk")) for part in parts]
    assert sum(utterances, []) == list(read_table(data / "utt2spk"))  # sorted, contiguous, each once
    speakers = [list(read_table(part / "spk2utt")) for part in parts]
    assert sum(speakers, []) == list(read_table(data / "spk2utt"))
    for part, names in zip(parts, utterances):
        expect_subset(data, part, names)
        validate(part)


def test_split_balances_utterances(tmp_path):
    sizes = [50, 1, 1, 1, 1, 46, 20, 30, 25, 25]  # of equally many speakers, the first half would have 54 more
    rows = [Utterance(f"s{s}-{k:02d}", "a.wav", f"s{s}", "d") for s, size in enumerate(sizes) for k in range(size)]
    write_data_dir(tmp_path / "x", rows)
    assert [validate(part, feats=False) for part in split(tmp_path / "x", 4)] == [50, 50, 50, 50]
    assert [validate(part, feats=False) for part in split(tmp_path / "x", 2)] == [100, 100]
    assert [validate(part, feats=False) for part in split(tmp_path / "x", 10)] == sizes


def test_split_by_utterance(data, expect_subset):
    parts = split(data, 5, per_utt=True)
    assert parts[0] == data / "split5utt" / "1"
    assert sorted(len(read_table(part / "utt2spk")) for part in parts) == [5, 5, 5, 6, 6]
    assert sum((read_lines(part / "wav.scp") for part in parts), []) == read_lines(data / "wav.scp")
    for part in parts:
        expect_subset(data, part, list(read_table(part / "utt2spk")))


def test_split_lowers_nj_and_says_so(data, capsys):
    assert split(data, 40) == [data / "split6" / str(number) for number in range(1, 7)]
    assert "40 parts lowered to 6, one for each speaker" in capsys.readouterr().err
    assert len(split(data, 40, per_utt=True)) == 27
    with pytest.raises(UserError, match="into 0 parts"):
        split(data, 0)


def test_split_is_made_anew_only_when_the_data_dir_changed(data):
    first = split(data, 2)[0]
    (first / "mine").touch()
    split(data, 2)
    assert (first / "mine").exists()
    old = (data / "wav.scp").stat().st_mtime
    (data / "wav.scp").write_text((data / "wav.scp").read_text().replace("/c/", "/elsewhere/"))
    os.utime(data / "wav.scp", (old - 100, old - 100))  # a file from a backup can be older, and yet another
    split(data, 2)
    assert not (first / "mine").exists() and "/elsewhere/" in (first / "wav.scp").read_text()
    (data / "utt2remark").unlink()
    split(data, 2)
    assert not (first / "utt2remark").exists()


def test_split_of_an_unsorted_data_dir_loses_nobody(data):
    (data / "utt2spk").write_text("\n".join(reversed(read_lines(data / "utt2spk"))) + "\n")
    parts = split(data, 3)
    assert [sorted({name[:4] for name in read_table(part / "feats.scp")}) for part in parts] == [
        ["spk0", "spk1", "spk2"],
        ["spk3", "spk4"],
        ["spk5"],
    ]
