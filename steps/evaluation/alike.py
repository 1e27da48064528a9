"""Whether runs of one system were made alike, so that they may stand for it together; whether a mean is its parts'."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils import config, runs
from utils.cli import UserError
from utils.runs import Texts
from utils.scores import known_sum, of_run, sums

INPUTS = ("features", "speech decisions", "descriptors", "embeddings", "labels", "corpora")  # of them it tells, by sums
ROUNDING = 1e-3  # of a posterior that was computed on another machine
ORACLE = "training.oracle"  # the one setting that trains nothing differently
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
    "linear": ["sees", "vectors", "C", "refit", "of"],
    "svm": ["sees", "vectors", "C", "refit", "of"],
    "mlp": ["sees", "vectors", "C", "refit", "of", "hidden", "epochs", "batch", "lr"],
    "autoencoders": ["sees", "latent", "epochs", "batch", "lr"],
    "mean": ["of"],
}


def switched_on(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Without the keys of augmentations that are off and of other back-ends."""
    on = [name for name in AUGMENTATION if settings.get(f"augmentation.{name}") not in (None, 0, "none")]
    kind = settings.get("backend.kind", "network")
    known = {f"augmentation.{key}" for name, own in AUGMENTATION.items() for key in (name, *own)}
    known |= {f"backend.{key}" for own in BACKEND.values() for key in own}
    used = {f"augmentation.{key}" for name in on for key in (name, *AUGMENTATION[name])}
    used |= {f"backend.{key}" for key in BACKEND.get(kind, [])}
    return {key: value for key, value in settings.items() if key in used or key not in known}


def made_alike(files: Mapping[tuple[str, int], Texts]) -> dict[str, Any]:
    """The configuration that all of these runs were made with. Raises UserError where they differ in what both know
    (what a later version added had one value before), or were made from other features or labels."""
    if lacking := [texts.place for texts in files.values() if texts.read(runs.CONFIG) is None]:
        raise UserError(f"{lacking[0]}: {runs.CONFIG} is missing beside the scores; remove the run and redo it")
    for texts in files.values():
        made = sums({runs.CONFIG: texts.read(runs.CONFIG) or ""})[runs.CONFIG]
        if known_sum(texts, runs.CONFIG) not in ("", made):
            raise UserError(f"{texts.place / runs.CONFIG}: changed after the run was made; remove the run and redo it")
    every = {texts.place: switched_on(config.flatten(texts.mapping(runs.CONFIG))) for texts in files.values()}
    first, *others = every.items()
    for place, own in others:
        shared = (own.keys() & first[1].keys()) - {ORACLE}
        if different := [key for key in own if key in shared and own[key] != first[1][key]]:
            raise UserError(
                f"{place}: was made with another configuration than {first[0]} ({different[0]}); redo one of them"
            )
    _check_inputs(files)
    return first[1]


def _check_inputs(files: Mapping[tuple[str, int], Texts]) -> None:
    """Raise UserError where runs were made from other features or labels, by the records that lie beside them."""
    first: dict[str, tuple[Path, str]] = {}
    for texts in files.values():
        made = texts.mapping(runs.RECORD).get("content")
        if not isinstance(made, dict):  # an archive keeps no record
            continue
        for name in INPUTS:
            place, known = first.setdefault(name, (texts.place, str(made.get(name, ""))))
            if made.get(name, "") != known:
                raise UserError(f"{texts.place}: was made from other {name} than {place}; redo one of them")


def check_means(
    systems: Mapping[str, Mapping[tuple[str, int], Texts]], emotions: Mapping[str, str] | None = None
) -> None:
    """Raise UserError for a mean of other systems that is not that of their posteriors as they are; systems: name →
    (run, seed) → files, with all that stand beside each other; emotions: as of `of_run`. A run that a part lacks is
    passed over."""
    for files in systems.values():
        for key, texts in files.items():
            settings = config.flatten(texts.mapping(runs.CONFIG))
            names = settings.get("backend.of", []) if settings.get("backend.kind") == "mean" else []
            parts = {name: systems[name][key] for name in names if key in systems.get(name, {})}
            if names and len(parts) == len(names):
                _check_mean(texts, parts, emotions)


def _check_mean(own: Texts, parts: Mapping[str, Texts], emotions: Mapping[str, str] | None) -> None:
    """Raise UserError where a run's posteriors are not the mean of those of its `parts`."""
    for name in (runs.SCORES, runs.VALID):
        found = [scores.posteriors for one in (own, *parts.values()) if (scores := of_run(one, name, emotions))]
        if len(found) <= len(parts):  # not each has this file
            continue
        mean, *each = found
        if any(part.shape != mean.shape for part in each) or abs(mean - sum(each) / len(each)).max() > ROUNDING:
            raise UserError(
                f"{own.place}: is not the mean of {' and '.join(parts)} as they are now; make it again, and publish it "
                "with them"
            )


def check_folds(archive: Path, before: Mapping[tuple[str, int], Texts], own: Mapping[tuple[str, int], Texts]) -> None:
    """Raise UserError where runs that are kept `before` and a system's `own` are not of the same folds: with one seed,
    both would test somebody."""
    tested: dict[tuple[int, str], str] = {}
    if {run for run, _ in before} == {run for run, _ in own}:
        return
    for (run, seed), texts in {**before, **own}.items():
        scores = of_run(texts, runs.SCORES)
        for speaker in set(scores.speakers) if scores else ():
            if (other := tested.setdefault((seed, speaker), run)) != run:
                raise UserError(
                    f"{archive}: its runs are of other folds: '{speaker}' is tested in {run} and in {other}; remove "
                    "it, and these runs are kept in its place"
                )
