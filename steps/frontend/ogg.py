"""The pages of an Ogg file, which libsndfile passes over where they are damaged, and reads up to the end of the first
stream alone."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
HEAD = 27  # bytes of a page's header, before its table of segments
BEGINS = 2  # a flag of a page


def checksum(page: bytes) -> int:
    """Ogg's CRC of a page (RFC 3533): the polynomial of zlib's, with every byte's bits in the other order, and no
    inversions."""
    turned = zlib.crc32((page[:22] + bytes(4) + page[26:]).translate(REVERSED), 0xFFFFFFFF)
    return int(f"{turned ^ 0xFFFFFFFF:032b}"[::-1], 2)


def what_is_wrong(path: str) -> str:
    """Of an Ogg file, in a few words; "" where nothing is."""
    size, begun = Path(path).stat().st_size, False
    with open(os.fsencode(path), "rb") as file:
        while head := file.read(HEAD):
            if not head.startswith(b"OggS") or len(head) < HEAD:
                return "damaged: something else than a page of Ogg lies in it"
            table = file.read(head[26])
            if file.tell() + sum(table) > size or len(table) < head[26]:
                return "truncated"
            page = head + table + file.read(sum(table))
            if checksum(page) != int.from_bytes(page[22:26], "little"):
                return "damaged: the sum of a page of Ogg is wrong"
            if not page[5] & BEGINS:
                begun = True
            elif begun:
                return "several recordings, one behind the other (chained Ogg): part them"
    return ""
