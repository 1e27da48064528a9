"""Which frames are speech: WebRTC's detector, brought onto the filter-bank's frames."""

from __future__ import annotations

import numpy as np
import webrtcvad

from steps.frontend.options import FbankOptions

BLOCK = 10  # ms; the detector decides on blocks of this length


class Detector:
    """The decisions on a recording that comes in pieces. It keeps state, so each recording gets a fresh one."""

    def __init__(self, options: FbankOptions, mode: int = 2) -> None:
        """`mode`: 0 (keeps most) to 3 (drops most)."""
        self.options, self.block = options, options.sample_frequency * BLOCK // 1000
        self.is_speech = webrtcvad.Vad(mode).is_speech
        self.decisions: list[bool] = []
        self.rest = b""

    def hear(self, signal: np.ndarray) -> None:
        """The next piece: (samples,) on the scale of 16-bit integers."""
        if signal.dtype != np.int16:
            signal = np.clip(np.rint(signal), -32768, 32767).astype(np.int16)
        pcm, size = self.rest + signal.tobytes(), 2 * self.block
        rate, block, is_speech, whole = (
            self.options.sample_frequency,
            self.block,
            self.is_speech,
            len(pcm) // size * size,
        )
        self.decisions += [is_speech(pcm[start : start + size], rate, block) for start in range(0, whole, size)]
        self.rest = pcm[whole:]

    def frames(self, num_frames: int) -> np.ndarray:
        """One 0/1 (uint8) for each of `num_frames` filter-bank frames of what was heard.

        This is the one place that says how 10 ms decisions meet 40 ms windows: frame t covers the blocks that lie
        inside its window, and is speech when at least half of them are.
        """
        options, block, decisions = self.options, self.block, self.decisions
        voiced = np.concatenate([[0], np.cumsum(decisions)])  # voiced[k]: speech among the first k blocks
        first_sample = 0 if options.snip_edges else options.shift // 2 - options.length // 2
        starts = first_sample + np.arange(num_frames) * options.shift
        first = np.clip(-(-starts // block), 0, len(decisions))
        last = np.clip((starts + options.length) // block, 0, len(decisions))
        return (2 * (voiced[last] - voiced[first]) >= np.maximum(last - first, 1)).astype(np.uint8)
