"""What a file of sound holds behind the sound that its reader gives: other recordings, sound that its header denies."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import soundfile

HEADS = {  # of formats whose files are read to the end of the first sound: where one begins
    "FLAC": rb"fLaC[\x00\x80]\x00\x00\x22",
    "MP3": rb"(?s)\xff[\xe2-\xff]..(?:..)?(?:.{9}|.{17}|.{32})(?:Xing|Info)\x00\x00\x00[\x00-\x0f]",
    "AU": rb"\.snd\x00\x00\x00",
    "AIFF": rb"(?s)FORM....AIF[FC]",
    "CAF": rb"caff\x00\x01\x00\x00",
    "MOV": rb"\x00\x00\x00[\x10-\x40]ftyp(?:M4A|mp4|iso|3gp|qt|dash)",
    "W64": rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb",
}
QUICK = ("FLAC", "AU", "AIFF", "CAF", "W64")  # they begin with letters, which are found at the speed of memory
LAST = 4096  # bytes: more than two frames of MP3, which some encoders do not count
JOINED = "several recordings, one behind the other: part them"
PIPED = 0x7FFFF000  # bytes: lengths from here on are what programs put that write into a pipe (sox, FFmpeg)


@contextmanager
def _mapped(path: str) -> Iterator[mmap.mmap]:
    with open(os.fsencode(path), "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


def joined(path: str, kind: str) -> bool:
    """Whether more than one sound begins in a file of the format `kind`, as libsndfile and FFmpeg call them."""
    if kind.startswith("WAV") or kind not in HEADS:
        return kind.startswith("WAV") and _another_follows(path)
    with _mapped(path) as content:
        found = sum(len(re.findall(HEADS[other], content)) for other in {kind, *QUICK})
        return found > 1 or (kind == "MP3" and _mp3_goes_on(content))


def _mp3_goes_on(content: mmap.mmap) -> bool:
    """Whether behind the bytes that an MP3's Xing header tells of there is more that begins as a sound does."""
    first = re.search(HEADS["MP3"], content)
    if first is None or content[first.end() - 1] & 3 != 3:  # says no number of bytes
        return False
    end = first.start() + int.from_bytes(content[first.end() + 4 : first.end() + 8], "big")
    if content[end : end + 3] == b"ID3":  # a tag, which says in four times 7 bits how long it is
        end += 10 + sum(byte << shift for byte, shift in zip(content[end + 6 : end + 10], (21, 14, 7, 0)))
    return len(content) - end > LAST and bool(re.match(rb"\xff[\xe2-\xff]|RIFF", content[end : end + 4]))


def guessed(file: Any, path: str) -> bool:
    """Whether libsndfile guesses how long a sound is: of MP3 that does not say it in a Xing header, by the bit rate of
    its first frame."""
    if file.format != "MP3":
        return file.subtype.startswith("MPEG")
    with _mapped(path) as content:
        return not re.search(HEADS["MP3"], content)


def _another_follows(path: str) -> bool:
    """Whether behind a WAV there is another sound in the same file, or in it a second chunk of sound."""
    with open(os.fsencode(path), "rb") as file:
        end, sounds = 8 + int.from_bytes(file.read(12)[4:8], "little"), 0
        while (place := file.tell()) < end and len(head := file.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if not size or size >= PIPED:
                break
            sounds += head[:4] == b"data"
            file.seek(place + 8 + size + size % 2)
        file.seek(end)
        behind = file.read(64)
        return sounds > 1 or behind[:4] == b"RIFF" or any(re.match(head, behind) for head in HEADS.values())


def more_than_stated(file: soundfile.SoundFile, path: str) -> str:
    """What is wrong with a WAV in which sound goes on where its header says that it ends; "" where it does not."""
    stated = re.search(r"^data : (\d+)$", file.extra_info, re.MULTILINE)
    after = re.search(r"(?:Unknown chunk marker \(\w+\)|Have 0 marker) at position (\d+)", file.extra_info)
    if stated and after and os.stat(path).st_size - int(after[1]) > int(stated[1]) / 10:
        with open(os.fsencode(path), "rb") as content:
            content.seek(int(after[1]))
            if any(map(any, iter(lambda: content.read(1 << 20), b""))):  # zeros alone are padding
                return f"its header tells of {stated[1]} bytes of sound, and more follow"
    return ""
