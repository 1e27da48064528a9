"""From stored features to a network's input."""

import numpy as np
import pytest
import torch
import webrtcvad

from steps.frontend.crops import Crops
from steps.frontend.network_input import select, sliding_mean
from steps.frontend.options import FbankOptions, Input
from steps.frontend.packed import Packed
from steps.frontend.vad import Detector

RNG = np.random.default_rng(0)


def sliding_mean_by_hand(x, window):
    """Kaldi's rule: centred where it fits, shifted inwards at the ends."""
    T, out = len(x), []
    for t in range(T):
        start, end = t - window // 2, t - window // 2 + window
        if start < 0:
            start, end = 0, min(T, window)
        elif end > T:
            start, end = max(0, T - window), T
        out.append(x[start:end].mean(axis=0))
    return np.array(out)


@pytest.mark.parametrize("frames", [1, 5, 299, 300, 301, 700])
def test_the_sliding_mean(frames):
    x = RNG.normal(15, 3, (frames, 4)).astype(np.float32)
    np.testing.assert_allclose(sliding_mean(x, 300), sliding_mean_by_hand(x, 300), atol=1e-5)


def test_normalisation_comes_before_selection():
    x, speech = RNG.normal(size=(100, 3)).astype(np.float32), (np.arange(100) % 2).astype(np.uint8)
    found = select(x, speech, Input(cmn="utterance"))
    np.testing.assert_allclose(found, (x - x.mean(axis=0))[1::2], atol=1e-6)
    assert np.array_equal(select(x, speech, Input(cmn="none", vad=False)), x)


@pytest.mark.parametrize(("voiced", "vad"), [(60, True), (39, True), (60, False)])
def test_the_level_is_one_number_a_recording(voiced, vad):
    """Over the frames that are kept, so over all where few are speech, or nobody asks: a gain goes, a tilt stays."""
    options, tilt = Input(cmn="level", vad=vad), np.linspace(3, -3, 5).astype(np.float32)
    x, speech = RNG.normal(15, 3, (100, 5)).astype(np.float32), (np.arange(100) < voiced).astype(np.uint8)
    kept = x[speech == 1] if vad and voiced >= 40 else x
    level = sum(float(value) for value in kept.ravel()) / kept.size
    found = select(x, speech, options)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, kept - level, atol=1e-5)
    np.testing.assert_allclose(select(x + np.float32(7), speech, options), found, atol=1e-5)
    np.testing.assert_allclose(select(x + tilt, speech, options), found + tilt, atol=1e-5)


def test_the_floor_is_so_many_dB_below_the_loudest_value_whatever_the_level():
    x, speech = RNG.normal(0, 8, (100, 5)).astype(np.float32), np.ones(100, np.uint8)
    power = np.exp(x.astype(np.float64))
    by_hand = np.log(np.maximum(power, power.max() / 10 ** (90 / 10)))
    found = select(x, speech, Input(cmn="none", vad=False, top_db=90))
    np.testing.assert_allclose(found, by_hand, atol=1e-5)
    assert 0.1 < (found > x).mean() < 0.9
    level = Input(cmn="level", top_db=90)
    np.testing.assert_allclose(select(x + np.float32(7), speech, level), select(x, speech, level), atol=1e-5)


def test_with_too_little_speech_all_frames_are_kept():
    x = RNG.normal(size=(100, 3)).astype(np.float32)
    for voiced, kept in ((39, 100), (40, 40)):
        assert len(select(x, (np.arange(100) < voiced).astype(np.uint8), Input())) == kept


def burst(seconds=2.0):
    """Speech-like sound in the second half."""
    time = np.arange(int(16000 * seconds)) / 16000
    sound = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20)) * (1 + np.sin(2 * np.pi * 4 * time))
    return (4000 * sound * (time > seconds / 2)).astype(np.float32)


def speech_frames(signal, frames, options):
    """The decisions of a new detector."""
    detector = Detector(options, 2)
    detector.hear(signal)
    return detector.frames(frames)


@pytest.mark.parametrize("options", [FbankOptions(), FbankOptions(snip_edges=False), FbankOptions(frame_length=25)])
def test_decisions_meet_frames_by_the_blocks_inside_a_window(options):
    signal = burst()
    detector = webrtcvad.Vad(2)
    pcm = signal.astype(np.int16)
    blocks = [detector.is_speech(pcm[k * 160 : (k + 1) * 160].tobytes(), 16000) for k in range(len(pcm) // 160)]
    assert 0 < sum(blocks) < len(blocks)
    frames = options.num_frames(len(signal))
    found = speech_frames(signal, frames, options)
    first = 0 if options.snip_edges else options.shift // 2 - options.length // 2
    for t in range(frames):
        start, end = first + t * options.shift, first + t * options.shift + options.length
        inside = [b for k, b in enumerate(blocks) if k * 160 >= start and (k + 1) * 160 <= end]
        assert found[t] == (2 * sum(inside) >= max(1, len(inside)))


def test_every_recording_gets_a_fresh_detector():
    options, signal = FbankOptions(), burst()
    frames = options.num_frames(len(signal))
    first = speech_frames(signal, frames, options)
    speech_frames(signal[::-1].copy(), frames, options)
    assert np.array_equal(first, speech_frames(signal, frames, options))


def test_crops_come_from_their_own_utterance_and_short_ones_repeat():
    lengths = [5, 20, 50]
    utterances = [100 * i + np.arange(n, dtype=np.float32)[:, None] for i, n in enumerate(lengths)]
    crops = Crops(Packed.of(utterances), 20, torch.device("cpu"))
    generator, seen = torch.Generator().manual_seed(0), set()
    for _ in range(200):
        batch = crops.batch(torch.tensor([2, 0, 1]), generator)
        assert batch.shape == (3, 20, 1) and batch.dtype == torch.float32
        long, short, exact = (row[:, 0] for row in batch)
        assert torch.equal(short, torch.arange(20.0) % 5)
        assert torch.equal(exact, 100 + torch.arange(20.0))
        seen.add(int(long[0]) - 200)
        assert torch.equal(long, long[0] + torch.arange(20.0))
    assert seen == set(range(31))


def test_crops_are_the_same_where_the_training_set_stays_in_main_memory(monkeypatch):
    utterances = [np.random.default_rng(0).normal(size=(30 + i, 4)).astype(np.float32) for i in range(3)]
    drawn = []
    for fits in (True, False):
        monkeypatch.setattr("steps.frontend.crops.fits", lambda size, device, fits=fits: fits)
        crops = Crops(Packed.of(utterances), 20, torch.device("cpu"))
        drawn.append(crops.batch(torch.arange(3), torch.Generator().manual_seed(1)))
    assert torch.equal(*drawn)
