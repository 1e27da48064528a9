"""A corpus as one run sees it: which utterances train, validate and are tested, and their targets."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch

from steps.frontend.utterances import Corpus
from steps.systems.system import Training
from steps.training.order import balanced


class Partition:
    """One run's view of `corpus`; `parts`: the speakers of its parts "train", "valid", "test". Only the emotions of
    training speakers are targets."""

    def __init__(self, corpus: Corpus, parts: dict[str, list[str]]) -> None:
        self.corpus, self.parts = corpus, parts
        self.device = corpus.device
        self.index = {part: corpus.indices_of(speakers) for part, speakers in parts.items()}
        self.index["known"] = torch.cat([self.index["train"], self.index["valid"]])  # what is not tested
        self.speakers = sorted(parts["train"])

    @cached_property
    def y_e(self) -> torch.Tensor:
        """(utterances,) class indices on the device; 0 where the utterance does not train."""
        y_e = torch.zeros(len(self.corpus.utterances), dtype=torch.long, device=self.device)
        y_e[self.index["train"]] = torch.from_numpy(self.labels("train")).to(self.device)
        return y_e

    @cached_property
    def y_s(self) -> torch.Tensor:
        """(utterances,) indices into `speakers` on the device; −1 for others."""
        number = {speaker: i for i, speaker in enumerate(self.speakers)}
        names = self.corpus.utterances
        return torch.tensor([number.get(self.corpus.speakers[name], -1) for name in names], device=self.device)

    @cached_property
    def corpora(self) -> list[str]:
        """The corpora that the training utterances are of, sorted."""
        return sorted({self.corpus.corpora[name] for name in self.names("train")})

    @cached_property
    def y_c(self) -> torch.Tensor:
        """(utterances,) indices into `corpora` on the device; −1 where the utterance does not train."""
        y_c = torch.full((len(self.corpus.utterances),), -1, device=self.device)
        number = {corpus: i for i, corpus in enumerate(self.corpora)}
        own = [number[self.corpus.corpora[name]] for name in self.names("train")]
        y_c[self.index["train"]] = torch.tensor(own, device=self.device)
        return y_c

    def weights(self, training: Training, part: str = "train") -> torch.Tensor | None:
        """(N,) float64 of the utterances of a part, `balanced` by corpora and, with class_balanced, by classes; None
        where all count alike."""
        if not training.corpus_balanced:
            return None
        corpora = np.array([self.corpus.corpora[name] for name in self.names(part)])
        labels = self.labels(part) if training.class_balanced else np.zeros(len(corpora), int)
        return torch.from_numpy(balanced(corpora, labels))

    def labels(self, part: str) -> np.ndarray:
        """(N,) class indices of a part."""
        return self.corpus.labels(self.index[part])

    def names(self, part: str) -> list[str]:
        """The utterance-ids of a part."""
        return [self.corpus.utterances[i] for i in self.index[part].tolist()]

    def speakers_of(self, part: str) -> list[str]:
        """Whose each utterance of a part is."""
        return [self.corpus.speakers[name] for name in self.names(part)]

    def inputs(self, part: str) -> list[np.ndarray]:
        """The (T_i, F) inputs of a part."""
        return [self.corpus.inputs[i] for i in self.index[part].tolist()]
