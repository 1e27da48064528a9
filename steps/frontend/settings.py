"""What may be chosen between a recording and a network's input. Loads no torch: a command line is checked at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Literal

from utils.cli import UserError
from utils.config import require_positive


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


@dataclass
class Input:
    """How stored filter-banks become a network's input."""

    cmn: Literal["sliding", "utterance", "none"] = "sliding"  # what mean is subtracted
    cmn_window: int = 300  # frames of the sliding mean: 3 s
    vad: bool = True  # keep speech frames only
    min_frames: int = 40  # an utterance with fewer speech frames keeps all of its frames
    crop: int = 300  # frames of a training crop: 3 s

    def __post_init__(self) -> None:
        require_positive(self, "cmn_window", "min_frames", "crop")

    def check_crop(self, least: int) -> None:
        """Raises ValueError where a crop is shorter than the `least` frames that a network takes, or cannot be halved
        (copypaste)."""
        if self.crop < (least := max(least, 2)):
            raise ValueError(f"input: crop is {self.crop}, and this network takes {least} frames at least")


@dataclass
class Augmentation:
    """All of it is off by default. Every choice is drawn from the epoch's generator."""

    copypaste: Literal["none", "neutral", "same", "both"] = "none"  # which partner a crop may get
    copypaste_share: float = 0.5  # of the crops that can have one
    copypaste_same_speaker: bool = True  # partners are of the same speaker, so that the speaker label stays true
    neutral: str = "neu neutral"  # classes that count as neutral
    speed: float = 0.0  # crops run at 1 - speed to 1 + speed times their speed
    noise: float = 0.0  # share of the crops that get noise …
    noise_snr: list[float] = field(default_factory=lambda: [5.0, 20.0])  # … at so many dB
    time_mask: int = 0  # SpecAugment: most frames in a band …
    frequency_mask: int = 0  # … and most bins
    masks: int = 2  # bands of each kind

    def check_neutral(self, classes: Iterable[str]) -> None:
        """Raises UserError where copypaste wants neutral utterances, and `classes`, those that are there, have none."""
        if self.copypaste in ("neutral", "both") and not (here := set(classes)) & set(self.neutral.split()):
            raise UserError(
                f"augmentation.neutral: '{self.neutral}' names no class that is here; there are: "
                f"{', '.join(sorted(here))}"
            )

    def __post_init__(self) -> None:
        if not (0 <= self.speed < 1 and 0 <= self.noise <= 1 and 0 <= self.copypaste_share <= 1):
            raise ValueError("augmentation: speed is below 1, noise and copypaste_share are shares, from 0 to 1")
        if min(self.time_mask, self.frequency_mask, self.masks) < 0:
            raise ValueError("augmentation: masks are not negative")
        if len(self.noise_snr) != 2 or not -inf < self.noise_snr[0] <= self.noise_snr[1] < inf:
            raise ValueError(f"augmentation: noise_snr {self.noise_snr}: two numbers, the lower first")
