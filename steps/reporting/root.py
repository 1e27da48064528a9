"""What visitors read first: the root's RESULTS.md, the results in its README.md and, of several corpora, the page that
compares over all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from steps.reporting import answers, over_corpora, tables
from steps.reporting.documents import (
    ASKED,
    CERTAINTY,
    PART,
    VECTORS,
    Recipe,
    Sections,
    commands,
    conditions,
    described,
    keeping,
)
from steps.reporting.page import bullets, document, picture
from steps.reporting.recommended import at_once, recommended
from steps.reporting.words import Results, names

BLANK = "\n\n"  # between paragraphs
USE = "What should I use?"
MAIN = "wF1 of the main systems, with its 95 % interval over speakers."
ANCHOR = "what-should-i-use"  # GitHub's, of that heading


def root(recipes: Collection[Recipe], others: Collection[str], compared: Mapping[str, Any] | None) -> str:
    """RESULTS.md: the answers. others: folders of further results, which have a page of their own; compared: of
    together.json."""
    sections: Sections = {"The question": [ASKED]}
    every = list(recipes)
    sections |= of_corpora(every, compared) if len(every) > 1 else of_recipe(every[0]) if every else {}
    if others:
        sections["Other results"] = [bullets(f"[{folder}]({folder}/README.md)" for folder in others)]
    return document("Results", "steps/publish.py", sections)


def side_by_side(recipes: Collection[Recipe], compared: Mapping[str, Any] | None) -> list[Recipe]:
    """The corpora that are set against each other: of the first one's recipe, those that are `compared`."""
    home = next(iter(recipes)).folder
    return [one for one in recipes if not compared or (one.folder == home and one.name in compared["corpora"])]


def of_corpora(recipes: Collection[Recipe], compared: Mapping[str, Any] | None) -> Sections:
    """What RESULTS.md says of several corpora; what belongs to one alone stands on its own page."""
    first, *others = side_by_side(recipes, compared)
    results_of = {recipe.name: recipe.results for recipe in (first, *others)}
    main = over_corpora.main(results_of)
    of = {name: next(results for results in results_of.values() if name in results["systems"]) for name in main}
    about, limits, more = parts(first.shared)
    systems, home = first.results["systems"], first.home
    page = f"[{home}]({home}/README.md)"
    quoted = dict.fromkeys([*tables.short(first.results), *asked(first.results)])
    typed = [name for name in quoted if not tables.sees_given(first.results, name)]
    seeds = sorted({seed for name in typed for seed in systems[name]["seeds"]})
    asked_of, told = [], set()
    if compared:
        questions = over_corpora.questions(results_of, compared, short=True)
        told = {row[0] for row in questions.rows}
        asked_of = [questions.markdown()] * bool(told)
        asked_of += [f"What is compared, each corpus, and what probes tell of speakers: {page}."]
    command = f"{first.command} --seeds '{' '.join(map(str, seeds))}' --systems '{' '.join(typed)}'"
    return {
        "Answers": [
            *[about] * bool(about),
            to_use(recipes, compared),
            *asked_of,
            over_corpora.table(results_of).markdown(),
            picture(f"{home if compared else first.place}/figures/main", MAIN if compared else f"wF1 on {first.name}."),
            *[str(answer) for answer in over_corpora.answers(results_of, compared) if answer.ask not in told],
        ],
        "The systems": [bullets(f"{name}{answers.about(of[name], name)}" for name in main)],
        "The corpora": [
            "All systems, probes, costs and figures of each:",
            bullets(pages({recipe.place: recipe for recipe in recipes})),
        ],
        "Limits": [
            *filter(None, [limits, "" if compared else more]),
            f"{f'Further ones: {page}. ' * bool(more and compared)}Those of each corpus stand on its page.",
        ],
        "Reproduce": [
            f"```\n{command}\n{keeping(first)}\n```",
            f"DIR is the corpus's folder; likewise {names([one.name for one in others])}. {PART} The commands with the "
            "seeds of each row stand on its corpus's page, those for mistakes in "
            f"[egs/{first.folder}](egs/{first.folder}/README.md).{f' {VECTORS}' * (len(typed) < len(quoted))}",
        ],
    }


def to_use(recipes: Collection[Recipe], compared: Mapping[str, Any] | None) -> str:
    """What to use, of several corpora, in a line each way."""
    results_of = {recipe.name: recipe.results for recipe in side_by_side(recipes, compared)}
    more = f" [By corpus, and what is as good]({next(iter(recipes)).home}/README.md#{ANCHOR})." if compared else ""
    return f"**{USE}**{more}\n\n{bullets(at_once(recommended(results_of, compared), results_of))}"


def parts(shared: str) -> list[str]:
    """What was written by hand of all corpora: what to know first, the limits that matter most, further ones."""
    return [*shared.split(BLANK, 2), "", ""][:3]


def asked(results: Results) -> list[str]:
    """The systems that questions are about."""
    pairs = (question.get("compare", []) for question in results["groups"]["questions"])
    return [name for pair in pairs for name in pair if name in results["systems"]]


def pages(recipes: Mapping[str, Recipe]) -> list[str]:
    """A link to each corpus's page, with what the corpus is; recipes: folder of the page → corpus."""
    return [
        f"[{one.name}]({folder}/README.md): {' '.join(one.about.partition(BLANK)[0].split())}".removesuffix(": ")
        for folder, one in recipes.items()
    ]


def together(recipes: Collection[Recipe], compared: Mapping[str, Any], folder: Path) -> str:
    """Of a recipe with several corpora, the page beside together.json: every difference over all of them. Draws
    <folder>/figures/main.png."""
    from steps.reporting import figures  # here, as it takes longer to import than --help may

    results_of = {recipe.name: recipe.results for recipe in side_by_side(recipes, compared)}
    figures.save(figures.abreast(results_of, over_corpora.main(results_of)), folder / "figures", "main", ["png"])
    probes, varied = over_corpora.probes(results_of), over_corpora.varied(compared)
    sections: Sections = {
        USE: [recommended(results_of, compared).markdown(), picture("figures/main", MAIN)],
        "The questions": [over_corpora.questions(results_of, compared).markdown(), CERTAINTY],
        "Every difference": [over_corpora.whose(compared), over_corpora.differences(compared).markdown()],
        "What a difference varies with": [varied.markdown()] * bool(varied.rows),
        "What embeddings tell of speakers": [probes.markdown()] * bool(probes.rows),
        "Further limits": [more] if (more := parts(next(iter(recipes)).shared)[2]) else [],
        "The corpora": [bullets(pages({recipe.name: recipe for recipe in recipes}))],
    }
    return document("All corpora together", "steps/publish.py", {at: own for at, own in sections.items() if own})


def of_recipe(recipe: Recipe) -> Sections:
    """What RESULTS.md says of one corpus."""
    results, name, shown = recipe.results, recipe.name, tables.short(recipe.results)
    systems, folder = results["systems"], recipe.place
    first, _, limits = recipe.about.partition(BLANK)
    return {
        name: [first],
        f"{name}: answers": [*map(str, answers.answers(results)), CERTAINTY],
        f"{name}: results": [
            tables.systems(results, shown, tables.MAIN).markdown(),
            described(results, shown),
            picture(f"{folder}/figures/main", "wF1 of these systems with its 95 % interval over speakers."),
            f"All {len(systems)} systems, probes, Fig. 1: [{folder}]({folder}/README.md).",
        ],
        f"{name}: limits": [limits or "None are written down (results/about.md)."],
        f"{name}: reproduce": [
            f"```\n{commands(recipe, shown)}{keeping(recipe)}\n```",
            f"DIR is the corpus's folder. Training took {conditions(results, shown)['time']}. The commands for all "
            f"{len(systems)} systems are in [{folder}]({folder}/README.md), those for the mistakes in "
            f"[egs/{recipe.folder}](egs/{recipe.folder}/README.md).",
        ],
    }


def readme(recipes: Collection[Recipe], compared: Mapping[str, Any] | None) -> str:
    """What stands between the marks of README.md: what to use, the answer to the planned question, the short table."""
    blocks = []
    if len(recipes) > 1:
        results_of = {recipe.name: recipe.results for recipe in side_by_side(recipes, compared)}
        about = parts(next(iter(recipes)).shared)[0]
        said = planned(over_corpora.answers(results_of, compared), next(iter(results_of.values())))
        whose = over_corpora.whose(compared) if compared else ""
        blocks = [about, to_use(recipes, compared), *said, whose, over_corpora.table(results_of).markdown()]
    else:
        for recipe in recipes:
            use, *others = answers.answers(recipe.results)
            said = [str(use), *planned(others, recipe.results)]
            table = tables.systems(recipe.results, tables.short(recipe.results), tables.MAIN).markdown()
            blocks += [recipe.about.partition(BLANK)[0] or f"On {recipe.name}:", *said, table]
    return "\n" + "\n\n".join(filter(None, blocks)) + "\n\n"


def planned(replies: Collection[answers.Answer], results: Results) -> list[str]:
    """Of the answers, that to the question of the planned comparison."""
    groups = results["groups"]
    of_plan = {question["ask"] for question in groups["questions"] if question.get("compare") == groups["planned"]}
    return [str(answer._replace(more="")) for answer in replies if answer.ask in of_plan]
