"""From the score files of a system's runs and seeds to the figures of a results table."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from steps.evaluation.metrics import Metrics, classification_metrics, confusion
from steps.evaluation.scores import Scores, pool, read_scores
from utils import config, leak
from utils.cli import UserError

ORACLE = "training.oracle"  # the one setting that trains nothing differently
PLACE = re.compile(r"(?P<run>.+)_seed(?P<seed>\d+)")
# What a value switches on: without it, these keys say nothing.
AUGMENTATION = {
    "copypaste": ["copypaste_share", "copypaste_same_speaker", "neutral"],
    "speed": [],
    "noise": ["noise_snr"],
    "time_mask": ["masks"],
    "frequency_mask": ["masks"],
}
BACKEND = {
    "network": [],
    "linear": ["sees", "C"],
    "svm": ["sees", "C"],
    "autoencoders": ["sees", "latent", "epochs", "batch", "lr"],
}


@dataclass
class Summary:
    """What a system achieved; spreads are sample standard deviations, nan of a single value."""

    name: str
    runs: list[str]
    seeds: list[int]
    places: dict[tuple[str, int], Path]  # (run, seed) → its folder, in the order of seeds and runs
    settings: dict[str, Any]  # what its configuration switches on, with dotted keys
    scores: dict[tuple[str, int], Scores]  # of the test speakers
    together: list[Scores]  # of each seed, all runs' scores pooled
    pooled: Metrics  # all test utterances of a seed together, mean over seeds
    pooled_sd: Metrics  # over seeds
    by_run: list[Metrics]  # each run by itself, mean over its seeds
    folds: Metrics  # mean of by_run
    folds_sd: Metrics  # over runs
    last: Metrics  # pooled, with each run's last epoch instead of the selected one; nan where there are no epochs

    @property
    def classes(self) -> list[str]:
        return self.together[0].classes

    @property
    def utterances(self) -> list[str]:
        """The test utterances of all runs."""
        return self.together[0].utterances

    @property
    def labels(self) -> np.ndarray:
        """(N,) of the pooled test utterances."""
        return self.together[0].labels

    @property
    def speakers(self) -> list[str]:
        return sorted(set(self.together[0].speakers))

    @property
    def deterministic(self) -> bool:
        """Whether it depends on no seed: a linear model or SVM, fitted on functionals or on the embeddings of a
        pre-trained network that stays as it is."""
        known = self.settings.get
        same = known("backend.sees") == "functionals" or (known("training.pretrained") and not known("network.AD"))
        fitted = known("training.epochs") == 0 and known("backend.kind") in ("linear", "svm")
        return bool(same and fitted and not self.pooled_sd.wf1 > 0)

    @property
    def spaces(self) -> tuple[str, str]:
        """What the space that its classifier sees and the one that it has put aside are called, where it has both."""
        apart = self.settings.get("backend.kind") == "autoencoders"
        return ("z_style", "z_speaker") if apart else ("pool(F⁺)", "pool(F⁻)")

    @cached_property
    def untested(self) -> list[str]:
        """The speakers that selected epochs and are tested in none of the runs."""
        paths = [place / "scores.valid" for place in self.places.values()]
        selecting = {speaker for path in paths if path.is_file() for speaker in read_scores(path).speakers}
        return sorted(selecting - set(self.speakers))

    @cached_property
    def counts(self) -> np.ndarray:
        """(speakers, seeds, classes, classes) confusion matrices: what intervals and tests over speakers rest on."""
        return np.array([[confusion_of(scores, who) for scores in self.together] for who in self.speakers])


def confusion_of(scores: Scores, speaker: str) -> np.ndarray:
    """(classes, classes) of one speaker's utterances."""
    mine = np.array(scores.speakers) == speaker
    return confusion(scores.labels[mine], scores.decisions[mine], len(scores.classes))


def switched_on(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Without the keys of augmentations that are off and of other back-ends."""
    on = [name for name in AUGMENTATION if settings.get(f"augmentation.{name}") not in (None, 0, "none")]
    kind = settings.get("backend.kind", "network")
    known = {f"augmentation.{key}" for name, own in AUGMENTATION.items() for key in (name, *own)}
    known |= {f"backend.{key}" for own in BACKEND.values() for key in own}
    used = {f"augmentation.{key}" for name in on for key in (name, *AUGMENTATION[name])}
    used |= {f"backend.{key}" for key in BACKEND.get(kind, [])}
    return {key: value for key, value in settings.items() if key in used or key not in known}


def find_runs(system: Path, runs: Collection[str] = (), seeds: Collection[int] = ()) -> dict[tuple[str, int], Path]:
    """(run, seed) → folder of every finished run of a system, or of those named. Raises UserError where one that is
    asked for, or that another seed has, is missing."""
    found = {
        (match["run"], int(match["seed"])): path.parent
        for path in sorted(system.glob("*_seed*/scores"))
        if (match := PLACE.fullmatch(path.parent.name))
    }
    runs = runs or sorted({run for run, _ in found})
    seeds = seeds or sorted({seed for _, seed in found})
    missing = [f"{run}_seed{seed}" for run in runs for seed in seeds if (run, seed) not in found]
    if missing or not found:
        raise UserError(f"{system}: no scores of {', '.join(missing) or 'any run'}; train it to the end first")
    return {(run, seed): found[run, seed] for seed in seeds for run in runs}


def complete_seeds(system: Path, runs: Collection[str]) -> list[int]:
    """The seeds with which all of `runs` are finished."""
    found = [match for path in system.glob("*_seed*/scores") if (match := PLACE.fullmatch(path.parent.name))]
    of_seed: dict[int, set[str]] = {}
    for match in found:
        of_seed.setdefault(int(match["seed"]), set()).add(match["run"])
    return sorted(seed for seed, finished in of_seed.items() if finished >= set(runs))


def over(rows: list[Metrics], function: str) -> Metrics:
    """`mean` or `sd` of each figure."""
    values = np.array(rows)
    if function == "mean":
        return Metrics(*values.mean(axis=0))
    return Metrics(*(values.std(axis=0, ddof=1) if len(rows) > 1 else np.full(values.shape[1], np.nan)))


def of(scores: Scores) -> Metrics:
    """The metrics of one score file's decisions."""
    return classification_metrics(scores.labels, scores.decisions)


def check_selection(place: Path, tested: Scores) -> None:
    """Raises UserError where a speaker that is tested also selected the epoch: no fold list allows that."""
    selecting = set(read_scores(place / "scores.valid").speakers) if (place / "scores.valid").is_file() else set()
    if both := selecting & set(tested.speakers):
        raise UserError(f"{place}: '{min(both)}' is tested and selected the epoch, too; these scores are no result")


def summarise(
    system: Path,
    runs: Collection[str] = (),
    seeds: Collection[int] = (),
    name: str = "scores",
    leaking: bool = False,
) -> Summary:
    """Read a system's score files and condense them; `name`: the file of each run that is taken for its scores. Raises
    UserError for what was made under leaking folds, unless it is for the leak table (`leaking`)."""
    if not leaking:
        leak.check_results(system)
    places = find_runs(system, runs, seeds)
    settings = {
        place: switched_on(config.flatten(config.read_yaml(place / "config.yaml"))) for place in places.values()
    }
    first = next(iter(settings))
    for place, own in settings.items():  # by the keys of both: what a later version added had one value before
        shared = (own.keys() & settings[first].keys()) - {ORACLE}
        if any(own[key] != settings[first][key] for key in shared):
            raise UserError(f"{place}: was made with another configuration than {first}; redo one of them")
    runs, seeds = list(dict.fromkeys(run for run, _ in places)), list(dict.fromkeys(seed for _, seed in places))
    read = {key: read_scores(place / name) for key, place in places.items()}
    for key, place in places.items():
        check_selection(place, read[key])
    paths = {key: place / "scores.last" for key, place in places.items()}
    last = {key: read_scores(path) for key, path in paths.items() if path.is_file()}
    together = [pool([read[run, seed] for run in runs]) for seed in seeds]
    if any(scores.utterances != together[0].utterances for scores in together):
        raise UserError(f"{system}: its seeds were not scored on the same utterances")
    by_seed = [of(scores) for scores in together]
    by_run = [over([of(read[run, seed]) for seed in seeds], "mean") for run in runs]
    result = Summary(
        name=system.name,
        runs=runs,
        seeds=seeds,
        places=places,
        settings=settings[first],
        scores=read,
        together=together,
        pooled=over(by_seed, "mean"),
        pooled_sd=over(by_seed, "sd"),
        by_run=by_run,
        folds=over(by_run, "mean"),
        folds_sd=over(by_run, "sd"),
        last=over([of(pool([last[run, seed] for run in runs])) for seed in seeds], "mean")
        if len(last) == len(places)
        else Metrics(*[np.nan] * len(Metrics._fields)),
    )
    if result.deterministic:  # its seeds are one
        result.pooled_sd = over(by_seed[:1], "sd")
    return result
