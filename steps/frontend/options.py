"""Options from a recording to a network's input. Loads no torch: a command line is checked at once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from utils.cli import UserError
from utils.config import require_not_negative, require_positive
from utils.yaml_file import read_yaml

LONGEST = 30_000  # frames of a training crop: 5 minutes


@dataclass(frozen=True)
class FbankOptions:
    """The filter-bank, with Kaldi's names and meanings. Dither is always 0, so that features are reproducible."""

    sample_frequency: int = 16000
    """Sampling rate in Hz that recordings are brought to; the speech detector takes 8000, 16000, 32000, 48000."""
    frame_length: float = 40.0
    """Length of the analysis window in ms, above 0."""
    frame_shift: float = 10.0
    """Time from one frame to the next in ms, above 0."""
    num_mel_bins: int = 41
    """Number of triangular mel filters, above 0."""
    low_freq: float = 20.0
    """Lower edge of the lowest mel filter in Hz."""
    high_freq: float = 0.0
    """Upper edge of the highest mel filter in Hz; at 0 or below, an offset from the Nyquist frequency."""
    window_type: Literal["hamming", "hanning", "povey", "rectangular"] = "hamming"
    """Window function."""
    preemphasis_coefficient: float = 0.97
    """a in the pre-emphasis x[t] − a x[t−1], from 0 (none) to 1."""
    use_energy: bool = False
    """Put the frame's log energy, before pre-emphasis and window, in front of the mel bins."""
    snip_edges: bool = True
    """true: only windows that lie wholly inside the recording; false: one frame per shift, mirrored at the ends."""

    def __post_init__(self) -> None:
        if min(self.sample_frequency, self.frame_length, self.frame_shift, self.num_mel_bins) <= 0:
            raise ValueError("fbank: sample_frequency, frame_length, frame_shift and num_mel_bins must be above 0")
        nyquist, low, high = self.sample_frequency / 2, self.low_freq, self.upper_edge
        if not 0 <= low < high <= nyquist:
            raise ValueError(
                f"fbank: low_freq {low:g} and high_freq {self.high_freq:g} give filters from {low:g} to {high:g} Hz; "
                f"both must lie between 0 and half of sample_frequency, {nyquist:g} Hz, the lower below the higher"
            )
        if not 0 <= self.preemphasis_coefficient <= 1:
            raise ValueError(f"fbank.preemphasis_coefficient is {self.preemphasis_coefficient:g}, and is from 0 to 1")
        # The lowest filter is the narrowest. Between two frequencies of the spectrum, it would hold nothing.
        fft = 1 << max(self.length - 1, 0).bit_length()
        bottom, top = (1127 * math.log1p(frequency / 700) for frequency in (low, high))
        width = 700 * math.expm1((bottom + 2 * (top - bottom) / (self.num_mel_bins + 1)) / 1127) - low
        if width < self.sample_frequency / fft:
            raise ValueError(
                f"fbank: with num_mel_bins {self.num_mel_bins} the lowest filter is {width:.3g} Hz wide, and a window "
                f"of frame_length {self.frame_length:g} ms tells {self.sample_frequency / fft:.3g} Hz apart: fewer "
                "bins, or longer windows"
            )

    @property
    def upper_edge(self) -> float:
        """Of the highest mel filter, in Hz."""
        return self.high_freq if self.high_freq > 0 else self.sample_frequency / 2 + self.high_freq

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


def read_fbank(data: Path) -> FbankOptions:
    """What the features of a data dir were made with. Raises UserError for a data dir that does not say it."""
    try:
        return FbankOptions(**read_yaml(data / "fbank.yaml")["fbank"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{data}/fbank.yaml: says no filter-bank ({error}); make the features again") from None


@dataclass
class Input:
    """How stored filter-banks become a network's input."""

    cmn: Literal["sliding", "utterance", "level", "none"] = "level"
    """Mean normalisation: subtract each bin's mean in a sliding window, its mean over the utterance, one mean over all
    bins and speech frames (level: the gain goes, the spectrum's tilt stays), or nothing."""
    top_db: float = 0.0
    """Before that, raise what is so many dB below the loudest value to there; 0: none. Bins above a recording's band,
    which hold rounding alone, else tell its level."""
    cmn_window: int = 300
    """Length of the sliding window in frames, above 0: 300 frames are 3 s."""
    vad: bool = True
    """Keep only the frames that the voice activity detection (vad.scp) calls speech."""
    min_frames: int = 40
    """Fewest speech frames, above 0, to select by: an utterance with fewer keeps all of its frames. 40 are 0.4 s."""
    crop: int = 300
    """Length of a training crop in frames, 2 to 30000: 300 frames are 3 s. Whole utterances are tested."""

    def __post_init__(self) -> None:
        require_positive(self, "cmn_window", "min_frames", "crop")
        require_not_negative(self, "top_db")

    def check_crop(self, smallest_input: int) -> None:
        """Raise ValueError for a crop of fewer frames than a network takes, or of one, which CopyPaste cannot halve."""
        if self.crop < (fewest := max(smallest_input, 2)):
            raise ValueError(f"input: crop is {self.crop}, and this network takes {fewest} frames at least")
        if self.crop > LONGEST:
            raise ValueError(f"input: crop is too large: {LONGEST} frames, {LONGEST // 6000} minutes, are the most")


@dataclass
class Augmentation:
    """What is done to training crops, on features. All of it is off by default. Every choice is drawn from the epoch's
    generator."""

    copypaste: Literal["none", "neutral", "same", "both"] = "none"
    """CopyPaste: join half a crop with half of another, of a neutral utterance, one of the same emotion, or either."""
    copypaste_share: float = 0.5
    """Share of the crops, 0 to 1, that get a partner where there is one."""
    copypaste_same_speaker: bool = True
    """Choose CopyPaste partners among the same speaker's utterances, so that the speaker label stays true."""
    neutral: str = "neu neutral"
    """Classes that count as neutral for CopyPaste, separated by spaces."""
    speed: float = 0.0
    """Speed perturbation: each crop's tempo is drawn from 1 ± this, 0 (none) to below 1."""
    noise: float = 0.0
    """Share of crops, 0 (none) to 1, that get stationary noise."""
    noise_snr: list[float] = field(default_factory=lambda: [5.0, 20.0])
    """Lowest and highest signal-to-noise ratio in dB that the noise is drawn at."""
    time_mask: int = 0
    """SpecAugment: widest time mask in frames; 0: none."""
    frequency_mask: int = 0
    """SpecAugment: widest frequency mask in bins; 0: none."""
    masks: int = 2
    """SpecAugment: number of time masks, and of frequency masks, in a crop."""

    def check_neutral(self, classes: Iterable[str]) -> None:
        """Raise UserError where CopyPaste needs neutral utterances, and none of the corpus's `classes` is neutral."""
        if self.copypaste in ("neutral", "both") and not set(classes) & set(self.neutral.split()):
            raise UserError(
                f"augmentation.neutral: '{self.neutral}' names no class that is here; there are: "
                f"{', '.join(sorted(set(classes)))}"
            )

    def __post_init__(self) -> None:
        if not (0 <= self.speed < 1 and 0 <= self.noise <= 1 and 0 <= self.copypaste_share <= 1):
            raise ValueError("augmentation: speed is below 1, noise and copypaste_share are shares, from 0 to 1")
        if min(self.time_mask, self.frequency_mask, self.masks) < 0 or self.masks > 100:
            raise ValueError("augmentation: masks are not negative, and 100 at most")
        if len(self.noise_snr) != 2 or not -100 <= self.noise_snr[0] <= self.noise_snr[1] <= 100:
            raise ValueError(f"augmentation: noise_snr {self.noise_snr}: two numbers, the lower first")
