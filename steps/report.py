#!/usr/bin/env python3
"""From <exp-dir>/results.json to what people read: <exp-dir>/report.html, one page that needs nothing but itself;
<exp-dir>/RESULTS.md, the same in Markdown; <exp-dir>/figures, its pictures as files for a paper.

  steps/report.py [options] <exp-dir>
  steps/report.py --data data/ravdess exp

What the page shows beside figures of results.json: Fig. 1 (t-SNE of embeddings) and attention masks of a few test
utterances, of the systems that <conf>/groups.yaml names. What is missing leaves its section out, with a line that says
why. steps/score.py makes results.json.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

import steps  # noqa: F401  # isort: skip (before what takes long: it says why)

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from steps.evaluation import results
from steps.evaluation.probes import Labelled, read_labelled, read_tables
from steps.frontend.network_input import select
from steps.nnet.networks import Classifier
from steps.reporting import documents, figures, page
from steps.reporting.words import Results
from steps.systems.embedding import load_network
from utils import cli, folds, runs
from utils.archive import read_array, read_scp
from utils.job_log import revision
from utils.runs import Run
from utils.scores import read_scores


def find_data(exp: Path) -> Path | None:
    """The one data dir with folds in the folder `data` beside <exp-dir>; None where there is none, or several."""
    places = [path.parent for path in exp.resolve().parent.glob("data/[!.]*/folds") if not runs.leak(path.parent)]
    return places[0] if len(places) == 1 else None


def in_the_plane(data: Labelled) -> Labelled:
    """With places (N, 2) by t-SNE of L2-normalised embeddings for vectors."""
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import normalize

    perplexity = min(30, (len(data.vectors) - 1) / 3)
    projection = TSNE(perplexity=perplexity, init="pca", random_state=0)
    return replace(data, vectors=projection.fit_transform(normalize(data.vectors)))


def place_of(made: Results, exp: Path, name: str, run: str) -> Path:
    """The run folder of a system, with its first seed; of the extractor before any fine-tuning, its folder."""
    if name == runs.PRETRAINED:
        return exp / name
    return Run(name, run, made["systems"].get(name, {"seeds": [0]})["seeds"][0]).folder(exp)


def figure1(made: Results, exp: Path, data: Path, run: str) -> str:
    """The t-SNE panels of one run."""
    wanted = made["groups"]["figure1"]
    paths = {words: place_of(made, exp, name, run) / f"{runs.EMBEDDING}.scp" for name, words in wanted.items()}
    there = {words: path for words, path in paths.items() if path.is_file()}
    if not there:
        return "Fig. 1, left out: no embedding.scp in the runs' folders."
    labels = read_tables(data)
    panels = {words: read_labelled(path, labels) for words, path in there.items()}
    if (roles := folds.read(data / "folds").get(run)) is None:
        raise cli.UserError(f"{data}/folds: there is no run {run}: were the systems trained on other data?")
    panels = {words: in_the_plane(panel) for words, panel in panels.items()}
    figures.embeddings(panels, [*roles["valid"], *roles["test"]], exp / "figures")
    absent = "".join(f" No embeddings: {words}." for words in paths if words not in there)
    return page.picture("figures/embeddings", documents.EMBEDDINGS + absent)


@torch.inference_mode()
def divided(network: Classifier, frames: np.ndarray) -> dict[str, np.ndarray]:
    """What the last AD of a network does to one utterance (T, F): the mask, and the sizes of what it keeps and puts
    aside of the residual, each (T', F'), mean over channels."""
    network.eval()
    inputs = torch.from_numpy(frames)[None].to(next(network.parameters()).device)
    a, kept, dropped = network.decompose(inputs)
    sizes = {"a": a, "kept": kept.abs(), "dropped": dropped.abs()}
    return {name: size[0].mean(dim=0).cpu().numpy() for name, size in sizes.items()}


def examples(place: Path, data: Path) -> list[dict[str, Any]]:
    """One test utterance of each class, as the network in `place` divides it."""
    network, options = load_network(place)
    scores, feats = read_scores(place / runs.SCORES), read_scp(data / "feats.scp")
    speech = read_scp(data / "vad.scp") if options.vad else {}
    rows = []
    for label in np.unique(scores.labels):
        first = np.flatnonzero(scores.labels == label)[0]
        utterance, decided = scores.utterances[first], scores.classes[scores.decisions[first]]
        if utterance not in feats or (options.vad and utterance not in speech):
            lacking = "vad.scp" if utterance in feats else "feats.scp"
            raise cli.UserError(f"{data}/{lacking}: no utterance '{utterance}': were they trained on other data?")
        features = read_array(feats[utterance])
        voiced = read_array(speech[utterance]) if options.vad else np.ones(len(features), np.uint8)
        frames = select(features, voiced, options)
        title = f"{utterance}\n{scores.classes[label]}, decided {decided}"
        rows.append({"input": frames, "title": title, **divided(network, frames)})
    return rows


def masks(made: Results, exp: Path, data: Path, run: str) -> str:
    """Masks of the system that groups.yaml names, for one test utterance of each class."""
    if not (name := made["groups"]["masks"]):
        return "Masks, left out: conf/groups.yaml names no system for them."
    place = place_of(made, exp, name, run)
    if not (place / runs.MODEL).is_file() or not (data / "feats.scp").is_file():
        return f"Masks, left out: there is no network of {name} here, or there are no features in {data}."
    figures.save(figures.masks(examples(place, data)), exp / "figures", "masks")
    return page.picture("figures/masks", documents.MASKS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exp", type=cli.path_of, help="folder that holds results.json and the systems' folders")
    parser.add_argument("--data", type=cli.path_of, help="the data dir [the one with folds in data beside <exp-dir>]")
    parser.add_argument("--run", default="", help="the run of Fig. 1 and of the masks [the first]")
    options = parser.parse_args()
    torch.set_num_threads(1)  # a few utterances, a few hundred points: threads would wait for each other
    threadpool_limits(1)
    if options.data and not (options.data / "utt2spk").is_file():
        raise cli.UserError(f"--data {options.data}: is no data dir (it has no utt2spk)")
    made, data = results.read(options.exp / results.NAME), options.data or find_data(options.exp)
    write(options, made, data)


def write(options: argparse.Namespace, made: Results, data: Path | None) -> None:
    """Page, tables and pictures of results.json (`made`)."""
    exp = options.exp
    run = options.run or made["test"]["runs"][0]
    if run not in made["test"]["runs"]:
        raise cli.UserError(f"--run {run}: there is no such run; there are: {' '.join(made['test']['runs'])}")
    absent = ["Fig. 1 and masks, left out: they need the data dir (--data)."]
    networks = [figure1(made, exp, data, run), masks(made, exp, data, run)] if data else absent
    sections = documents.everything(made, exp, networks, figures.SUFFIXES) | documents.detailed(made, exp)
    title = f"Results on {made['corpus']}"
    text = page.document(title, f"steps/report.py at {revision()}", sections)
    page.write(exp / "RESULTS.md", text)
    page.write(exp / "report.html", page.page(title, text, exp))
    print(f"{exp}/report.html, {exp}/RESULTS.md, and their pictures in {exp}/figures")


if __name__ == "__main__":
    cli.run(main)
