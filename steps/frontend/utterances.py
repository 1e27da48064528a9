"""The utterances of a data dir as a network reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm import tqdm

from steps.frontend.network_input import Input, select, too_little_speech
from utils import data_dir
from utils.archive import read_array
from utils.cli import UserError


def read_utterances(data: Path, options: Input) -> dict[str, np.ndarray]:
    """utterance-id → (T, F) normalised frames of every utterance in `data`. Says how many kept all of their frames
    because too few were speech. Raises UserError where features are missing."""
    feats = data_dir.read_table(data / "feats.scp")
    if missing := data_dir.read_table(data / "utt2spk").keys() - feats.keys():
        raise UserError(
            f"{data}: {len(missing)} utterances have no features ({min(missing)}, …); utils/fix_data_dir.py drops them"
        )
    speech = data_dir.read_table(data / "vad.scp") if options.vad else {}
    inputs, kept_whole = {}, 0
    for utterance, entry in tqdm(feats.items(), desc=f"reading {data.name}", unit="utt", disable=None, leave=False):
        features = read_array(entry)
        decisions = np.ones(len(features), np.uint8)
        if options.vad:
            if utterance not in speech:
                raise UserError(f"{data}/vad.scp: '{utterance}' is missing; make the features again")
            decisions = read_array(speech[utterance])
        if len(decisions) != len(features):
            raise UserError(
                f"{data}: '{utterance}' has {len(features)} frames and {len(decisions)} decisions of speech"
            )
        kept_whole += options.vad and too_little_speech(decisions, options)
        inputs[utterance] = select(features, decisions, options)
    if not inputs:
        raise UserError(f"{data}: holds no utterances")
    if kept_whole:
        print(
            f"{data}: {kept_whole} of {len(inputs)} utterances, with under {options.min_frames} speech frames, keep all"
        )
    return inputs
