"""Groups of speakers that are alike in speakers, genders and classes."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from utils.cli import UserError

DRAWS = 50  # of groups, the best of which is taken
FEW = 150  # units, up to which every exchange is tried


def shares(
    groups: Sequence[Sequence[str]], utt2spk: Mapping[str, str], utt2emo: Mapping[str, str], genders: Mapping[str, str]
) -> np.ndarray:
    """(groups of `units`, properties): which share of the speakers, of each gender and of each class's utterances a
    group has."""
    place = {speaker: number for number, group in enumerate(groups) for speaker in group}
    counts: Counter[tuple[int, str]] = Counter()
    for speaker, number in place.items():
        counts[number, ""] += 1
        counts[number, f"gender {genders.get(speaker, '')}"] += 1
    for utterance, speaker in utt2spk.items():
        counts[place[speaker], f"class {utt2emo.get(utterance, '')}"] += 1
    properties = sorted({name for _, name in counts})
    table = np.array([[counts[number, name] for name in properties] for number in range(len(groups))], dtype=float)
    return table / table.sum(axis=0)


def imbalance(mine: np.ndarray, dealt: np.ndarray, number: int) -> float:
    """How far groups are from equal shares, 0 to about 1. mine: of `shares`; dealt: (units,) group of each."""
    total = np.zeros((number, mine.shape[1]))
    np.add.at(total, dealt, mine)
    return float(np.square(total - 1 / number).sum(axis=0).mean()) + float((total < 1e-9).sum())


def balanced_groups(
    together: Sequence[Sequence[str]],
    number: int,
    utt2spk: Mapping[str, str],
    utt2emo: Mapping[str, str],
    genders: Mapping[str, str],
) -> list[list[str]]:
    """`number` groups of speakers, alike in speakers, genders and classes: the best of many draws of scikit-learn's
    StratifiedGroupKFold, in which units then change places as long as that makes the groups more alike. The same data
    give the same groups. Raises UserError where there are not so many units."""
    if not 1 <= number <= len(together):
        many = f"{len(together)} speakers" if all(len(unit) == 1 for unit in together) else f"{len(together)} units"
        raise UserError(f"folds: cannot make {number} groups of {many}")
    mine = shares(together, utt2spk, utt2emo, genders)
    best = min(_draws(together, number, utt2spk, utt2emo), key=lambda dealt: imbalance(mine, dealt, number))
    best = _improved(mine, best, number)
    groups = [sorted(s for k, unit in enumerate(together) if best[k] == g for s in unit) for g in range(number)]
    return sorted(groups)


def _draws(
    together: Sequence[Sequence[str]], number: int, utt2spk: Mapping[str, str], utt2emo: Mapping[str, str]
) -> Iterator[np.ndarray]:
    """(units,) the group of each: units in turn, and what StratifiedGroupKFold makes of them."""
    yield np.arange(len(together)) % number
    if number < 2:
        return
    from sklearn.model_selection import StratifiedGroupKFold

    place = {speaker: k for k, unit in enumerate(together) for speaker in unit}
    groups = np.array([place[speaker] for speaker in utt2spk.values()])
    classes = np.array([utt2emo.get(utterance, "") for utterance in utt2spk])
    if max(Counter(classes.tolist()).values()) < number:  # which scikit-learn refuses
        return
    for seed in range(DRAWS):
        dealt = np.zeros(len(together), dtype=int)
        split = StratifiedGroupKFold(number, shuffle=True, random_state=seed).split(classes, classes, groups)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of rare classes, which `table` shows
            for group, (_, tested) in enumerate(split):
                dealt[groups[tested]] = group
        yield dealt


def _improved(mine: np.ndarray, dealt: np.ndarray, number: int) -> np.ndarray:
    """With moves of one unit and swaps of two, the best first, as long as one helps. Of very many units, a draw is good
    enough."""
    if len(mine) > FEW:
        return dealt
    now = imbalance(mine, dealt, number)
    while True:
        best, change = now - 1e-12, None
        for unit in range(len(dealt)):
            tries = [{unit: group} for group in range(number) if group != dealt[unit]]
            tries += [{unit: dealt[k], k: dealt[unit]} for k in range(unit) if dealt[k] != dealt[unit]]
            for one in tries:
                other = dealt.copy()
                other[list(one)] = list(one.values())
                if (value := imbalance(mine, other, number)) < best:
                    best, change = value, other
        if change is None:
            return dealt
        now, dealt = best, change
