"""Recordings in, answers out: one after the other, in memory that does not grow with a recording's length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from steps.frontend.audio import Reading
from steps.frontend.decoding import Decoded, decode
from steps.frontend.descriptors import Descriptor
from steps.prediction.inputs import Named, recordings
from steps.prediction.model import OWN, Answers, Model, own_scale, with_prior
from steps.prediction.stretches import By, Stretch, stretches

LEAST = 0.1  # s: a shorter recording is not answered


class Answer(NamedTuple):
    """Of a recording, or a stretch of one."""

    name: str  # as the user wrote it
    channel: int  # from 1; 0: all, mixed
    begin: float  # s, from the recording's begin
    end: float
    label: str  # the class of the greatest posterior
    posteriors: np.ndarray  # (classes,)
    unlike: float
    flags: list[str]  # of unsure, unlike, short


class Described(NamedTuple):
    """A stretch before it is answered."""

    begin: float
    end: float
    vector: np.ndarray


@dataclass
class Options:
    """How recordings are answered."""

    by: By = "recording"
    window: float = 4.0  # s
    hop: float = 4.0  # s
    each_channel: bool = False
    unsure: float | None = None  # None: the model's own
    unlike: float | None = None
    prior: np.ndarray | None = None  # (classes,)


class Answering:
    """A model, and how its answers are wanted."""

    def __init__(self, model: Model, options: Options) -> None:
        self.model, self.options = model, options
        self.heard: Callable[[float], object] = lambda seconds: None  # is told how far into a recording the answers are

    def describe(self, named: Named) -> Iterator[tuple[int, Iterator[Described]]]:
        """Each channel that is answered by itself, and its stretches. Raises Unusable, here or from the stretches."""
        settings, options = self.model.settings, self.options
        rate = settings.sample_frequency
        opened = decode(named.source, LEAST)
        alone = options.each_channel and opened.channels > 1
        for channel in range(opened.channels if alone else 1):
            if channel:
                opened = decode(named.source, LEAST)
            pieces = Reading(of_channel(opened, channel) if alone else opened, rate, int(LEAST * rate))
            parts = stretches(pieces, rate, options.by, options.window, options.hop)
            yield channel + alone, (self.described(part, named.source.begin) for part in parts)

    def described(self, part: Stretch, offset: float) -> Described:
        descriptor = Descriptor(self.model.settings.sample_frequency, self.model.settings.highest)
        descriptor.hear(part.samples)
        self.heard(part.end)
        return Described(offset + part.begin, offset + part.end, descriptor.vector())

    def described_whole(self, named: Named) -> list[tuple[str, int, Described]]:
        """All stretches of a recording. Raises Unusable."""
        return [(named.name, channel, part) for channel, parts in self.describe(named) for part in parts]

    def answer(self, named: Named) -> Iterator[Answer]:
        """Raises Unusable for a recording that cannot be read; what came before that is true."""
        for channel, parts in self.describe(named):
            yield from self.of_parts(named.name, channel, parts)

    def of_parts(self, name: str, channel: int, parts: Iterator[Described]) -> Iterator[Answer]:
        """One answer for the recording, the mean over its stretches that are like speech; or one a stretch."""
        begin, end = -1.0, 0.0
        heard: list[tuple[np.ndarray, float]] = []
        for part in parts:
            posteriors, unlike = self.posteriors(part.vector[None])
            if self.options.by != "recording":
                yield self.flagged(name, channel, part.begin, part.end, posteriors[0], unlike[0])
                continue
            begin, end = (begin if heard else part.begin), part.end
            heard.append((posteriors[0], float(unlike[0])))
        if heard:
            like = [each for each in heard if each[1] <= self.threshold] or heard
            posterior, score = np.mean([p for p, _ in like], axis=0), float(np.median([u for _, u in like]))
            yield self.flagged(name, channel, begin, end, posterior, score)

    def posteriors(self, vectors: np.ndarray) -> Answers:
        """(N, 1851) descriptors → posteriors under the user's prior."""
        answers = self.model(vectors)
        if self.options.prior is not None:
            answers = answers._replace(posteriors=with_prior(answers.posteriors, self.options.prior))
        return answers

    @property
    def threshold(self) -> float:
        """Of `unlike`."""
        return self.model.calibration.unlike if self.options.unlike is None else self.options.unlike

    def flagged(
        self, name: str, channel: int, begin: float, end: float, posterior: np.ndarray, unlike: float
    ) -> Answer:
        unsure = self.model.calibration.unsure if self.options.unsure is None else self.options.unsure
        doubts = {
            "unsure": posterior.max() < unsure,
            "unlike": unlike > self.threshold,
            "short": end - begin < self.model.calibration.shortest,
        }
        label = self.model.settings.classes[int(posterior.argmax())]
        flags = [flag for flag, there in doubts.items() if there]
        return Answer(name, channel, begin, end, label, posterior, float(unlike), flags)

    def adapted(self, recordings: list[list[tuple[str, int, Described]]]) -> Iterator[Answer]:
        """Answers to recordings (each as `described_whole` has it) of one place and microphone, all together: brought
        to their own mean and deviation."""
        vectors = np.stack([part.vector for own in recordings for _, _, part in own])
        moved = iter(own_scale(vectors, *self.model.scale))
        for own in recordings:
            for (name, channel), parts in groupby(own, key=lambda each: each[:2]):
                yield from self.of_parts(name, channel, (part._replace(vector=next(moved)) for _, _, part in parts))


def of_channel(file: Decoded, channel: int) -> Decoded:
    """A file of one of its channels."""
    return file._replace(channels=1, pieces=(piece[:, channel] for piece in file.pieces))


def answers(*what: str | Path, model: str | Path = OWN, **options: Any) -> Iterator[Answer]:
    """What a model says of recordings, one after the other: `what` is as steps/predict.py takes it, `options` are
    fields of `Options`. Raises Unusable for a recording that cannot be read, UserError for what is no recording."""
    answering = Answering(Model(model), Options(**options))
    for named in recordings(map(str, what)):
        yield from answering.answer(named)
