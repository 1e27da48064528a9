"""Lines of a key and a value, as Kaldi reads them."""

import pytest

from utils.cli import UserError
from utils.table import columns, key_of, lines, read_lines, read_table, write_lines, write_table


def test_round_trip_keeps_every_byte_and_sorts_like_lc_all_c(tmp_path):
    table = {"b": "x y  z", "a_b": "2", "a-b": "1", "B": "3", "é": "\udcff not UTF-8", "a": "|odd|"}
    write_table(tmp_path / "t", table)
    assert (tmp_path / "t").read_bytes().startswith(b"B 3\na |odd|\na-b 1\na_b 2\nb x y  z\n")
    assert read_table(tmp_path / "t") == table


def test_tabs_and_windows_line_ends_are_read(tmp_path):
    (tmp_path / "t").write_bytes(b"a\t1 2\r\nb  3\n")
    assert read_table(tmp_path / "t") == {"a": "1 2", "b": "3"}


def test_only_a_newline_ends_a_line(tmp_path):
    write_lines(tmp_path / "t", ["a 1\u2028\x0c\r2", "b 3"])
    assert read_lines(tmp_path / "t") == ["a 1\u2028\x0c\r2", "b 3"]
    (tmp_path / "cut").write_text("a 1\nb 2")
    assert read_lines(tmp_path / "cut") == ["a 1", "b 2"]
    (tmp_path / "empty").write_text("")
    assert read_lines(tmp_path / "empty") == []


def test_a_folder_in_place_of_a_table_is_called_one(tmp_path):
    for read in (read_table, read_lines, lambda path: [*lines(path)]):
        with pytest.raises(UserError, match="is a folder, and a file is wanted"):
            read(tmp_path)
        with pytest.raises(UserError, match="gone: no such file"):
            read(tmp_path / "gone")


@pytest.mark.parametrize(
    "text, said",
    [
        ("a 1\nb\n", ":2: expected '<key> <value>', found 'b'"),
        ("a 1\n\n", ":2: "),
        ("a 1\nb 2\na 3\n", ":3: 'a' stands"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, said):
    (tmp_path / "t").write_text(text)
    with pytest.raises(UserError, match=said):
        read_table(tmp_path / "t")
    with pytest.raises(UserError, match="absent: no such file"):
        read_table(tmp_path / "absent")


def test_key_and_value():
    assert key_of("a b c") == "a" and columns(b"a b c \nd e\n") == (["a", "d"], ["b c", "e"])
    assert (key_of("run01 train spk1", "folds"), key_of("run01 train", "folds")) == ("spk1", "")
    assert key_of(" ") == "" and columns(b"a \n \n") == (["a", ""], ["", ""])


def test_lines_of_many_pieces_are_those_of_the_whole(tmp_path):
    rows = [f"utt{i:06} {'x' * (i % 90)}y {i}" for i in range(5000)]
    (tmp_path / "t").write_text("\n".join(rows))
    assert [f"{key} {value}" for key, value in lines(tmp_path / "t")] == rows
    (tmp_path / "t").write_text("\n".join([*rows[:4321], "utt ", *rows]))
    with pytest.raises(UserError, match=r"t:4322: expected '<key> <value>', found 'utt'"):
        list(lines(tmp_path / "t"))


def test_a_byte_order_mark_is_no_letter(tmp_path):
    (tmp_path / "table").write_bytes(b"\xef\xbb\xbfa 1\nb 2\n")
    assert read_table(tmp_path / "table") == {"a": "1", "b": "2"} == dict(lines(tmp_path / "table"))
    assert read_lines(tmp_path / "table") == ["a 1", "b 2"]
    (tmp_path / "empty").write_bytes(b"")
    assert read_table(tmp_path / "empty") == {} == dict(lines(tmp_path / "empty"))


@pytest.mark.parametrize("content", ["a 1\nb 2\n".encode("utf-16-le"), b"a 1\n\0\0\0\0"])  # Windows; a power cut
def test_bytes_of_0_are_no_text(tmp_path, content):
    (tmp_path / "t").write_bytes(content)
    for read in (read_table, read_lines, lambda path: list(lines(path))):
        with pytest.raises(UserError, match="t: is no text"):
            read(tmp_path / "t")
