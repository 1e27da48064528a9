"""A recording over time: what it sounds like from stretch to stretch, and where that is not to be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from steps.reporting.figures import save
from utils.cli import printable

if TYPE_CHECKING:
    from steps.prediction.answering import Answer

TICKS = 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600  # s: what people divide time into


def clock(seconds: float, _: int = 0) -> str:
    """`1:05`, `1:02:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def timeline(path: Path, answers: Sequence[Answer], classes: Sequence[str]) -> None:
    """Write the picture `path`, a PNG: a strip for each channel of the recording, one bar a stretch, its height shared
    out by the posteriors; pale where an answer is flagged."""
    channels = sorted({answer.channel for answer in answers})
    first, last = min(answer.begin for answer in answers), max(answer.end for answer in answers)
    wide = min(max(10, (last - first) / 90), 40)  # inches: a minute of a long one has two thirds of one
    canvas = Figure(figsize=(wide, 0.9 + 1.8 * len(channels)), layout="constrained")
    step = next((each for each in TICKS if (last - first) / each <= 2 * wide), TICKS[-1])
    for axes, channel in zip(canvas.subplots(len(channels), 1, squeeze=False)[:, 0], channels):
        own = [answer for answer in answers if answer.channel == channel]
        begins, widths = [answer.begin for answer in own], [answer.end - answer.begin for answer in own]
        doubtful = [bool({"unlike", "unsure"} & set(answer.flags)) for answer in own]
        below = [0.0] * len(own)
        for k in range(len(classes)):
            heights = [float(answer.posteriors[k]) for answer in own]
            bars = axes.bar(begins, heights, widths, below, align="edge", color=f"C{k}", linewidth=0)
            for bar, doubt in zip(bars, doubtful):
                bar.set_alpha(0.3 if doubt else 1)
            below = [a + b for a, b in zip(below, heights)]
        axes.set(xlim=(first, last), ylim=(0, 1), ylabel="posterior")
        axes.xaxis.set_major_locator(MultipleLocator(step))
        axes.xaxis.set_major_formatter(FuncFormatter(clock))
        axes.spines[["top", "right"]].set_visible(False)
        if channel:
            axes.set_title(f"channel {channel}", fontsize="medium", loc="left")
    handles = [Patch(color=f"C{k}", label=name) for k, name in enumerate(classes)]
    canvas.axes[0].legend(handles=handles, ncols=len(classes), loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
    words = f"{printable(answers[0].name)}   (pale: unsure, or unlike what the model has heard)"
    canvas.axes[-1].set_xlabel(words)
    save(canvas, path.parent, path.stem, ["png"])
