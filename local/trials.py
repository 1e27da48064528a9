"""Trials of speaker verification, two utterances and whether one speaker says both, against a corpus's recordings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from utils.audio_files import stem
from utils.cli import UserError, warn
from utils.data_dir import Utterance
from utils.table import read_lines

Trial = tuple[str, str, str]  # target|nontarget, and two utterances as `place` names them


def place(utterance: Utterance) -> str:
    """`<speaker>/<video>/<utterance>`: what trials call it, without the suffix, which may differ from theirs."""
    return "/".join((*utterance.wav.parts[-3:-1], utterance.wav.stem))


def some(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def read_trials(path: Path) -> list[Trial]:
    """The lines `1 id10270/x/00001.wav id10270/y/00008.wav` of a list of trials; folders before these mean nothing."""
    trials = []
    for number, line in enumerate(read_lines(path), 1):
        label, *names = line.split() or [""]
        if label not in ("0", "1") or len(names) != 2:
            raise UserError(f"{path}:{number}: expected '<0|1> <file> <file>', found '{line.strip()}'")
        first, second = ("/".join(Path(stem(name)).parts[-3:]) for name in names)
        trials.append(("target" if label == "1" else "nontarget", first, second))
    return trials


def match_trials(
    trials: list[Trial], test: list[Utterance], path: Path, check: bool
) -> tuple[list[Trial], list[Utterance]]:
    """The trials by utterance-id, and the utterances that are in one. Trials that name a missing file are refused, or
    without `check` dropped, unless all do."""
    rows = {place(row): row for row in test}
    if missing := {name for trial in trials for name in trial[1:] if name not in rows}:
        if all(not missing.isdisjoint(trial[1:]) for trial in trials):
            first = next(name for name in trials[0][1:] if name in missing)
            raise UserError(
                f"{path}: none of its {len(trials)} trials fits: '{first}', of the first, is not in test; expected "
                "<speaker>/<video>/<utterance>.wav as they lie there"
            )
        total, trials = len(trials), [trial for trial in trials if missing.isdisjoint(trial[1:])]
        lost = f"{path}: {total - len(trials)} of {total} trials name files that are not in test ({some(missing)})"
        if check:
            raise UserError(f"{lost}: --check-counts false drops them")
        warn(f"{lost}: dropped")
    for kind, *pair in trials:
        if (kind == "target") != (rows[pair[0]].speaker == rows[pair[1]].speaker):
            said = "one speaker" if kind == "target" else "two speakers"
            raise UserError(
                f"{path}: the trial '{' '.join(pair)}' is said to be of {said}, and its folders say otherwise"
            )
    tried = {name for trial in trials for name in trial[1:]}
    if len(tried) < len(rows):
        print(f"{path}: {len(rows) - len(tried)} utterances of test are in no trial and left out")
    return [(kind, rows[a].name, rows[b].name) for kind, a, b in trials], [rows[name] for name in tried]
