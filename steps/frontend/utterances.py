"""The utterances of a data dir with what is known of them, as an emotion system reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from steps.frontend.crops import Crops
from steps.frontend.options import Input
from steps.frontend.packed import Packed, pack
from utils.cli import UserError
from utils.table import keys, read_table


@dataclass
class Corpus:
    """A data dir."""

    utterances: list[str]
    inputs: Packed | list[np.ndarray]  # (T_i, F) each; of given vectors, (C,)
    speakers: dict[str, str]
    emotions: dict[str, str]
    classes: list[str]
    crop: int  # frames
    device: torch.device  # where crops are wanted
    corpora: dict[str, str]  # utterance → the corpus that it is of; {} where the data dir does not say
    # What networks that stay as they are make of all utterances, (N, size): the same in every run
    embeddings: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def crops(self) -> Crops:
        """Of all utterances."""
        inputs = self.inputs if isinstance(self.inputs, Packed) else Packed.of(self.inputs)
        return Crops(inputs, self.crop, self.device)

    def indices_of(self, speakers: list[str]) -> torch.Tensor:
        """Indices of these speakers' utterances."""
        wanted = set(speakers)
        return torch.tensor([i for i, name in enumerate(self.utterances) if self.speakers[name] in wanted])

    def labels(self, index: torch.Tensor) -> np.ndarray:
        """Class indices of the utterances `index`, (N,)."""
        return np.array([self.classes.index(self.emotions[self.utterances[i]]) for i in index.tolist()])


def read_corpus(
    data: Path,
    options: Input,
    device: torch.device,
    given: Mapping[str, np.ndarray] | None = None,
    elsewhere: Path | None = None,
) -> Corpus:
    """The data dir `data`, whose utterances all need an emotion, with its packed inputs (`elsewhere`, if it cannot be
    written) or, instead, `given` vectors of all utterances; crops are wanted on `device`."""
    emotions = read_table(data / "utt2emo")
    names = list(keys(data / "feats.scp") if given is None else given)
    if unlabelled := set(names) - emotions.keys():
        raise UserError(f"{data}/utt2emo: {len(unlabelled)} utterances have no emotion ({min(unlabelled)}, …)")
    inputs = pack(data, options, elsewhere) if given is None else list(given.values())
    speakers = read_table(data / "utt2spk")
    classes = sorted({emotions[name] for name in names})
    corpora = read_table(data / "utt2corpus") if (data / "utt2corpus").is_file() else {}
    return Corpus(names, inputs, speakers, emotions, classes, options.crop, device, corpora)
