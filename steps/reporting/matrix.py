"""Systems across corpora, from across.json to a table, a picture and a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from steps.reporting import figures
from steps.reporting.page import bullets, picture
from steps.reporting.tables import Table
from steps.reporting.words import DASH, bounds, number

TOLD = """\
Band and class mix are made alike before training, the level in systems that take it away. What still tells corpora
apart (language, sentences, microphones, rooms, acting) differs between what is trained on and what is tested, and is
part of every figure off the diagonal."""
Across = dict[str, Any]  # across.json: its layout stands in steps/evaluation/across.py
LACKS = "†"
WIDTH = 12  # inches of panels beside each other
UNTAUGHT = f"""\
{LACKS} ({DASH} where they are all): classes are tested that were not trained on, so that the system cannot tell them,
and errs on all of their recordings:""".replace("\n", " ")
ROWS = {"others": "all others", "all": "all"}
NOTES = [
    "Each cell: wF1 in percent, with its 95 % interval (bootstrap over speakers), and UA after the slash.",
    "A row says what was trained on, a column what was tested. Nobody is both trained on and tested: what is tested by "
    "itself, or by all, is so in its own folds.",
    "all others: every corpus but the tested one.",
    "Systems called …_speaker must know whose an utterance is, of those who are tested, too; the others need not.",
]


def rows_of(result: Across, system: str) -> list[str]:
    """What a system was trained on, corpora first."""
    trained = result["systems"][system]
    return [name for name in (*result["corpora"], *ROWS) if name in trained]


def entry_of(result: Across, system: str, trained: str, tested: str) -> dict[str, Any] | None:
    """What stands in a cell; None where nothing was tested, or no class that was is one that was trained on."""
    entry: dict[str, Any] | None = result["systems"][system].get(trained, {}).get(tested)
    return entry if entry and len(entry["untaught"]) < len(result["corpora"][tested]["classes"]) else None


def cell(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return DASH
    wf1, ua = (number(entry[name]["value"], digits=1) for name in ("wf1", "ua"))
    return f"{wf1} ({bounds(entry['wf1'])}) / {ua}{' ' + LACKS if entry['untaught'] else ''}"


def table(result: Across, system: str) -> Table:
    corpora = result["corpora"]
    body = [
        [ROWS.get(name, name), *(cell(entry_of(result, system, name, corpus)) for corpus in corpora)]
        for name in rows_of(result, system)
    ]
    lacking = [
        f"{ROWS.get(name, name)} on {corpus}: {' '.join(entry['untaught'])}"
        for name in rows_of(result, system)
        for corpus, entry in result["systems"][system][name].items()
        if entry["untaught"]
    ]
    notes = [f"{UNTAUGHT} {'; '.join(lacking)}."] if lacking else []
    base = ["majority class", *(f"{corpora[corpus]['majority']:.1f}" for corpus in corpora)]
    return Table(["trained on", *corpora], [*body, base], notes)


def summary(result: Across) -> Table:
    """A line a system: mean wF1 over the corpora tested, by what was trained on."""
    corpora = list(result["corpora"])
    kinds = {
        "itself": [(name, name) for name in corpora],
        "one other": [(trained, tested) for trained in corpora for tested in corpora if trained != tested],
        "all others": [("others", name) for name in corpora],
        "all": [("all", name) for name in corpora],
    }
    rows = []
    for system in result["systems"]:
        cells = [[entry_of(result, system, *pair) for pair in pairs] for pairs in kinds.values()]
        rows.append([system, *(
            DASH if None in found else number(np.mean([one["wf1"]["value"] for one in found if one]), digits=1)
            for found in cells
        )])  # fmt: skip
    notes = ["wF1 by what was trained on, mean over the corpora tested."]
    notes += [f"{DASH}: was not trained so, or cannot tell all classes."] * any(DASH in row for row in rows)
    return Table(["system", *kinds], rows, notes)


def probed(result: Across) -> str:
    """How well the corpus is told."""
    lines = [
        f"A linear probe tells the corpus from what {system} sees in {entry['value']:.1f} % (mean recall, of speakers "
        f"it has not heard; chance {entry['chance']:.1f} %)."
        for system, entry in result["corpus_probe"].items()
        if entry["value"] is not None
    ]
    return "\n".join(lines)


def heat(result: Across) -> Figure:
    """wF1 of every cell, a panel a system, in as many rows as a page is wide."""
    systems, corpora = list(result["systems"]), list(result["corpora"])
    rows = [name for name in (*corpora, *ROWS) if any(name in trained for trained in result["systems"].values())]
    panel = 1.1 * len(corpora) + 0.4  # inches
    columns = max(1, min(len(systems), int(WIDTH / panel)))
    lines = -(-len(systems) // columns)
    size = (1.6 + columns * panel, lines * (1.1 + 0.55 * len(rows)))
    canvas, axes = plt.subplots(lines, columns, figsize=size, squeeze=False)
    for ax in axes.flat[len(systems) :]:
        ax.remove()
    for ax, system in zip(axes.flat, systems):
        begins = ax in axes[:, 0]
        found = [[entry_of(result, system, name, corpus) for corpus in corpora] for name in rows]
        values = np.array([[np.nan if one is None else one["wf1"]["value"] for one in line] for line in found])
        ax.imshow(values, cmap="cividis", vmin=10, vmax=80, aspect="auto")
        for (y, x), value in np.ndenumerate(values):
            if (one := found[y][x]) is not None:
                text = f"{value:.0f}{LACKS if one['untaught'] else ''}"
                ax.text(x, y, text, ha="center", va="center", color="white" if value < 48 else "black")
        names = [ROWS.get(name, name) for name in rows]
        ax.set_xticks(range(len(corpora)), corpora)
        ax.set_yticks(range(len(rows)), names if begins else [""] * len(rows))
        ax.set(title=system, xlabel="tested on", ylabel="trained on" if begins else "")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    return canvas


def sections(result: Across, out: Path) -> dict[str, list[str]]:
    """The page; draws <out>/figures/across.png."""
    figures.save(heat(result), out / "figures", "across", ["png"])
    about = [
        f"{name}: {corpus['speakers']} speakers, {corpus['utterances']} utterances ("
        + ", ".join(f"{label} {count}" for label, count in corpus["classes"].items())
        + f"); always the commonest class: wF1 {corpus['majority']:.1f}"
        for name, corpus in result["corpora"].items()
    ]
    return {
        "The corpora": [bullets(about)],
        "wF1": [
            summary(result).markdown(),
            picture("figures/across", "wF1, in percent, by what was trained on and what was tested."),
            bullets(NOTES),
        ],
        **{system: [table(result, system).markdown()] for system in result["systems"]},
        "Can the corpus still be told?": [probed(result) or "Left out: no run of `together` has embeddings.", TOLD],
    }
