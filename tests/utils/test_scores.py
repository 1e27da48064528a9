"""Score files: written, read, refused, pooled."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from utils.cli import UserError
from utils.runs import Texts
from utils.scores import check_names, of_run, parse, pool, read_scores, speakers_in, sums, write_scores

CLASSES = ["ang", "neu"]


def write(path, right, wrong, speaker="a", first=0):
    """A score file of `right` good and `wrong` bad decisions."""
    names = [f"{speaker}-{first + i:03d}" for i in range(right + wrong)]
    rows = {name: np.array([0.9, 0.1] if i < right else [0.2, 0.8]) for i, name in enumerate(names)}
    write_scores(path, CLASSES, rows, dict.fromkeys(names, speaker), dict.fromkeys(names, "ang"))


def test_score_files_are_read_as_written(tmp_path):
    write(tmp_path / "scores", 2, 1)
    text = (tmp_path / "scores").read_text().splitlines()
    assert text[:2] == ["# utt spk label ang neu", "a-000 a ang 0.900000 0.100000"]
    scores = read_scores(tmp_path / "scores")
    assert scores.decisions.tolist() == [0, 0, 1] and scores.labels.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not begin with '# utt spk label <class names>'"),
        ("# utt spk label\n", "does not begin with"),
        ("# utt spk label ang\nx y\n", "wrong number of fields"),
        ("# utt spk label ang neu\n", "wrong number of fields"),
        ("# utt spk label ang neu\na b sad 0.1 0.9\n", "'a' is 'sad', and the classes are"),
        ("# utt spk label ang neu\na b ang 0.1 x\n", "could not convert"),
        ("# utt spk label ang neu\nz b ang 0 1\na b ang 0.1 nan\n", "the posteriors of 'a' are not finite"),
        ("# utt spk label ang neu\nz b ang 0 1\na b ang 0 0\n", "the posteriors of 'a' are not from 0 to 1"),
        ("# utt spk label ang neu\na b ang -7 8\n", "the posteriors of 'a' are not from 0 to 1"),
    ],
)
def test_what_is_no_score_file_is_refused(tmp_path, text, message):
    (tmp_path / "scores").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        read_scores(tmp_path / "scores")
    assert "\n" not in str(error.value) and str(tmp_path / "scores") in str(error.value)


def test_labels_that_are_withheld_come_from_the_data_dir():
    text = "# utt spk label ang neu\na s - 0.1 0.9\nb s - 0.8 0.2\n"
    assert parse(text, "f", {"a": "neu", "b": "ang"}).labels.tolist() == [1, 0] and speakers_in(text, "f") == {"s"}
    for emotions, message in (
        (None, "f: holds no labels.*--data DIR"),
        ({"a": "neu"}, "says no emotion of 'b'"),
        ({"a": "sad", "b": "ang"}, "'a' is 'sad'"),
    ):
        with pytest.raises(UserError, match=message):
            parse(text, "f", emotions)


@pytest.fixture
def run(tmp_path):
    """A run folder, whose environment.yaml has the sum of its score file."""
    write(tmp_path / "scores", 2, 1)
    known = sums({"scores": (tmp_path / "scores").read_text()})
    (tmp_path / "environment.yaml").write_text(yaml.safe_dump({"sums": known}))
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("a-001 a ang 0.900000 0.100000\n", ""),
        lambda text: text.replace("label ang neu", "label neu ang"),
        lambda text: text.replace("a-001 a ang 0.900000 0.100000", "a-001 a ang 0.800000 0.200000"),
        lambda text: text.replace("a-001 a ang", "a-001 a neu"),
        lambda text: text.replace("a-001 a ang", "a-001 b ang"),
        lambda text: text + "a-003 a ang 0.900000 0.100000\n",
    ],
    ids=["a line lost", "classes swapped", "a posterior", "a label", "a speaker", "a line more"],
)
def test_a_runs_scores_that_another_hand_changed_are_no_result(run, change):
    path, before = run / "scores", (run / "scores").read_text()
    read = (lambda: read_scores(path), lambda: of_run(Texts(run), "scores"))
    assert all(one().utterances == ["a-000", "a-001", "a-002"] for one in read)
    path.write_text(change(before))
    assert path.read_text() != before
    for one in read:
        with pytest.raises(UserError, match="scores: is not what training left there.*restore it, or remove it"):
            one()


def test_a_score_file_that_a_run_knows_and_has_not_is_missed(run):
    (run / "scores").rename(run / "other")
    with pytest.raises(UserError, match="scores: is missing, and environment.yaml knows it; remove"):
        of_run(Texts(run), "scores")


def test_a_run_without_its_environment_is_no_result(run):
    (run / "environment.yaml").unlink()
    assert of_run(Texts(run), "scores") is not None  # of an earlier version, or a file of scores by itself
    (run / ".made_from.finetune").write_text("{}")
    with pytest.raises(UserError, match="environment.yaml: is missing beside the scores"):
        of_run(Texts(run), "scores")


def test_a_folder_in_a_files_place_is_no_file_that_is_not_there(run):
    (run / "environment.yaml").unlink()
    (run / "environment.yaml").mkdir()
    with pytest.raises(UserError, match="environment.yaml: is a folder, and a file is read there"):
        of_run(Texts(run), "scores")


def test_labels_that_are_withheld_are_compared_as_the_data_dir_says_them(run):
    (run / "scores").write_text((run / "scores").read_text().replace(" ang 0", " - 0"))
    labels = dict.fromkeys(["a-000", "a-001", "a-002"], "ang")
    assert of_run(Texts(run), "scores", labels).labels.tolist() == [0, 0, 0]
    with pytest.raises(UserError, match="is not what training left there"):
        of_run(Texts(run), "scores", labels | {"a-001": "neu"})


def test_an_utterance_scored_twice_is_refused(tmp_path):
    write(tmp_path / "scores", 2, 1)
    with pytest.raises(UserError, match="is scored twice"):
        pool([read_scores(tmp_path / "scores")] * 2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_posteriors_that_are_not_finite_are_not_written(tmp_path, value):
    rows = {"s1-0": np.array([0.5, 0.5]), "s1-1": np.array([value, 0.5])}
    with pytest.raises(UserError, match="the posteriors of 's1-1' are not finite"):
        write_scores(tmp_path / "scores", CLASSES[:2], rows, dict.fromkeys(rows, "s1"), dict.fromkeys(rows, "ang"))
    assert not list(tmp_path.iterdir())


def test_a_class_that_stands_twice_in_the_header_is_refused():
    with pytest.raises(UserError, match="scores: is not a score file: class 'ang' stands twice in its header"):
        parse("# utt spk label ang hap ang\ns1-a s1 ang 0.2 0.3 0.5\n", Path("scores"))


@pytest.mark.parametrize(
    ("speaker", "emotion", "message"),
    [
        ("s1\udce9", "ang", "utt2spk: .* is not UTF-8"),
        ("s1", "ang\udce9", "utt2emo: .* is not UTF-8"),
        ("s\x1b[2J", "ang", "utt2spk: .* holds a control character"),
        ("s1", "-", "utt2emo: s1-a: '-' is no class"),
        ("s1", "a b", "utt2emo: s1-a: a class is one word"),
    ],
)
def test_names_that_no_score_file_can_hold_are_refused_before_there_is_one(speaker, emotion, message):
    check_names(Path("data"), {"s1-a": "José"}, {"s1-a": "zärtlich"})
    with pytest.raises(UserError, match=message):
        check_names(Path("data"), {"s1-a": speaker}, {"s1-a": emotion})
