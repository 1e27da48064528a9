"""Kaldi archives: matrices and vectors in .ark files, found through .scp tables of `<key> <ark>:<offset>`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import kaldiio
import numpy as np
from kaldiio.matio import read_kaldi

from utils.cli import UserError
from utils.files import whole

TWO_BYTES = 3  # kaldiio's compression method 3, Kaldi's kTwoByteAuto: half of float32, error below 1e-3


class ArkWriter:
    """`with ArkWriter(ark, scp) as out: out.write("utt", matrix)`: both files appear, whole, when the block ends."""

    def __init__(self, ark: Path, scp: Path, compression: int | None = None) -> None:
        self.ark, self.scp, self.compression = ark.resolve(), scp, compression

    def __enter__(self) -> ArkWriter:
        with ExitStack() as stack:  # closed from the end: the ark has its name before the scp that points into it
            index, data = (stack.enter_context(whole(path)) for path in (self.scp, self.ark))
            self.data = stack.enter_context(open(data, "wb"))
            self.index = stack.enter_context(open(index, "w", encoding="utf-8", errors="surrogateescape"))
            self.files = stack.pop_all()
        return self

    def write(self, key: str, array: np.ndarray) -> None:
        """Append a float32 matrix (T, F) or vector (T,)."""
        offset = self.data.tell() + len(f"{key} ".encode("utf-8", "surrogateescape"))
        method = self.compression if array.ndim == 2 else None
        kaldiio.save_ark(self.data, {key: array.astype(np.float32, copy=False)}, compression_method=method)
        self.index.write(f"{key} {self.ark}:{offset}\n")

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.files.__exit__(kind, error, trace)


def read_array(entry: str) -> np.ndarray:
    """The array at an scp entry `<ark>:<offset>`. Raises UserError for a command (`… |`), which is never run, and for a
    file that is not there or not an archive."""
    path, _, offset = entry.rpartition(":")
    if entry.rstrip().endswith("|") or not offset.isdigit():
        raise UserError(f"'{entry}': expected <ark>:<offset>; commands in an scp are not run")
    try:
        with open(path, "rb") as file:
            file.seek(int(offset))
            if file.read(2) != b"\0B":  # kaldiio would also unpickle what is marked "PKL", and run what is marked "|"
                raise UserError(f"{entry}: there is no Kaldi matrix here; make the features again")
            file.seek(int(offset))
            return read_kaldi(file)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; make the features again") from None
    except (ValueError, EOFError) as error:
        raise UserError(f"{entry}: broken archive ({error}); make the features again") from None
