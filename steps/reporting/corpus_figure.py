"""One picture of what is wrong with a corpus, from audit.json."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from steps.reporting.corpus import PROPERTIES, Audit, said, summary
from steps.reporting.figures import COLOURS, GREY
from steps.reporting.words import number

FAINT = "#BBBBBB"
PLAIN = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # behind words, so that no line runs through them
# Severity → colour and mark: both, so that neither colour-blind eyes nor a grey print lose it.
MARKS = {"error": (COLOURS[0], "s"), "warning": (COLOURS[1], "^"), "note": (COLOURS[3], "o"), None: (FAINT, "o")}
SAID = {"error": "error", "warning": "warning", "note": "note: a cue of emotion", None: "nothing found"}
RECORDINGS = {
    "same_sound": "the same sound twice",
    "clipped_recordings": "clipped",
    "silent_recordings": "hardly any speech",
    "short_recordings": "very short",
    "long_recordings": "very long",
    "lost_recordings": "could not be used",
}


def draw(audit: Audit) -> Figure:
    """Left, how well the class is guessed without speech; right, who shows which class, and recordings to look at."""
    canvas = plt.figure(figsize=(9.3, 0.9 + max(3.4, 0.3 * (len(audit["guesses"]) + len(audit["same"])))))
    grid = canvas.add_gridspec(2, 2, width_ratios=[1.25, 1], height_ratios=[1.1, 1])
    _guesses(canvas.add_subplot(grid[:, 0]), audit)
    _speakers(canvas.add_subplot(grid[0, 1]), audit)
    _recordings(canvas.add_subplot(grid[1, 1]), audit)
    canvas.suptitle(summary(audit), fontsize=9, x=0.01, ha="left")
    return canvas


def _guesses(ax: Axes, audit: Audit) -> None:
    """A row a property: how far guessing from it is on the way from chance to certainty."""
    names = [name for name in PROPERTIES if name in audit["guesses"] or name in audit["same"]][::-1]
    for height, name in enumerate(names):
        row = audit["guesses"].get(name)
        if row is None:
            words = f"{said(name, audit['same'][name])} in all"
            ax.text(0.015, height, words, va="center", color=GREY, fontsize=7.5, bbox=PLAIN)
            continue
        colour, mark = MARKS[row["severity"]]
        ax.plot([0, row["gain"]], [height, height], color=colour, lw=2.5, solid_capstyle="butt")
        ax.plot(row["gain"], height, mark, color=colour, ms=7, clip_on=False)
        right = row["gain"] < 0.75
        words = f"UA {number(row['ua'], digits=0)}" if row["gain"] > 0 else "not above chance"
        ax.annotate(
            words,
            (row["gain"], height),
            (8 if right else -8, 0 if right else 7),
            textcoords="offset points",
            va="center",
            ha="left" if right else "right",
            fontsize=7.5,
            bbox=PLAIN,
        )
    limits = audit["limits"]
    for place, words in ((limits["gain"], "found"), (limits["tells"], "error")):
        ax.axvline(place, color=GREY, lw=0.8, ls=":", zorder=0)
        ax.text(place, len(names) - 0.45, words, ha="center", va="bottom", fontsize=7, color=GREY)
    ax.set_yticks(range(len(names)), [PROPERTIES[name] for name in names])
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["chance", "", "half way", "", "certainty"])
    ax.set(xlim=(0, 1.02), ylim=(-0.6, len(names) - 0.4))
    ax.set_title("The class, guessed without listening, from …", pad=16)
    seen = {row["severity"] for row in audit["guesses"].values()}
    handles = [
        Line2D([], [], marker=mark, ls="", color=colour, label=SAID[one])
        for one, (colour, mark) in MARKS.items()
        if one in seen
    ]
    if handles:
        ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(-0.4, -0.12), ncols=len(handles), fontsize=7.5)


def _speakers(ax: Axes, audit: Audit) -> None:
    """Which speaker shows which class: a row a class, a column a speaker; white where there is none."""
    classes = list(audit["classes"])
    counts = np.array([[own[one] for one in classes] for own in audit["speakers"].values()], float).T
    shares = counts / counts.sum(axis=0)
    order = np.lexsort((-shares.max(axis=0), shares.argmax(axis=0)))  # speakers of one class side by side
    colours = plt.get_cmap("Blues").with_extremes(bad="white")
    shown = np.ma.masked_equal(shares[:, order], 0)
    ax.imshow(shown, cmap=colours, vmin=-0.15, vmax=1, aspect="auto", interpolation="nearest")
    ax.set_yticks(range(len(classes)), [f"{one}  {int(sum(own))}" for one, own in zip(classes, counts)])
    single = int((np.count_nonzero(counts, axis=0) == 1).sum())
    ax.set(xticks=[], xlabel=f"{counts.shape[1]} speakers; {single} show one class alone")
    ax.set_title("Share of each class, by speaker")
    for edge in ax.spines.values():
        edge.set(visible=True, color=FAINT)


def _recordings(ax: Axes, audit: Audit) -> None:
    """How many recordings are to be looked at, of each kind."""
    rows: dict[str, tuple[int, Any]] = dict.fromkeys(RECORDINGS, (0, None))
    order = list(MARKS)
    for found in audit["findings"]:
        kind = "same_sound" if found["what"].startswith("same_sound") else found["what"]
        if kind in rows:
            before, severity = rows[kind]
            rows[kind] = (before + found["count"], min(severity, found["severity"], key=order.index))
    total = audit["counts"]["utterances"]
    for height, (count, severity) in enumerate(reversed(rows.values())):
        share = 100 * count / total
        ax.barh(height, share, color=MARKS[severity][0], height=0.6)
        ax.annotate(f"{count}", (share, height), (4, 0), textcoords="offset points", va="center", fontsize=7.5)
    ax.set_yticks(range(len(rows)), list(reversed(RECORDINGS.values())))
    most = max(count for count, _ in rows.values())
    ax.set(xlim=(0, max(1, 115 * most / total)), xlabel="percent of utterances")
    ax.set_title("Recordings to look at")
