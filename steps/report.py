#!/usr/bin/env python3
"""One page to look at, <exp-dir>/report.html, and its figures as files for a paper in <exp-dir>/figures.

  steps/report.py [options] <exp-dir>
  steps/report.py --conf conf --data data/ravdess exp

The page needs nothing but itself. What it shows beside the tables of steps/score.py: Fig. 1 (t-SNE of embeddings, from
<exp-dir>/pretrained/embedding.scp and the two systems' embedding.scp), attention masks of a few test utterances,
learning curves. What is missing leaves its section out, with a line that says why.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import steps  # noqa: F401  # isort: skip (Ctrl-C is one line while all that follows is loaded)

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from steps.embed import load_network
from steps.evaluation import figures, projection, sections
from steps.evaluation.evidence import PRETRAINED, Evidence, gather
from steps.evaluation.families import PLANNED
from steps.evaluation.page import Picture, Section, render
from steps.evaluation.probes import Labelled
from steps.evaluation.scores import read_scores
from steps.frontend.network_input import select
from steps.nnet.attribute_disentanglement import AttributeDisentanglement
from utils import cli, data_dir, folds, leak
from utils.archive import read_array
from utils.files import whole
from utils.job_log import revision

PANELS = {PRETRAINED: "pre-trained", PLANNED[1]: "fine-tuned", PLANNED[0]: "fine-tuned with AD"}


def find_data(exp: Path) -> Path | None:
    """The one data dir with folds in the folder `data` beside <exp-dir>; None where there is none, or several."""
    found = [path.parent for path in sorted((exp.resolve().parent / "data").glob("*/folds"))]
    found = [data for data in found if not leak.kind(data)]
    return found[0] if len(found) == 1 else None


def labelled(scp: Path, data: Path) -> Labelled:
    """Embeddings, with what the data dir says of them."""
    tables = [data_dir.read_table(data / name) for name in ("utt2spk", "utt2emo", "utt2session")]
    entries = data_dir.read_table(scp)
    if unknown := entries.keys() - tables[0].keys():
        raise cli.UserError(f"{scp}: '{min(unknown)}' is not in {data}: was it trained on other data?")
    vectors = np.stack([read_array(entry) for entry in entries.values()])
    return Labelled(
        vectors, *(np.array([table[name] for name in entries]) for table in tables), np.array(list(entries))
    )


def figure1(evidence: Evidence, exp: Path, data: Path | None, run: str, seed: int) -> Section:
    """The three t-SNE panels of one run."""
    title, places = "Embeddings (Fig. 1)", {PRETRAINED: exp / PRETRAINED}
    places |= {one.name: one.places[run, seed] for one in evidence.summaries if (run, seed) in one.places}
    paths = {system: places[system] / "embedding.scp" for system in PANELS if system in places}
    there = {PANELS[system]: path for system, path in paths.items() if path.is_file()}
    absent = [words for words in PANELS.values() if words not in there]
    if data is None or not there:
        why = "no embedding.scp in the runs' folders" if data else "it needs the data dir (--data)"
        return Section(title, absent=f"Left out: {why}.")
    panels = {words: labelled(path, data) for words, path in there.items()}
    parts = folds.read(data / "folds").get(run)
    if parts is None:
        raise cli.UserError(f"{data}/folds: there is no run {run}: were the systems trained on other data?")
    svg = projection.draw(panels, [*parts["valid"], *parts["test"]], exp / "figures", "embeddings")
    caption = (
        f"t-SNE (seed {projection.SEED}) of L2-normalised embeddings before the classifier; run {run}, seed {seed}. "
        "Colour is emotion, digit is speaker (in sorted order); bold and ringed are the speakers that this run never "
        "trained on. Distances between far groups mean nothing in such a picture; the probes are the measurement."
    )
    return Section(
        title, [Picture(svg, caption, hover=True)], absent="".join(f"No embeddings: {words}. " for words in absent)
    )


@torch.inference_mode()
def look(network: torch.nn.Module, frames: np.ndarray) -> dict[str, np.ndarray]:
    """What the last AD of a network does to one utterance (T, F): the mask, and the sizes of what it keeps and throws
    away of the residual, each (T', F'), mean over channels."""
    network.eval()
    seen: list[tuple[torch.Tensor, ...]] = []

    def remember(module: AttributeDisentanglement, inputs: tuple[torch.Tensor, ...], _: object) -> None:
        R = inputs[0] - module.instance_norm(inputs[0])
        a = module.attention(R)
        seen.append((a, (a * R).abs(), ((1 - a) * R).abs()))

    modules = [module for module in network.modules() if isinstance(module, AttributeDisentanglement)]
    hook = modules[-1].register_forward_hook(remember)
    network(torch.from_numpy(frames)[None].to(next(network.parameters()).device))
    hook.remove()
    return dict(zip(("a", "kept", "dropped"), (part[0].mean(dim=0).cpu().numpy() for part in seen[-1])))


def attention(evidence: Evidence, exp: Path, data: Path | None, run: str, seed: int) -> Section:
    """Masks of the planned system's network for one test utterance of each class."""
    title = "What AD keeps and what it throws away"
    place = next((one.places.get((run, seed)) for one in evidence.summaries if one.name == PLANNED[0]), None)
    if place is None or not (place / "model.safetensors").is_file():
        return Section(title, absent=f"Left out: there is no network of {PLANNED[0]} here.")
    if data is None or not (data / "feats.scp").is_file():
        return Section(title, absent="Left out: it needs the data dir with its features (--data).")
    network, options = load_network(place)
    scores, feats = read_scores(place / "scores"), data_dir.read_table(data / "feats.scp")
    speech = data_dir.read_table(data / "vad.scp") if options.vad else {}
    examples = []
    for number, name in enumerate(scores.classes):
        of_class = np.flatnonzero(scores.labels == number)
        if not len(of_class):
            continue
        utterance, decided = scores.utterances[of_class[0]], scores.classes[scores.decisions[of_class[0]]]
        if utterance not in feats:
            raise cli.UserError(f"{data}/feats.scp: no utterance '{utterance}': were they trained on other data?")
        features = read_array(feats[utterance])
        decisions = read_array(speech[utterance]) if options.vad else np.ones(len(features), np.uint8)
        frames = select(features, decisions, options)
        words = f"{utterance}\n{name}, decided {decided}"
        examples.append({"input": frames, "title": words, **look(network, frames)})
    low, high = (extreme([extreme(one["a"]) for one in examples]) for extreme in (np.min, np.max))
    svg = figures.save(figures.masks(examples), exp / "figures", "masks")
    caption = (
        f"One test utterance of each class, run {run}, seed {seed}; time runs to the right, frequency upwards; means "
        "over channels, on the map that AD works on (of the input, every sixteenth frame). The masks have one scale, "
        f"their range, {low:.3f} to {high:.3f}. What F⁺ lacks is in F⁻."
    )
    return Section(title, [Picture(svg, caption)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exp", type=Path, help="folder that holds the systems' folders")
    parser.add_argument("--conf", type=Path, default=Path("conf"), help="folder of systems/ and published.yaml [conf]")
    parser.add_argument(
        "--data", type=Path, help="the data dir [the one with folds in the folder data beside <exp-dir>]"
    )
    parser.add_argument("--systems", default="", help="systems, in the order of the tables [all]")
    parser.add_argument("--runs", default="", help="runs to show [all]")
    parser.add_argument("--seeds", default="", help="seeds to show [all]")
    parser.add_argument("--run", default="", help="the run of Fig. 1 and of the masks [the first]")
    parser.add_argument("--title", default="Results", help="heading of the page")
    options = parser.parse_args()
    torch.set_num_threads(1)  # a few utterances, a few hundred points: threads would wait for each other
    threadpool_limits(1)
    exp, data = options.exp, options.data or find_data(options.exp)
    runs, seeds = options.runs.split(), cli.numbers("--seeds", options.seeds)
    growing = not (runs or seeds)
    evidence = gather(exp, options.conf, options.title, options.systems.split(), runs, seeds, growing)
    one = evidence.summaries[0]
    run, seed = options.run or one.runs[0], one.seeds[0]
    if run not in one.runs:
        raise cli.UserError(f"--run {run}: there are {' '.join(one.runs)}")
    parts = [
        *sections.results(evidence, exp / "figures"),
        sections.about(evidence, options.conf),
        sections.probes(evidence),
        figure1(evidence, exp, data, run, seed),
        attention(evidence, exp, data, run, seed),
        *sections.details(evidence, exp / "figures"),
        sections.learning(evidence, exp / "figures"),
        sections.making(evidence),
    ]
    with whole(exp / "report.html") as temporary:
        temporary.write_text(render(options.title, f"{exp}, made by steps/report.py at {revision()}", parts), "utf-8")
    print(f"{exp}/report.html and {len(list((exp / 'figures').glob('*.svg')))} figures in {exp}/figures")


if __name__ == "__main__":
    cli.run(main)
