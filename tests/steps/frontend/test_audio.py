"""Recordings as users have them: what can be used is used, what cannot says why."""

import numpy as np
import pytest
import soundfile

from steps.frontend.audio import Unusable, read_audio

RATE = 16000


def tone(seconds=1.0, rate=RATE):
    return (0.3 * np.sin(2 * np.pi * 200 * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def read(path):
    return read_audio(path, RATE, shortest=640)


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
