"""CopyPaste (the paper's [6]): two utterances joined, under the label of the one whose emotion is heard; and batches of
augmented crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steps.frontend.augmentation import add_noise, mask_bands, speed_crops
from steps.frontend.crops import Crops
from steps.frontend.options import Augmentation


class Augmented:
    """Batches of crops as `Crops` makes them, augmented."""

    def __init__(
        self,
        crops: Crops,
        options: Augmentation,
        speakers: Sequence[Any] | np.ndarray,
        emotions: Sequence[str] = (),
        train: Tensor | None = None,
    ) -> None:
        """`speakers`, `emotions`: of each utterance of `crops` (no emotions: all are alike); `train`: the indices among
        which partners are found (None: all)."""
        self.crops, self.options = crops, options
        if options.copypaste == "none":  # of millions of utterances, partners are not looked for in vain
            return
        self.speakers = speakers if options.copypaste_same_speaker else np.zeros(len(crops), int)
        neutral = options.neutral.split()
        self.neutral = neutral[0] if neutral else ""
        emotions = emotions or [""] * len(crops)
        self.emotions = [self.neutral if emotion in neutral else emotion for emotion in emotions]
        options.check_neutral(emotions)
        self.groups: dict[tuple[Any, str], int] = {}
        pairs = zip(self.speakers, self.emotions)
        own = np.fromiter((self.groups.setdefault(pair, len(self.groups)) for pair in pairs), int, len(crops))
        # The indices of `train`, group by group: those of group g are members[starts[g] : starts[g + 1]].
        index = np.arange(len(crops)) if train is None else train.numpy()
        self.members = index[np.argsort(own[index], kind="stable")]
        self.starts = np.searchsorted(own[self.members], np.arange(len(self.groups) + 1))
        self.places = np.full(len(crops), -1)  # of each utterance among the members
        self.places[self.members] = np.arange(len(index))

    def batch(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """As Crops.batch: (N,) → (N, length, F). Labels are those of the utterances in `index`, whatever was joined."""
        options, length = self.options, self.crops.length
        x = self.take(index, generator, length)
        if options.copypaste != "none":
            partners = torch.tensor([self.partner(i, generator) for i in index.tolist()])
            if len(rows := (partners >= 0).nonzero().squeeze(1)):
                x[rows.to(x.device)] = self.joined(index[rows], partners[rows], generator)
        if options.noise:
            x = add_noise(x, generator, options.noise, options.noise_snr)
        for axis, widest in ((1, options.time_mask), (2, options.frequency_mask)):
            if widest:
                x = mask_bands(x, generator, axis, widest, options.masks)
        return x

    def take(self, index: Tensor, generator: torch.Generator, length: int) -> Tensor:
        """Crops of `length` frames, at a speed of their own where options.speed asks for it."""
        if self.options.speed:
            return speed_crops(self.crops, index, generator, length, self.options.speed)
        return self.crops.batch(index, generator, length)

    def partner(self, i: int, generator: torch.Generator) -> int:
        """The utterance that utterance `i` is joined with; −1 for none.

        "neutral": an emotional utterance gets a neutral one, and keeps its label, since its emotion is what is heard of
        the two; a neutral one stays alone. "same": another utterance of the emotion. "both": one or the other, at equal
        odds, where both are possible.
        """
        joins, prefers, picks = torch.rand(3, generator=generator).tolist()
        kind, own, neutral = self.options.copypaste, self.emotions[i], self.neutral
        if joins >= self.options.copypaste_share or (kind == "neutral" and own == neutral):
            return -1
        emotion = own if kind == "same" or (kind == "both" and prefers < 0.5) else neutral
        if (group := self.groups.get((self.speakers[i], emotion))) is None:
            return -1
        (first, end), place = self.starts[group : group + 2].tolist(), int(self.places[i])
        among = first <= place < end  # it is one of the group, and no partner of its own
        if (others := end - first - among) == 0:
            return -1
        chosen = first + int(picks * others)
        return int(self.members[chosen + (among and chosen >= place)])

    def joined(self, index: Tensor, partners: Tensor, generator: torch.Generator) -> Tensor:
        """Half a crop of each utterance in `index` and half a crop of its partner, in either order. (A crop from two
        whole utterances end to end might hold the neutral one alone.)"""
        length = self.crops.length
        own = self.take(index, generator, length // 2)
        other = self.take(partners, generator, length - length // 2)
        first = (torch.rand(len(index), generator=generator) < 0.5).to(own.device)[:, None, None]
        return torch.where(first, torch.cat([own, other], dim=1), torch.cat([other, own], dim=1))
