"""Vectors that are there, one an utterance: for classifiers of vectors, or for a network to learn. Loads no torch."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

import numpy as np

from utils import cli
from utils.archive import read_of, read_scp, scp_content
from utils.record import content, total
from utils.table import read_table

# What the keys of a file may be: its name, and the key of an utterance from its id and its recording's path.
NAMINGS: dict[str, Callable[[str, str], str]] = {
    "utterance-ids": lambda utterance, path: utterance,
    "paths as in wav.scp": lambda utterance, path: path,
    "file names": lambda utterance, path: PurePath(path).name,
    "file names without their ending": lambda utterance, path: PurePath(path).stem,
}


class Given:
    """The vectors of `path`, an scp of Kaldi archives or an .npz, for the utterances of the data dir `data`. Raises
    UserError where the file cannot be read, or an utterance has no vector."""

    def __init__(self, path: Path, data: Path) -> None:
        if not path.is_file():
            raise cli.UserError(f"{path}: no such file; an scp of Kaldi archives, or an .npz, is needed")
        if path.suffix == ".ark":
            raise cli.UserError(f"{path}: name the scp of this archive, which says what lies where")
        self.path, self.zipped = path, path.suffix == ".npz"
        if self.zipped:
            with self._unzipping():
                if not zipfile.is_zipfile(path):
                    raise ValueError("it is not zipped")
                self.arrays = np.load(path, allow_pickle=False)
                keys = list(self.arrays.files)
        else:
            self.entries = read_scp(path)
            keys = list(self.entries)
        if twice := [key for key, count in Counter(keys).items() if count > 1]:
            raise cli.UserError(f"{path}: '{twice[0]}' stands twice")
        self.keys, self.naming = match(path, set(keys), data)
        self.surplus = len(keys) - len(self.keys)

    @property
    def content(self) -> str:
        """A sum of the file's content, and of which vector is whose."""
        own = content(self.path) if self.zipped else scp_content(self.path)
        return total([own, *(f"{utterance} {key}" for utterance, key in self.keys.items())])

    def read(self) -> dict[str, np.ndarray]:
        """utterance → (C,) float32, sorted: a vector as it is, a matrix (T, C) as mean and standard deviation over
        time, (2 C,). Says how many of which. Raises UserError for what is no such array, is not finite, or differs in
        size."""
        vectors: dict[str, np.ndarray] = {}
        shapes: dict[str, tuple[int, ...]] = {}  # the key and the shape of the first
        for utterance, key in self.keys.items():
            array = self._array(key)
            shapes = shapes or {key: array.shape}
            [(first, shape)] = shapes.items()
            if (array.ndim, array.shape[-1]) != (len(shape), shape[-1]):
                raise cli.UserError(
                    f"{self.path}: '{first}' is of shape {shape}, and '{key}' of {array.shape}: all must be vectors of "
                    "one size, or matrices (T, C) of one C"
                )
            if array.ndim == 2:
                array = np.concatenate([array.mean(axis=0), array.std(axis=0)])
            vectors[utterance] = array.astype(np.float32)
        size = shape[-1]
        what = f"vectors of {size}" if len(shape) == 1 else f"matrices (T, {size}), as mean and deviation over time"
        print(f"{self.path}: {len(vectors)} {what}; keys are {self.naming}", flush=True)
        if self.surplus:
            cli.warn(f"{self.path}: {self.surplus} more are of no utterance of the data dir, and left out")
        return vectors

    def _array(self, key: str) -> np.ndarray:
        """The array of a key, in float64."""
        if self.zipped:
            with self._unzipping():
                array = self.arrays[key]
                if not isinstance(array, np.ndarray):  # numpy hands out what it does not know as bytes
                    raise ValueError(f"'{key}' is none")
        else:
            try:
                array = read_of(self.path, key, self.entries[key])
            except cli.UserError as error:
                raise cli.UserError(f"{self.path}: '{key}': {error}") from None
        if array.ndim not in (1, 2) or not array.size or array.dtype.kind not in "fiu":
            raise cli.UserError(
                f"{self.path}: '{key}' is {array.dtype} of shape {array.shape}, and not a vector (C,) of numbers or a "
                "matrix (T, C)"
            )
        array = array.astype(np.float64)
        if not np.abs(array).max() <= np.finfo(np.float32).max:  # also where it is not a number
            raise cli.UserError(f"{self.path}: '{key}' holds what is infinite, too large or not a number")
        return array

    @contextmanager
    def _unzipping(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise cli.UserError(
                f"{self.path}: is not an .npz of plain arrays ({' '.join(str(error).split())}); numpy.savez makes one"
            ) from None


def match(path: Path, keys: Collection[str], data: Path) -> tuple[dict[str, str], str]:
    """utterance → its key in `path`, and what the keys are: of NAMINGS (with `segments`, of utterance-ids alone) that
    by which most are found. A name that several recordings share is nobody's. Raises UserError where an utterance has
    no key."""
    utterances = sorted(read_table(data / "utt2spk"))
    of_recordings = (data / "segments").is_file() or not (data / "wav.scp").is_file()
    wavs = {} if of_recordings else read_table(data / "wav.scp")
    tried = []
    for naming, name_of in NAMINGS.items() if wavs else [*NAMINGS.items()][:1]:
        names = {utterance: name_of(utterance, wavs.get(utterance, "")) for utterance in utterances}
        shared = Counter(names.values())
        found = {utterance: name for utterance, name in names.items() if name in keys and shared[name] == 1}
        tried.append((found, naming, names))
    best, naming, names = max(tried, key=lambda one: len(one[0]))  # the first of equals
    if missing := [utterance for utterance in utterances if utterance not in best]:
        others = sorted(set(keys) - set(best.values()))
        raise cli.UserError(
            f"{path}: {len(missing)} of the {len(utterances)} utterances of {data} have no vector of their own "
            f"({missing[0]}{', …' * (len(missing) > 1)}): expected such keys as '{names[missing[0]]}' ({naming}), "
            f"found {repr(others[0]) if others else 'no other key'}"
        )
    return best, naming
