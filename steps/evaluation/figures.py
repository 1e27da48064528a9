"""Pictures of results, for a page and, as files, for a paper: light, in colours that the colour-blind tell apart."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from steps.evaluation.significance import Comparison, Interval, interval, of_speakers
from steps.evaluation.summary import Summary
from steps.evaluation.tables import confusions as mean_confusion
from utils.files import whole

# Okabe and Ito's palette; for its yellow, which is faint on paper, Tol's wine.
COLOURS = ["#D55E00", "#E69F00", "#009E73", "#0072B2", "#CC79A7", "#56B4E9", "#000000", "#882255"]
GREY = "#777777"
MARK = "utt-"  # begins the id (matplotlib's gid) of what is to be found again in an SVG
matplotlib.rcParams |= {
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": True,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: small, searchable
    "text.parse_math": False,  # a name with two dollar signs in it is a name
}


def new(width: float, height: float, rows: int = 1, columns: int = 1, **options: object) -> tuple[Figure, np.ndarray]:
    """A figure of so many inches, and its axes as an array (rows, columns)."""
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False, **options)


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write <folder>/<name>.svg, .pdf and .png; returns the SVG for a page, without its XML head."""
    svg = io.StringIO()
    with plt.rc_context({"svg.hashsalt": name}):  # ids differ from figure to figure, not from call to call
        figure.savefig(svg, format="svg", metadata={"Date": None})
        for suffix, options in (("pdf", {"metadata": {"CreationDate": None}}), ("png", {"dpi": 200})):
            with whole(folder / f"{name}.{suffix}") as temporary:
                figure.savefig(temporary, format=suffix, **options)
    plt.close(figure)
    text = svg.getvalue()
    with whole(folder / f"{name}.svg") as temporary:
        temporary.write_text(text, encoding="utf-8")
    # One page holds many figures: ids that are referred to or asked for stay, with the figure's name in front.
    text = text[text.index("<svg") :]
    needed = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda match: match[0] if match[1] in needed or match[1][:4] == MARK else "", text)
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)


def forest(rows: Sequence[tuple[str, Interval]], label: str, marks: Mapping[str, float], zero: bool = False) -> Figure:
    """A point and its interval a row; marks: row → a published figure, drawn hollow."""
    figure, axes = new(5 + 0.07 * max(len(name) for name, _ in rows), 0.6 + 0.28 * len(rows))
    ax = axes[0, 0]
    for at, (_, found) in enumerate(reversed(rows)):
        if not np.isnan(found.low):
            ax.plot([found.low, found.high], [at, at], color=COLOURS[3], lw=2)
        ax.plot(found.value, at, "o", color=COLOURS[3])
    for at, (name, _) in enumerate(reversed(rows)):
        if name in marks:
            ax.plot(marks[name], at, "D", mfc="white", color=COLOURS[0], label="in the paper")
    if zero:
        ax.axvline(0, color=GREY, lw=1)
    ax.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlabel(label)
    ax.grid(axis="x", color="#DDDDDD", lw=0.6)
    if marks:
        handles = dict(zip(*reversed(ax.get_legend_handles_labels())))
        ax.legend(handles.values(), handles.keys(), loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def intervals(summaries: Sequence[Summary], published: Mapping[str, float]) -> Figure:
    """wF1 of every system."""
    rows = [(one.name, interval(one)) for one in summaries]
    marks = {name: value for name, value in published.items() if name in {one.name for one in summaries}}
    return forest(rows, "pooled wF1 in percent, 95 % interval over speakers", marks)


def differences(comparisons: Sequence[Comparison]) -> Figure:
    """What each change is worth."""
    rows = [(f"{one.system} − {one.reference}", one.difference) for one in comparisons]
    return forest(rows, "difference of pooled wF1 in points, 95 % interval over speakers", {}, zero=True)


def confusions(summaries: Sequence[Summary]) -> Figure:
    """A matrix a system: shares of the true class as colour, utterances as numbers."""
    columns = min(3, len(summaries))
    rows = -(-len(summaries) // columns)
    figure, axes = new(2.6 * columns, 2.5 * rows, rows, columns)
    for ax in axes.flat[len(summaries) :]:
        ax.set_visible(False)
    for ax, one in zip(axes.flat, summaries):
        counts = mean_confusion(one)
        shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (i, j), count in np.ndenumerate(counts):
            colour, number = "white" if shares[i, j] > 0.55 else "black", f"{count:.1f}".removesuffix(".0")
            ax.text(j, i, number, ha="center", va="center", color=colour)
        ax.set_xticks(range(len(one.classes)), one.classes)
        ax.set_yticks(range(len(one.classes)), one.classes)
        ax.set_title(one.name, fontsize=8)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
    figure.supxlabel("decided", fontsize=9)
    figure.supylabel("true", fontsize=9)
    return figure


def speaker_bars(summaries: Sequence[Summary]) -> Figure:
    """wF1 of each speaker, a bar a system (up to three)."""
    shown = summaries[:3]
    speakers = shown[0].speakers
    figure, axes = new(max(5, 0.34 * len(speakers) + 1.5), 2.8)
    ax, width = axes[0, 0], 0.8 / len(shown)
    for at, (one, colour) in enumerate(zip(shown, (COLOURS[5], COLOURS[3], COLOURS[0]))):
        where = np.arange(len(speakers)) + (at - (len(shown) - 1) / 2) * width
        ax.bar(where, of_speakers(one.counts), width, color=colour, label=one.name)
    ax.set_xticks(range(len(speakers)), speakers, rotation=60, ha="right")
    ax.set_ylabel("wF1 in percent")
    ax.set_ylim(0, 100)
    ax.legend(ncols=len(shown), loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def curves(histories: Mapping[str, Sequence[Mapping[str, np.ndarray]]]) -> Figure:
    """system → of each run, column → (epochs,). Left the losses, right the figures on the validation speakers: mean
    over runs, with the range of the total loss and of wF1 shaded."""
    figure, axes = new(9, 2.2 * len(histories), len(histories), 2)
    for row, (system, runs) in zip(axes, histories.items()):
        names = [name for name in runs[0] if all(name in run for run in runs)]
        kinds = [[name for name in names if name.startswith("L")], [name for name in names if "valid" in name]]
        for ax, kind, label in zip(row, kinds, ("training loss", "validation, percent")):
            for name, colour, line in zip(kind, COLOURS[3:] + COLOURS[:3], ["-", "-", "--", ":", "-."] * 2):
                length = min(len(run[name]) for run in runs)
                values, epochs = np.array([run[name][:length] for run in runs]), np.arange(1, length + 1)
                drawn = [other for other in ax.lines if np.array_equal(other.get_ydata(), values.mean(axis=0))]
                if drawn:  # a second line would hide the first
                    drawn[0].set_label(f"{drawn[0].get_label()} = {name}")
                    continue
                ax.plot(epochs, values.mean(axis=0), color=colour, ls=line, label=name)
                if name == kind[0] and len(runs) > 1:
                    ax.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, lw=0)
            ax.set_ylabel(label)
            ax.set_xlabel("epoch")
            if kind:
                ax.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1), handlelength=1.2)
        row[0].set_title(system)
    return figure


def masks(examples: Sequence[Mapping[str, object]]) -> Figure:
    """A row an utterance: `input` (T, F) filter-banks, and on AD's map (T', F'), averaged over channels: `a` the mask,
    `kept` and `dropped` the sizes of a·R and (1 − a)·R; `title` beside it."""
    figure, axes = new(9, 1.5 * len(examples) + 0.4, len(examples), 4)
    lowest, highest = (extreme([extreme(example["a"]) for example in examples]) for extreme in (np.min, np.max))
    for row, example in zip(axes, examples):
        top = max(example["kept"].max(), example["dropped"].max())
        panels = [("input", "gray_r", None, None), ("a", "cividis", lowest, highest)]
        panels += [("kept", "cividis", 0, top), ("dropped", "cividis", 0, top)]
        for ax, (name, colours, low, high) in zip(row, panels):
            shown = ax.imshow(
                example[name].T,
                origin="lower",
                aspect="auto",
                cmap=colours,
                vmin=low,
                vmax=high,
                interpolation="nearest",
            )
            ax.set_xticks([])
            ax.set_yticks([])
            if name != "input":
                bar = figure.colorbar(shown, ax=ax, fraction=0.06, pad=0.02)
                bar.ax.tick_params(labelsize=6)
                bar.outline.set_visible(False)
        row[0].set_ylabel(example["title"], fontsize=7)
    for ax, title in zip(axes[0], ("filter-banks, time →", "mask a", "kept: |a·R|", "thrown away: |(1 − a)·R|")):
        ax.set_title(title, fontsize=8)
    return figure
