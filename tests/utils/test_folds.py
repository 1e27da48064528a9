"""The fold list: who may play which part."""

import pytest

from utils import folds
from utils.cli import UserError
from utils.make_folds import rotate

UTT2SPK = {f"{speaker}-{k}": speaker for speaker in "abcd" for k in range(2)}
OWN_SESSIONS = {utterance: f"session-of-{speaker}" for utterance, speaker in UTT2SPK.items()}
RUN = {"train": ["a", "b"], "valid": ["c"], "test": ["d"]}


def test_read(tmp_path):
    (tmp_path / "folds").write_text("r2 test b\nr1 train a\nr1 train b\nr1 valid c\n")
    assert folds.read(tmp_path / "folds") == {
        "r2": {"train": [], "valid": [], "test": ["b"]},
        "r1": {"train": ["a", "b"], "valid": ["c"], "test": []},
    }


@pytest.mark.parametrize(
    "text, said",
    [
        ("r1 train a\nr1 dev b\n", ":2: expected '<run> <train|valid|test> <speaker>', found 'r1 dev b'"),
        ("r1 train\n", ":1: expected"),
        ("r1 train a b\n", ":1: expected"),
        ("r1 train a\n\n", ":2: expected"),
        ("r1 train a\nr1 test b\nr1 train  a\n", ":3: 'r1 train  a' stands twice"),
        ("", "empty"),
        (None, "no such file"),
    ],
)
def test_read_refuses(tmp_path, text, said):
    if text is not None:
        (tmp_path / "folds").write_text(text)
    with pytest.raises(UserError) as error:
        folds.read(tmp_path / "folds")
    assert said in str(error.value)


def test_check_passes_the_papers_scheme():
    shared = {**OWN_SESSIONS, "c-0": "dialog", "d-0": "dialog"}  # validation and test share, as in IEMOCAP
    folds.check({"run01": RUN, "run02": {"train": ["a"], "valid": ["d"], "test": ["c"]}}, UTT2SPK, shared)
    folds.check({"run01": RUN}, UTT2SPK, None)


@pytest.mark.parametrize(
    "change, sessions, said",
    [
        ({"test": ["d", "a"]}, {}, "run01: speaker 'a' is in both train and test"),
        ({"valid": ["c", "d"]}, {}, "run01: speaker 'd' is in both valid and test"),
        ({"test": ["x"]}, {}, "run01 test: speaker 'x' is not in utt2spk"),
        ({"valid": []}, {}, "run01 has no speaker in valid"),
        ({}, {"a-0": "dialog", "c-1": "dialog"}, "session 'dialog' is shared between train ('a') and valid ('c')"),
        ({}, {"b-0": "dialog", "d-1": "dialog"}, "session 'dialog' is shared between train ('b') and test ('d')"),
    ],
)
def test_check_refuses(change, sessions, said):
    with pytest.raises(UserError) as error:
        folds.check({"run01": {**RUN, **change}}, UTT2SPK, OWN_SESSIONS | sessions)
    assert said in str(error.value)


def test_check_refuses_a_speaker_tested_in_two_runs():
    with pytest.raises(UserError, match="'d' is tested in two runs, run01 and run02, whose scores cannot be pooled"):
        folds.check({"run01": RUN, "run02": {**RUN, "train": ["a"]}}, UTT2SPK, OWN_SESSIONS, complete=False)


def test_check_refuses_sessions_that_are_not_known_of_all():
    del (some := dict(OWN_SESSIONS))["a-1"]
    for sessions, said in ((some, "1 utterances missing, first 'a-1'"), ({}, "8 utterances missing, first 'a-0'")):
        with pytest.raises(UserError, match=f"utt2session: {said}"):
            folds.check({"run01": RUN}, UTT2SPK, sessions)


def test_a_session_shared_inside_train_or_with_nobody_leaks_nothing():
    sessions = {**OWN_SESSIONS, "a-0": "dialog", "b-0": "dialog", "c-0": "other", "e-0": "other"}
    folds.check({"run01": RUN}, {**UTT2SPK, "e-0": "e"}, sessions)


def test_a_subset_may_lack_a_part():
    folds.check({"run01": {**RUN, "test": []}}, UTT2SPK, OWN_SESSIONS, complete=False)


def test_what_the_list_leaves_out_is_said_by_name_and_number():
    runs = {"r1": {"train": ["a", "b"], "valid": ["c"], "test": ["d"]}, "r2": {**RUN, "train": ["a"], "test": ["c"]}}
    assert list(folds.left_out(runs, "abcde")) == [
        "in no run: 1 of 5 speakers (e)",
        "never tested: 2 of 5 speakers (a b)",
        "in no part of r2: 2 of 5 speakers (b d)",
    ]
    runs = {"r1": RUN}
    assert list(folds.left_out(runs, "abcdefghij")) == [
        "in no run: 6 of 10 speakers (e f g h i …)",
        "never tested: 3 of 10 speakers (a b c)",
    ]
    lines, whole = rotate([["a"], ["b"], ["c", "d"]]), {}
    for run, part, speaker in lines:
        whole.setdefault(run, {one: [] for one in folds.PARTS})[part].append(speaker)
    assert not list(folds.left_out(whole, "abcd"))


def test_one_recording_in_two_parts_is_refused():
    heard = {name: f"/wav/{name}" for name in UTT2SPK}
    folds.check_recordings({"run01": RUN}, UTT2SPK, heard | {"a-1": "/wav/a-0", "b-0": "/wav/a-0", "gone": "/wav/d-0"})
    for one, other in (("a-1", "d-0"), ("c-1", "d-1")):
        with pytest.raises(UserError) as error:
            folds.check_recordings({"run01": RUN}, UTT2SPK, heard | {one: f"/wav/{other}"})
        assert f"'{one}'" in str(error.value) and f"'{other}'" in str(error.value) and "run01" in str(error.value)


def test_a_copy_under_another_name_is_refused_by_its_hash(tmp_path):
    (tmp_path / "utt2spk").write_text("".join(f"{name} {speaker}\n" for name, speaker in UTT2SPK.items()))
    (tmp_path / "wav.scp").write_text("".join(f"{name} /wav/{name}\n" for name in UTT2SPK))
    (tmp_path / "folds").write_text("".join(f"run01 {part} {name}\n" for part, names in RUN.items() for name in names))
    hashes = {name: f"{number:032x}" for number, name in enumerate(UTT2SPK)}
    for copy, fine in ({"a-1": "b-0"}, True), ({"b-1": "d-0"}, False):
        own = hashes | {name: hashes[other] for name, other in copy.items()}
        (tmp_path / "utt2hash").write_text("".join(f"{name} {value}\n" for name, value in own.items()))
        if fine:
            folds.of_data_dir(tmp_path, complete=False)
            continue
        with pytest.raises(UserError) as error:
            folds.of_data_dir(tmp_path, complete=False)
        assert "'b-1' (train) and 'd-0' (test) are the same recording under two speakers" in str(error.value)


def test_one_stretch_of_one_file_is_one_recording_however_its_times_are_written(tmp_path):
    (tmp_path / "wav.scp").write_text("rec /wav/a\n")
    (tmp_path / "segments").write_text("a-0 rec 1.0 2.50\na-1 rec 1 2.5\na-2 rec 1 2.6\n")
    (table,) = folds.recordings(tmp_path)
    assert table["a-0"] == table["a-1"] != table["a-2"]
    for line, said in (
        ("a-0 none 1 2", "which wav.scp does not have"),
        ("a-0 rec 2 1", "start below end"),
        ("a-0 rec 2 inf", "start below end"),
    ):
        (tmp_path / "segments").write_text(f"{line}\n")
        with pytest.raises(UserError, match=said):
            list(folds.recordings(tmp_path))


@pytest.mark.parametrize("run", ["../../x", "a/b", ".", "..", ".backup"])
def test_a_run_that_would_be_another_folder_is_refused(tmp_path, run):
    (tmp_path / "folds").write_text("".join(f"{run} {part} s{part}\n" for part in ("train", "valid", "test")))
    with pytest.raises(UserError, match="is to name a folder"):
        folds.read(tmp_path / "folds")
