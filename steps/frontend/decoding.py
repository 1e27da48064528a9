"""The samples of a file, a piece at a time, as libsndfile reads them or, where it does not, PyAV (FFmpeg)."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from steps.frontend.behind import JOINED, PIPED, guessed, joined, more_than_stated
from steps.frontend.ogg import what_is_wrong
from utils.cli import UserError, warn
from utils.recordings import Source

PIECE = 60  # seconds in a piece, which bounds memory; of a recording of more than MANY channels they are fewer
MANY = 8
RATES = 1000, 1_000_000  # Hz: nothing that is to be understood has less, and no converter gives more
# What PyAV is asked for at once; libsndfile takes some of it for MP3.
OTHERS = {".m4a", ".mp4", ".aac", ".mka", ".mkv", ".weba", ".webm", ".wma", ".amr", ".3gp", ".mov", ".avi"}
# The formats that FFmpeg may take a file for; among the others are playlists, which name files and addresses.
FORMATS = "mov,mp4,m4a,3gp,matroska,webm,aac,asf,amr,avi,wav,mp3,flac,ogg,aiff,caf,au,w64,mpegts,mpeg,flv,ac3"

UNREACHABLE = {errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.EHOSTDOWN, errno.EIO}  # what holds it has gone
UNREADABLE = soundfile.LibsndfileError, RuntimeError, TypeError  # the last of names that end in .raw
EMPTY = 100  # bytes: a WAV without sound is no longer


class Unusable(Exception):
    """A recording that cannot be used, and why, in a few words; the caller counts and names it."""


class Gone(Unusable):
    """A recording whose file `path` is not there, nor the folder that held it: its corpus is no longer mounted."""

    def __init__(self, path: str) -> None:
        super().__init__("no such file")
        self.path = path


class Decoded(NamedTuple):
    """An open file, or a stretch of it."""

    rate: int  # Hz
    channels: int
    kind: str  # container and coding
    pieces: Iterator[np.ndarray]  # (samples,) or (samples, channels), int16, or float32 of full scale 1


def decode(source: Source, beyond: float) -> Decoded:
    """Open a file; its samples are read as the pieces are asked for. Raises Unusable, here or from the pieces, for one
    that is missing, empty, broken or truncated, and for a stretch that ends more than `beyond` seconds after its file.
    Raises UserError where PyAV is needed and not installed."""
    path = source.path
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise Unusable("is a folder" if stat.S_ISDIR(status.st_mode) else "is no file, but a pipe or a device")
        if status.st_size == 0:
            raise Unusable("empty file")
        if Path(path).suffix.lower() in OTHERS:
            return _by_pyav(source, beyond)
        file = soundfile.SoundFile(os.fsencode(path))  # a name need not be UTF-8
    except FileNotFoundError:
        raise (Unusable("no such file") if os.path.isdir(os.path.dirname(path) or ".") else Gone(path)) from None
    except ValueError:  # its name holds a null byte
        raise Unusable("no such file") from None
    except OSError as error:
        raise (Gone(path) if error.errno in UNREACHABLE else Unusable(f"cannot be read: {error.strerror}")) from None
    except UNREADABLE as error:
        try:
            return _by_pyav(source, beyond)
        except PermissionError as denied:
            raise Unusable(f"cannot be read: {denied.strerror}") from None
        except (Unusable, UserError, OSError) as other:
            raise (other if str(other) == JOINED else _undecodable(error, path)) from None
    if file.frames == 0 and file.format.startswith("WAV") and os.stat(path).st_size > EMPTY:
        file.close()
        return _by_pyav(source, beyond)  # a length of 0 as who writes into a pipe leaves it, to be read to the end
    if file.format == "OGG" and (wrong := what_is_wrong(path)):
        file.close()
        raise Unusable(wrong)
    if guessed(file, path):
        file.close()
        return _by_pyav(source, beyond)
    if joined(path, file.format):
        file.close()
        raise Unusable(JOINED)
    pieces = _of_libsndfile(file, source, beyond)
    return Decoded(_possible(file.samplerate), file.channels, f"{file.format}/{file.subtype}", pieces)


def duration(path: Path) -> float:
    """Seconds of a recording: what its file says, where libsndfile understands that, else as many as can be read.
    Raises as `decode` and its pieces do."""
    try:
        said = soundfile.info(os.fsencode(path))
        if said.frames and not guessed(said, str(path)):
            return said.frames / said.samplerate
    except UNREADABLE:
        pass  # what can be read of it, decode knows
    file = decode(Source(str(path)), 0)
    return sum(map(len, file.pieces)) / file.rate


def _possible(rate: int) -> int:
    if not RATES[0] <= rate <= RATES[1]:
        raise Unusable(f"its header tells of {rate} samples a second, which is no rate of speech")
    return rate


def _undecodable(error: Exception, path: str) -> Unusable:
    said = f"cannot be decoded: {getattr(error, 'strerror', '') or error}".rstrip(".")
    if isinstance(error, TypeError):  # of a name that ends in .raw
        said = "cannot be decoded: samples without a header, and nothing says how many a second"
    if "possibly a pipe" in said:  # so it calls what its name alone says is MP3
        said = "cannot be decoded: Format not recognised"
    for shown in (repr(path), repr(os.fsencode(path))):
        said = said.replace(f": {shown}", "").replace(f" {shown}", "")
    return Unusable(said)


def _of_libsndfile(file: soundfile.SoundFile, source: Source, beyond: float) -> Iterator[np.ndarray]:
    with file:
        # A wav that was cut short opens as a shorter one: only libsndfile's log knows what its header promised.
        promised = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
        cut = promised is not None and int(promised[2]) < int(promised[1]) < PIPED
        if wrong := more_than_stated(file, source.path):
            raise Unusable(wrong)
        first, last = _stretch(source, file.samplerate, file.frames, beyond)
        # 16-bit samples as they stand: a fifth of the time that floats take (wav: 10 µs a second of speech for 87).
        kind = "int16" if file.subtype == "PCM_16" else "float32"
        size = PIECE * file.samplerate * MANY // max(MANY, file.channels)
        try:
            if first:
                _skip(file, first, size)
            while first < last:
                piece = file.read(min(size, last - first), dtype=kind)
                first += len(piece)
                if len(piece) == 0 or cut:
                    raise Unusable("truncated")
                yield piece
        except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
            raise _undecodable(error, source.path) from None


def _skip(file: soundfile.SoundFile, count: int, size: int) -> None:
    """Go to a sample; in codings that can only be read from their beginning (GSM 6.10, G.721), by reading, `size` at a
    time."""
    try:
        file.seek(count)
    except soundfile.LibsndfileError:
        while count > 0 and len(passed := file.read(min(size, count), dtype="float32")):
            count -= len(passed)


def _stretch(source: Source, rate: int, frames: int, beyond: float) -> tuple[int, int]:
    """The first sample to read of a file of so many, and the one after the last."""
    end = frames / rate if source.end is None else source.end
    first, last = round(source.begin * rate), round(end * rate)
    if last > frames + beyond * rate or 0 < frames <= first:
        raise Unusable(f"segment beyond the end of the file ({max(source.begin, end):g} s of {frames / rate:.3f})")
    return first, min(last, frames)


def _by_pyav(source: Source, beyond: float) -> Decoded:
    try:
        import av  # here: of most corpora it reads nothing
    except ImportError:
        raise UserError(f"{source.path}: PyAV would read it, and is not installed: python -m pip install av") from None
    with ExitStack() as stack:
        opened = stack.enter_context(open(source.path, "rb"))  # in a name FFmpeg might see an address
        try:
            container = stack.enter_context(av.open(opened, options={"format_whitelist": FORMATS}))
        except (av.FFmpegError, ValueError) as error:
            raise _undecodable(error, source.path) from None
        name = container.format.name.split(",")[0].upper()
        if name == "OGG" and (wrong := what_is_wrong(source.path)):
            raise Unusable(wrong)
        if joined(source.path, name):
            raise Unusable(JOINED)
        if not container.streams.audio:
            raise Unusable("holds no sound")
        if (count := len(container.streams.audio)) > 1:
            warn(f"{source.path}: has {count} streams of sound, and the first is heard")
        codec = container.streams.audio[0].codec_context
        if codec is None or not codec.sample_rate:
            raise Unusable("cannot be decoded: its coding is not known")
        kind = f"{name}/{codec.name.upper()}"
        return Decoded(
            _possible(codec.sample_rate), codec.channels, kind, _of_pyav(container, stack.pop_all(), source, beyond)
        )


def _of_pyav(container: Any, opened: ExitStack, source: Source, beyond: float) -> Iterator[np.ndarray]:
    """Of a stretch, all that lies before it is decoded too: compressed formats are not cut at samples."""
    import av

    stream = container.streams.audio[0]
    stream.codec_context.thread_count = 1  # a job is one core's work
    rate = stream.codec_context.sample_rate
    first, last = round(source.begin * rate), None if source.end is None else round(source.end * rate)
    promised = 0.0  # s; elsewhere it is an estimate
    if container.format.name.startswith("mov") and stream.duration:
        promised = float(stream.duration * stream.time_base)
    elif tag := re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", "")):  # Matroska's
        promised = 3600 * int(tag[1]) + 60 * int(tag[2]) + float(tag[3])
    least = int(promised * rate) - max(2 * (stream.codec_context.frame_size or 1024), rate // 10)
    resampler = av.AudioResampler(format="fltp")  # which only changes how samples are stored
    held: list[np.ndarray] = []
    heard = 0
    with opened:
        try:
            for frame in chain(container.decode(stream), [None]):
                for plain in resampler.resample(frame):
                    samples = plain.to_ndarray()  # (channels, samples)
                    held.append(samples[:, max(0, first - heard) : None if last is None else max(0, last - heard)])
                    heard += samples.shape[1]
                if sum(part.shape[1] for part in held) >= PIECE * rate:
                    yield np.concatenate(held, axis=1).T
                    held = []
                if last is not None and heard >= last:
                    break
        except (av.FFmpegError, ValueError) as error:
            raise _undecodable(error, source.path) from None
    if last is None and heard < least:
        raise Unusable("truncated")
    if last is not None or first:
        _stretch(source, rate, heard if last is None or heard < last else last, beyond)
    if any(part.shape[1] for part in held):
        yield np.concatenate(held, axis=1).T
