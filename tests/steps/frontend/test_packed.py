"""Packed inputs: what networks read, against the features that they are made from."""

import os
import pickle
import shutil
import stat
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from steps.frontend import packed, packing
from steps.frontend.crops import Crops, gathered
from steps.frontend.network_input import select
from steps.frontend.options import Input
from steps.frontend.packed import Packed, pack, way
from steps.frontend.packing import coded
from utils.archive import ArkWriter, read_array, read_scp
from utils.cli import UserError
from utils.table import read_table, write_table

WAYS = [
    Input(crop=20),
    Input(cmn="none", vad=False, crop=20),
    Input(cmn="level", crop=20),
    Input(cmn="level", top_db=60, crop=20),
    Input(cmn="utterance", crop=20),
]


def inputs(data, options):
    """By hand, one utterance after the other."""
    feats, speech = read_scp(data / "feats.scp"), read_scp(data / "vad.scp")
    return [select(read_array(feats[name]), read_array(speech[name]), options) for name in feats]


@pytest.mark.parametrize("options", WAYS, ids=way)
def test_what_is_packed_is_what_is_selected(emotional, options):
    found, wanted = pack(emotional, options), inputs(emotional, options)
    assert len(found) == len(wanted) == 32 and found.frames.shape[1] == 41
    for x, true in zip(found, wanted):
        if options.cmn == "none":
            assert np.abs(x - true).max() <= np.ptp(true) / 65535 / 2 + 1e-5
        else:
            assert x.dtype == np.float16 and np.array_equal(x, true.astype(np.float16))
    assert [x.shape for x in found[3:5]] == [x.shape for x in wanted[3:5]]
    with pytest.raises(IndexError):
        found[32]


@pytest.mark.parametrize("options", WAYS, ids=way)
def test_crops_are_stretches_of_it_in_the_order_of_the_generator(emotional, options):
    found = pack(emotional, options)
    crops, index = Crops(found, 20, torch.device("cpu")), torch.tensor([3, 0, 31, 3])
    batch = crops.batch(index, torch.Generator().manual_seed(5))
    offsets = torch.rand(4, generator=torch.Generator().manual_seed(5)).tolist()
    for crop, i, offset in zip(batch, index.tolist(), offsets):
        first = int(np.float32(offset) * np.float32(len(found[i]) - 20 + 1))
        assert np.allclose(crop.numpy(), found[i][first : first + 20], atol=1e-5)


def test_codes_step_no_coarser_than_the_archives_do(tmp_path):
    """Log energies around 20, where float16 steps by 1/64."""
    x = np.random.default_rng(0).normal(18, 4, (300, 41)).astype(np.float32)
    codes, low, step = coded(x)
    with ArkWriter(tmp_path / "x.ark", tmp_path / "x.scp", 3) as out:
        out.write("x", x)
    archive = np.abs(read_array(read_table(tmp_path / "x.scp")["x"]) - x).max()
    assert codes.dtype == np.int16 and np.abs(codes * step + low - x).max() <= 1.02 * archive
    assert np.abs(x.astype(np.float16) - x).max() > 20 * archive
    flat, low, step = coded(np.full((3, 2), -15.9))
    assert np.allclose(flat * step + low, -15.9)


def test_it_is_made_once_and_again_when_what_it_is_made_from_changes(emotional):
    options = WAYS[0]
    pack(emotional, options)
    frames = emotional / "packed" / way(options) / "frames"
    first = frames.stat().st_mtime_ns
    pack(emotional, options)
    os.utime(emotional / "feats.scp")  # touched, and the same
    pack(emotional, options)
    assert frames.stat().st_mtime_ns == first
    entries = read_table(emotional / "feats.scp")
    names = sorted(entries)
    write_table(emotional / "vad.scp", dict(zip(names, [read_table(emotional / "vad.scp")[names[0]]] * 32)))
    with pytest.raises(UserError, match="frames and .* decisions of speech"):
        pack(emotional, options)
    assert len(pack(emotional, WAYS[1])) == 32  # which reads no decisions
    frames.unlink()
    with pytest.raises(UserError, match="decisions"):
        pack(emotional, options)


def test_a_copy_with_other_features_does_not_read_those_of_the_original(emotional, tmp_path):
    old = pack(emotional, WAYS[1])
    copy = Path(shutil.copytree(emotional, tmp_path / "copy"))
    assert np.array_equal(pack(copy, WAYS[1]).frames, old.frames)
    shutil.rmtree(copy)
    shutil.copytree(emotional, copy)
    feats = read_scp(copy / "feats.scp")
    with ArkWriter(tmp_path / "other.ark", copy / "feats.scp") as archive:
        for name, entry in feats.items():
            archive.write(name, read_array(entry)[:, :10])
    assert pack(copy, WAYS[1]).frames.shape[1] == 10


def test_features_that_are_missing_or_too_many_are_named(emotional):
    entries = read_table(emotional / "feats.scp")
    write_table(emotional / "feats.scp", {name: entries[name] for name in sorted(entries)[1:]})
    with pytest.raises(UserError, match=r"1 utterances have no features \(s0-0, …\)"):
        pack(emotional, WAYS[0])
    write_table(emotional / "feats.scp", entries | {"s9-9": entries["s0-0"]})
    with pytest.raises(UserError, match="differ in utterances or order"):
        pack(emotional, WAYS[0])


CHANGES = {
    "cut": ("frames", lambda content: content[:-7]),
    "twice": ("frames", lambda content: 2 * content),
    "empty": ("frames", lambda content: b""),
    "text": ("lengths.npy", lambda content: b"no array"),
    "pickled": ("lengths.npy", lambda content: pickle.dumps([1, 2])),
    "swapped": ("lengths.npy", lambda content: content[:-8] + content[-4:] + content[-8:-4]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_another_hand_has_made_wrong_is_made_again(emotional, name):
    before = pack(emotional, WAYS[0])
    frames, lengths = np.array(before.frames), before.lengths.copy()
    file, change = CHANGES[name]
    path = emotional / "packed" / way(WAYS[0]) / file
    path.write_bytes(change(path.read_bytes()))
    if name not in ("twice", "swapped"):
        with pytest.raises(UserError, match="do not go together; remove the folder"):
            packed.opened(path.parent)
    again = pack(emotional, WAYS[0])
    assert np.array_equal(again.frames, frames) and np.array_equal(again.lengths, lengths)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.full((70, 41), np.nan), "holds what no filter-bank has"),
        (np.full((70, 41), 1e6), "holds what no filter-bank has"),
        (np.zeros((70, 40)), "is 70 × 40, and other utterances have 41 values a frame"),
        (np.zeros(70), "is 70, and features are frames × bins"),
    ],
)
def test_wrong_features_are_named(emotional, values, said):
    lines = (emotional / "feats.scp").read_text().splitlines()
    with ArkWriter(emotional / "odd.ark", emotional / "odd.scp") as archive:
        archive.write("s1-3", values)
    odd = (emotional / "odd.scp").read_text().strip()
    (emotional / "feats.scp").write_text("".join(f"{odd if line.startswith('s1-3 ') else line}\n" for line in lines))
    with pytest.raises(UserError, match=f"feats.scp: 's1-3' {said}"):
        pack(emotional, replace(WAYS[0], vad=False))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_where_the_data_dir_cannot_be_written(emotional, tmp_path):
    emotional.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert len(pack(emotional, WAYS[0], tmp_path / "exp")) == 32


def test_elsewhere(emotional, tmp_path, monkeypatch):
    monkeypatch.setattr(packed.os, "access", lambda *_: False)
    found = pack(emotional, WAYS[0], tmp_path / "exp")
    assert (
        len(found) == 32
        and not (emotional / "packed").exists()
        and list((tmp_path / "exp/packed").glob("data_*/*/frames"))
    )


def test_several_processes_pack_the_same(emotional, monkeypatch):
    together = pack(emotional, WAYS[1])
    frames, scale = together.frames.copy(), together.scale.copy()
    (emotional / "packed" / way(WAYS[1]) / "frames").unlink()
    monkeypatch.setattr(packing, "PIECE", 10)
    again = pack(emotional, WAYS[1])
    assert np.array_equal(again.frames, frames) and np.array_equal(again.scale, scale)
    assert not list((emotional / "packed").rglob(".piece*"))


def test_arrays_in_memory_are_packed_alike():
    arrays = [np.arange(8.0).reshape(4, 2), np.ones((1, 2))]
    found = Packed.of(arrays)
    assert all(np.array_equal(x, y) for x, y in zip(found, arrays)) and found.lengths.tolist() == [4, 1]


def test_copied_stretches_are_the_rows_that_a_gpu_gathers():
    rng = np.random.default_rng(0)
    lengths = np.array([1, 7, 19, 20, 21, 64, 300], np.int32)
    crops = Crops(Packed(rng.normal(size=(lengths.sum(), 3)).astype(np.float16), lengths), 20, torch.device("cpu"))
    index = torch.from_numpy(rng.integers(0, 7, 200))
    counts = crops.lengths[index]
    first = (torch.rand(200) * (counts - 20 + 1).clamp(min=1)).long()
    rows = gathered(crops.frames, crops.starts[index], counts, first, 20).float()
    assert torch.equal(crops.stretches(crops.starts[index], counts, first, 20), rows)


def test_more_is_mapped_than_there_is_memory_and_nothing_but_crops_is_fetched(emotional):
    """Frames of 64 TB, which are holes but for the first."""
    pack(emotional, WAYS[0])
    home = emotional / "packed" / way(WAYS[0])
    count = (1 << 46) // 82 // 30_000_000
    np.save(home / "lengths.npy", np.full(count, 30_000_000, np.int32))
    try:
        os.truncate(home / "frames", 82 * 30_000_000 * count)
    except OSError:
        os.truncate(home / "frames", 82 * 30_000_000 * (count := 400))  # 1 TB, where files are smaller
        np.save(home / "lengths.npy", np.full(count, 30_000_000, np.int32))
    crops = Crops(packed.opened(home), 20, torch.device("cpu"))
    assert crops.batch(torch.tensor([0, count - 1]), torch.Generator()).shape == (2, 20, 41)
    assert (home / "frames").stat().st_blocks * 512 < 1 << 20


def test_of_two_processes_one_packs_and_the_other_waits(emotional, tmp_path):
    children = []
    for _ in range(2):
        if not (child := os.fork()):
            code, write = 70, packed.write

            def noted(*arguments, write=write):
                (tmp_path / "wrote").open("a").write("once\n")
                time.sleep(0.5)
                write(*arguments)

            try:
                packed.write = noted
                code = 0 if len(pack(emotional, WAYS[0])) == 32 else 1
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    assert (tmp_path / "wrote").read_text() == "once\n"


@pytest.mark.parametrize("wild", [np.full(3, np.nan), np.ones((3, 1)), np.array([0, 7, 1])], ids=["nan", "matrix", "7"])
def test_decisions_of_speech_that_are_none_are_named(emotional, tmp_path, wild):
    table = read_table(emotional / "vad.scp")
    with ArkWriter(tmp_path / "wild.ark", tmp_path / "wild.scp") as out:
        out.write("s1-3", wild.astype(np.float32))
    write_table(emotional / "vad.scp", table | read_table(tmp_path / "wild.scp"))
    with pytest.raises(UserError, match="vad.scp: 's1-3' has other decisions of speech than 0 and 1"):
        pack(emotional, WAYS[0])


def test_what_is_replaced_while_it_is_packed_is_packed_again(emotional, monkeypatch):
    ark = Path(read_table(emotional / "feats.scp")["s0-0"].rpartition(":")[0])
    before, content = pack(emotional, WAYS[0]).frames.copy(), bytearray(ark.read_bytes())
    shutil.rmtree(emotional / "packed")
    content[-4:] = np.float32(3.5).tobytes()

    def write(*args, own=packed.write):
        own(*args)
        ark.write_bytes(content)  # somebody makes features anew meanwhile
        monkeypatch.undo()

    monkeypatch.setattr(packed, "write", write)
    assert np.array_equal(pack(emotional, WAYS[0]).frames, before)
    assert not np.array_equal(pack(emotional, WAYS[0]).frames, before)
