#!/usr/bin/env python3
"""Keep what a results table rests on, and write the tables: from exp/ into the repository.

  steps/publish.py [--systems "..."] [--labels true|false] <exp-dir>
  steps/publish.py exp/ravdess
  steps/publish.py results/ravdess     write the tables anew, from what is kept

In egs/<recipe>/results, of egs/<recipe>/exp, or in results/<corpus>, of exp/<corpus>: each system's finished runs as
<system>.tar.xz (score files, probes, learning curve, configuration, environment), those under leaking folds in
leak_<kind>/; audit.json, where there is one; results.json, README.md and figures/. Runs and systems kept before stay.
Then the root's RESULTS.md, and what stands between `<!-- results -->` and `<!-- /results -->` in its README.md, from
the results.json of every corpus. What to know of a corpus's data, written by hand, may stand in its about.md, and what
to know of all in results/about.md; the README takes the first paragraph. What follows are limits: the second paragraph
of results/about.md for RESULTS.md, the rest for the page of all corpora.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from steps.evaluation import audit, keeping, results, together
from steps.evaluation.evidence import choose
from steps.evaluation.keeping import corpus_of, recipe_of
from steps.reporting import documents, page, root, tables
from steps.reporting.documents import Recipe
from utils import cli, systems
from utils.files import copy
from utils.hold import hold
from utils.runs import Texts
from utils.table import read_table

ABOUT, README = "about.md", "README.md"
MARKS = re.compile(r"(?<=<!-- results -->\n).*(?=<!-- /results -->)", re.DOTALL)


def about_of(folder: Path, recipe: Path) -> tuple[str, str]:
    """What was written by hand of a corpus, and of all. Raises UserError for what is no text."""
    own, shared = ((Texts(place).read(ABOUT) or "").strip() for place in (folder, recipe / "results"))
    return own, shared


def read_recipe(folder: Path) -> Recipe:
    """What egs/<recipe>/results, or a corpus's folder in it, says of the corpus."""
    name, recipe = corpus_of(folder), recipe_of(folder)[0]
    own, shared = about_of(folder, recipe)
    return Recipe(name, recipe.name, results.read(folder / results.NAME), own, shared if name != recipe.name else "")


def write_folder(folder: Path, exp: Path) -> None:
    """README.md and figures/ of egs/<recipe>/results, from its results.json; pictures of networks from exp/figures."""
    recipe, networks = read_recipe(folder), []
    for name, caption in {"embeddings": documents.EMBEDDINGS, "masks": documents.MASKS}.items():
        drawn, kept = (place.absolute() / f"figures/{name}.png" for place in (exp, folder))
        if drawn.is_file() and drawn != kept:  # by steps/report.py
            kept.parent.mkdir(exist_ok=True)
            copy(drawn, kept)
        if kept.is_file():
            networks.append(page.picture(f"figures/{name}", caption))
    sections = documents.everything(recipe.results, folder, networks, ["png"])
    sections = {"": [recipe.about]} | sections | documents.again(recipe) | {"The files": [documents.FILES]}
    page.write(folder / README, page.document(f"All results on {recipe.name}", "steps/publish.py", sections))


def write_together(home: Path, conf: Path) -> None:
    """<home>/together.json and its README.md, where results of several corpora lie in `home` and groups.yaml says what
    to compare."""
    folders = sorted(path.parent for path in home.glob(f"[!.]*/{results.NAME}"))
    if len(folders) > 1 and (groups := systems.read_groups(conf)).together:
        compared = together.make(home, folders, groups.together, groups.planned)
        results.write(home / together.NAME, compared)
        for name in sorted({folder.name for folder in folders} - set(compared["corpora"])):
            print(f"{home / name}: lacks one of {', '.join(groups.planned)}: left out of what is compared over all")
        recipes = [read_recipe(folder) for folder in folders]
        page.write(home / README, root.together(recipes, read_together(home), home))


def read_together(home: Path) -> dict[str, Any]:
    """What <home>/together.json holds."""
    return results.read(home / together.NAME, "steps/publish.py", "comparisons")


def write_root(top: Path) -> None:
    """RESULTS.md and the README's results, from egs/*/results: first of a recipe that compares over several corpora,
    then of the corpora with most systems."""

    def compares(recipe: Recipe) -> Path | None:
        path = top / "egs" / recipe.folder / "results" / together.NAME
        return path if path.is_file() else None

    folders = sorted(path.parent for path in (top / "egs").glob(f"*/results/**/{README}"))
    recipes = [read_recipe(folder) for folder in folders if (folder / results.NAME).is_file()]
    recipes.sort(key=lambda recipe: (not compares(recipe), -len(recipe.results["systems"])))
    others = [str(folder.relative_to(top)) for folder in folders if not (folder / results.NAME).is_file()]
    compared = read_together(path.parent) if (path := compares(recipes[0])) else None
    page.write(top / "RESULTS.md", root.root(recipes, others, compared))
    if (text := Texts(top).read(README)) is not None:
        page.write(top / README, MARKS.sub(lambda _: root.readme(recipes, compared), text))


def publish(options: argparse.Namespace, chosen: Sequence[str]) -> None:
    """Keep the `chosen` systems, and write all that tells of them."""
    exp, labels = options.exp, options.labels == "true"
    recipe, folder = recipe_of(options.results or exp)
    conf = options.conf or recipe / "conf"
    about_of(folder, recipe)
    keeping.check(exp, folder, chosen, read_table(options.data / "utt2emo") if options.data else None)
    keeping.keep(exp, folder, chosen, labels)
    if (exp / audit.NAME).is_file() and exp.resolve() != folder.resolve():
        copy(exp / audit.NAME, folder / audit.NAME)
    made = results.make(folder, conf, corpus_of(folder), data=options.data)
    results.write(folder / results.NAME, made)
    for note in tables.warnings(made):
        print(note)
    write_folder(folder, exp)
    top = recipe.parent.parent
    write_together(recipe / "results", conf)
    write_root(top)
    print(f"{folder}: {len(chosen)} systems kept; {top / 'RESULTS.md'} written")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exp", type=cli.path_of, help="folder that holds the systems' folders")
    parser.add_argument("--systems", default="", help="systems to keep, and groups of <conf>/groups.yaml [all]")
    parser.add_argument(
        "--labels", choices=["true", "false"], default="true", help="false: of a licensed corpus [true]"
    )
    parser.add_argument("--data", type=cli.path_of, help="the data dir that says the labels, with --labels false")
    parser.add_argument("--results", type=cli.path_of, help="egs/<recipe>/results [where <exp-dir> lies]")
    parser.add_argument("--conf", type=cli.path_of, help="folder of the configuration [the recipe's]")
    options = parser.parse_args()
    exp, recipe = options.exp, recipe_of(options.results or options.exp)[0]
    chosen = choose(exp, options.conf or recipe / "conf", options.systems)
    if options.labels == "false" and not options.data:
        raise cli.UserError("--labels false needs --data DIR, the data dir that has the labels")
    audit.read(exp)  # one that is damaged is refused before anything is kept
    with hold(recipe.parent, wait=True):  # what is kept is read, added to and written, and pages tell of all corpora
        publish(options, chosen)


if __name__ == "__main__":
    cli.run(main)
