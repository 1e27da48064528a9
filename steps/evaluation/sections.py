"""The page's sections that the files of results alone give; steps/report.py adds what needs embeddings or networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from steps.evaluation import figures, tables
from steps.evaluation.evidence import Evidence
from steps.evaluation.families import PLANNED, TABLE2, descriptions
from steps.evaluation.findings import findings
from steps.evaluation.making import commands, conditions, settings
from steps.evaluation.page import Block, Picture, Section
from steps.evaluation.summary import Summary
from utils.cli import UserError

ABOUT = [
    "The task: tell the emotion of an utterance. A system is trained run by run, on some speakers, with others to "
    "choose the epoch by, and is scored on speakers that it has never heard. Every utterance counts once, in the run "
    "that tests its speaker. A seed is a repetition of the training.",
    "Figures, all in percent: wF1, the mean of the classes' F1 weighted by their utterances; UA, the mean of their "
    "recalls; WA, accuracy.",
    "AD, attribute disentanglement: instance norm IN takes from a feature map F what sets one utterance apart from "
    "another, R = F − IN(F). A mask a, between 0 and 1, divides R: F⁺ = IN(F) + a·R is what the classifier sees, and "
    "F⁻ = IN(F) + (1 − a)·R is the rest. The dual space loss teaches F⁺ to tell emotions (L_AD⁺) and F⁻ to tell the "
    "training speakers (L_AD⁻).",
    "Backbones: ResNet18 and VGG5. Pre-trained: it has learnt to tell other speakers apart before.",
]
SHOWN = 6  # systems whose matrices are drawn; the tables hold all


def chosen(evidence: Evidence, wanted: tuple[str, ...]) -> list[Summary]:
    """Those of `wanted` that were scored; where none was, the first few."""
    found = [one for name in wanted for one in evidence.summaries if one.name == name]
    return found or evidence.summaries[:SHOWN]


def about(evidence: Evidence, conf: Path) -> Section:
    """What somebody must know who was not there."""
    known = descriptions(conf)
    systems = [f"{one.name}: {known[one.name]}" for one in evidence.summaries if known.get(one.name)]
    return Section("What was compared", items=[*ABOUT, *systems])


def results(evidence: Evidence, folder: Path) -> list[Section]:
    """The main table, findings, comparisons."""
    made = evidence.summaries
    picture = Picture(
        figures.save(figures.intervals(made, evidence.published), folder, "results"),
        "Pooled wF1 of every system with its interval" + ", and the paper's figure." * bool(evidence.published),
    )
    unfinished = f"Not finished, and not in the table: {'; '.join(evidence.unfinished)}." if evidence.unfinished else ""
    sections = [
        Section("Results", [picture], [tables.results(made, evidence.published)], absent=unfinished),
        Section("What matters and what does not", items=findings(evidence)),
    ]
    drawn = []
    if evidence.comparisons:
        svg = figures.save(figures.differences(evidence.comparisons), folder, "comparisons")
        drawn = [Picture(svg, "What each change is worth. An interval that holds 0 shows no difference.")]
    return [*sections, Section("Comparisons", drawn, [tables.comparisons(evidence.comparisons)])]


def details(evidence: Evidence, folder: Path) -> list[Section]:
    """Confusion matrices, classes, speakers, runs, roles, leaks."""
    made = evidence.summaries
    few, pair = chosen(evidence, TABLE2), chosen(evidence, PLANNED[::-1])
    matrices = Picture(
        figures.save(figures.confusions(few), folder, "confusions"),
        "Utterances by true and decided class, pooled over runs, mean over seeds; colour: share of the true class.",
    )
    bars = Picture(
        figures.save(figures.speaker_bars(pair), folder, "speakers"), "wF1 of each speaker, mean over seeds."
    )
    return [
        Section("Confusion matrices", [matrices], [tables.of_classes(made)]),
        Section("Speakers and runs", [bars], [tables.by_speaker(made), tables.of_runs(made)]),
        Section("Choice of roles", tables=[tables.roles(made)]),
        Section("Leaks", tables=[tables.leaks(made, evidence.leaking, evidence.oracle)]),
    ]


def probes(evidence: Evidence) -> Section:
    names = {one.name: one.spaces for one in evidence.summaries}
    return Section("What the embeddings carry", tables=[tables.probes(evidence.probes, names)])


def read_history(path: Path) -> dict[str, np.ndarray]:
    """Column → (epochs,) of a run's history.tsv."""
    try:
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        values = np.array([line.split("\t") for line in lines], dtype=float).T
        return dict(zip(head.split("\t"), values, strict=True))
    except ValueError as error:
        raise UserError(f"{path}: is not a table of epochs ({error})") from None


def learning(evidence: Evidence, folder: Path) -> Section:
    """Losses and validation figures over epochs."""
    histories = {}
    for one in chosen(evidence, TABLE2):
        paths = [place / "history.tsv" for place in one.places.values()]
        histories[one.name] = [read_history(path) for path in paths if path.is_file()]
    histories = {name: runs for name, runs in histories.items() if runs}
    if not histories:
        return Section("Learning curves", absent="Left out: no run has a history.tsv.")
    caption = "Mean over runs and seeds; shaded, the range of the total loss and of the validation wF1."
    return Section("Learning curves", [Picture(figures.save(figures.curves(histories), folder, "learning"), caption)])


def making(evidence: Evidence) -> Section:
    """Commands, configuration, code, versions."""
    made = evidence.summaries
    first = {one.name: next(iter(one.places.values())) for one in made}
    blocks = [Block("Commands", "\n".join(commands(evidence)), open=True)]
    blocks += [Block(f"config.yaml of {name}", (place / "config.yaml").read_text()) for name, place in first.items()]
    items = [line.removeprefix("- ") for line in [*conditions(made), *settings(made)]]
    return Section("How it was made", items=items, blocks=blocks)
