"""The filter-bank against kaldi-native-fbank."""

import kaldi_native_fbank
import numpy as np
import pytest
import torch

from steps.frontend.fbank import Fbank
from steps.frontend.options import FbankOptions


def reference(signal, options):
    theirs = kaldi_native_fbank.FbankOptions()
    theirs.frame_opts.dither = 0
    theirs.frame_opts.samp_freq = options.sample_frequency
    theirs.frame_opts.frame_length_ms = options.frame_length
    theirs.frame_opts.frame_shift_ms = options.frame_shift
    theirs.frame_opts.window_type = options.window_type
    theirs.frame_opts.preemph_coeff = options.preemphasis_coefficient
    theirs.frame_opts.snip_edges = options.snip_edges
    theirs.mel_opts.num_bins = options.num_mel_bins
    theirs.mel_opts.low_freq = options.low_freq
    theirs.mel_opts.high_freq = options.high_freq
    theirs.energy_floor = 0
    theirs.use_energy = options.use_energy
    computer = kaldi_native_fbank.OnlineFbank(theirs)
    computer.accept_waveform(options.sample_frequency, signal.tolist())
    computer.input_finished()
    return np.array([computer.get_frame(i) for i in range(computer.num_frames_ready)])


@pytest.mark.parametrize("samples", [640, 641, 799, 800, 16000, 33333])
@pytest.mark.parametrize(
    "options",
    [
        FbankOptions(),
        FbankOptions(snip_edges=False),
        FbankOptions(num_mel_bins=40, use_energy=True),
        FbankOptions(num_mel_bins=80, frame_length=25, window_type="povey"),
        FbankOptions(num_mel_bins=23, low_freq=60, high_freq=-400, window_type="hanning"),
        FbankOptions(sample_frequency=8000, preemphasis_coefficient=0.9, high_freq=3700, window_type="rectangular"),
    ],
)
def test_it_is_kaldis(samples, options):
    signal = np.random.default_rng(samples).normal(0, 3000, samples).astype(np.float32)
    ours, theirs = Fbank(options)(torch.from_numpy(signal)).numpy(), reference(signal, options)
    assert ours.shape == theirs.shape == (options.num_frames(samples), options.dimension)
    np.testing.assert_allclose(ours, theirs, atol=1e-3, rtol=0)


def test_quiet_and_loud_speech_agree_too():
    time = np.arange(8000) / 16000
    for level in (1.0, 30000.0):
        signal = (level * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
        np.testing.assert_allclose(
            Fbank()(torch.from_numpy(signal)).numpy(), reference(signal, FbankOptions()), atol=1e-3, rtol=0
        )


def test_digital_silence_on_a_constant_offset_is_as_silent_as_kaldis():
    signal = np.full(16000, 9000, np.int16)
    signal[8000:] += np.random.default_rng(0).integers(-1, 2, 8000).astype(np.int16)
    ours = Fbank()(torch.from_numpy(signal)).numpy()
    np.testing.assert_allclose(ours, reference(signal.astype(np.float32), FbankOptions()), atol=1e-3, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_computes_the_same():
    signal = torch.from_numpy(np.random.default_rng(0).normal(0, 3000, 33333).astype(np.float32))
    torch.testing.assert_close(Fbank().cuda()(signal.cuda()).cpu(), Fbank()(signal), atol=1e-3, rtol=0)


def test_a_recording_shorter_than_a_window_has_no_frames():
    assert Fbank()(torch.zeros(639)).shape == (0, 41)


def test_long_recordings_are_computed_piece_by_piece_to_the_same_end():
    signal = torch.from_numpy(np.random.default_rng(0).normal(0, 3000, 160 * 5000).astype(np.float32))
    fbank = Fbank()
    whole, tail = fbank(signal), fbank(signal[160 * 4090 :])
    assert torch.allclose(whole[4090:], tail, atol=1e-4)
    assert torch.equal(whole, fbank(signal))  # what one call leaves behind, the next does not see
