"""utils/record.py: whether a result is still what would be made now."""

import json
import os

import pytest

from utils import record
from utils.cli import UserError
from utils.record import Origin, begin, content, listing, outdated, state


def made(**changes):
    fields = {"options": {"net.D": 8, "places": [1, 2]}, "content": {"features": "abc"}} | changes
    return Origin("train", fields.pop("version", 1), **fields)


@pytest.fixture
def result(tmp_path):
    made().write(tmp_path)
    (tmp_path / "scores").touch()
    return tmp_path


def test_what_is_made_from_the_same_is_true(result):
    assert outdated(result, made(), result / "scores") == ""
    assert outdated(result, made(options={"net.D": 8, "places": (1, 2)})) == "", "as JSON has it"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"options": {"net.D": 4, "places": [1, 2]}}, "net.D was 8, is 4"),
        ({"options": {"net.D": 8}}, "places was [1, 2], is not set"),
        ({"content": {"features": "abd"}}, "features changed"),
        ({"content": {"features": "abc", "model": "x"}}, "model changed"),
        ({"version": 2}, "it was made by version 1 of train, and this is version 2"),
        ({"options": {str(i): i for i in range(9)}}, "; and 8 more"),
    ],
)
def test_what_changed_is_said(result, changes, why):
    assert outdated(result, made(**changes), result / "scores").endswith(why)


def test_an_option_added_later_was_at_its_default(result):
    options, defaults = {"net.D": 8, "places": [1, 2], "mixup": 0.0}, {"mixup": 0.0}
    assert outdated(result, made(options=options, defaults=defaults)) == ""
    assert outdated(result, made(options=options | {"mixup": 0.2}, defaults=defaults)) == "mixup was 0.0, is 0.2"
    assert made(options=options, defaults=defaults).sum() == made().sum(), "nor is what takes the result up made again"
    assert made(options=options | {"mixup": 0.2}, defaults=defaults).sum() != made().sum()


def test_what_is_unfinished_or_has_no_record_is_no_result(result, tmp_path):
    assert outdated(result, made(), result / "scores", result / "more") == "more is not there"
    assert outdated(tmp_path / "none", made(), tmp_path / "none/scores") == "it is not there"
    (result / ".made_from.train").unlink()
    assert outdated(result, made(), result / "scores") == "it has no record of what it was made from"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version": 1}', '{"version": 1, "options": 3}', "\xff", pytest.param("[" * 100_000, id="deep")],
)
def test_a_record_that_cannot_be_read_is_an_error_and_not_no_change(result, text):
    (result / ".made_from.train").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match="cannot be read as a record; remove"):
        outdated(result, made(), result / "scores")


def test_what_was_made_from_other_things_is_set_aside_and_what_is_unfinished_is_kept(result, capsys):
    (result / "log").mkdir()
    begin(result, made(), keep=["log"])
    assert (result / "scores").exists() and capsys.readouterr().err == ""
    begin(result, made(content={"features": "new"}), keep=["log"])
    assert not (result / "scores").exists() and (result / ".backup/scores").exists() and (result / "log").exists()
    assert "out of date (features changed): moved to" in capsys.readouterr().err
    assert json.loads((result / ".made_from.train").read_text())["content"] == {"features": "new"}


def test_the_sum_of_a_large_file_is_kept_and_taken_again_where_size_or_time_differs(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "SMALL", 10)
    ark = tmp_path / "a.ark"
    ark.write_bytes(b"x" * 100)
    first, kept = content(ark), tmp_path / ".a.ark.sum"
    assert kept.read_text().split()[0] == "100"
    kept.write_text(kept.read_text().replace(first, "remembered"))
    assert content(ark) == "remembered"
    os.utime(ark, ns=(1, 1))
    assert content(ark) == first
    ark.write_bytes(b"x" * 99 + b"y")
    assert content(ark) != first
    with pytest.raises(UserError, match="b.ark: no such file"):
        content(tmp_path / "b.ark")


def test_a_corpus_is_known_by_names_sizes_and_times(tmp_path):
    (tmp_path / "a").write_text("1")
    os.utime(tmp_path / "a", ns=(1, 1))
    paths = [str(tmp_path / "a"), str(tmp_path / "gone")]
    first = listing(paths)
    assert listing(paths) == first != listing(paths[:1])
    os.utime(tmp_path / "a", ns=(1, 2))
    assert listing(paths) != first


def test_what_changed_while_it_was_read_is_told_as_it_was_before(tmp_path):
    (path := tmp_path / "a").write_text("a")
    before, seen = listing([str(path)]), {str(path): state(path)}
    path.write_text("another")
    assert listing([str(path)], seen) == before != listing([str(path)])
