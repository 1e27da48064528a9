"""Files and folders under their final names are whole, whatever happens while they are written."""

import os
import platform
import resource
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from steps.training.checkpoint import load_checkpoint, save_checkpoint, save_model
from utils.archive import ArkWriter, read_array
from utils.cli import UserError
from utils.files import set_aside, whole
from utils.table import read_table, write_lines

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def room_for(size):
    """No file may become longer than `size`: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_cannot_be_written_leaves_what_was_there_and_is_named(tmp_path):
    path = tmp_path / "scores"
    path.write_text("old")
    with room_for(1000), pytest.raises(OSError) as error, whole(path) as temporary:
        temporary.write_text("x" * 5000)
    assert error.value.filename == str(path)
    assert path.read_text() == "old" and names(tmp_path) == ["scores"]


def test_what_finds_no_room_in_a_new_folder_is_named_by_its_place_there(tmp_path):
    with room_for(1000), pytest.raises(OSError) as error, whole(tmp_path / "data") as temporary:
        write_lines(temporary / "utt2spk", ["x" * 5000])
    assert error.value.filename == str(tmp_path / "data/utt2spk") and names(tmp_path) == []


def test_a_checkpoint_is_not_lost_because_its_successor_finds_no_room(tmp_path):
    path, config = tmp_path / "checkpoint.pt", {"a": 1}
    save_checkpoint(path, {"config": config, "x": torch.zeros(3)})
    with room_for(4000), pytest.raises(OSError) as error:
        save_checkpoint(path, {"config": config, "x": torch.zeros(30000)})
    assert error.value.filename == str(path) and names(tmp_path) == ["checkpoint.pt"]
    assert torch.equal(load_checkpoint(path, config)["x"], torch.zeros(3))
    with room_for(4000), pytest.raises(OSError):
        save_model(torch.nn.Linear(100, 100), tmp_path / "model.safetensors")
    assert names(tmp_path) == ["checkpoint.pt"]


def test_archives_that_find_no_room_leave_the_old_ones(tmp_path):
    with ArkWriter(tmp_path / "f.ark", tmp_path / "f.scp") as out:
        out.write("a", np.ones((2, 3)))
    with room_for(4000), pytest.raises(OSError), ArkWriter(tmp_path / "f.ark", tmp_path / "f.scp") as out:
        for number in range(100):
            out.write(f"u{number}", np.zeros((20, 30)))
    assert names(tmp_path) == ["f.ark", "f.scp"]
    assert {key: read_array(entry).sum() for key, entry in read_table(tmp_path / "f.scp").items()} == {"a": 6}


def test_a_program_says_in_one_line_that_there_is_no_room(emotional, tmp_path, type_in):
    options = ["--network.width", "2", "--input.crop", "40", "--training.epochs", "1", "--training.batch", "8"]
    with room_for(20000):
        done = type_in("steps/pretrain.py", *options, emotional, emotional, tmp_path / "net", code=1)
    assert done.stderr == f"pretrain.py: {emotional}/packed/level_vad40/.piece0: File too large\n"
    assert names(tmp_path / "net") == [".made_from.pretrain"]
    type_in("steps/pretrain.py", *options, emotional, emotional, tmp_path / "net")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_file_system_and_one_that_may_only_be_read(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no right to mount")
    try:
        (disk / "scores").write_text("old")
        with pytest.raises(OSError, match="No space left on device.*scores'"), whole(disk / "scores") as temporary:
            temporary.write_bytes(bytes(100_000))
        assert (disk / "scores").read_text() == "old" and names(disk) == ["scores"]
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(OSError, match="Read-only file system.*scores'"), whole(disk / "scores") as temporary:
            temporary.write_text("new")
        assert (disk / "scores").read_text() == "old"
    finally:
        subprocess.run(["umount", disk], check=True)


def test_what_killed_programs_left_goes_and_what_is_being_written_stays(tmp_path):
    host = platform.node()
    dead = subprocess.Popen(["true"])
    dead.wait()
    mine, other, old = (tmp_path / f".x.tmp-{name}" for name in (f"{host}-{os.getppid()}", "other-1", "other-2"))
    strays = [tmp_path / f".x.tmp-{host}-{dead.pid}", tmp_path / f".x.tmp-{host}-{dead.pid}.before", old]
    for path in [mine, other, *strays]:
        path.write_text("part")
    os.utime(old, (time.time() - 7200,) * 2)
    (tmp_path / f".y.tmp-{host}-{dead.pid}").write_text("another file's")
    with whole(tmp_path / "x") as temporary:
        temporary.write_text("all")
    assert names(tmp_path) == sorted(["x", mine.name, other.name, f".y.tmp-{host}-{dead.pid}"])


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    for content in ("one", "two"):
        with whole(tmp_path / "corpus") as temporary:
            temporary.mkdir()
            (temporary / content).touch()
    assert names(tmp_path) == ["corpus"] and names(tmp_path / "corpus") == ["two"]


def test_the_folder_here_has_a_name_too(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with whole(Path(".")) as temporary:
        temporary.mkdir()
        (temporary / "one").touch()
    assert names(tmp_path) == ["here"] and names(tmp_path / "here") == ["one"]


def test_a_folder_interrupted_between_its_two_names_is_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/old").touch()

    def interrupted(path, target):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), whole(tmp_path / "a") as temporary:
        temporary.mkdir()
        monkeypatch.setattr(Path, "replace", interrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and (tmp_path / "a/old").exists()


def test_a_device_a_pipe_and_a_link_to_one_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(UserError, match=f"{name}: is a device or a pipe"), whole(tmp_path / name) as temporary:
            temporary.write_text("")
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "link"} and (tmp_path / "pipe").is_fifo()


def test_what_was_set_aside_before_is_not_lost(tmp_path):
    for content, backup in (("one", ".backup"), ("two", ".backup.2"), ("three", ".backup.3")):
        (tmp_path / "scores").write_text(content)
        (tmp_path / "log").touch()
        assert set_aside(tmp_path, ["log"]) == tmp_path / backup
        assert names(tmp_path / backup) == ["scores"] and (tmp_path / backup / "scores").read_text() == content
    assert names(tmp_path) == [".backup", ".backup.2", ".backup.3", "log"]


def test_a_folder_that_was_aside_when_its_program_was_killed_comes_back(tmp_path):
    """And is not lost when the next one fails."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    aside = tmp_path / f".model.tmp-{platform.node()}-{dead.pid}.before"
    aside.mkdir()
    (aside / "weights").write_text("old")
    with pytest.raises(OSError), whole(tmp_path / "model"):
        raise OSError("no room")
    assert (tmp_path / "model/weights").read_text() == "old" and names(tmp_path) == ["model"]
