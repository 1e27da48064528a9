"""utils/runs.py: run folders, and the archives that keep them."""

import io
import os
import tarfile

import pytest

from utils import runs
from utils.cli import UserError

HEAD = "# utt spk label ang neu\n"


@pytest.fixture
def exp(tmp_path):
    """A system with two finished runs and one that is not, and one under false folds."""
    for name in ("r1_seed0", "r_2_seed10", "r3_seed0"):
        place = tmp_path / "exp/sys" / name
        place.mkdir(parents=True)
        (place / "config.yaml").write_text("network: {width: 4}\n")
        (place / "scores.valid").write_text(HEAD + "b-1 b neu 0.25 0.75\n")
        (place / "model.safetensors").write_bytes(b"weights")
        if name != "r3_seed0":
            (place / "scores").write_text(HEAD + "a-1 a ang 0.5 0.5\na-é a neu 0.125000 0.875000\n")
    return tmp_path / "exp"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Ses01F_seed0", ("Ses01F", 0)),
        ("a_seed1_seed12", ("a_seed1", 12)),
        ("log", None),
        ("_seed1x", None),
        ("r_seed", None),
        ("r_seed00", None),
        ("r_seed٠", None),
    ],
)
def test_run_and_seed_are_read_off_a_folders_name(name, key):
    assert runs.parse(name) == key
    assert key is None or runs.Run("s", *key).folder(runs.Path("exp")).name == name


def test_an_archive_holds_the_finished_runs_and_is_read_as_they_are(exp, tmp_path):
    kept = tmp_path / "results/sys.tar.xz"
    assert runs.systems(exp) == ["sys"] and runs.pack(exp / "sys", kept) == 2
    assert runs.systems(tmp_path / "results") == ["sys"]
    trained, archived = runs.finished(exp / "sys"), runs.finished(tmp_path / "results/sys")
    assert trained.keys() == archived.keys() == {("r1", 0), ("r_2", 10)}
    for key, texts in trained.items():
        for name in (*runs.KEPT, "model.safetensors"):
            if name != "model.safetensors":
                assert texts.read(name) == archived[key].read(name)
            else:
                assert archived[key].read(name) is None
    with tarfile.open(kept) as tar:
        assert {"r1_seed0/scores", "r_2_seed10/config.yaml"} <= set(tar.getnames())
    before = kept.read_bytes()
    runs.pack(exp / "sys", kept)
    assert kept.read_bytes() == before


def test_the_labels_of_a_licensed_corpus_stay_at_home(exp, tmp_path):
    runs.pack(exp / "sys", tmp_path / "sys.tar.xz", labels=False)
    text = runs.finished(tmp_path / "sys")["r1", 0].read("scores")
    assert text == HEAD + "a-1 a - 0.5 0.5\na-é a - 0.125000 0.875000\n"
    (exp / "sys/r1_seed0/scores").write_text(HEAD + "#a-1 #a ang 0.5 0.5\n")
    runs.pack(exp / "sys", tmp_path / "sys.tar.xz", labels=False)
    assert runs.finished(tmp_path / "sys")["r1", 0].read("scores") == HEAD + "#a-1 #a - 0.5 0.5\n"


@pytest.mark.parametrize("kind", ["twice", "link"])
def test_an_archive_with_a_file_twice_or_a_link_is_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "sys.tar.xz", "w:xz") as tar:
        for content in (HEAD + "a-1 a ang 1 0\n", HEAD + "a-1 a ang 0 1\n")[: 1 + (kind == "twice")]:
            member = tarfile.TarInfo("r1_seed0/scores")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content.encode()))
        if kind == "link":
            member = tarfile.TarInfo("r1_seed0/config.yaml")
            member.type, member.linkname = tarfile.SYMTYPE, "scores"
            tar.addfile(member)
    with pytest.raises(UserError, match=r"is not an archive of runs \(r1_seed0/.* stands twice, or is no file"):
        runs.finished(tmp_path / "sys")


def test_an_archive_of_other_folders_than_runs_is_refused(exp, tmp_path):
    with tarfile.open(tmp_path / "sys.tar.xz", "w:xz") as tar:
        tar.add(exp / "sys", "sys")  # as people pack it
    with pytest.raises(UserError, match=r"sys.tar.xz: is not an archive of runs \(it holds none\)"):
        runs.finished(tmp_path / "sys")


def test_no_bit_of_an_archive_changes_unnoticed(exp, tmp_path):
    runs.pack(exp / "sys", kept := tmp_path / "sys.tar.xz")
    whole = kept.read_bytes()
    for place in range(0, len(whole), 7):
        kept.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(UserError, match="sys.tar.xz: is not an archive of runs"):
            runs.finished(tmp_path / "sys")


def test_an_archive_that_unfolds_to_more_than_a_run_has_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "MOST", 1000)
    with tarfile.open(tmp_path / "sys.tar.xz", "w:xz") as tar:
        member = tarfile.TarInfo("r1_seed0/scores")
        member.size = 1001
        tar.addfile(member, io.BytesIO(b"0" * 1001))
    with pytest.raises(UserError, match="it unfolds to more than 1000 bytes"):
        runs.finished(tmp_path / "sys")


FOLDS = [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
BOMB = "\n".join(["a0: &a0 [x,x,x,x,x,x,x,x,x]", *FOLDS])


@pytest.mark.parametrize("text", [BOMB, "a: &a {b: *a}", "[1, 2]", "a: [", "x"], ids=lambda text: text[:12])
def test_yaml_of_a_run_that_is_no_mapping_or_unfolds_is_refused(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match="config.yaml: is not YAML of 'key: value' lines"):
        runs.Texts(tmp_path).mapping("config.yaml")


@pytest.mark.parametrize("content", [b"", b"no archive", b"\xfd7zXZ\x00broken"])
def test_what_is_no_archive_is_named(tmp_path, content):
    (tmp_path / "sys.tar.xz").write_bytes(content)
    with pytest.raises(UserError, match="sys.tar.xz: is not an archive of runs"):
        runs.finished(tmp_path / "sys")


def test_a_folder_in_place_of_an_archive_is_named(tmp_path):
    (tmp_path / "sys.tar.xz").mkdir()
    with pytest.raises(UserError, match="sys.tar.xz: is a folder, and no archive of runs"):
        runs.finished(tmp_path / "sys")


def test_what_was_made_under_false_folds_is_no_result(exp, tmp_path):
    system = exp / "sys"
    runs.check_honest(system, runs.finished(system).values())
    with pytest.raises(UserError, match="made with false speakers, so no result"):
        runs.check_honest(tmp_path / "leak_random/sys", [])
    (system / "r1_seed0/leak").write_text("random, of data/x\n")
    with pytest.raises(UserError, match="r1_seed0: made with false speakers, so no result"):
        runs.check_honest(system, runs.finished(system).values())


def test_seeds_with_all_runs():
    keys = [("a", 0), ("b", 0), ("a", 1), ("a", 2), ("b", 2)]
    assert runs.complete_seeds(keys, ["a", "b"]) == [0, 2] and runs.complete_seeds(keys, ["a"]) == [0, 1, 2]


def test_a_run_that_may_not_be_read_is_not_passed_over(exp, monkeypatch):
    """As one would be by a pattern: results would be of the others, without a word."""

    def listdir(path, own=os.listdir):
        if str(path).endswith("r_2_seed10"):  # root reads everything
            raise PermissionError(13, "Permission denied", str(path))
        return own(path)

    monkeypatch.setattr(os, "listdir", listdir)
    for look in (lambda: runs.finished(exp / "sys"), lambda: runs.systems(exp)):
        with pytest.raises(PermissionError):
            look()
