"""What defines a filter-bank (apart from torch, which whoever only hands options on need not load)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FbankOptions:
    """What defines the features: Kaldi's names and meanings. Dither is always 0, so that features are reproducible."""

    sample_frequency: int = 16000  # Hz
    frame_length: float = 40.0  # ms
    frame_shift: float = 10.0  # ms
    num_mel_bins: int = 41
    low_freq: float = 20.0  # Hz
    high_freq: float = 0.0  # Hz; 0 or below: that much under the Nyquist frequency
    window_type: Literal["hamming", "hanning", "povey", "rectangular"] = "hamming"
    preemphasis_coefficient: float = 0.97
    use_energy: bool = False  # the log energy of the frame as it was recorded, in front of the bins
    snip_edges: bool = True  # frames lie wholly inside the recording

    def __post_init__(self) -> None:
        if min(self.sample_frequency, self.frame_length, self.frame_shift, self.num_mel_bins) <= 0:
            raise ValueError("fbank: sample_frequency, frame_length, frame_shift and num_mel_bins must be above 0")

    @property
    def dimension(self) -> int:
        """Values in a frame's features."""
        return self.num_mel_bins + self.use_energy

    @property
    def shift(self) -> int:
        """Samples from one frame to the next."""
        return int(self.sample_frequency * self.frame_shift / 1000)

    @property
    def length(self) -> int:
        """Samples in a frame."""
        return int(self.sample_frequency * self.frame_length / 1000)

    def num_frames(self, samples: int) -> int:
        """Frames that a recording of so many samples has."""
        if self.snip_edges:
            return 0 if samples < self.length else 1 + (samples - self.length) // self.shift
        return (samples + self.shift // 2) // self.shift
