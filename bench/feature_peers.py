"""Other packages' filter-banks, each set to compute what ours computes."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from steps.frontend.options import FbankOptions

RATE = 16000
Fbank = Callable[[np.ndarray], np.ndarray]  # (samples,) on the scale of 16-bit integers → (frames, bins)


def fbank_peers(options: FbankOptions) -> dict[str, Callable[[], Fbank]]:
    """Name → what imports a peer and returns its filter-bank, for `harness.available`."""
    return {
        "kaldi-native-fbank": lambda: kaldi_native_fbank(options),
        "torchaudio": lambda: torchaudio(options),
        "lhotse": lambda: lhotse(options),
    }


def kaldi_native_fbank(options: FbankOptions) -> Fbank:
    import kaldi_native_fbank as knf

    theirs = knf.FbankOptions()
    theirs.frame_opts.dither = 0
    theirs.frame_opts.samp_freq = options.sample_frequency
    theirs.frame_opts.frame_length_ms = options.frame_length
    theirs.frame_opts.frame_shift_ms = options.frame_shift
    theirs.frame_opts.window_type = options.window_type
    theirs.mel_opts.num_bins = options.num_mel_bins
    theirs.mel_opts.low_freq = options.low_freq
    theirs.mel_opts.high_freq = options.high_freq
    theirs.energy_floor = 0

    def fbank(signal: np.ndarray) -> np.ndarray:
        computer = knf.OnlineFbank(theirs)
        computer.accept_waveform(options.sample_frequency, signal)
        computer.input_finished()
        return np.stack([computer.get_frame(number) for number in range(computer.num_frames_ready)])

    return fbank


def torchaudio(options: FbankOptions) -> Fbank:
    import torch

    try:
        import torchaudio.compliance.kaldi as kaldi
    except OSError:
        # The wheel's compiled part may not load beside this torch; its filter-bank is Python and does without.
        for name in [name for name in sys.modules if name.startswith("torchaudio")]:
            del sys.modules[name]
        stub: Any = types.ModuleType("torchaudio._extension")
        stub._IS_TORCHAUDIO_EXT_AVAILABLE = stub._IS_ALIGN_AVAILABLE = False
        stub.fail_if_no_align = lambda function: function
        sys.modules["torchaudio._extension"] = stub
        import torchaudio.compliance.kaldi as kaldi

    def fbank(signal: np.ndarray) -> np.ndarray:
        return kaldi.fbank(
            torch.from_numpy(signal)[None],
            sample_frequency=options.sample_frequency,
            frame_length=options.frame_length,
            frame_shift=options.frame_shift,
            window_type=options.window_type,
            num_mel_bins=options.num_mel_bins,
            low_freq=options.low_freq,
            high_freq=options.high_freq,
            energy_floor=0.0,
        ).numpy()

    return fbank


def lhotse(options: FbankOptions) -> Fbank:
    from lhotse.features.kaldi.extractors import Fbank as Extractor
    from lhotse.features.kaldi.extractors import FbankConfig

    extractor = Extractor(
        FbankConfig(
            sampling_rate=options.sample_frequency,
            frame_length=options.frame_length / 1000,
            frame_shift=options.frame_shift / 1000,
            window_type=options.window_type,
            num_filters=options.num_mel_bins,
            low_freq=options.low_freq,
            high_freq=options.high_freq,
            snip_edges=options.snip_edges,
        )
    )
    return lambda signal: extractor.extract(signal, options.sample_frequency)
