"""What is told, section by section: on the page, in exp/RESULTS.md and a recipe's results/README.md alike; more briefly
in the root's RESULTS.md and README.md."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steps.reporting import answers, corpus, over_corpora, tables
from steps.reporting.page import bullets, document, picture
from steps.reporting.words import Results, names

ASKED = """\
*Frontend Attributes Disentanglement for Speech Emotion Recognition* (Xi, Song, Dai, McLoughlin, Liu; ICASSP 2022,
doi [10.1109/ICASSP43922.2022.9746691](https://doi.org/10.1109/ICASSP43922.2022.9746691)) pre-trains a network to tell
speakers apart, fine-tunes it to tell emotions, and adds attribute disentanglement (AD): a module that divides the
feature map into F⁺, from which the emotion is decided, and F⁻, which is meant to carry the speaker. Does that help on
speakers never heard? Every system is trained on some speakers, selects its epoch on others, and is tested on the rest;
every speaker is tested once."""
CERTAINTY = """\
A difference counts where its 95 % interval excludes 0 and its p stays below 0.05 after Holm's correction for the other
comparisons of its family. Where the interval alone excludes 0, it is called a hint. The interval is a bootstrap of
the pooled wF1 over speakers; p is Wilcoxon's, of each speaker's own wF1: two tests, which may disagree. Intervals of
probes are over runs."""
PEERS = "Systems called peer_… see vectors that `bench/peers.py` makes: `bench/peers.py --help`."
FILES = """\
`results.json` holds every figure (its layout: `steps/evaluation/results.py`), `<system>.tar.xz` what they are computed
from, a folder a run (its files: `utils/runs.py`)."""
EMBEDDINGS = """\
Fig. 1: t-SNE of L2-normalised embeddings of one run. Colour is emotion, digit is speaker; bold and ringed: speakers
that the run never trained on. Distances between far groups mean nothing here; the probes are the measurement."""
CORPUS = """\
How well the class is guessed without listening, who shows which class, and recordings to look at. A system is worth
what it reaches beyond such a guess."""
MASKS = """\
What AD keeps and what it puts aside, of a test utterance of each class: time runs to the right, frequency upwards;
means over channels, on the map that AD works on (of the input, every sixteenth frame). The masks have one scale."""


Sections = dict[str, list[str]]  # heading → blocks of Markdown


@dataclass
class Recipe:
    """One corpus with its results."""

    name: str  # of the corpus
    folder: str  # of its recipe, under egs/
    results: Results
    about: str  # on its data, written by hand (about.md); "" without
    shared: str = ""  # the same, on all corpora of its recipe

    @property
    def place(self) -> str:
        """Where its results are kept, from the root."""
        return f"egs/{self.folder}/results{'' if self.name == self.folder else f'/{self.name}'}"

    @property
    def command(self) -> str:
        """What runs it; DIR is the corpus's folder."""
        source = f"--{self.name} DIR" if self.name == self.folder else f"--corpus {self.name} --dir DIR"
        return f"egs/{self.folder}/run.sh {source}"

    @property
    def exp(self) -> str:
        """What steps/publish.py keeps, from the recipe's folder."""
        return "exp" if self.name == self.folder else f"exp/{self.name}"


def described(results: Results, systems: Iterable[str]) -> str:
    words = {name: results["systems"][name]["description"] for name in systems}
    return bullets(f"{name}: {said}" for name, said in words.items() if said)


def everything(results: Results, folder: Path, networks: Iterable[str], suffixes: Collection[str]) -> Sections:
    """All but the details; networks: what is shown of networks. Draws <folder>/figures/<name>.<suffix>."""
    from steps.reporting import corpus_figure, figures  # here, as it takes longer to import than --help may

    def drawn(name: str, canvas: figures.Figure, caption: str) -> str:
        figures.save(canvas, folder / "figures", name, suffixes)
        return picture(f"figures/{name}", caption)

    shown, systems = tables.short(results), results["systems"]
    audit = results.get("corpus_findings")  # of what was kept long ago, there is none
    probed = [f"### {kind}\n\n{tables.probes(results, kind).markdown()}" for kind in tables.KINDS if results["probes"]]
    sections: Sections = {
        "What was compared": [ASKED, described(results, systems)],
        "Answers": [CERTAINTY, bullets(map(str, answers.answers(results)))],
        "The corpus": [
            corpus.summary(audit),
            *["Errors were overridden with --force true."] * (audit["forced"] and corpus.wrong(audit, "error")),
            drawn("corpus", corpus_figure.draw(audit), CORPUS),
            corpus.findings(audit, ("error", "warning")).markdown(),
        ]
        if audit
        else [],
        "Results": [
            drawn("main", figures.intervals(results, shown), "wF1 of the main systems with its 95 % interval."),
            tables.systems(results, shown, tables.MAIN).markdown(),
        ],
        "All systems": [
            drawn("results", figures.intervals(results, systems), "wF1 of every system with its 95 % interval."),
            tables.systems(results, systems, tables.ALL).markdown(),
        ],
        "What the embeddings tell of speaker and emotion": [
            *(probed or ["Left out: no run has a file of probes."]),
            *networks,
        ],
        "What mistakes inflate": [tables.leaks(results).markdown() if results["leaks"] else "Left out: none was made."],
    }
    if results["comparisons"]:
        caption = "What each change is worth. An interval that contains 0 shows no difference."
        sections["All systems"].append(drawn("comparisons", figures.differences(results), caption))
    if lacking := results["not_run"]:
        sections["Not run"] = [bullets(f"{title}: {names(missing, 99)}." for title, missing in lacking.items())]
    return {heading: blocks for heading, blocks in sections.items() if blocks}


def detailed(results: Results, folder: Path) -> Sections:
    """By class, run and speaker; learning curves; how it was made."""
    from steps.reporting import figures

    shown, systems, learning = tables.short(results), results["systems"], "Left out: no run has a history.tsv."
    figures.save(figures.confusions(results, shown), folder / "figures", "confusions")
    if curved := [name for name in shown if systems[name]["curves"]]:
        figures.save(figures.learning(results, curved), folder / "figures", "learning")
        learning = picture("figures/learning", "Mean over runs and seeds; shaded, the range of the first.")
    caption = "Utterances by true and decided class, over all runs, mean over seeds; colour: share of the true class."
    typed = "\n".join(line for name, own in systems.items() for line in (f"# {name}", *own["commands"]))
    made = conditions(results, systems) | results["how"]
    return {
        "Classes, runs and speakers": [
            picture("figures/confusions", caption),
            *(f"### {title}\n\n{table.markdown()}" for title, table in tables.parts(results).items()),
        ],
        "Learning curves": [learning],
        "How it was made": [bullets(f"{key}: {words}" for key, words in made.items())],
        "Commands": [f"```\n{typed}\n```"],
    }


def conditions(results: Results, systems: Iterable[str]) -> dict[str, str]:
    """Where and when the runs were made: each thing once, with all its values."""
    merged: dict[str, list[Any]] = {}
    for name in systems:
        for key, values in results["systems"][name]["conditions"].items():
            merged.setdefault(key, []).extend(values if isinstance(values, list) else [values])
    merged["time"] = [f"{sum(merged.pop('seconds', [])) / 60:.0f} minutes in all"]
    return {key: ", ".join(dict.fromkeys(map(str, values))) for key, values in merged.items() if values}


def root(recipes: Collection[Recipe], others: Collection[str], compared: Mapping[str, Any] | None) -> str:
    """RESULTS.md: the answers. others: folders of further results, which have a page of their own; compared: of
    together.json."""
    sections: Sections = {"The question": [ASKED]}
    every = list(recipes)
    sections |= of_corpora(every, compared) if len(every) > 1 else of_recipe(every[0]) if every else {}
    if others:
        sections["Other results"] = [bullets(f"[{folder}]({folder}/README.md)" for folder in others)]
    return document("Results", "steps/publish.py", sections)


def all_corpora(recipes: Iterable[Recipe], compared: Mapping[str, Any] | None) -> list[str]:
    """What holds for all, what is best on each corpus, the other answers, and the corpora's systems in one table."""
    every = list(recipes)
    results_of = {recipe.name: recipe.results for recipe in every}
    best, each = over_corpora.best(results_of, compared)
    said = over_corpora.answers(results_of, compared)
    first = every[0].shared.partition("\n\n")[0]
    best = f"**What should I use?** {best}"
    whose = [over_corpora.whose(compared)] if compared else []
    return [*[first] * bool(first), best, bullets(each), *whose, *map(str, said), tables.corpora(results_of).markdown()]


def of_corpora(recipes: Collection[Recipe], compared: Mapping[str, Any] | None) -> Sections:
    """What RESULTS.md says of several corpora; what belongs to one alone stands on its own page."""
    first_words = {one.name: " ".join(one.about.partition("\n\n")[0].split()) for one in recipes}
    pages = [f"[{one.name}]({one.place}/README.md): {first_words[one.name]}" for one in recipes]
    first, *others = recipes
    answered = [question.get("compare") for question in first.results["groups"]["questions"]]
    differences = [tables.together(compared, answered).markdown(), *over_corpora.varied(compared)] if compared else []
    for_all = first.shared.partition("\n\n")[2]
    main = list(dict.fromkeys(name for recipe in recipes for name in tables.short(recipe.results)))
    of = {name: next(one.results for one in recipes if name in one.results["systems"]) for name in main}
    return {
        "Answers": [*all_corpora(recipes, compared), CERTAINTY],
        "The systems": [bullets(f"{name}{answers.about(of[name], name)}" for name in main)],
        "Other differences over all corpora": differences,
        "The corpora": [
            picture(f"{first.place}/figures/main", f"wF1 on {first.name} with its 95 % interval over speakers."),
            "All systems, probes, costs and figures of each:",
            bullets(pages),
        ],
        "Limits": [*[for_all] * bool(for_all), "Those of each corpus stand on its page."],
        "Reproduce": [
            f"```\n{commands(first, tables.short(first.results))}{keeping(first)}\n```",
            f"DIR is the corpus's folder. The commands for {names([one.name for one in others])} stand on their pages. "
            + PEERS * ("peer_" in commands(first, tables.short(first.results))),
        ],
    }


def of_recipe(recipe: Recipe) -> Sections:
    """What RESULTS.md says of one corpus."""
    results, name, shown = recipe.results, recipe.name, tables.short(recipe.results)
    systems, folder = results["systems"], recipe.place
    first, _, limits = recipe.about.partition("\n\n")
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


def commands(recipe: Recipe, shown: Iterable[str]) -> str:
    """What to type to make these systems again: a line for each set of seeds, and for each that sees vectors of its
    own."""
    lines: dict[str, list[str]] = {}
    for system in shown:
        own = recipe.results["systems"][system]
        seeds, given = " ".join(map(str, own["seeds"])), own["settings"].get("backend.sees") == "given"
        options = f"--seeds '{seeds}'" + f" --embeddings {system}.npz" * given
        lines.setdefault(options, []).append(system)
    return "".join(f"{recipe.command} {options} --systems '{' '.join(names)}'\n" for options, names in lines.items())


def keeping(recipe: Recipe) -> str:
    return f"(cd egs/{recipe.folder} && . ./path.sh && steps/publish.py {recipe.exp})"


def again(recipe: Recipe) -> Sections:
    """How all systems are made again, and in which circumstances they were made."""
    made = conditions(recipe.results, recipe.results["systems"])
    return {
        "Reproduce": [
            f"```\n{commands(recipe, recipe.results['systems'])}```",
            "How these were made: " + "; ".join(f"{key}: {words}" for key, words in made.items()) + ".",
        ]
    }


def readme(recipes: Iterable[Recipe], compared: Mapping[str, Any] | None) -> str:
    """What stands between the marks of README.md: the short table and the answers."""
    every = list(recipes)
    if len(every) > 1:
        return "\n" + "\n\n".join(all_corpora(every, compared)) + "\n\n"
    blocks = []
    for recipe in every:
        results = recipe.results
        said = [str(answer._replace(more="")) for answer in answers.answers(results)]
        table = tables.systems(results, tables.short(results), tables.MAIN).markdown()
        blocks += [recipe.about.partition("\n\n")[0] or f"On {recipe.name}:", bullets(said), table]
    return "\n" + "\n\n".join(blocks) + "\n\n"
