"""Recordings in, answers out, one after the other. Of a long recording no more is held than the descriptors of its
stretches; where answers are adapted to speakers, those of all recordings, to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from steps.frontend.audio import Reading
from steps.frontend.decoding import Decoded, Unusable, decode
from steps.frontend.descriptors import Descriptor
from steps.prediction.adaptation import Adapt, Heard, adapted
from steps.prediction.inputs import Named, recordings
from steps.prediction.model import OWN, Answers, Model, with_prior
from steps.prediction.stretches import By, Stretch, stretches
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
    adapt: Adapt = "none"

    def __post_init__(self) -> None:
        for name, value, known in (("by", self.by, get_args(By)), ("adapt", self.adapt, get_args(Adapt))):
            if value not in known:
                raise UserError(f"{name} '{value}': there are {', '.join(known)}")
        self.hop = self.window if self.hop is None else self.hop
        if not 0.25 <= self.window <= 60:
            raise UserError(f"window {self.window:g} s: from 0.25 to 60 s")
        if not 0.05 <= self.hop <= 60:
            raise UserError(f"hop {self.hop:g} s: from 0.05 to 60 s")
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

    def channels(self, named: Named) -> Iterator[Iterator[Heard]]:
        """Of each channel that is answered by itself, the stretches. Raises Unusable, here or from the stretches; for
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
            heard = (self.hear(named, channel + alone, part) for part in parts)
            yield but_for_lost(heard, channel + 1, lost) if alone else heard
        if lost:
            raise Unusable("; ".join(lost))

    def hear(self, named: Named, channel: int, part: Stretch) -> Heard:
        descriptor = Descriptor(self.model.settings.sample_frequency, self.model.settings.highest)
        descriptor.hear(part.samples)
        self.heard(part.end)
        vector, offset = descriptor.vector(), named.source.begin
        [posteriors], [unlike] = self.posteriors(vector[None])
        return Heard(named, channel, offset + part.begin, offset + part.end, vector, posteriors, float(unlike))

    def units(self, named: Named) -> Iterator[list[Heard]]:
        """What is answered once, of a recording: all stretches of a channel, or each. Raises Unusable; what came before
        that is true."""
        for parts in self.channels(named):
            if self.options.by != "recording":
                yield from ([part] for part in parts)
            elif whole := list(parts):
                yield whole

    def answer(self, named: Named) -> Iterator[Answer]:
        """Raises Unusable for a recording that cannot be read; what came before that is true."""
        return map(self.of_unit, self.units(named))

    def of_unit(self, unit: list[Heard]) -> Answer:
        """Of several stretches the mean over those that are like speech, and how unlike all of them are, the median."""
        like = [part for part in unit if part.unlike <= self.threshold] or unit
        posterior = np.mean([part.posteriors for part in like], axis=0)
        return self.flagged(unit, posterior, float(np.median([part.unlike for part in unit])))

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

    def flagged(self, unit: list[Heard], posterior: np.ndarray, unlike: float) -> Answer:
        unsure = self.model.calibration.unsure if self.options.unsure is None else self.options.unsure
        begin, end = unit[0].begin, unit[-1].end
        doubts = {
            "unsure": posterior.max() < unsure,
            "unlike": unlike > self.threshold,
            "short": end - begin < self.model.calibration.shortest,
        }
        label = self.model.settings.classes[int(posterior.argmax())]
        flags = [flag for flag, there in doubts.items() if there]
        return Answer(unit[0].named.name, unit[0].channel, begin, end, label, posterior, unlike, flags)

    def adapted(self, units: Sequence[list[Heard]]) -> Iterator[Answer]:
        """The answer to each unit, once what is its speaker's, or what all share, is taken from its descriptors. How
        unlike speech it is, is told of it as it was heard."""
        vectors = iter(adapted(units, self.options.adapt, self.model.mean, self.threshold))
        for unit in units:
            posteriors = self.posteriors(np.stack([next(vectors) for _ in unit])).posteriors
            yield self.of_unit([part._replace(posteriors=own) for part, own in zip(unit, posteriors)])


def but_for_lost(parts: Iterator[Heard], channel: int, lost: list[str]) -> Iterator[Heard]:
    """The same; where they end in Unusable, that joins `lost`."""
    try:
        yield from parts
    except Unusable as reason:
        lost.append(f"channel {channel}: {reason}")


def of_channel(file: Decoded, channel: int) -> Decoded:
    """A file of one of its channels."""
    return file._replace(channels=1, pieces=(piece[:, channel] for piece in file.pieces))


def answers(*what: str | Path, model: str | Path = OWN, **options: Any) -> Iterator[Answer]:
    """What a model says of recordings, one after the other, or with `adapt` once all have been heard: `what` is as
    steps/predict.py takes it, `options` are fields of `Options`. Raises Unusable for a recording that cannot be read,
    UserError for what is no recording."""
    answering, named = Answering(Model(model), Options(**options)), recordings(map(str, what))
    if answering.options.adapt == "none":
        yield from (answer for one in named for answer in answering.answer(one))
    else:
        yield from answering.adapted([unit for one in named for unit in answering.units(one)])
