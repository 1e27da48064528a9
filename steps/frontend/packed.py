"""Packed inputs: what networks read, made once from the features of a data dir for each way of reading them.

A folder <data-dir>/packed/<way>, or where that cannot be written <elsewhere>/packed/<data-dir's name>_<sum>/<way>:
  frames       every utterance's input end to end, row-major, two bytes a value
  lengths.npy  (N,) frames of each utterance, in the order of feats.scp
  scale.npy    (N, 2) lowest value and step of each utterance, where values are codes (see `coded`)
It is mapped into memory: processes on a machine share its pages, none holds a copy, and it may be larger than memory.

Normalised inputs lie around 0, and are float16. Log energies (`cmn: none`) do not, and float16 would step by 1/64 above
16: they are codes, 65 536 steps between an utterance's lowest and highest value, as in the archives. Loads no torch."""

from __future__ import annotations

import mmap
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path
from typing import overload

import numpy as np
from tqdm import tqdm

from steps.frontend.network_input import select, too_little_speech
from steps.frontend.options import Input
from utils.archive import entries, leads_to, read_array, scp_content
from utils.cli import UserError
from utils.cores import on_all_cores
from utils.files import whole
from utils.hold import hold
from utils.record import Origin, outdated, state, total
from utils.table import keys

VERSION = 1  # raised when the same features are packed in another way
FRAMES, LENGTHS, SCALE, STATES = "frames", "lengths.npy", "scale.npy", "states"
PIECE = 2000  # utterances that one process packs at a time


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

    @property
    def bins(self) -> int:
        """F."""
        return self.frames.shape[1]


def coded(x: np.ndarray) -> tuple[np.ndarray, float, float]:
    """(T, F) as int16 codes c, with low and step so that x ≈ c · step + low: 65 536 steps from the lowest value to the
    highest. The error is half a step at most, of a range of 20 some 2e-4: that of the archive's own two bytes."""
    low, high = float(x.min()), float(x.max())
    step = (high - low) / 65535 or 1.0
    codes = np.rint((x.astype(np.float64) - low) / step) - 32768
    return codes.astype(np.int16), low + 32768 * step, step


def way(options: Input) -> str:
    """What the folder of this way of reading is called."""
    window = str(options.cmn_window) if options.cmn == "sliding" else ""
    return f"{options.cmn}{window}_{f'vad{options.min_frames}' if options.vad else 'all'}"


def origin(data: Path, options: Input) -> Origin:
    """What the packed inputs of `data` are made from."""
    read = {name: scp_content(data / name) for name in ["feats.scp", *["vad.scp"] * options.vad]}
    return Origin("pack", VERSION, {"way": way(options)}, read)


def states(data: Path, options: Input) -> str:
    """Names, sizes and times of all that is read: while they are as they were, nothing needs to be summed."""
    tables = [data.resolve() / name for name in ["utt2spk", "feats.scp", *["vad.scp"] * options.vad]]
    arks = sorted({ark for scp in tables[1:] for ark in leads_to(scp)[1]})
    return "".join(f"{state(Path(path))} {path}\n" for path in [*map(str, tables), *arks])


def unchanged(home: Path) -> bool:
    """Whether all files that `states` named are as they were."""
    if not (home / STATES).is_file() or not (home / FRAMES).is_file():
        return False
    lines = [line.split(" ", 2) for line in (home / STATES).read_text(errors="surrogateescape").splitlines()]
    return all(len(line) == 3 and state(Path(line[2])) == " ".join(line[:2]) for line in lines)


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
            now, parts = origin(data, options), [home / FRAMES, home / LENGTHS]
            check_utterances(data)
            if not unchanged(home) and outdated(home, now, *parts):
                (home / STATES).unlink(missing_ok=True)
                now.path(home).unlink(missing_ok=True)
                write(data, options, home)
                now.write(home)
            with whole(home / STATES) as temporary:
                temporary.write_text(states(data, options), errors="surrogateescape")
    return opened(home)


def opened(home: Path) -> Packed:
    """What `write` left in `home`, mapped into memory."""
    lengths = np.load(home / LENGTHS, allow_pickle=False)
    scale = np.load(home / SCALE, allow_pickle=False) if (home / SCALE).is_file() else None
    size, count = (home / FRAMES).stat().st_size, int(lengths.sum())
    if count == 0 or size % (2 * count):
        raise UserError(f"{home}: frames and lengths do not go together; remove the folder, and it is made again")
    kind = np.float16 if scale is None else np.int16
    # To be read alone: of what might be written, even copies, a system maps no more than it has memory for.
    with open(home / FRAMES, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    # Who needs a crop is not given what lies around it: up to megabytes, for which other pages would have to go.
    mapped.madvise(mmap.MADV_RANDOM)
    return Packed(np.frombuffer(mapped, kind).reshape(count, -1), lengths, scale, mapped)


def check_utterances(data: Path) -> None:
    """Raises UserError unless feats.scp has the utterances of utt2spk, in its order."""
    if all(feats == known for feats, known in zip_longest(keys(data / "feats.scp"), keys(data / "utt2spk"))):
        return
    feats, known = set(keys(data / "feats.scp")), set(keys(data / "utt2spk"))
    if missing := known - feats:
        raise UserError(
            f"{data}: {len(missing)} utterances have no features ({min(missing)}, …); utils/fix_data_dir.py drops them"
        )
    raise UserError(f"{data}: feats.scp and utt2spk differ in utterances or order; utils/fix_data_dir.py mends that")


def read(data: Path, options: Input, first: int, count: int) -> Iterator[tuple[np.ndarray, bool]]:
    """The inputs of `count` utterances of feats.scp from number `first` on; and of each, whether it kept all frames
    because too few were speech."""
    speech = islice(entries(data / "vad.scp"), first, first + count) if options.vad else iter(())
    for utterance, entry in islice(entries(data / "feats.scp"), first, first + count):
        features = read_array(entry)
        decisions = np.ones(len(features), np.uint8)
        if options.vad:
            name, place = next(speech, ("", ""))
            if name != utterance:
                raise UserError(f"{data}/vad.scp: '{utterance}' is missing; make the features again")
            decisions = read_array(place)
        if len(decisions) != len(features):
            raise UserError(
                f"{data}: '{utterance}' has {len(features)} frames and {len(decisions)} decisions of speech"
            )
        yield select(features, decisions, options), options.vad and too_little_speech(decisions, options)


def write_piece(data: Path, options: Input, home: Path, size: int, first: int) -> tuple[np.ndarray, int]:
    """Put `size` utterances from number `first` on into <home>/.piece<first>. Returns (N, 3): frames, low and step of
    each; and how many kept all frames."""
    rows, whole_ones = [], 0
    with whole(home / f".piece{first}") as temporary, open(temporary, "wb") as out:
        for x, all_kept in read(data, options, first, size):
            low, step = 0.0, 0.0
            if options.cmn == "none":
                x, low, step = coded(x)
            out.write(np.ascontiguousarray(x if options.cmn == "none" else x.astype(np.float16)).tobytes())
            rows.append((len(x), low, step))
            whole_ones += all_kept
    return np.array(rows, dtype=np.float64).reshape(-1, 3), whole_ones


def remove_pieces(home: Path) -> None:
    for path in home.glob(".piece*"):
        path.unlink(missing_ok=True)


def write(data: Path, options: Input, home: Path) -> None:
    """Pack `data` into `home`, on all cores where there is much."""
    count = sum(1 for _ in keys(data / "feats.scp"))
    if not count:
        raise UserError(f"{data}: holds no utterances")
    firsts = range(0, count, PIECE)
    home.mkdir(parents=True, exist_ok=True)
    job = partial(write_piece, data, options, home, PIECE)
    table, kept_whole = [], 0
    with ExitStack() as stack:
        stack.callback(remove_pieces, home)
        frames = stack.enter_context(whole(home / FRAMES))
        out = stack.enter_context(open(frames, "wb"))
        done = on_all_cores(job, firsts) if len(firsts) > 2 else map(job, firsts)  # to begin takes a second, too
        bar = tqdm(total=count, desc=f"packing {data.name}", unit="utt", disable=None, leave=False)
        for first, (rows, kept) in zip(firsts, done):
            piece = home / f".piece{first}"
            with open(piece, "rb") as read_back:
                shutil.copyfileobj(read_back, out, 1 << 24)
            piece.unlink()
            table.append(rows)
            kept_whole += kept
            bar.update(len(rows))
        bar.close()
    if kept_whole:
        print(f"{data}: {kept_whole} of {count} utterances, with under {options.min_frames} speech frames, keep all")
    rows = np.concatenate(table)
    for name, values in ((LENGTHS, rows[:, 0].astype(np.int32)), (SCALE, rows[:, 1:].astype(np.float32))):
        if name == LENGTHS or options.cmn == "none":
            with whole(home / name) as temporary, open(temporary, "wb") as file:
                np.save(file, values, allow_pickle=False)
