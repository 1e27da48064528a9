"""What is told of one corpus, section by section, alike on the page, in exp/RESULTS.md and in its results/README.md."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steps.reporting import answers, corpus, tables
from steps.reporting.page import bullets, picture
from steps.reporting.words import Results, names

ASKED = """\
*Frontend Attributes Disentanglement for Speech Emotion Recognition* (Xi, Song, Dai, McLoughlin, Liu; ICASSP 2022,
doi [10.1109/ICASSP43922.2022.9746691](https://doi.org/10.1109/ICASSP43922.2022.9746691)) pre-trains a network to tell
speakers apart, fine-tunes it to tell emotions, and adds attribute disentanglement (AD): a module that divides the
feature map into F⁺, from which the emotion is decided, and F⁻, which is meant to carry the speaker. Does that help on
speakers never heard? Every system is trained on some speakers, selects its epoch or regularisation, if it does, on
others, and is tested on the rest; every speaker is tested once. What has `refit` in its file, as most plain systems
have, is then trained on the selecting speakers, too; fine-tuned networks are not."""
CERTAINTY = """\
A difference counts where its 95 % interval excludes 0, its p stays below 0.05 after Holm's correction (within a family
of `conf/groups.yaml`), and no training points the other way. If only one of the two tests says so, or a training
disagrees, it is a hint; where a system was trained once alone, that is said. The interval is a bootstrap of the pooled
wF1 over speakers; p is Wilcoxon's, of each speaker's own wF1: two tests, which may disagree. Intervals cover speakers,
not seeds, where nothing else is said; those of probes are over runs."""
FILES = """\
`results.json` holds every figure (its layout: `steps/evaluation/results.py`), `<system>.tar.xz` what they are computed
from, a folder a run (its files: `utils/runs.py`)."""
PART = "A part of a corpus needs `--check-counts false`; which utterances were used, the score files say."
VECTORS = """\
Systems called peer_… see vectors that `bench/peers.py` makes of a data dir, in a folder: `--embeddings VECTORS`."""
LEARNING = "Left out: no system of the short table has a history.tsv."
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
    def home(self) -> str:
        """Where those of its recipe's corpora together are kept."""
        return self.place.removesuffix(f"/{self.name}")

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
            corpus.findings(audit, ("error", "warning", "note")).markdown(),
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

    shown, systems, learning = tables.short(results), results["systems"], LEARNING
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


def commands(recipe: Recipe, shown: Iterable[str]) -> str:
    """What to type to make these systems again: a line for each set of seeds, and for those that see given vectors."""
    lines: dict[str, list[str]] = {}
    for system in shown:
        seeds = " ".join(map(str, recipe.results["systems"][system]["seeds"]))
        options = f"--seeds '{seeds}'" + " --embeddings VECTORS" * tables.sees_given(recipe.results, system)
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
            PART + f" {VECTORS}" * any(tables.sees_given(recipe.results, name) for name in recipe.results["systems"]),
            "How these were made: " + "; ".join(f"{key}: {words}" for key, words in made.items()) + ".",
        ]
    }
