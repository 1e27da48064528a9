"""Which files below a folder are recordings."""

import os

import pytest

from utils.audio_files import files_below


def test_files_first_then_folders_in_order_without_hidden_ones(tmp_path):
    for name in ("b/2.wav", "b/1.wav", "a/x.wav", "z.wav", "._z.wav", ".hidden/h.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in files_below(tmp_path)] == [
        "z.wav",
        "a/x.wav",
        "b/1.wav",
        "b/2.wav",
    ]


def test_links_are_followed_and_loops_end(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/1.wav").touch()
    (tmp_path / "corpus/deep").mkdir(parents=True)
    (tmp_path / "corpus/real").symlink_to(tmp_path / "real")
    for name in ("up", "again"):  # two, which would be endless, not only long
        (tmp_path / "corpus/deep" / name).symlink_to(tmp_path / "corpus")
    assert [path.name for path in files_below(tmp_path / "corpus")] == ["1.wav"]
    (tmp_path / "corpus/itself.wav").symlink_to("itself.wav")
    assert [path.name for path in files_below(tmp_path / "corpus")] == ["itself.wav", "1.wav"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(PermissionError):
        list(files_below(tmp_path))
