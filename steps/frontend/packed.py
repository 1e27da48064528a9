"""Packed inputs: what networks read, made once from the features of a data dir for each way of reading them.

A folder <data-dir>/packed/<way>, or where that cannot be written <elsewhere>/packed/<data-dir's name>_<sum>/<way>:
  frames       every utterance's input end to end, row-major, two bytes a value
  lengths.npy  (N,) frames of each utterance, in the order of feats.scp
  scale.npy    (N, 2) lowest value and step of each utterance, where values are codes (packing.coded)
It is mapped into memory: processes on a machine share its pages, none holds a copy, and it may be larger than memory.

Normalised inputs lie around 0, and are float16. Log energies (`cmn: none`) do not, and float16 would step by 1/64 above
16: they are codes, 65 536 steps between an utterance's lowest and highest value, as in the archives. Loads no torch."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from steps.frontend.options import Input
from steps.frontend.packing import FRAMES, LENGTHS, SCALE, check_utterances, write
from utils.archive import leads_to, scp_content
from utils.cli import UserError
from utils.files import whole
from utils.hold import hold
from utils.record import Origin, outdated, state, total

VERSION = 1  # raised when the same features are packed in another way
STATES = "states"


class Packed(Sequence[np.ndarray]):
    """The inputs of N utterances: number i is a (T_i, F) array, float16 or, of codes, float32."""

    def __init__(
        self,
        frames: np.ndarray,
        lengths: np.ndarray,
        scale: np.ndarray | None = None,
        mapped: mmap.mmap | None = None,
    ) -> None:
        """frames: (sum of lengths, F) float16, or int16 codes with the `scale` (N, 2) of each utterance; `mapped`: the
        file that they lie in."""
        self.frames, self.lengths, self.scale, self.mapped = frames, lengths, scale, mapped
        self.ends = np.cumsum(lengths, dtype=np.int64)

    @classmethod
    def of(cls, inputs: Sequence[np.ndarray]) -> Packed:
        """Of arrays (T_i, F) in memory."""
        frames = np.concatenate([np.asarray(x).astype(np.float16, copy=False) for x in inputs])
        return cls(frames, np.array([len(x) for x in inputs], dtype=np.int32))

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        begin, end = int(self.ends[index] - self.lengths[index]), int(self.ends[index])
        self.fetch(begin, end)
        rows = self.frames[begin:end]
        if self.scale is None:
            return rows
        low, step = self.scale[index]
        return rows.astype(np.float32) * step + low

    def fetch(self, begin: int, end: int) -> None:
        """Have the system bring frames `begin` to `end` into memory, if they are not there, and wait for nothing."""
        if self.mapped is not None:
            row = self.frames.strides[0]
            first = begin * row // mmap.PAGESIZE * mmap.PAGESIZE
            self.mapped.madvise(mmap.MADV_WILLNEED, first, end * row - first)


def way(options: Input) -> str:
    """What the folder of this way of reading is called."""
    window = str(options.cmn_window) if options.cmn == "sliding" else ""
    floor = f"_top{options.top_db:g}" if options.top_db else ""
    return f"{options.cmn}{window}_{f'vad{options.min_frames}' if options.vad else 'all'}{floor}"


def origin(data: Path, options: Input) -> Origin:
    """What the packed inputs of `data` are made from."""
    read = {name: scp_content(data / name) for name in ["feats.scp", *["vad.scp"] * options.vad]}
    return Origin("pack", VERSION, {"way": way(options)}, read)


def states(paths: Iterable[Path]) -> str:
    """Names, sizes and times of what is read, or was made of it: while they are as they were, nothing needs to be
    summed."""
    return "".join(f"{state(path)} {path}\n" for path in paths)


def is_read(data: Path, options: Input) -> list[Path]:
    """All files that packed inputs are made from."""
    tables = [data.resolve() / name for name in ["utt2spk", "feats.scp", *["vad.scp"] * options.vad]]
    return [*tables, *map(Path, sorted({ark for scp in tables[1:] for ark in leads_to(scp)[1]}))]


def unchanged(home: Path, only: Path | None = None) -> bool:
    """Whether all files that `states` named, or those in the folder `only`, are as they were. In a copy of a data dir
    it names those of the original, which tell nothing of the copy's."""
    if not (home / STATES).is_file() or not (home / FRAMES).is_file():
        return False
    lines = [line.split(" ", 2) for line in (home / STATES).read_text(errors="surrogateescape").splitlines()]
    frames = str(home.resolve() / FRAMES)
    return (only is not None or any(line[2:] == [frames] for line in lines)) and all(
        len(line) == 3 and (only not in (None, Path(line[2]).parent) or state(Path(line[2])) == " ".join(line[:2]))
        for line in lines
    )


def changed(home: Path) -> bool:
    """Whether somebody has changed what was packed."""
    return (home / STATES).is_file() and not unchanged(home, home.resolve())


def pack(data: Path, options: Input, elsewhere: Path | None = None) -> Packed:
    """The packed inputs of `data`, made if they are not there or no longer true; who else needs them waits. elsewhere:
    the folder where they go if the data dir cannot be written. Raises UserError where features are missing."""
    homes = [data / "packed" / way(options)]
    if elsewhere:
        homes.append(elsewhere / "packed" / f"{data.name}_{total([str(data.resolve())])[:8]}" / way(options))
    home = next(filter(unchanged, homes), None)
    if home is None:
        home = homes[0] if os.access(data, os.W_OK) else homes[-1]
        with hold(home, wait=True):
            seen = states(is_read(data, options))  # before it is read: what changes meanwhile is read again next time
            now, parts = origin(data, options), [home / FRAMES, home / LENGTHS]
            check_utterances(data)
            if not unchanged(home) and (outdated(home, now, *parts) or changed(home)):
                (home / STATES).unlink(missing_ok=True)
                now.path(home).unlink(missing_ok=True)
                write(data, options, home)
                now.write(home)
            with whole(home / STATES) as temporary:
                made = [home.resolve() / name for name in (FRAMES, LENGTHS, SCALE) if (home / name).is_file()]
                temporary.write_text(seen + states(made), errors="surrogateescape")
    return opened(home)


def opened(home: Path) -> Packed:
    """What `write` left in `home`, mapped into memory."""
    try:
        lengths = np.load(home / LENGTHS, allow_pickle=False)
        scale = np.load(home / SCALE, allow_pickle=False) if (home / SCALE).is_file() else None
        size, count = (home / FRAMES).stat().st_size, int(lengths.sum())
        good = (
            lengths.dtype == np.int32 and lengths.ndim == 1 and lengths.min() > 0 and size and size % (2 * count) == 0
        )
        good = good and (scale is None or scale.shape == (len(lengths), 2))
    except (ValueError, EOFError):  # no array
        good = False
    if not good:
        raise UserError(f"{home}: frames and lengths do not go together; remove the folder, and it is made again")
    kind = np.float16 if scale is None else np.int16
    # To be read alone: of what might be written, even copies, a system maps no more than it has memory for.
    with open(home / FRAMES, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    # Who needs a crop is not given what lies around it: up to megabytes, for which other pages would have to go.
    mapped.madvise(mmap.MADV_RANDOM)
    return Packed(np.frombuffer(mapped, kind).reshape(count, -1), lengths, scale, mapped)
