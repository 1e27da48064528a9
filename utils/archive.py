"""Kaldi archives: matrices and vectors in .ark files, found through .scp tables of `<key> <ark>:<offset>`."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path

import kaldiio
import numpy as np
from kaldiio.matio import read_kaldi

from utils.cli import UserError
from utils.files import whole
from utils.record import SMALL, content, state, total
from utils.table import lines, read_table

LONGEST = 1024  # bytes of an utterance-id, and more
TWO_BYTES = 3  # kaldiio's compression method 3, Kaldi's kTwoByteAuto: half of float32, error below 1e-3


class ArkWriter(ExitStack):
    """`with ArkWriter(ark, scp) as out: out.write("utt", matrix)`: both files appear, whole, when the block ends."""

    def __init__(self, ark: Path, scp: Path, compression: int | None = None) -> None:
        super().__init__()
        self.ark, self.scp, self.compression = ark.resolve(), scp, compression

    def __enter__(self) -> ArkWriter:
        # Closed from the end: the ark has its name before the scp that points into it.
        index, data = (self.enter_context(whole(path)) for path in (self.scp, self.ark))
        self.data = self.enter_context(open(data, "wb"))
        self.index = self.enter_context(open(index, "w", encoding="utf-8", errors="surrogateescape"))
        return self

    def write(self, key: str, array: np.ndarray) -> None:
        """Append a float32 matrix (T, F) or vector (T,)."""
        offset = self.data.tell() + len(f"{key} ".encode("utf-8", "surrogateescape"))
        method = self.compression if array.ndim == 2 else None
        kaldiio.save_ark(self.data, {key: array.astype(np.float32, copy=False)}, compression_method=method)
        self.index.write(f"{key} {self.ark}:{offset}\n")


def archives(entries: Mapping[str, str]) -> list[str]:
    """The archives that the entries of an scp, `<ark>:<offset>`, lie in; sorted."""
    return sorted({entry.rpartition(":")[0] for entry in entries.values()})


def read_scp(scp: Path) -> dict[str, str]:
    """Key → `<ark>:<offset>` of an scp. An archive that is not where the scp says, since both were moved together, is
    found at the same place beside the scp. Raises UserError for a missing or malformed table."""
    entries = read_table(scp)
    moved = {ark: place for ark in archives(entries) if (place := _moved(scp, Path(ark))) != ark}
    if not moved:
        return entries
    parts = {key: entry.rpartition(":") for key, entry in entries.items()}
    return {key: f"{moved.get(ark, ark)}:{offset}" for key, (ark, _, offset) in parts.items()}


def entries(scp: Path) -> Iterator[tuple[str, str]]:
    """The lines of an scp as `read_scp` has them, one after the other: of millions, only one is in memory."""
    places: dict[str, str] = {}
    for key, entry in lines(scp):
        ark, _, offset = entry.rpartition(":")
        if ark not in places:
            if not ark:
                raise UserError(f"{scp}: '{key}': expected <ark>:<offset>; commands in an scp are not run")
            places[ark] = _moved(scp, Path(ark))
        yield key, f"{places[ark]}:{offset}"


def _moved(scp: Path, ark: Path) -> str:
    """Where an archive lies now: where the scp says; else in, above or beside the scp's folder, as before. More of the
    path counts before less of it: several archives may have one name."""
    folders = () if ark.is_file() else scp.resolve().parents[:3]
    for length in (3, 2, 1):
        for above in folders:
            place = above.joinpath(*ark.parts[-length:])
            if place.is_file():
                return str(place)
    return str(ark)


def scp_content(scp: Path) -> str:
    """A sum of all that an scp leads to, wherever it lies: keys, offsets, and the archives' own sums. Raises UserError
    where an archive is missing."""
    return leads_to(scp)[0]


def leads_to(scp: Path) -> tuple[str, list[str]]:
    """`scp_content`, and the archives, sorted. Of a large scp both are kept in `.<name>.content` beside it, with its
    size and time and the archives' sums, and found again by reading it where any of these differs."""
    now, kept = state(scp), scp.with_name(f".{scp.name}.content")
    if kept.is_file():
        before, found, *sums = [*kept.read_text(errors="surrogateescape").splitlines(), "", ""]
        arks = [line.partition(" ")[2] for line in sums[:-2]]
        if before == now and all(map(os.path.isfile, arks)) and _sums(arks) == sums[:-2]:
            return found, arks
    arks = sorted({entry.rpartition(":")[0] for _, entry in entries(scp)})
    for ark in arks:
        if not Path(ark).is_file():
            cut = re.search(r":\d+\[\d*$", ark)  # of feats.ark:17[0:99], behind which Kaldi takes some frames
            help = "ranges are not read: copy what they stand for" if cut else "make it again, or put it back"
            raise UserError(f"{scp}: {ark} is not there: {help}")
    sums = _sums(arks)
    heads = (f"{Path(ark).name} {line.partition(' ')[0]}" for ark, line in zip(arks, sums))
    found = total(chain(heads, (f"{key} {entry.rpartition('/')[2]}" for key, entry in entries(scp))))
    if scp.stat().st_size > SMALL:
        with suppress(OSError), whole(kept) as temporary:  # not in a folder that may only be read
            temporary.write_text("\n".join([now, found, *sums, ""]), errors="surrogateescape")
    return found, arks


def _sums(arks: list[str]) -> list[str]:
    """Of each archive its sum and place, as a line."""
    return [f"{content(Path(ark))} {ark}" for ark in arks]


@lru_cache(maxsize=1)
def _table(scp: Path, now: str) -> dict[str, str]:
    """The scp as it is `now`, by its `state`: once, however many of its lines are looked at."""
    return read_scp(scp)


def read_of(scp: Path, key: str, entry: str) -> np.ndarray:
    """`read_array` of a line of an scp. Raises UserError, too, where the archive says that what is there is of another
    key of this scp: its lines were mixed up. Keys that a copy of the data dir has renamed are no matter."""
    ark, _, offset = entry.rpartition(":")
    with suppress(OSError, ValueError), open(ark, "rb") as file:
        file.seek(max(0, int(offset) - LONGEST))
        before = file.read(min(LONGEST, int(offset))).decode("utf-8", "surrogateescape")
        if not before.endswith(f"{key} "):
            known, said = _table(scp, state(scp)), before[:-1]
            owners = [said[at:] for at in range(len(said)) if said[at:] in known]
            if before.endswith(" ") and owners and known[owners[0]] != entry:
                raise UserError(
                    f"{scp}: '{key}' leads to what {ark} says is of '{owners[0]}': lines are mixed up; make it again"
                )
    return read_array(entry)


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
                raise UserError(f"{entry}: there is no binary Kaldi matrix or vector here; make it again")
            file.seek(int(offset))
            array = read_kaldi(file)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; make it again") from None
    except (ValueError, EOFError, AssertionError, MemoryError, OverflowError, struct.error) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{entry}: broken archive ({said}); make it again") from None
    if not isinstance(array, np.ndarray):
        raise UserError(f"{entry}: holds no matrix or vector; make it again")
    return array
