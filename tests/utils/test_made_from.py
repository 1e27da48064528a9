"""Records of what something was made from: what counts as a change, and what is said of it."""

import json
import os
from pathlib import Path

import pytest

from utils.made_from import changes, digest, record


def test_of_a_configuration_its_settings_count_with_its_parents(tmp_path):
    (tmp_path / "base.yaml").write_text("net: {width: 4, D: 8}\n")
    (tmp_path / "own.yaml").write_text("# mine\nparent: base\nnet: {D: 2}\n")
    first = record("conf", str(tmp_path / "own.yaml"))
    assert first == {"conf: net.width": 4, "conf: net.D": 2}
    (tmp_path / "base.yaml").write_text("net: {width: 6}\n")
    assert changes(first, record("conf", str(tmp_path / "own.yaml"))) == "conf: net.width was 4, is 6"


def test_of_a_file_its_content_counts_and_not_when_it_was_written(tmp_path):
    (tmp_path / "list").write_text("a\n")
    first = record("list", str(tmp_path / "list"))
    os.utime(tmp_path / "list", (0, 0))
    assert not changes(first, record("list", str(tmp_path / "list")))
    (tmp_path / "list").write_text("b\n")
    assert changes(first, record("list", str(tmp_path / "list"))) == "list changed"


def test_what_is_not_known_is_no_change_and_what_is_gone_is():
    assert not changes({"corpus": "/a"}, record("corpus?", "")) and not changes(record("corpus?", ""), {"corpus": "/a"})
    assert changes({"happy": "hap", "x": 1}, {"happy": "merge"}) == "happy was hap, is merge; x was 1, is not set"
    assert changes({str(i): 0 for i in range(9)}, {}).endswith("and 6 more")


def test_files_that_are_not_there_have_no_part_in_a_hash(tmp_path):
    (tmp_path / "a").write_text("x")
    assert digest(tmp_path / "a", tmp_path / "none") == digest(tmp_path / "a") != digest(tmp_path / "none")


def test_typed_it_prints_records_and_what_changed(tmp_path, type_in):
    printed = type_in("utils/made_from.py", "happy=hap", "n=3").stdout
    assert json.loads(printed) == {"happy": "hap", "n": "3"}
    Path(tmp_path / "old").write_text(printed)
    assert type_in("utils/made_from.py", "--since", tmp_path / "old", "happy=hap", "n=3").stdout == "\n"
    assert type_in("utils/made_from.py", "--since", tmp_path / "old", "happy=hap", "n=4").stdout == "n was 3, is 4\n"
    assert type_in("utils/made_from.py", "--since", tmp_path / "none", "happy=hap").stdout == ""
    assert "expected NAME=VALUE" in type_in("utils/made_from.py", "happy", code=1).stderr


@pytest.mark.parametrize("content", ["", "{", "\xff"])
def test_a_record_that_cannot_be_read_says_nothing(tmp_path, type_in, content):
    (tmp_path / "old").write_text(content, encoding="latin-1")
    assert type_in("utils/made_from.py", "--since", tmp_path / "old", "a=b").stdout == ""
