"""utils/archive.py: what is written is read again, wherever it was moved, and nothing in it is run."""

import pickle
import shutil

import numpy as np
import pytest

from utils import archive
from utils.archive import TWO_BYTES, ArkWriter, entries, leads_to, read_array, read_of, read_scp, scp_content
from utils.cli import UserError


@pytest.fixture
def features(tmp_path):
    """Two matrices in tmp_path/exp/fbank.ark, with their scp in tmp_path/data."""
    (tmp_path / "data").mkdir()
    with ArkWriter(tmp_path / "exp/fbank.ark", tmp_path / "data/feats.scp", TWO_BYTES) as out:
        out.write("a", np.linspace(-1, 1, 20).reshape(5, 4))
        out.write("b-é", np.zeros((1, 4)))
    return tmp_path


def test_what_is_written_is_read_again(features):
    entries = read_scp(features / "data/feats.scp")
    assert list(entries) == ["a", "b-é"] and read_array(entries["b-é"]).shape == (1, 4)
    np.testing.assert_allclose(read_array(entries["a"]), np.linspace(-1, 1, 20).reshape(5, 4), atol=1e-3)


def test_archives_that_moved_with_their_scp_are_found_and_are_the_same(features, tmp_path):
    before = scp_content(features / "data/feats.scp")
    for folder in ("data", "exp"):
        shutil.move(features / folder, tmp_path / "new" / folder)
    assert scp_content(tmp_path / "new/data/feats.scp") == before
    assert read_array(read_scp(tmp_path / "new/data/feats.scp")["a"]).shape == (5, 4)
    (tmp_path / "new/exp/fbank.ark").unlink()
    with pytest.raises(UserError, match="fbank.ark is not there: make it again"):
        scp_content(tmp_path / "new/data/feats.scp")


@pytest.mark.parametrize("scp", ["layer6.scp", "lists/layer6.scp", "layer6/emb.scp"])
def test_of_archives_of_one_name_that_moved_it_is_the_one_in_the_folder_that_was_meant(tmp_path, scp):
    (tmp_path / "old" / scp).parent.mkdir(parents=True)
    for folder, value in (("", 1), ("layer12", 12), ("layer6", 6)):
        (place := tmp_path / "old" / folder).mkdir(exist_ok=True)
        table = tmp_path / "old" / scp if value == 6 else place / "other.scp"
        with ArkWriter(place / "emb.ark", table) as out:
            out.write("a", np.full(3, value))
    (tmp_path / "old").rename(tmp_path / "new")
    assert read_array(read_scp(tmp_path / "new" / scp)["a"]).tolist() == [6, 6, 6]


def test_a_range_of_frames_is_not_read(features):
    scp = features / "data/feats.scp"
    (key, entry), *_ = read_scp(scp).items()
    scp.write_text(f"{key} {entry}[0:5]\n")
    with pytest.raises(UserError, match="ranges are not read: copy what they stand for"):
        scp_content(scp)


def test_lines_of_an_scp_that_were_mixed_up_are_refused(features):
    scp = features / "data/feats.scp"
    (a, of_a), (b, of_b) = read_scp(scp).items()
    assert read_of(scp, a, of_a).shape == (5, 4)
    scp.write_text(f"{a} {of_b}\n{b} {of_a}\n")
    with pytest.raises(UserError, match="feats.scp: 'a' leads to what .*fbank.ark says is of 'b-é': lines are mixed"):
        read_of(scp, a, of_b)


def test_a_copy_of_a_data_dir_may_rename_keys_of_its_scp(features):
    scp = features / "data/feats.scp"
    (a, of_a), (b, of_b) = read_scp(scp).items()
    scp.write_text(f"x-a {of_a}\nx-b {of_b}\n")
    assert read_of(scp, "x-a", of_a).shape == (5, 4)
    scp.write_text(f"a {of_a}\nb-é {of_b}\nx-a {of_a}\n")  # and then be combined with the original
    assert read_of(scp, "x-a", of_a).shape == (5, 4)


def test_nothing_is_run(tmp_path):
    (tmp_path / "pickled").write_bytes(b"PKL" + pickle.dumps([1]))
    for entry, message in (
        ("echo x |", "commands in an scp are not run"),
        (f"{tmp_path}/pickled:0", "there is no binary Kaldi matrix"),
        (f"{tmp_path}/gone:0", "No such file"),
    ):
        with pytest.raises(UserError, match=message):
            read_array(entry)
    (tmp_path / "x.scp").write_text("one echo x |\n")
    with pytest.raises(UserError, match="x.scp: 'one': expected <ark>:<offset>; commands in an scp are not run"):
        scp_content(tmp_path / "x.scp")


def test_what_a_large_scp_leads_to_is_kept_and_found_anew_when_anything_changes(features, monkeypatch):
    scp, ark = features / "data/feats.scp", features / "exp/fbank.ark"
    plain = scp_content(scp)
    assert not list((features / "data").glob(".*"))  # this one is small
    monkeypatch.setattr(archive, "SMALL", 10)
    assert leads_to(scp) == (plain, [str(ark)])
    read = []
    monkeypatch.setattr(archive, "entries", lambda scp: read.append(scp) or entries(scp))
    assert leads_to(scp) == (plain, [str(ark)]) and not read
    ark.write_bytes(ark.read_bytes()[:-1] + b"x")
    changed = scp_content(scp)
    assert read and changed != plain
    scp.write_text("".join(scp.read_text().splitlines(True)[:1]))
    assert scp_content(scp) not in (plain, changed)
    (features / "data/.feats.scp.content").write_text("no such thing")
    assert scp_content(scp) not in (plain, changed)
    ark.unlink()
    with pytest.raises(UserError, match="fbank.ark is not there"):
        scp_content(scp)
