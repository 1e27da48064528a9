"""From stored features to what a network sees: a floor, mean normalisation, then the speech frames."""

from __future__ import annotations

import numpy as np

from steps.frontend.options import Input


def sliding_mean(features: np.ndarray, window: int) -> np.ndarray:
    """Mean over `window` frames around each frame, (T, F) → (T, F), as Kaldi's apply-cmvn-sliding --center=true has it:
    at the ends the window is shifted inwards, so that it always holds min(T, window) frames."""
    frames = len(features)
    width = min(window, frames)
    total = np.concatenate([np.zeros((1, features.shape[1])), np.cumsum(features, axis=0, dtype=np.float64)])
    start = np.clip(np.arange(frames) - window // 2, 0, frames - width)
    return ((total[start + width] - total[start]) / width).astype(np.float32)


def select(features: np.ndarray, speech: np.ndarray, options: Input) -> np.ndarray:
    """The network's input for one utterance: (T, F) filter-banks and (T,) 0/1 decisions → (T', F) float32, with T' ≤ T.
    Training, scoring and prediction all come through here."""
    if options.top_db:
        features = np.maximum(features, features.max() - np.float32(options.top_db * np.log(10) / 10))
    if options.cmn == "sliding":
        features = features - sliding_mean(features, options.cmn_window)
    elif options.cmn == "utterance":
        features = features - features.mean(axis=0, dtype=np.float64).astype(np.float32)
    if options.vad and not too_little_speech(speech, options):
        features = features[speech.astype(bool)]
    if options.cmn == "level":  # of what is kept: pauses say how loud the room is
        features = features - features.mean(dtype=np.float64).astype(np.float32)
    return np.ascontiguousarray(features, dtype=np.float32)


def too_little_speech(speech: np.ndarray, options: Input) -> bool:
    """True where so few frames are speech that all of the utterance's frames are kept."""
    return int(speech.sum()) < options.min_frames
