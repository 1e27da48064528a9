#!/usr/bin/env python3
"""Score speaker-verification trials by the cosine of two embeddings; print EER and minDCF.

  steps/score_trials.py <trials> <embedding.scp> <out-dir>
  steps/score_trials.py data/test/trials exp/resnet18/embeddings/test/embedding.scp exp/resnet18/trials

<out-dir>/scores has a line `<utt1> <utt2> <target|nontarget> <cosine>` a trial, <out-dir>/result the two figures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

import steps  # noqa: F401  # isort: skip (before what takes long: it says why)


import numpy as np

from utils import cli
from utils.archive import read_of, read_scp
from utils.files import whole
from utils.table import read_lines


def read_trials(path: Path) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Pairs of utterances, and (N,) of 1 for the same speaker, 0 for two."""
    pairs, targets = [], []
    first: dict[tuple[str, ...], tuple[int, str]] = {}  # the pair, in any order → line and kind
    again = 0
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split()
        if len(fields) != 3 or fields[2] not in ("target", "nontarget"):
            raise cli.UserError(f"{path}:{number}: expected '<utt1> <utt2> target|nontarget', found '{line}'")
        line_before, kind = first.setdefault(tuple(sorted(fields[:2])), (number, fields[2]))
        if kind != fields[2]:
            raise cli.UserError(f"{path}:{number}: is {fields[2]}, and line {line_before} says of the same two: {kind}")
        again += line_before < number or fields[0] == fields[1]
        pairs.append((fields[0], fields[1]))
        targets.append(fields[2] == "target")
    if len(set(targets)) < 2:
        raise cli.UserError(f"{path}: needs target and nontarget trials")
    if again:
        cli.warn(f"{path}: {again} of {len(pairs)} trials stood before, or are of an utterance with itself; they count")
    return pairs, np.array(targets, dtype=int)


def read_units(path: Path) -> dict[str, np.ndarray]:
    """utterance → its embedding, at length 1. Raises UserError for one that has no direction, or another size."""
    units: dict[str, np.ndarray] = {}
    for name, entry in read_scp(path).items():
        vector = read_of(path, name, entry)
        size = next(iter(units.values()), vector).shape
        with np.errstate(over="ignore"):  # infinity is refused below
            length = np.linalg.norm(vector)
        if vector.ndim != 1 or vector.shape != size or not 0 < length < np.inf:
            raise cli.UserError(
                f"{path}: '{name}' is no embedding: expected a vector{f' of {size[0]} values' * (len(size) == 1)}, "
                "finite and not all 0; steps/embed.py makes such"
            )
        units[name] = vector / length
    return units


def error_rates(scores: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Miss and false-alarm rate at every threshold; scores: (N,), higher for "same speaker"; targets: (N,) of 0/1."""
    from sklearn.metrics import roc_curve  # here, as it takes a second that --help need not wait for

    false_alarm, hit, _ = roc_curve(targets, scores, drop_intermediate=False)
    return 1 - hit, false_alarm


def eer(scores: np.ndarray, targets: np.ndarray) -> float:
    """The rate at which misses and false alarms are equally frequent, in [0, 1], interpolated between the two
    thresholds where they cross."""
    miss, false_alarm = error_rates(scores, targets)
    difference = miss - false_alarm  # falls from 1 to −1
    after = int(np.argmax(difference <= 0))
    before = after - 1
    share = difference[before] / (difference[before] - difference[after])
    return float(miss[before] + share * (miss[after] - miss[before]))


def min_dcf(scores: np.ndarray, targets: np.ndarray, p_target: float = 0.01) -> float:
    """The least of p_target · miss + (1 − p_target) · false alarm (both costs 1) over all thresholds, divided by that
    of the better of always accepting and always rejecting."""
    miss, false_alarm = error_rates(scores, targets)
    cost = p_target * miss + (1 - p_target) * false_alarm
    return float(cost.min() / min(p_target, 1 - p_target))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", type=cli.path_of)
    parser.add_argument("embeddings", type=cli.path_of, help="embedding.scp")
    parser.add_argument("out", type=cli.path_of, help="folder for scores and result")
    options = parser.parse_args()
    pairs, targets = read_trials(options.trials)
    units = read_units(options.embeddings)
    if lost := sorted({name for pair in pairs for name in pair} - units.keys()):
        cli.warn(f"{len(lost)} utterances of the trials have no embedding ({lost[0]}, …); their trials are left out")
        usable = [first in units and second in units for first, second in pairs]
        pairs, targets = [pair for pair, use in zip(pairs, usable) if use], targets[usable]
        if len(set(targets)) < 2:
            raise cli.UserError(f"{options.trials}: what is left has not both, target and nontarget trials")
    scores = np.array([units[first] @ units[second] for first, second in pairs])
    with whole(options.out / "scores") as temporary, open(temporary, "w", encoding="utf-8") as out:
        for (first, second), target, score in zip(pairs, targets, scores):
            out.write(f"{first} {second} {'target' if target else 'nontarget'} {score:.6f}\n")
    result = f"%EER {100 * eer(scores, targets):.2f} %minDCF {min_dcf(scores, targets):.4f} "
    result += f"[ {len(pairs)} trials, P_target 0.01 ] {options.out}\n"
    with whole(options.out / "result") as temporary:
        temporary.write_text(result)
    print(result, end="")


if __name__ == "__main__":
    cli.run(main)
