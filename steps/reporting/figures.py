"""Pictures of results, for a page and, as files, for a paper: light, in colours that the colour-blind tell apart."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from warnings import catch_warnings, filterwarnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from steps.reporting.page import write
from steps.reporting.words import Results
from utils.files import whole

# Okabe and Ito's palette; for its yellow, which is faint on paper, Tol's wine.
COLOURS = ["#D55E00", "#E69F00", "#009E73", "#0072B2", "#CC79A7", "#56B4E9", "#000000", "#882255"]
GREY = "#777777"
WIDTH, PALETTE = 1400, 128  # of a PNG: pixels at most, colours
SUFFIXES = ("svg", "pdf", "png")
matplotlib.rcParams |= {
    **{"font.size": 9, "font.family": "sans-serif", "axes.spines.top": False, "axes.spines.right": False},
    **{"axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left"},
    "figure.constrained_layout.use": True,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: small, searchable
    "text.parse_math": False,  # a name with two dollar signs in it is a name
}


def save(canvas: Figure, folder: Path, name: str, suffixes: Collection[str] = SUFFIXES) -> None:
    """Write <folder>/<name>.<suffix>, the same bytes for the same figures; a PNG of few colours."""
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    for suffix in suffixes:
        with whole(folder / f"{name}.{suffix}") as temporary, plt.rc_context({"svg.hashsalt": name}), catch_warnings():
            filterwarnings("ignore", "Glyph .* missing")  # of names in scripts that the font lacks: boxes are drawn
            dpi = min(150, WIDTH / canvas.get_figwidth())
            canvas.savefig(temporary, format=suffix, dpi=dpi, metadata=undated.get(suffix))
            if suffix == "png":
                small = Image.open(temporary).convert("RGB").quantize(PALETTE, dither=Image.Dither.NONE)
                small.save(temporary, format="png", optimize=True)
    plt.close(canvas)


def forest(rows: Sequence[tuple[str, Mapping[str, Any]]], label: str, line: float, words: str = "") -> Figure:
    """A point and its interval a row; line: of an upright one that rows are seen against; words: what it is."""
    canvas, ax = plt.subplots(figsize=(5 + 0.07 * max(len(name) for name, _ in rows), 0.9 + 0.28 * len(rows)))
    points(ax, rows, line, words)
    ax.set(xlabel=label)
    if words:
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    return canvas


def points(ax: Axes, rows: Sequence[tuple[str, Mapping[str, Any] | None]], line: float, words: str) -> None:
    """The rows of `forest`; none is drawn where there is no figure."""
    for height, (_, interval) in enumerate(reversed(rows)):
        if interval and interval["low"] is not None:
            ax.plot([interval["low"], interval["high"]], [height, height], color=COLOURS[3], lw=2)
        if interval:
            ax.plot(interval["value"], height, "o", color=COLOURS[3])
    ax.axvline(line, color=GREY, lw=1, ls="--", label=words)
    ax.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
    ax.set(ylim=(-0.6, len(rows) - 0.4))
    ax.grid(axis="x", color="#DDDDDD", lw=0.6)


def abreast(results_of: Mapping[str, Results], systems: Sequence[str]) -> Figure:
    """wF1 of systems, a panel a corpus."""
    wide = 0.08 * max(map(len, systems)) + 2.2 * len(results_of)
    canvas, axes = plt.subplots(1, len(results_of), sharex=True, sharey=True, figsize=(wide, 1.2 + 0.28 * len(systems)))
    for ax, (name, results) in zip(axes, results_of.items()):
        scored = [(system, results["systems"].get(system, {}).get("wf1")) for system in systems]
        points(ax, scored, results["majority"]["wf1"], "majority class")
        ax.set(title=name)
    canvas.supxlabel("wF1 in percent, with its 95 % interval over speakers", fontsize="medium")
    canvas.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right")
    return canvas


def intervals(results: Results, systems: Collection[str]) -> Figure:
    """wF1 of systems, beside the majority row; of those in the paper, its figure as a row of its own."""
    rows, published = [], results["published"]
    for name in systems:
        rows.append((name, results["systems"][name]["wf1"]))
        if name in published:
            rows.append((f"{name} in the paper", {"value": published[name], "low": None}))
    label = "wF1 in percent, with its 95 % interval over speakers"
    return forest(rows, label, results["majority"]["wf1"], "majority class")


def differences(results: Results) -> Figure:
    """What each change is worth."""
    rows = [(f"{row['system']} − {row['reference']}", row["difference"]) for row in results["comparisons"]]
    return forest(rows, "difference of wF1 in points, with its 95 % interval over speakers", 0)


def confusions(results: Results, systems: Sequence[str]) -> Figure:
    """A matrix a system: shares of the true class as colour, utterances as numbers."""
    columns, ticks = min(3, len(systems)), range(len(results["test"]["classes"]))
    rows, labels = -(-len(systems) // columns), list(results["test"]["classes"])
    longest = max(map(len, labels))
    more = max(0, longest - 5) * 0.07  # inches, for names longer than the usual ones
    canvas = plt.figure(figsize=((2.6 + more) * columns, (2.5 + more) * rows))
    for number, name in enumerate(systems, 1):
        ax = canvas.add_subplot(rows, columns, number)
        counts = np.array(results["systems"][name]["confusion"])
        shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.55 else "black"
            ax.text(column, row, f"{count:.1f}".removesuffix(".0"), ha="center", va="center", color=colour)
        ax.set(xticks=ticks, xticklabels=labels, yticks=ticks, yticklabels=labels)
        ax.tick_params(axis="x", rotation=90 if more else 0)
        ax.set_title(name, fontsize=8)
        ax.spines[:].set_visible(False)
    canvas.supxlabel("decided", fontsize=9)
    canvas.supylabel("true", fontsize=9)
    return canvas


def learning(results: Results, systems: Sequence[str]) -> Figure:
    """Left the losses, right the validation speakers: mean over runs and seeds; shaded, the range of the first."""
    canvas, axes = plt.subplots(len(systems), 2, figsize=(9, 2.2 * len(systems)), squeeze=False)
    for row, system in zip(axes, systems):
        curves = results["systems"][system]["curves"]
        for ax, first, label in zip(row, ("L", "valid"), ("training loss", "validation, percent")):
            kind = [name for name in curves if name.startswith(first)]
            for name, colour, style in zip(kind, COLOURS[3:] + COLOURS[:3], itertools.cycle(("-", "--", ":"))):
                mean = curves[name]["mean"]  # dashes, as one line may lie upon another
                ax.plot(range(1, len(mean) + 1), mean, color=colour, ls=style, label=name)
            ax.set(xlabel="epoch", ylabel=label)
            if kind:
                low, high = (curves[kind[0]][end] for end in ("low", "high"))
                ax.fill_between(range(1, len(low) + 1), low, high, color=COLOURS[3], alpha=0.15, lw=0)
                ax.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1), handlelength=1.2)
        row[0].set_title(system)
    return canvas


def masks(examples: Sequence[Mapping[str, Any]]) -> Figure:
    """A row an utterance: `input` (T, F) filter-banks, and on AD's map (T', F'), averaged over channels: `a` the mask,
    `kept` and `dropped` the sizes of a·R and (1 − a)·R; `title` beside it."""
    canvas, axes = plt.subplots(len(examples), 4, figsize=(9, 1.5 * len(examples) + 0.4), squeeze=False)
    masks = np.concatenate([example["a"].ravel() for example in examples])
    for row, example in zip(axes, examples):
        top = max(example["kept"].max(), example["dropped"].max())
        scales = {"input": (None, None), "a": (masks.min(), masks.max()), "kept": (0, top), "dropped": (0, top)}
        for ax, (name, (low, high)) in zip(row, scales.items()):
            shading = {"cmap": "gray_r" if name == "input" else "cividis", "vmin": low, "vmax": high}
            shown = ax.imshow(example[name].T, origin="lower", aspect="auto", interpolation="nearest", **shading)
            ax.set(xticks=[], yticks=[])
            if name != "input":
                canvas.colorbar(shown, ax=ax, fraction=0.06, pad=0.02).ax.tick_params(labelsize=6)
        row[0].set_ylabel(example["title"], fontsize=7)
    for ax, title in zip(axes[0], ("filter-banks, time →", "mask a", "kept: |a·R|", "put aside: |(1 − a)·R|")):
        ax.set_title(title, fontsize=8)
    return canvas


def embeddings(panels: Mapping[str, Any], unseen: Collection[str], folder: Path) -> None:
    """Fig. 1: title → utterances whose `vectors` are places in the plane (N, 2). Writes its files; in the SVG, each
    digit has the utterance as its title. Utterances of speakers in `unseen` are bold and ringed."""
    first = next(iter(panels.values()))
    emotions, people = sorted(set(first.emotions)), sorted(set(first.speakers))
    colours = dict(zip(emotions, itertools.cycle(COLOURS)))
    digits = {speaker: str(digit) for digit, speaker in enumerate(people, 1)}
    canvas, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 4.4), squeeze=False)
    titles: dict[str, str] = {}
    for number, (ax, (title, data)) in enumerate(zip(axes[0], panels.items())):
        places, ringed = data.vectors, np.isin(data.speakers, list(unseen))
        edges = [colours[emotion] for emotion in data.emotions[ringed]]
        ax.scatter(*places[ringed].T, s=60, facecolors="none", edgecolors=edges, linewidths=0.6)
        rows = zip(places, data.utterances, data.emotions, data.speakers, ringed)
        for index, (place, utterance, emotion, speaker, bold) in enumerate(rows):
            mark = f"utt-{number}-{index}"  # the id of its <g> in the SVG
            titles[mark] = f"{utterance}: {emotion}, {speaker}{', unseen' if bold else ''}"
            style = {"fontweight": "bold"} if bold else {"alpha": 0.7}
            digit = ax.text(*place, digits[speaker], color=colours[emotion], gid=mark, fontsize=6.5, **style)
            digit.set(ha="center", va="center", in_layout=False)  # none of them is asked how much room it needs
        ax.update_datalim(places)
        ax.autoscale()
        ax.set(xticks=[], yticks=[], title=f"({'abcdefgh'[number]}) {title}")
    handles = [Line2D([], [], marker="s", ls="", color=colours[emotion], label=emotion) for emotion in emotions]
    ring = Line2D([], [], marker="o", ls="", mfc="none", color=GREY, label="unseen speaker")
    canvas.legend(handles=[*handles, ring], loc="outside lower center", ncols=len(handles) + 1)

    def titled(match: re.Match[str]) -> str:
        return f'<g class="utt"><title>{html.escape(titles[match[1]])}</title>'

    save(canvas, folder, "embeddings")
    svg = folder / "embeddings.svg"
    write(svg, re.sub(r'<g id="(utt-\d-\d+)">', titled, svg.read_text(encoding="utf-8")))
