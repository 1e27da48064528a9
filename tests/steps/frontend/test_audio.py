"""Recordings as users have them: what can be used is used, what cannot says why."""

import numpy as np
import pytest
import soundfile

from steps.frontend.audio import Unusable, read_audio
from utils.recordings import Source

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
        ("short", "shorter than a window"),
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
    with pytest.raises(Unusable, match="shorter than a window"):
        read_audio(Source(str(path), 1.0, 1.03), RATE, 640)
