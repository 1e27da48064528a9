"""Systems over several corpora with the same classes: all of their utterances and speakers taken together."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from steps.evaluation import results
from steps.evaluation.comparison import compare, correct
from steps.evaluation.metrics import Metrics
from steps.evaluation.summary import Summary, known, summarise
from utils import runs
from utils.cli import UserError, warn
from utils.scores import Scores
from utils.table import read_lines

NAME = "together.json"  # beside the folders of the corpora's results
DEVELOP = "develop"  # there: speakers that systems were developed on, who are left out


def read_system(path: Path, only_seeds: Sequence[int] = (), emotions: Mapping[str, str] | None = None) -> Summary:
    """The scores of a system's folder of runs, or of an archive of one. Raises UserError where there is neither."""
    place = Path(os.path.abspath(path))  # "." has a name, too
    system = place.with_name(place.name.removesuffix(runs.ARCHIVE)) if place.name else place
    files = runs.unpack(path, system) if path.is_file() else runs.finished(system)
    if not files and not path.exists():
        raise UserError(f"{path}: no such folder, archive or score file")
    runs.check_honest(system, files.values())
    names = sorted({run for run, _ in files})
    summary = summarise(system, files, names, only_seeds or runs.complete_seeds(files, names), emotions)
    summary.name = str(path)
    return summary


def trained(folder: Path, name: str) -> Path:
    """The folder of a system's runs or, where there is none, its archive."""
    return folder / name if (folder / name).is_dir() else folder / f"{name}{runs.ARCHIVE}"


def together(
    folders: Sequence[Path],
    name: str,
    seeds: Sequence[int] = (),
    emotions: Mapping[str, str] | None = None,
    without: Collection[str] = (),
) -> Summary:
    """The scores of the system `name` in every folder, as one; speakers in `without` are left out. Raises UserError
    where classes differ or no seed is in all."""
    each = {str(folder): read_system(trained(folder, name), seeds, emotions) for folder in folders}
    told = {place: known(summary.pooled[0])[1] for place, summary in each.items()}
    for one, other in combinations(told, 2):
        if told[one] <= told[other] or told[other] <= told[one]:
            warn(f"{one} and {other} tell of the same utterances, speakers and labels: one corpus would count twice")
    first, *others = each.values()
    if unlike := [place for place, summary in each.items() if summary.classes != first.classes]:
        raise UserError(f"{unlike[0]}: its classes are not those of {folders[0]}")
    shared = [seed for seed in first.seeds if all(seed in other.seeds for other in others)]
    if not shared:
        raise UserError(f"{name}: no seed is in all of {', '.join(each)}")
    there = {who for own in each.values() for scores in own.scores.values() for who in scores.speakers}
    if strangers := set(without) - there:
        raise UserError(f"'{min(strangers)}' is to be left out, and is no speaker of {', '.join(each)}")
    if not there - set(without):
        raise UserError(f"all speakers of {', '.join(each)} are to be left out")
    scores = {
        (f"{place} {run}", seed): apart(own.scores[run, seed], place, without)
        for place, own in each.items()
        for run in own.runs
        for seed in shared
    }
    names = list(dict.fromkeys(run for run, _ in scores))
    texts = {
        (f"{place} {run}", seed): files
        for place, own in each.items()
        for (run, seed), files in own.texts.items()
        if seed in shared
    }
    return Summary(name, names, shared, texts, first.settings, scores, {}, Metrics(*[float("nan")] * 4))


def apart(scores: Scores, place: str, without: Collection[str]) -> Scores:
    """Without some speakers; utterances and speakers have `place` in front, as corpora may use the same names."""
    kept = [row for row, who in enumerate(scores.speakers) if who not in without]
    utterances, speakers = ([f"{place} {names[row]}" for row in kept] for names in (scores.utterances, scores.speakers))
    return Scores(scores.classes, utterances, speakers, scores.labels[kept], scores.posteriors[kept])


def make(home: Path, folders: Sequence[Path], pairs: Sequence[Sequence[str]], planned: Sequence[str]) -> dict[str, Any]:
    """What <home>/together.json holds: `corpora`, the names of `folders`; `left_out`, how many speakers of
    <home>/develop are; `speakers`, `utterances`; `comparisons` as in results.json, of those pairs that are whole in
    every folder, each with `planned`: Holm corrects all but that one. A corpus without the planned pair, where several
    have it, is left aside."""
    without = set(read_lines(home / DEVELOP)) if (home / DEVELOP).is_file() else set()
    scored = {folder: results.read(folder / results.NAME)["systems"].keys() for folder in folders}
    if len(asked := [folder for folder, own in scored.items() if own >= set(planned)]) > 1:
        folders = asked
    there = [pair for pair in pairs if all(name in scored[folder] for folder in folders for name in pair)]
    systems = {name: together(folders, name, without=without) for name in dict.fromkeys(sum(map(list, there), []))}
    comparisons = [
        compare(systems[pair[0]], systems[pair[1]]) | {"planned": list(pair) == list(planned)} for pair in there
    ]
    correct([one for one in comparisons if not one["planned"]])
    some = next(iter(systems.values()), None)
    return {
        "corpora": [folder.name for folder in folders],
        "left_out": len(without),
        "speakers": len(some.speakers) if some else 0,
        "utterances": len(some.utterances) if some else 0,
        "comparisons": comparisons,
    }
