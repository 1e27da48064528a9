"""local/ravdess.py, on a tree of empty files with RAVDESS's names, and on the corpus itself where it is at hand."""

import itertools
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from local import ravdess
from utils import folds
from utils.cli import UserError
from utils.data_dir import check_prefixes, read_table

CORPORA = Path(os.environ.get("CORPORA", Path(__file__).parents[3] / "shared" / "corpora"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The 1440 speech files and some of the songs."""
    root = tmp_path_factory.mktemp("ravdess")
    for actor in range(1, 25):
        folder = root / f"Actor_{actor:02}"
        folder.mkdir()
        for emotion, intensity, statement, repetition in itertools.product(range(1, 9), (1, 2), (1, 2), (1, 2)):
            if emotion > 1 or intensity == 1:  # nobody is strongly neutral
                (folder / f"03-01-0{emotion}-0{intensity}-0{statement}-0{repetition}-{actor:02}.wav").touch()
        (folder / f"03-02-03-01-01-01-{actor:02}.wav").touch()
        (folder / f"._03-01-03-01-01-01-{actor:02}.wav").touch()
    return root


@pytest.fixture
def prepare(monkeypatch, tmp_path):
    def call(*arguments):
        data = tmp_path / "data" / "ravdess"
        monkeypatch.setattr(sys, "argv", ["ravdess.py", *map(str, arguments), str(data)])
        ravdess.main()
        return data

    return call


def check_whole(data):
    utt2spk, emotions = read_table(data / "utt2spk"), read_table(data / "utt2emo")
    assert Counter(emotions.values()) == {"neu": 96, "hap": 192, "ang": 192, "sad": 192}
    assert set(Counter(utt2spk.values()).values()) == {28} and len(set(utt2spk.values())) == 24
    assert emotions["Actor_18-03-01-05-01-02-01-18"] == "ang" and emotions["Actor_01-03-01-01-01-01-01-01"] == "neu"
    assert emotions["Actor_02-03-01-03-02-02-02-02"] == "hap" and emotions["Actor_02-03-01-04-02-02-02-02"] == "sad"
    genders = read_table(data / "spk2gender")
    assert genders["Actor_01"] == "m" and genders["Actor_24"] == "f" and Counter(genders.values()) == {"m": 12, "f": 12}
    assert read_table(data / "utt2session") == utt2spk
    check_prefixes(utt2spk, data)


def test_the_four_classes(prepare, corpus, capsys):
    check_whole(prepare(corpus))
    assert "24 files skipped" in (err := capsys.readouterr().err) and "Actor_01/03-02-03-01-01-01-01.wav" in err


def test_folds(prepare, corpus):
    data = prepare(corpus)
    runs = folds.read(data / "folds")
    folds.check(runs, read_table(data / "utt2spk"), read_table(data / "utt2session"))
    groups = ["01 02 03 04", "05 06 07 08", "09 10 11 12", "13 14 15 16", "17 18 19 20", "21 22 23 24"]
    expected = {  # run → the groups that train, validate, test
        "run01": ((2, 3, 4, 5), 1, 0),
        "run02": ((0, 3, 4, 5), 2, 1),
        "run03": ((0, 1, 4, 5), 3, 2),
        "run04": ((0, 1, 2, 5), 4, 3),
        "run05": ((0, 1, 2, 3), 5, 4),
        "run06": ((1, 2, 3, 4), 0, 5),
    }
    assert runs == {
        run: {
            part: [f"Actor_{actor}" for group in which for actor in groups[group].split()]
            for part, which in (("train", train), ("valid", [valid]), ("test", [test]))
        }
        for run, (train, valid, test) in expected.items()
    }


def test_other_classes(prepare, corpus):
    data = prepare("--classes", "calm disgust surprised fearful", corpus)
    assert Counter(read_table(data / "utt2emo").values()) == {"cal": 192, "dis": 192, "sur": 192, "fea": 192}
    with pytest.raises(UserError, match="--classes: 'joy' is none of: neutral calm happy"):
        prepare("--classes", "neutral joy", corpus)


def test_a_missing_utterance_is_refused_unless_told(prepare, corpus, tmp_path):
    missing = corpus / "Actor_07" / "03-01-04-01-01-01-07.wav"
    missing.unlink()
    try:
        with pytest.raises(UserError, match="191 utterances are sad, RAVDESS has 192 .*--check-counts"):
            prepare(corpus)
        assert not (tmp_path / "data").exists()
        assert len(read_table(prepare("--check-counts", "false", corpus) / "utt2spk")) == 671
    finally:
        missing.touch()


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_something_else_is_named(prepare, tmp_path, folder):
    with pytest.raises(UserError, match="expected RAVDESS's Actor_01/"):
        prepare(tmp_path / folder)


@pytest.mark.skipif(not (CORPORA / "ravdess").is_dir(), reason=f"no RAVDESS in {CORPORA} (set CORPORA)")
def test_the_corpus_itself(prepare):
    check_whole(prepare(CORPORA / "ravdess"))
