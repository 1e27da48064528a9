"""The utterances of a data dir as a network reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from steps.frontend.crops import Crops
from steps.frontend.network_input import select, too_little_speech
from steps.frontend.options import Input
from utils import data_dir
from utils.archive import read_array, read_scp
from utils.cli import UserError


def read_utterances(data: Path, options: Input, dtype: type = np.float32) -> dict[str, np.ndarray]:
    """utterance-id → (T, F) normalised frames of every utterance in `data`, as `dtype`. Prints how many kept all of
    their frames because too few were speech. Raises UserError where features are missing."""
    feats = read_scp(data / "feats.scp")
    if missing := data_dir.read_table(data / "utt2spk").keys() - feats.keys():
        raise UserError(
            f"{data}: {len(missing)} utterances have no features ({min(missing)}, …); utils/fix_data_dir.py drops them"
        )
    speech = read_scp(data / "vad.scp") if options.vad else {}
    inputs: dict[str, np.ndarray] = {}
    kept_whole = 0
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
        inputs[utterance] = select(features, decisions, options).astype(dtype, copy=False)
    if not inputs:
        raise UserError(f"{data}: holds no utterances")
    if kept_whole:
        print(
            f"{data}: {kept_whole} of {len(inputs)} utterances, with under {options.min_frames} speech frames, keep all"
        )
    return inputs


@dataclass
class Corpus:
    """A data dir in memory."""

    utterances: list[str]
    inputs: list[np.ndarray]  # (T_i, F) each; of given vectors, (C,)
    speakers: dict[str, str]
    emotions: dict[str, str]
    classes: list[str]
    crop: int  # frames
    device: torch.device  # where crops are wanted
    corpora: dict[str, str]  # utterance → the corpus that it is of; {} where the data dir does not say

    @cached_property
    def crops(self) -> Crops:
        """Of all utterances."""
        return Crops(self.inputs, self.crop, self.device)

    def indices_of(self, speakers: list[str]) -> torch.Tensor:
        """Indices of these speakers' utterances."""
        wanted = set(speakers)
        return torch.tensor([i for i, name in enumerate(self.utterances) if self.speakers[name] in wanted])

    def labels(self, index: torch.Tensor) -> np.ndarray:
        """Class indices of the utterances `index`, (N,)."""
        return np.array([self.classes.index(self.emotions[self.utterances[i]]) for i in index.tolist()])


def read_corpus(
    data: Path, options: Input, device: torch.device, given: Mapping[str, np.ndarray] | None = None
) -> Corpus:
    """The data dir `data`, whose utterances all need an emotion, with its features or, instead, `given` vectors of all
    utterances; crops are wanted on `device`."""
    emotions = data_dir.read_table(data / "utt2emo")
    inputs = read_utterances(data, options) if given is None else given
    if unlabelled := inputs.keys() - emotions.keys():
        raise UserError(f"{data}/utt2emo: {len(unlabelled)} utterances have no emotion ({min(unlabelled)}, …)")
    speakers = data_dir.read_table(data / "utt2spk")
    classes = sorted({emotions[name] for name in inputs})
    corpora = data_dir.read_table(data / "utt2corpus") if (data / "utt2corpus").is_file() else {}
    return Corpus(list(inputs), list(inputs.values()), speakers, emotions, classes, options.crop, device, corpora)
