"""Fig. 1: embeddings in two dimensions by t-SNE; colour is emotion, digit is speaker."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from steps.evaluation.figures import COLOURS, GREY, MARK, new, save
from steps.evaluation.probes import Labelled

SEED = 0


def tsne(vectors: np.ndarray) -> np.ndarray:
    """(N, C) → (N, 2): of L2-normalised embeddings, with a fixed seed."""
    perplexity = min(30, (len(vectors) - 1) / 3)
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import normalize

    return TSNE(perplexity=perplexity, init="pca", random_state=SEED).fit_transform(normalize(vectors))


def draw(panels: Mapping[str, Labelled], unseen: Collection[str], folder: Path, name: str) -> str:
    """Write the figure's files and return its SVG, in which each digit has the utterance as its title. The utterances
    of speakers in `unseen` are bold and ringed, the training speakers' are pale."""
    first = next(iter(panels.values()))
    emotions, speakers = sorted(set(first.emotions)), sorted(set(first.speakers))
    colours = dict(zip(emotions, COLOURS * (1 + len(emotions) // len(COLOURS))))
    digits = {speaker: str(number) for number, speaker in enumerate(speakers, 1)}
    figure, axes = new(4.2 * len(panels), 4.4, 1, len(panels))
    titles: dict[str, str] = {}
    for at, (ax, (title, data)) in enumerate(zip(axes[0], panels.items())):
        places = tsne(data.vectors)
        new_to_it = np.isin(data.speakers, list(unseen))
        edges = [colours[emotion] for emotion in data.emotions[new_to_it]]
        ax.scatter(*places[new_to_it].T, s=60, facecolors="none", edgecolors=edges, linewidths=0.6)
        for i, (x, y) in enumerate(places):  # digits, and none of them asked how much room it needs
            ringed = new_to_it[i]
            mark = f"{MARK}{at}-{i}"
            titles[mark] = f"{data.utterances[i]}: {data.emotions[i]}, {data.speakers[i]}{', unseen' * bool(ringed)}"
            digit = ax.text(
                x, y, digits[data.speakers[i]], color=colours[data.emotions[i]], ha="center", va="center", gid=mark,
                fontsize=6.5, fontweight="bold" if ringed else "normal", alpha=1 if ringed else 0.7,
            )  # fmt: skip
            digit.set_in_layout(False)
        ax.set_xlim(places[:, 0].min() - 3, places[:, 0].max() + 3)
        ax.set_ylim(places[:, 1].min() - 3, places[:, 1].max() + 3)
        ax.set_title(f"({'abc'[at]}) {title}")
        ax.set_xticks([])
        ax.set_yticks([])
    handles = [Line2D([], [], marker="s", ls="", color=colours[one], label=one) for one in emotions]
    ring = Line2D([], [], marker="o", ls="", mfc="none", color=GREY, label="unseen speaker")
    figure.legend(handles=[*handles, ring], loc="outside lower center", ncols=len(handles) + 1)
    svg = save(figure, folder, name)
    return re.sub(
        rf'<g id="{name}-({MARK}\d-\d+)">',
        lambda match: f'<g class="utt"><title>{html.escape(titles[match[1]])}</title>',
        svg,
    )
