"""What a speaker's recordings have in common, taken from them before they are answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from steps.prediction.inputs import Named
from steps.systems.speaker_mean import less_speakers

Adapt = Literal["none", "speaker", "all"]


class Heard(NamedTuple):
    """A stretch of a recording, as it was heard."""

    named: Named
    channel: int  # from 1, which is then a speaker of its own; 0: all, mixed
    begin: float  # s, from the recording's begin
    end: float
    vector: np.ndarray  # (1851,) descriptors
    posteriors: np.ndarray  # (classes,)
    unlike: float

    def whose(self, adapt: Adapt) -> str | None:
        """Whose mean is taken from it; None: nobody's, as it is not known who speaks."""
        if adapt == "all":
            return ""
        return None if self.named.whose is None else f"{self.channel} {self.named.whose}"


def adapted(units: Sequence[Sequence[Heard]], adapt: Adapt, centre: np.ndarray, threshold: float) -> list[np.ndarray]:
    """The vectors of all stretches, unit after unit, less what is their speaker's (see `less_speakers`). A unit, all of
    a recording or a stretch of it, counts once, by its mean. Nothing above the `threshold` of `unlike` counts, unless
    all of a speaker's is. centre: (1851,), the model's mean."""
    whose = [unit[0].whose(adapt) for unit in units]
    means, counts, before = np.empty((len(units), len(centre)), centre.dtype), np.zeros(len(units), bool), set()
    for k, unit in enumerate(units):
        like = [one.vector for one in unit if one.unlike <= threshold]
        place = whose[k], unit[0].named.source, unit[0].begin
        means[k] = np.mean(like or [one.vector for one in unit], axis=0)
        counts[k] = bool(like) and place not in before  # what is named twice counts once
        before.add(place)
    shifts, known = np.zeros_like(means), np.array([who is not None for who in whose], bool)
    if known.any():
        shifts[known] = means[known] - less_speakers(means[known], [who for who in whose if who is not None], centre,
                                                     counts[known])  # fmt: skip
    return [one.vector - shift for unit, shift in zip(units, shifts) for one in unit]


def told(units: Sequence[Sequence[Heard]], adapt: Adapt, what: str) -> str:
    """How many speakers were found, and how, for the user; `what` a unit is: recordings, windows, turns."""
    if adapt == "all":
        return f"--adapt all: {len(units)} {what}"
    firsts = [unit[0] for unit in units]
    counts = Counter(whose for first in firsts if (whose := first.whose(adapt)) is not None)
    least, most = min(counts.values(), default=0), max(counts.values(), default=0)
    each = f" with {least}{f' to {most}' * (most > least)} {what if most > 1 else what[:-1]}" * bool(counts)
    said = [f"{len(counts)} speaker{'s' * (len(counts) != 1)}{each}{' each' * (len(counts) > 1)}"]
    if folders := sum(first.named.speaker is None for first in firsts):
        said.append(f"{'all' if folders == len(firsts) else 'some'} told by folder")
    if alone := sum(count == 1 for count in counts.values()):
        said.append(f"{alone} with one alone, which tells little")
    if strangers := len(firsts) - sum(counts.values()):
        said.append(f"{strangers} {what} of nobody known stay as they are")
    return f"--adapt speaker: {'; '.join(said)}"
