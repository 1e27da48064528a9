"""Recordings in, answers out: one after the other, in memory that does not grow with a recording's length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from steps.frontend.audio import Reading
from steps.frontend.decoding import Decoded, Unusable, decode
from steps.frontend.descriptors import Descriptor
from steps.prediction.inputs import Named, recordings
from steps.prediction.model import OWN, Answers, Model, with_prior
from steps.prediction.stretches import By, Stretch, stretches
from steps.systems.speaker_mean import less_speakers
from utils.cli import UserError

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
    """How recordings are answered. Raises UserError for values that cannot work."""

    by: By = "recording"
    window: float = 4.0  # s
    hop: float | None = None  # s; None: a window's length
    each_channel: bool = False
    unsure: float | None = None  # None: the model's own
    unlike: float | None = None
    prior: np.ndarray | Sequence[float] | None = None  # (classes,), of any sum

    def __post_init__(self) -> None:
        if self.by not in (known := get_args(By)):
            raise UserError(f"by '{self.by}': there are {', '.join(known)}")
        self.hop = self.window if self.hop is None else self.hop
        if not 0.25 <= self.window <= 60 or not 0.05 <= self.hop <= 60:
            raise UserError(f"window {self.window:g} s, hop {self.hop:g} s: from 0.25 (hop 0.05) to 60 s")
        if self.unsure is not None and not 0 <= self.unsure <= 1:
            raise UserError(f"unsure {self.unsure:g}: a posterior, from 0 to 1")
        if self.unlike is not None and np.isnan(self.unlike):
            raise UserError("unlike nan: a score, such as 2")
        if self.prior is not None:
            weights = np.asarray(self.prior, dtype=float)
            if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
                raise UserError(f"prior {weights.tolist()}: numbers from 0 on, one at least above it")
            self.prior = weights / weights.max()


class Answering:
    """A model, and how its answers are wanted."""

    def __init__(self, model: Model, options: Options) -> None:
        self.model, self.options = model, options
        if options.prior is not None and len(options.prior) != len(model.settings.classes):
            raise UserError(f"prior of {len(options.prior)}: the classes are {' '.join(model.settings.classes)}")
        self.heard: Callable[[float], object] = lambda seconds: None  # is told how far into a recording the answers are

    def describe(self, named: Named) -> Iterator[tuple[int, Iterator[Described]]]:
        """Each channel that is answered by itself, and its stretches. Raises Unusable, here or from the stretches; for
        one of several channels when all have been gone through, as the others are answered."""
        settings, options = self.model.settings, self.options
        lost: list[str] = []
        rate, hop = settings.sample_frequency, options.window if options.hop is None else options.hop
        opened = decode(named.source, LEAST)
        alone = options.each_channel and opened.channels > 1
        for channel in range(opened.channels if alone else 1):
            if channel:
                opened = decode(named.source, LEAST)
            pieces = Reading(of_channel(opened, channel) if alone else opened, rate, int(LEAST * rate))
            parts = stretches(pieces, rate, options.by, options.window, hop)
            described = (self.described(part, named.source.begin) for part in parts)
            yield channel + alone, but_for_lost(described, channel + 1, lost) if alone else described
        if lost:
            raise Unusable("; ".join(lost))

    def described(self, part: Stretch, offset: float) -> Described:
        descriptor = Descriptor(self.model.settings.sample_frequency, self.model.settings.highest)
        descriptor.hear(part.samples)
        self.heard(part.end)
        return Described(offset + part.begin, offset + part.end, descriptor.vector())

    def described_whole(self, named: Named) -> Iterator[tuple[Named, int, Described]]:
        """All stretches of a recording. Raises Unusable; what came before that is true."""
        yield from ((named, channel, part) for channel, parts in self.describe(named) for part in parts)

    def answer(self, named: Named) -> Iterator[Answer]:
        """Raises Unusable for a recording that cannot be read; what came before that is true."""
        for channel, parts in self.describe(named):
            yield from self.of_parts(named.name, channel, parts)

    def of_parts(self, name: str, channel: int, parts: Iterator[Described]) -> Iterator[Answer]:
        """One answer for the recording, the mean over its stretches that are like speech, and how unlike all of them
        are, the median; or one a stretch."""
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
            score = float(np.median([unlike for _, unlike in heard]))
            yield self.flagged(name, channel, begin, end, np.mean([each[0] for each in like], axis=0), score)

    def posteriors(self, vectors: np.ndarray) -> Answers:
        """(N, 1851) descriptors → posteriors under the user's prior. Raises Unusable where they are no numbers."""
        answers = self.model(vectors)
        if not np.isfinite(answers.posteriors).all():
            raise Unusable("the model makes no posteriors of this sound")
        if self.options.prior is not None:
            answers = answers._replace(posteriors=with_prior(answers.posteriors, np.asarray(self.options.prior)))
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

    def adapted(
        self, recordings: list[list[tuple[Named, int, Described]]], by_speaker: bool
    ) -> Iterator[Iterator[Answer]]:
        """Of each recording (as `described_whole` has it) its answers, once what is its speaker's, or with by_speaker
        false what all share, is taken from its descriptors. A channel that is answered by itself is a speaker."""
        every = [each for own in recordings for each in own]
        whose = [f"{channel} {named.whose}" if by_speaker else "" for named, channel, _ in every]
        vectors = [part.vector for *_, part in every]
        moved = iter(less_speakers(np.stack(vectors), whose, self.model.mean) if every else [])
        for own in recordings:
            parts = [(named.name, channel, part._replace(vector=next(moved))) for named, channel, part in own]
            yield chain.from_iterable(
                self.of_parts(name, channel, (part for *_, part in some))
                for (name, channel), some in groupby(parts, key=lambda each: each[:2])
            )


def but_for_lost(parts: Iterator[Described], channel: int, lost: list[str]) -> Iterator[Described]:
    """The same; where they end in Unusable, that joins `lost`."""
    try:
        yield from parts
    except Unusable as reason:
        lost.append(f"channel {channel}: {reason}")


def of_channel(file: Decoded, channel: int) -> Decoded:
    """A file of one of its channels."""
    return file._replace(channels=1, pieces=(piece[:, channel] for piece in file.pieces))


def answers(*what: str | Path, model: str | Path = OWN, **options: Any) -> Iterator[Answer]:
    """What a model says of recordings, one after the other: `what` is as steps/predict.py takes it, `options` are
    fields of `Options`. Raises Unusable for a recording that cannot be read, UserError for what is no recording."""
    answering = Answering(Model(model), Options(**options))
    for named in recordings(map(str, what)):
        yield from answering.answer(named)
