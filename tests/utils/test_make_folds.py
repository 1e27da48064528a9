"""Fold lists: made balanced, shown, exported; checked by counting what is in each part."""

import csv
import itertools
import random

import pytest

from utils import folds
from utils.balance import balanced_groups
from utils.cli import UserError
from utils.data_dir import Utterance, write_data_dir
from utils.make_folds import choose, leave_one_speaker_out, rotate, units

CLASSES = ["ang", "hap", "neu", "sad"]


def corpus(speakers, classes_of, genders="mf", each=8):
    """utt2spk, utt2emo, spk2gender; speaker k has `each` utterances, of classes_of(k) in turn."""
    names = [f"s{k:02d}" for k in range(speakers)]
    utt2spk = {f"{name}-{i}": name for name in names for i in range(each)}
    utt2emo = {
        f"{name}-{i}": classes_of(k)[i % len(classes_of(k))] for k, name in enumerate(names) for i in range(each)
    }
    return utt2spk, utt2emo, {name: genders[k % len(genders)] for k, name in enumerate(names)}


def grouped(n, utt2spk, utt2emo, genders, utt2session=None):
    return balanced_groups(units(utt2spk, utt2session or {}), n, utt2spk, utt2emo, genders)


def test_rotate():
    assert rotate([["a", "b"], ["c"], ["d"], ["e"]]) == [
        *(("run01", "train", "d"), ("run01", "train", "e"), ("run01", "valid", "c")),
        *(("run01", "test", "a"), ("run01", "test", "b")),
        *(("run02", "train", "a"), ("run02", "train", "b"), ("run02", "train", "e")),
        *(("run02", "valid", "d"), ("run02", "test", "c")),
        *(("run03", "train", "a"), ("run03", "train", "b"), ("run03", "train", "c")),
        *(("run03", "valid", "e"), ("run03", "test", "d")),
        *(("run04", "train", "c"), ("run04", "train", "d"), ("run04", "valid", "a"), ("run04", "valid", "b")),
        ("run04", "test", "e"),
    ]
    with pytest.raises(UserError, match="2 groups"):
        rotate([["a"], ["b"]])


@pytest.mark.parametrize(
    "women, men, n", [(5, 5, 2), (12, 12, 6), (7, 2, 4), (1, 6, 3), (0, 5, 3), (3, 3, 6), (5, 4, 5)]
)
def test_groups_differ_by_one_speaker_at_most_and_by_one_of_each_gender(women, men, n):
    utt2spk, utt2emo, _ = corpus(women + men, lambda k: CLASSES)
    genders = {name: "f" if k < women else "m" for k, name in enumerate(sorted(set(utt2spk.values())))}
    groups = grouped(n, utt2spk, utt2emo, genders)
    assert sorted(itertools.chain(*groups)) == sorted(genders)
    for count in (len, lambda group: sum(genders[one] == "f" for one in group)):
        assert max(map(count, groups)) - min(map(count, groups)) <= 1
    shuffled = list(utt2spk.items())
    random.Random(0).shuffle(shuffled)
    assert groups == grouped(n, dict(shuffled), utt2emo, genders)


def test_speakers_of_one_class_each_are_spread_over_groups():
    """Neighbouring ids show the same class: groups of neighbours would lack classes."""
    utt2spk, utt2emo, genders = corpus(29, lambda k: CLASSES if k < 3 else [CLASSES[(k - 3) // 7 % 4]])
    lines, words = choose("", utt2spk, {}, utt2emo, genders)
    assert words.startswith("5 runs of groups alike") and "29 speakers" in words
    for run, part in {(run, part) for run, part, _ in lines}:
        speakers = {who for one, other, who in lines if (one, other) == (run, part)}
        assert {utt2emo[name] for name, who in utt2spk.items() if who in speakers} == set(CLASSES)


@pytest.mark.parametrize("n", [0, 5])
def test_groups_need_a_speaker_each(n):
    utt2spk, utt2emo, genders = corpus(4, lambda k: CLASSES)
    with pytest.raises(UserError, match=f"{n} groups of 4 speakers"):
        grouped(n, utt2spk, utt2emo, genders)


def test_who_shares_a_session_is_never_parted():
    utt2spk, utt2emo, genders = corpus(12, lambda k: CLASSES)
    sessions = {name: f"d{int(who[1:]) // 2}" for name, who in utt2spk.items()}
    sessions["s00-0"], sessions["s11-0"] = "extra", "extra"  # joins the first pair and the last
    assert units(utt2spk, sessions) == [
        ["s00", "s01", "s10", "s11"],
        *([f"s{k:02d}", f"s{k + 1:02d}"] for k in (2, 4, 6, 8)),
    ]
    assert (
        "leaves one session out, or several that share speakers"
        in choose("session", utt2spk, sessions, utt2emo, genders)[1]
    )
    for wanted in ("", "3", "loso", "session"):
        lines, _ = choose(wanted, utt2spk, sessions, utt2emo, genders)
        runs = {}
        for run, part, who in lines:
            runs.setdefault(run, {part: [] for part in folds.PARTS})[part].append(who)
        folds.check(runs, utt2spk, sessions)
        assert sorted(who for parts in runs.values() for who in parts["test"]) == sorted(genders)


def test_speakers_who_differ_in_case_alone_stay_together(recwarn):
    utt2spk = {f"{who}-{i}": who for who in ("KD0", "kd0", "a", "b", "c") for i in range(4)}
    assert units(utt2spk, {}) == [["KD0", "kd0"], ["a"], ["b"], ["c"]]
    assert units({who: who for who in ("S1", "S01", "S10", "S100", "s001", "Ｓ10")}, {}) == [
        ["S01", "S1", "s001"], ["S10", "Ｓ10"], ["S100"],
    ]  # fmt: skip
    utt2emo = {name: "rare" if name == "a-0" else "ang" for name in utt2spk}
    lines, _ = choose("3", utt2spk, {}, utt2emo, {})
    assert len({(run, part) for run, part, who in lines if who in ("KD0", "kd0")}) == 3 and not recwarn.list


def test_leave_one_speaker_out_is_the_papers_scheme_for_pairs():
    lines = leave_one_speaker_out([["1F", "1M"], ["2F", "2M"], ["3F", "3M"]])
    of_first = [line[1:] for line in lines if line[0] == "1F"]
    assert of_first == [*(("train", who) for who in ("2F", "2M", "3F", "3M")), ("valid", "1M"), ("test", "1F")]
    assert {run for run, _, _ in lines} == {"1F", "1M", "2F", "2M", "3F", "3M"}


@pytest.mark.parametrize("names", [["EB0", "eb0", "KD0"], ["1", "01", "2"], ["a", "b"]])
def test_folds_of_which_a_run_would_train_on_nobody_are_refused(names):
    utt2spk = {f"{name}-{i}": name for name in names for i in range(4)}
    utt2emo = {name: CLASSES[i % 2] for i, name in enumerate(utt2spk)}
    with pytest.raises(UserError, match=f"there is .*{names[0]}"):
        choose("", utt2spk, {}, utt2emo, {})
    lines, said = choose("", {**utt2spk, "X-1": "X", "Y-1": "Y"}, {}, utt2emo, {})
    assert {part for _, part, _ in lines} == {"train", "valid", "test"}
    assert ("spelt alike" in said) == (len(names) == 3) and (f"{names[0]} = {names[1]}" in said) == (len(names) == 3)


def test_the_default_follows_from_the_speakers():
    for speakers, runs, words in ((9, 9, "fewer than ten"), (10, 5, "ten or more"), (70, 5, "ten or more")):
        utt2spk, utt2emo, genders = corpus(speakers, lambda k: CLASSES)
        lines, said = choose("", utt2spk, {}, utt2emo, genders)
        assert len({run for run, _, _ in lines}) == runs and words in said
    utt2spk, utt2emo, genders = corpus(10, lambda k: CLASSES)
    pairs = {utterance: f"d{sorted(set(utt2spk.values())).index(who) // 2}" for utterance, who in utt2spk.items()}
    lines, said = choose("", utt2spk, pairs, utt2emo, genders)
    assert "10 speakers in 5 units who share sessions or are spelt alike, fewer than ten units" in said
    utt2spk, utt2emo, genders = corpus(2, lambda k: CLASSES)
    with pytest.raises(UserError, match="needs three speakers"):
        choose("", utt2spk, {}, utt2emo, genders)
    with pytest.raises(UserError, match="--folds 9{5000}: expected a number of groups"):
        choose("9" * 5000, utt2spk, {}, utt2emo, genders)
    with pytest.raises(UserError, match="--folds five: expected a number of groups, loso or session"):
        choose("five", utt2spk, {}, utt2emo, genders)


def test_made_by_hand_shown_and_exported(tmp_path, type_in):
    rows = [
        Utterance(f"s{k}-{i}", tmp_path / f"{k}.wav", f"s{k}", f"d{k}", "mf"[k % 2], ["ang", "hap"][i % 2], end=i + 1)
        for k in range(6)
        for i in range(4)
    ]
    write_data_dir(tmp_path / "data", rows)
    assert (
        "trains, validates and tests on different speakers (--folds makes"
        in type_in("utils/make_folds.py", tmp_path / "data", code=1).stderr
    )
    said = type_in("utils/make_folds.py", "--folds", "3", tmp_path / "data").stdout
    type_in("utils/make_folds.py", "--csv", tmp_path / "folds.csv", tmp_path / "data")
    assert "3 runs of groups alike" in said and "run01  test          2  1  1    4    4" in said
    exported = list(csv.DictReader((tmp_path / "folds.csv").read_text().splitlines()))
    assert len(exported) == 3 * len(rows) and exported[0].keys() == {
        "path", "begin", "end", "speaker", "emotion", "run", "part",
    }  # fmt: skip
    wanted = folds.read(tmp_path / "data/folds")
    for run, parts in wanted.items():
        for part, speakers in parts.items():
            assert {row["speaker"] for row in exported if (row["run"], row["part"]) == (run, part)} == set(speakers)
    table = (tmp_path / "data/wav.scp").read_text()
    said = type_in("utils/make_folds.py", "--csv", tmp_path / "data/wav.scp", tmp_path / "data", code=1).stderr
    assert "wav.scp: is a table of" in said and (tmp_path / "data/wav.scp").read_text() == table


def test_a_fold_list_that_would_leak_takes_no_other_ones_place(tmp_path, type_in):
    """One recording under two speakers, which is seen when folds are checked."""
    rows = [Utterance(f"s{k}-1", tmp_path / f"{max(k, 1)}.wav", f"s{k}", f"d{k}", "m", "ang") for k in range(6)]
    write_data_dir(tmp_path / "data", rows)
    (tmp_path / "data/folds").write_text("mine train s0\n")
    said = type_in("utils/make_folds.py", "--folds", "3", tmp_path / "data", code=1).stderr
    assert "the same recording" in said and (tmp_path / "data/folds").read_text() == "mine train s0\n"
