"""Recordings as users have them: what can be used is used, what cannot says why."""

import gc
import sys
import weakref
from fractions import Fraction

import numpy as np
import pytest
import soundfile

from steps.frontend import decoding
from steps.frontend.audio import read_audio, read_in_batches
from steps.frontend.decoding import Unusable, decode
from steps.frontend.extraction import extract
from steps.frontend.features import Features
from steps.frontend.options import FbankOptions
from utils.archive import read_array
from utils.cli import UserError
from utils.data_dir import Utterance, write_data_dir
from utils.recordings import Source
from utils.table import read_table

RATE = 16000


def tone(seconds=1.0, rate=RATE):
    return (0.3 * np.sin(2 * np.pi * 200 * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def read(path):
    return read_audio(path, RATE, shortest=640)[:2]


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_samples_are_on_the_scale_of_16_bit_integers(tmp_path, suffix):
    soundfile.write(tmp_path / f"a.{suffix}", tone(), RATE)
    signal, changes = read(tmp_path / f"a.{suffix}")
    assert changes == [] and signal.dtype == (np.float32 if suffix == "ogg" else np.int16) and len(signal) == RATE
    assert np.abs(signal).max() == pytest.approx(0.3 * 32768, rel=0.05)


def test_stereo_is_mixed_down_and_another_rate_resampled(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(rate=44100), 0 * tone(rate=44100)], axis=1), 44100)
    signal, changes = read(tmp_path / "a.wav")
    assert changes == ["mixed down", "resampled"]
    assert len(signal) == pytest.approx(RATE, abs=2)
    np.testing.assert_allclose(signal[2000:-2000], 32768 * tone()[2000 : len(signal) - 2000] / 2, atol=30)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_how_samples_are_stored_does_not_show(tmp_path, subtype):
    samples = np.random.default_rng(0).integers(-30000, 30000, RATE).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples / 32768, RATE, subtype=subtype)
    soundfile.write(tmp_path / "b.wav", np.stack([samples, samples], axis=1) / 32768, RATE, subtype=subtype)
    np.testing.assert_array_equal(read(tmp_path / "a.wav")[0], samples)
    np.testing.assert_array_equal(read(tmp_path / "b.wav")[0], samples)


def damaged(tmp_path, kind):
    path = tmp_path / f"{kind}.wav"
    if kind == "missing":
        return path
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("not audio at all, but a few words")
    elif kind == "header":
        soundfile.write(path, tone()[:0], RATE)
    elif kind == "short":
        soundfile.write(path, tone(0.03), RATE)
    elif kind == "silent":
        soundfile.write(path, 0 * tone(), RATE)
    elif kind == "nan":
        soundfile.write(path, np.where(np.arange(RATE) == 5, np.nan, tone()), RATE, subtype="FLOAT")
    elif kind == "cut":
        soundfile.write(path, tone(), RATE)
        path.write_bytes(path.read_bytes()[:9000])
    elif kind == "cut_flac":
        path = path.with_suffix(".flac")
        soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, RATE), RATE)
        path.write_bytes(path.read_bytes()[:9000])
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "no such file"),
        ("empty", "empty file"),
        ("text", "cannot be decoded"),
        ("header", "holds no samples"),
        ("short", "shorter than 0.04 s"),
        ("silent", "silent"),
        ("nan", "NaN"),
        ("cut", "truncated"),
        ("cut_flac", "cannot be decoded"),
    ],
)
def test_what_cannot_be_used_says_why_in_one_line(tmp_path, kind, reason):
    with pytest.raises(Unusable, match=reason) as caught:
        read(damaged(tmp_path, kind))
    assert "\n" not in str(caught.value)


def samples_of(seconds=1.0, seed=0):
    return np.random.default_rng(seed).integers(-9000, 9000, int(seconds * RATE)).astype(np.int16)


def test_the_same_samples_have_the_same_hash_however_they_are_packed(tmp_path):
    samples = samples_of()
    copies = {"a.wav": "PCM_16", "b.flac": "PCM_16", "c.wav": "PCM_24", "d.wav": "FLOAT", "e.flac": "PCM_24"}
    for name, subtype in copies.items():
        soundfile.write(tmp_path / name, samples / 32768, RATE, subtype=subtype)
    soundfile.write(tmp_path / "f.wav", np.stack([samples, samples], axis=1), RATE)
    heard = {path.name: read_audio(path, RATE, 640) for path in tmp_path.iterdir()}
    assert len({one.hash for one in heard.values()}) == 1 and len(heard["a.wav"].hash) == 32
    for other in (samples + (np.arange(RATE) == 8).astype(np.int16), samples[:-1], -samples):
        soundfile.write(tmp_path / "g.wav", other, RATE)
        assert read_audio(tmp_path / "g.wav", RATE, 640).hash != heard["a.wav"].hash


def test_what_a_recording_is_apart_from_speech(tmp_path):
    time = np.arange(11025) / 11025
    sine = np.round(16384 * np.sin(2 * np.pi * 441 * time)).astype(np.int16)  # half of the range: -6.02 dB, rms 3 less
    soundfile.write(tmp_path / "a.flac", sine, 11025)
    sound = read_audio(tmp_path / "a.flac", RATE, 640).sound
    assert sound[:3] == (11025, 1, "FLAC/PCM_16") and sound.clipped == 0
    assert sound.peak == pytest.approx(20 * np.log10(np.abs(sine.astype(float)).max() / 32768), abs=0.01)
    assert sound.level == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)
    loud = np.clip(4 * sine.astype(int), -32768, 32767).astype(np.int16)
    soundfile.write(tmp_path / "b.wav", np.stack([loud, loud], axis=1), 11025)
    sound = read_audio(tmp_path / "b.wav", RATE, 640).sound
    assert sound[:3] == (11025, 2, "WAV/PCM_16") and sound.peak == pytest.approx(0, abs=0.01)
    assert sound.clipped == pytest.approx(np.isin(loud, [-32768, 32767]).mean()) and sound.clipped > 0.5


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_stretch_is_read_as_it_stands_in_the_file(tmp_path, suffix):
    samples, path = samples_of(3), tmp_path / f"a.{suffix}"
    soundfile.write(path, samples, RATE)
    found = read_audio(Source(str(path), 0.5, 1.75), RATE, 640)
    np.testing.assert_array_equal(found.signal, samples[8000:28000])
    soundfile.write(tmp_path / "cut.wav", samples[8000:28000], RATE)
    assert found.hash == read_audio(tmp_path / "cut.wav", RATE, 640).hash  # a stretch and its copy are the same sound
    assert len(read_audio(Source(str(path), 2.0, 3.03), RATE, 640).signal) == RATE  # a window beyond is forgiven
    for begin, end in ((2.0, 3.05), (3.0, 3.03), (7.0, 8.0)):
        with pytest.raises(Unusable, match="segment beyond the end of the file"):
            read_audio(Source(str(path), begin, end), RATE, 640)
    with pytest.raises(Unusable, match="shorter than 0.04 s"):
        read_audio(Source(str(path), 1.0, 1.03), RATE, 640)


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "NMS_ADPCM_24", "IMA_ADPCM", "MS_ADPCM"])
def test_a_stretch_is_read_in_codings_that_cannot_be_searched(tmp_path, monkeypatch, subtype):
    monkeypatch.setattr(decoding, "PIECE", 1)
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 3 * RATE), RATE, subtype=subtype)
    whole, _ = soundfile.read(path)
    found = read_audio(Source(str(path), 1.25, 2.5), RATE, 640).signal
    np.testing.assert_allclose(found, 32768 * whole[20000:40000], atol=0.01)


@pytest.mark.parametrize("rate", [1, 500, 4_000_000_000])
def test_a_rate_that_no_speech_has_is_refused_before_anything_is_read(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(Unusable, match="no rate of speech|cannot be decoded"):
        read(tmp_path / "a.wav")


def test_two_wavs_in_one_file_are_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    (tmp_path / "a.wav").write_bytes(2 * (tmp_path / "a.wav").read_bytes())
    with pytest.raises(Unusable, match="RIFF|one behind the other"):
        read_audio(tmp_path / "a.wav", RATE, 640)


def test_a_wav_with_a_second_chunk_of_sound_in_one_file_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    content = (tmp_path / "a.wav").read_bytes()
    content += content[36:]
    (tmp_path / "a.wav").write_bytes(content[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:])
    with pytest.raises(Unusable, match="one behind the other"):
        read_audio(tmp_path / "a.wav", RATE, 640)


@pytest.mark.parametrize("renamed", [True, False])
def test_a_raw_file_cannot_be_used_and_a_wav_that_is_called_so_can(tmp_path, renamed):
    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.raw").write_bytes(content if renamed else content[44:])
    if renamed:
        assert read(tmp_path / "a.raw")[0] == pytest.approx(read(tmp_path / "a.wav")[0], abs=1)
        assert decoding.duration(tmp_path / "a.raw") == pytest.approx(1)
    else:
        for function in (read, decoding.duration):
            with pytest.raises(Unusable, match="samples without a header"):
                function(tmp_path / "a.raw")


def test_how_long_a_file_is_that_libsndfile_does_not_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(2.5), RATE)
    assert decoding.duration(tmp_path / "a.wav") == 2.5
    assert decoding.duration(encode(tmp_path / "a.m4a", words(), RATE, "aac")) == pytest.approx(3, abs=0.15)
    (tmp_path / "no.wav").write_text("no sound")
    with pytest.raises(Unusable):
        decoding.duration(tmp_path / "no.wav")


def one_byte_flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (one_byte_flipped, "damaged: |cannot be decoded: "),
        (lambda content: 2 * content, "several recordings, one behind the other"),
        (lambda content: content[: len(content) * 2 // 3], "truncated"),
        (lambda content: content + b"more", "something else than a page"),
    ],
)
def test_what_libsndfile_passes_over_in_an_ogg_is_refused(tmp_path, subtype, change, said):
    soundfile.write(tmp_path / "a.ogg", words(2), RATE, format="OGG", subtype=subtype)
    assert len(read_audio(tmp_path / "a.ogg", RATE, 640).signal) == 2 * RATE
    (tmp_path / "a.ogg").write_bytes(change((tmp_path / "a.ogg").read_bytes()))
    with pytest.raises(Unusable, match=said):
        read_audio(tmp_path / "a.ogg", RATE, 640)


@pytest.mark.parametrize("suffix", ["flac", "mp3", "au", "caf", "w64", "aiff"])
def test_two_recordings_in_one_file_are_refused(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, words(2), RATE)
    assert len(read_audio(path, RATE, 640).signal) == 2 * RATE
    path.write_bytes(2 * path.read_bytes())
    with pytest.raises(Unusable, match="several recordings, one behind the other"):
        read_audio(path, RATE, 640)


@pytest.mark.parametrize(("first", "second"), [("wav", "flac"), ("wav", "au"), ("flac", "aiff"), ("mp3", "wav")])
def test_two_recordings_of_two_formats_in_one_file_are_refused(tmp_path, first, second):
    for suffix in (first, second):
        soundfile.write(tmp_path / f"a.{suffix}", words(2), RATE)
    path = tmp_path / f"a.{first}"
    path.write_bytes(path.read_bytes() + (tmp_path / f"a.{second}").read_bytes())
    with pytest.raises(Unusable, match="several recordings, one behind the other"):
        read_audio(path, RATE, 640)


def without_header(path, signal):
    """An MP3 as an encoder leaves one that writes into a pipe: no Xing header says how long it is."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", options={"write_xing": "0", "id3v2_version": "0"}) as out:
        stream = out.add_stream("libmp3lame", rate=RATE, layout="mono", options={"q": "7", "compression_level": "9"})
        frame = av.AudioFrame.from_ndarray(signal[None, :].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    return path


TAG = b"ID3\x04\x00\x00\x00\x00\x7f\x76" + bytes(16374)


@pytest.mark.parametrize("between", [b"", TAG], ids=["plain", "tagged"])
def test_an_mp3_behind_one_that_says_how_long_it_is_is_not_passed_over(tmp_path, between):
    soundfile.write(path := tmp_path / "a.mp3", words(4), RATE)
    alone = path.read_bytes()
    path.write_bytes(alone + between + b"TAG" + bytes(125))  # what no sound is
    assert len(read_audio(path, RATE, 640).signal) == 4 * RATE
    path.write_bytes(alone + between + without_header(tmp_path / "b.mp3", words(4)).read_bytes())
    with pytest.raises(Unusable, match="several recordings, one behind the other"):
        read_audio(path, RATE, 640)


@pytest.mark.parametrize("container", ["mp3", "wav"])
@pytest.mark.parametrize("before", [b"", TAG], ids=["plain", "tagged"])
def test_an_mp3_whose_header_tells_no_length_is_read_to_its_end(tmp_path, container, before):
    """Libsndfile goes by the bit rate of its first frame."""
    signal = np.concatenate([words(4), np.zeros(4 * RATE), words(4)])
    path = without_header(tmp_path / f"a.{container}", signal)
    path.write_bytes(before * (container == "mp3") + path.read_bytes())
    heard = read_audio(path, RATE, 640).signal
    assert 12 * RATE <= len(heard) < 12.2 * RATE and 12 <= decoding.duration(path) < 12.2
    assert np.abs(heard[5 * RATE : 7 * RATE]).max() < 100 < np.abs(heard[9 * RATE : 11 * RATE]).max()


def test_what_a_tag_says_is_no_sound_of_an_mp3(tmp_path):
    soundfile.write(path := tmp_path / "a.mp3", words(2), RATE)
    tag = b"TXXX\x00\x00\x00\x0a\x00\x00\x00Info\x00\x00\x00\x01\x00"
    path.write_bytes(b"ID3\x03\x00\x00\x00\x00\x00" + bytes([len(tag)]) + tag + path.read_bytes())
    assert len(read_audio(path, RATE, 640).signal) == 2 * RATE


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_a_recording_that_was_used_is_freed_at_once(tmp_path, rate):
    """Not by the collector of circles, which comes to what has lived for a while only now and then."""
    soundfile.write(tmp_path / "a.wav", tone(rate=rate), rate)
    names = [f"u{number}" for number in range(40)]
    gc.collect()
    gc.disable()
    try:
        batches = read_in_batches(names, lambda _: decode(Source(str(tmp_path / "a.wav")), 0.04), RATE, 640)
        there = [weakref.ref(reading) for batch in batches for reading, _ in batch.values()]
        assert len(there) == 40 and sum(one() is not None for one in there) == 0
    finally:
        gc.enable()


def test_many_channels_take_no_more_memory_than_few(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.repeat(tone(10)[:, None], 256, axis=1), RATE)
    pieces = list(decoding.decode(Source(str(tmp_path / "a.wav")), 0.04).pieces)
    assert max(piece.size for piece in pieces) <= decoding.PIECE * RATE * decoding.MANY
    assert sum(len(piece) for piece in pieces) == 10 * RATE and len(pieces) > 1


def test_a_header_that_claims_more_than_there_is_costs_no_memory(tmp_path):
    soundfile.write(tmp_path / "a.flac", tone(), RATE)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] |= 0x0F  # STREAMINFO's number of samples: its upper four bits of 36
    (tmp_path / "a.flac").write_bytes(content)
    assert soundfile.info(tmp_path / "a.flac").frames > 2**35
    with pytest.raises(Unusable, match="truncated|cannot be decoded"):
        read(tmp_path / "a.flac")


def encode(path, samples, rate, codec, **options):
    """Samples, (n,) or (n, 2) of full scale 1, through PyAV's own encoder."""
    av = pytest.importorskip("av")
    samples = np.atleast_2d(samples.astype(np.float32).T)
    layout = ["mono", "stereo"][len(samples) - 1]
    with av.open(str(path), "w", options=options) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 128000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate = rate
        fifo, resampler = av.AudioFifo(), av.AudioResampler(stream.codec_context.format.name, layout, rate)
        for plain in resampler.resample(frame):
            fifo.write(plain)
        size = stream.codec_context.frame_size or 1024
        at = 0
        while part := fifo.read(size) or fifo.read(size, partial=True):
            part.pts, part.time_base = at, Fraction(1, rate)  # or an m4a would not say by how much the encoder is late
            at += part.samples
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path


def words(seconds=3.0, rate=RATE, seed=0):
    """Noise below 2 kHz that comes and goes."""
    noise = np.fft.rfft(np.random.default_rng(seed).normal(size=int(seconds * rate)))
    noise[int(2000 * seconds) :] = 0
    signal = np.fft.irfft(noise, int(seconds * rate))
    return 0.2 * signal / signal.std() * np.sin(np.pi * np.arange(len(signal)) / rate) ** 2 / 2


@pytest.mark.parametrize(
    ("name", "codec", "rate", "kind"),
    [
        ("a.m4a", "aac", RATE, "MOV/AAC"),
        ("a.m4a", "aac", 44100, "MOV/AAC"),
        ("a.mka", "aac", 48000, "MATROSKA/AAC"),
        ("a.webm", "libopus", 48000, "MATROSKA/OPUS"),
        ("a.aac", "aac", RATE, "AAC/AAC"),
        ("a.ts", "aac", 44100, "MPEGTS/AAC"),
        ("a.flv", "aac", 44100, "FLV/AAC"),
        ("a.wma", "wmav2", 44100, "ASF/WMAV2"),
        ("a.wav", "adpcm_swf", 44100, "WAV/ADPCM_SWF"),
    ],
)
def test_what_libsndfile_does_not_read_is_read_by_pyav(tmp_path, name, codec, rate, kind):
    original = words()
    found = read_audio(encode(tmp_path / name, words(rate=rate), rate, codec), RATE, 640)
    assert found.sound.format == kind and found.sound[:2] == (rate, 1) and found.signal.dtype == np.float32
    assert found.changes == ["resampled"] * (rate != RATE)
    # Raw AAC and WMA do not say by how much the encoder was late.
    frame = 2048 * RATE / rate * (2 if name in ("a.aac", "a.wma", "a.wav", "a.ts", "a.flv") else 1)
    assert abs(len(found.signal) - len(original)) <= frame
    if rate == RATE and name == "a.m4a":
        both = min(len(found.signal), len(original))
        assert np.corrcoef(found.signal[:both], original[:both])[0, 1] > 0.99
        assert found.signal.std() == pytest.approx(32768 * original.std(), rel=0.05)


def test_channels_of_an_m4a_are_mixed_and_a_stretch_is_cut_out(tmp_path):
    left = words()
    path = encode(tmp_path / "a.m4a", np.stack([left, 0 * left], axis=1), RATE, "aac")
    found = read_audio(path, RATE, 640)
    assert found.changes == ["mixed down"] and found.sound.channels == 2
    assert np.corrcoef(found.signal[:47000], left[:47000])[0, 1] > 0.98
    part = read_audio(Source(str(path), 0.5, 1.75), RATE, 640)
    np.testing.assert_array_equal(part.signal, found.signal[8000:28000])
    for begin, end in ((2.0, 3.5), (7.0, 8.0)):
        with pytest.raises(Unusable, match="segment beyond the end of the file"):
            read_audio(Source(str(path), begin, end), RATE, 640)


@pytest.mark.parametrize("options", [{}, {"movflags": "faststart"}])
def test_a_broken_m4a_says_why(tmp_path, options):
    path = encode(tmp_path / "a.m4a", words(), RATE, "aac", **options)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(Unusable, match="truncated|cannot be decoded"):
        read(path)
    path.write_text("no sound at all")
    with pytest.raises(Unusable, match="cannot be decoded"):
        read(path)


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "aac"), ("a.webm", "libopus")])
def test_a_matroska_that_was_cut_short_is_refused_and_one_whose_length_nobody_says_is_not(tmp_path, name, codec):
    path = encode(tmp_path / name, words(rate=48000), 48000, codec)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(Unusable, match="truncated|cannot be decoded"):
        read(path)
    path.write_bytes(content.replace(b"DURATION", b"NOTHING!"))  # as browsers record
    assert len(read(path)[0]) == pytest.approx(3 * RATE, rel=0.05)


def test_a_playlist_is_not_followed(tmp_path):
    soundfile.write(tmp_path / "other.wav", tone(), RATE)
    for text in ("#EXTM3U\n#EXTINF:1,\nother.wav\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile other.wav\n"):
        (tmp_path / "a.m4a").write_text(text)
        with pytest.raises(Unusable, match="cannot be decoded"):
            read(tmp_path / "a.m4a")


def test_without_pyav_one_line_says_what_to_install(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.m4a", words(), RATE, "aac")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"a.m4a: PyAV would read it, and is not installed: python -m pip install av"):
        read(path)
    (tmp_path / "a.wav").write_text("not audio at all, but a few words")
    with pytest.raises(Unusable, match="cannot be decoded"):
        read(tmp_path / "a.wav")


@pytest.mark.parametrize(("rate", "channels"), [(RATE, 1), (44100, 2)])
@pytest.mark.parametrize("snip_edges", [True, False])
def test_in_pieces_a_recording_has_the_features_of_the_whole(tmp_path, monkeypatch, rate, channels, snip_edges):
    samples = np.random.default_rng(0).normal(0, 0.1, (int(5.37 * rate), channels))
    soundfile.write(tmp_path / "a.wav", samples * np.sin(np.arange(len(samples)) / rate)[:, None] ** 2, rate)
    options = FbankOptions(snip_edges=snip_edges)
    data = tmp_path / "data"
    write_data_dir(data, [Utterance("a-1", tmp_path / "a.wav", "a", "a")])
    found = []
    for seconds in (60, 1):
        monkeypatch.setattr(decoding, "PIECE", seconds)
        extract(data, tmp_path / f"{seconds}", "x", Features(options))
        arrays = [read_array(read_table(data / table)["a-1"]) for table in ("feats.scp", "vad.scp")]
        names = ("utt2hash", "utt2dur", "utt2num_frames", "utt2sound")
        found.append([array.tobytes() for array in arrays] + [(data / name).read_text() for name in names])
    assert found[0] == found[1]
    assert 0 < arrays[1].mean() < 1


def test_a_long_recording_that_ends_badly_is_left_out_and_others_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "PIECE", 1)
    for name in "ab":
        soundfile.write(tmp_path / f"{name}.flac", np.random.default_rng(0).normal(0, 0.1, 5 * RATE), RATE)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    data = tmp_path / "data"
    write_data_dir(data, [Utterance(f"s-{name}", tmp_path / f"{name}.flac", "s", "s") for name in "ab"])
    extract(data, tmp_path / "archives", "x", Features())
    assert read_table(data / "feats.scp").keys() == read_table(data / "utt2hash").keys() == {"s-b"}
    assert "cannot be decoded" in read_table(data / "lost")["s-a"]


@pytest.mark.parametrize("stated", [0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_that_was_written_into_a_pipe_is_read_to_its_end(tmp_path, stated):
    signal = (1000 * np.sin(np.arange(16000) / 9)).astype(np.int16)
    soundfile.write(tmp_path / "x.wav", signal, 16000)
    content = bytearray((tmp_path / "x.wav").read_bytes())
    content[40:44] = stated.to_bytes(4, "little")
    content[4:8] = min(stated + 36, 0xFFFFFFFF).to_bytes(4, "little")
    (tmp_path / "x.wav").write_bytes(content)
    found = read_audio(str(tmp_path / "x.wav"), 16000, 640).signal
    np.testing.assert_allclose(found, signal, atol=0.51)


@pytest.mark.parametrize(
    ("stated", "silent", "reason"),
    [(16000, 0, "more follow"), (16000, 100, "more follow"), (16000, 8000, ""), (40000, 0, "truncated")],
)
def test_a_wav_of_another_length_than_its_header_says_is_refused(tmp_path, stated, silent, reason):
    """`silent` samples behind the stated end; where nothing else follows, they are padding."""
    signal = (1000 * np.sin(np.arange(16000) / 9)).astype(np.int16)
    signal[8000 : 8000 + silent] = 0
    soundfile.write(tmp_path / "x.wav", signal, 16000)
    content = bytearray((tmp_path / "x.wav").read_bytes())
    content[40:44] = stated.to_bytes(4, "little")
    (tmp_path / "x.wav").write_bytes(content)
    if not reason:
        assert len(read_audio(str(tmp_path / "x.wav"), 16000, 640).signal) == 8000
        return
    with pytest.raises(Unusable, match=reason):
        read_audio(str(tmp_path / "x.wav"), 16000, 640)
