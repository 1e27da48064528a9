"""What is kept of finished runs, in egs/<recipe>/results: where it lies, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from steps.evaluation import results
from steps.evaluation.alike import check_folds, check_means, made_alike
from steps.evaluation.evidence import check_run
from utils import cli, runs


def check(exp: Path, folder: Path, names: Sequence[str], emotions: Mapping[str, str] | None) -> None:
    """Raise UserError, before anything is kept, for a run that results could not be made of, alone or beside those that
    are kept."""
    corpus = corpus_of(folder)
    kept = (path.parent for path in recipe_of(folder)[0].parent.glob(f"*/results/**/{results.NAME}"))
    if twins := [one for one in kept if one != Path(os.path.abspath(folder)) and corpus_of(one) == corpus]:
        raise cli.UserError(f"{twins[0]}: is called {corpus}, too; keep this under another name, with --results")
    every = {name: runs.archived(folder / name) for name in runs.systems(folder)}
    for name in names:
        own = runs.finished(exp / name)
        check_folds(folder / f"{name}{runs.ARCHIVE}", every.get(name, {}), own)
        runs.check_honest(exp / name, own.values())
        for texts in own.values():
            check_run(texts, emotions)
        every[name] = {**every.get(name, {}), **own}
        made_alike(every[name])
    check_means(every, emotions)


def keep(exp: Path, folder: Path, systems: Sequence[str], labels: bool) -> None:
    """The systems' archives, that of the extractor, and those under leaking folds."""
    for system in systems:
        keep_one(exp / system, folder, labels)
    if runs.finished(exp / runs.PRETRAINED, runs.PROBES):
        keep_one(exp / runs.PRETRAINED, folder, labels, runs.PROBES)
    for place in sorted(exp.glob(f"{runs.LEAKING}*")):
        for system in runs.systems(place):
            keep_one(place / system, folder / place.name, labels)


def keep_one(system: Path, folder: Path, labels: bool, last: str = runs.SCORES) -> None:
    """Put a system's finished runs, those that have the file `last`, into its archive in `folder`, beside those that
    are there already."""
    archive = folder / f"{system.name}{runs.ARCHIVE}"
    before = runs.archived(folder / system.name)
    with TemporaryDirectory() as temporary:
        place = Path(temporary) / system.name
        for (run, seed), texts in {**before, **runs.finished(system, last)}.items():
            (place / f"{run}_seed{seed}").mkdir(parents=True)
            for name in runs.KEPT:
                if (text := texts.read(name)) is not None:
                    (place / f"{run}_seed{seed}" / name).write_text(text, encoding="utf-8")
        runs.pack(place, archive, last, labels)


def recipe_of(exp: Path) -> tuple[Path, Path]:
    """egs/<recipe>, and where in its results the systems of `exp` are kept. Raises UserError for a folder elsewhere."""
    place = Path(os.path.abspath(exp))  # without "..", and where it is a link, where that is
    for recipe in place.parents:
        if recipe.parent.name == "egs":
            return recipe, recipe.joinpath("results", *place.relative_to(recipe).parts[1:])
    raise cli.UserError(f"{exp}: lies in no recipe; name the folder to keep them in, --results egs/<recipe>/results")


def corpus_of(folder: Path) -> str:
    """What the corpus of egs/<recipe>/results, or of a folder in it, is called."""
    recipe, _ = recipe_of(folder)
    return "/".join(Path(os.path.abspath(folder)).relative_to(recipe / "results").parts) or recipe.name
