"""Mending a data dir: afterwards it is valid, and what was dropped has been named."""

import os

import pytest

from utils.cli import UserError
from utils.data_dir import tables
from utils.files import whole
from utils.fix_data_dir import fix
from utils.hold import hold
from utils.table import read_lines, read_table, write_lines
from utils.validate_data_dir import validate


def contents(path):
    return {one.name: one.read_bytes() for one in path.iterdir() if one.is_file() and one.name[0] != "."}


@pytest.mark.parametrize("kind", ["data", "segmented"])
def test_a_valid_data_dir_is_left_alone(kind, request, capsys):
    path = request.getfixturevalue(kind)
    before = contents(path)
    fix(path)
    assert contents(path) == before and not (path / ".backup").exists()
    assert capsys.readouterr().out == "fix_data_dir.py: kept all 27 utterances\n"


def test_sorted_again(data, capsys):
    before = contents(data)
    for name in before:
        if name not in ("folds", "notes"):
            write_lines(data / name, reversed(read_lines(data / name)))
    spoilt = contents(data)
    fix(data)
    assert contents(data) == before and validate(data) == 27
    assert contents(data / ".backup") == spoilt
    assert "utt2emo: sorted" in capsys.readouterr().out


def without(table, *keys):
    return lambda data: write_lines(
        data / table, [row for row in read_lines(data / table) if row.split()[0] not in keys]
    )


def marked(table):
    return lambda data: (data / table).write_bytes(b"\xef\xbb\xbf" + (data / table).read_bytes())


def appended(table, text):
    return lambda data: (data / table).write_text((data / table).read_text() + text)


def changed(table, old, new):
    return lambda data: (data / table).write_text((data / table).read_text().replace(old, new))


@pytest.mark.parametrize(
    "spoil, dropped, said",
    [
        (
            without("feats.scp", "spk1-u1"),
            ["spk1-u1"],
            "1 utterances dropped, as feats.scp has no good line for them: spk1-u1",
        ),
        (without("vad.scp", "spk1-u1", "spk2-u0"), ["spk1-u1", "spk2-u0"], "2 utterances dropped, as vad.scp"),
        (without("utt2emo", "spk1-u1"), ["spk1-u1"], "as utt2emo has"),
        (without("utt2spk", "spk1-u1"), ["spk1-u1"], "wav.scp: 1 lines dropped that had an unknown key: spk1-u1"),
        (without("spk2gender", "spk0"), ["spk0-u0", "spk0-u1"], "2 utterances dropped, as spk2gender has"),
        (
            changed("utt2dur", "spk0-u1 8.9", "spk0-u1 0"),
            ["spk0-u1"],
            "1 lines dropped that had no good value: spk0-u1 0",
        ),
        (changed("utt2num_frames", "spk0-u1 890", "spk0-u1 x"), ["spk0-u1"], "as utt2num_frames has"),
        (
            changed("vad.scp", "/x/vad.scp.ark:1\n", "\n"),
            ["spk0-u1"],
            "vad.scp: 1 lines dropped that had no good value",
        ),
        (appended("wav.scp", "spk1-u1 /other.wav\n"), [], "1 lines dropped that had a key that stood before: spk1-u1"),
        (appended("utt2remark", "zz 1\n\n"), [], "utt2remark: 1 lines dropped that had an unknown key: zz"),
        (appended("folds", "run01 train zz\n"), [], "folds: 1 lines dropped that had an unknown key: zz"),
        (changed("utt2emo", "\n", " \r\n"), [], "kept all 27"),
        (marked("utt2emo"), [], "kept all 27"),
        (marked("utt2spk"), [], "kept all 27"),
        (lambda data: (data / "wav.scp").write_text((data / "wav.scp").read_text()[:-1]), [], "kept all 27"),
        (lambda data: (data / "spk2utt").unlink(), [], "kept all 27"),
        (changed("spk2utt", "spk1-u1", "spk9-u1"), [], "kept all 27"),
    ],
)
def test_mended(data, capsys, spoil, dropped, said):
    everybody = list(read_table(data / "utt2spk"))
    spoil(data)
    with pytest.raises(UserError):
        validate(data)
    fix(data)
    assert validate(data) == 27 - len(dropped)
    assert list(read_table(data / "utt2spk")) == [name for name in everybody if name not in dropped]
    out = capsys.readouterr().out
    assert said in out and f"the old files are in {data}/.backup" in out
    fix(data)
    assert capsys.readouterr().out == f"fix_data_dir.py: kept all {27 - len(dropped)} utterances\n"


def test_a_speaker_who_is_gone_leaves_every_table(data):
    without("feats.scp", "spk0-u0", "spk0-u1")(data)
    fix(data)
    for name in contents(data):
        assert "spk0" not in (data / name).read_text(), name


@pytest.mark.parametrize(
    "spoil, dropped",
    [
        (without("wav.scp", "rec-spk0"), ["spk0-u0", "spk0-u1"]),
        (without("reco2dur", "rec-spk0"), ["spk0-u0", "spk0-u1"]),
        (without("segments", "spk0-u0"), ["spk0-u0"]),
        (without("segments", "spk0-u0", "spk0-u1"), ["spk0-u0", "spk0-u1"]),
        (appended("wav.scp", "zz /c/zz.wav\n"), []),
    ],
)
def test_recordings(segmented, spoil, dropped):
    spoil(segmented)
    fix(segmented)
    assert validate(segmented) == 27 - len(dropped)
    assert not set(dropped) & set(read_table(segmented / "utt2spk"))


def test_what_cannot_be_mended_is_left_as_it_is(data, capsys):
    (data / "vad.scp").write_text("zz 1\n")
    before = contents(data)
    with pytest.raises(UserError, match="no utterance is in all tables, so nothing is changed"):
        fix(data)
    assert "27 utterances dropped, as vad.scp has no good line for them: spk0-u0" in capsys.readouterr().out
    assert contents(data) == before
    os.remove(data / "vad.scp")
    for path in tables(data):
        path.write_text(path.read_text().replace("spk1-u1", "spk0-v1"))
    before = contents(data)
    with pytest.raises(UserError, match="'spk0-v1' does not begin with its speaker-id 'spk1'"):
        fix(data)
    assert contents(data) == before and not (data / ".backup").exists()


def test_typed_in(data, tmp_path, type_in):
    without("feats.scp", "spk1-u1")(data)
    assert "kept 26 utterances of 27" in type_in("utils/fix_data_dir.py", data).stdout
    assert "not a data dir" in type_in("utils/fix_data_dir.py", tmp_path, code=1).stderr


def test_killed_in_the_middle_no_table_has_lines_too_few(data, monkeypatch):
    (data / "utt2emo").write_text("".join((data / "utt2emo").read_text().splitlines(keepends=True)[1:]))
    written = []

    def killed(path):
        written.append(path.name)
        if len(written) == 3:  # the copy of what was there, utt2spk, and the next
            raise KeyboardInterrupt
        return whole(path)

    monkeypatch.setattr("utils.fix_data_dir.whole", killed)
    with pytest.raises(KeyboardInterrupt):
        fix(data)
    kept = read_table(data / "utt2spk").keys()
    assert len(kept) == 26 and all(kept <= read_table(data / name).keys() for name in ("utt2emo", "wav.scp"))


def test_what_was_there_before_any_mending_is_kept(data):
    """Killed and called again, or mended twice."""
    first = contents(data)
    for table in ("utt2emo", "utt2spk"):
        write_lines(data / table, read_lines(data / table)[1:])
        spoilt = contents(data)
        fix(data)
        first = spoilt if table == "utt2emo" else first
    assert contents(data / ".backup") == first and contents(data / ".backup.2") == spoilt


@pytest.mark.parametrize(
    "program", ["fix_data_dir.py", "make_folds.py --folds 3", "copy_data_dir.py {}", "leak_data_dir.py {}"]
)
def test_a_data_dir_that_is_held_is_not_changed(data, tmp_path, type_in, program):
    name, *words = program.format(data).split()
    place = tmp_path / "held" if "{}" in program else data
    if place != data:
        fix(data), type_in("utils/copy_data_dir.py", data, place)
    before = contents(place)
    with hold(place, shared=True):
        assert "is in use by" in type_in(f"utils/{name}", *words, place, code=1).stderr
    assert contents(place) == before
