#!/usr/bin/env python3
"""What it costs each trained system that the level of a test recording changes: wF1 of the recordings as they are, and
at a gain drawn for each from --gain, in dB; as a recorder would, it clips.

    python bench/level.py [--gain -10 10] egs/open/data/ravdess egs/open/exp/ravdess

Each copy's features are made anew, so that voice activity may be decided otherwise. Networks answer as they were
trained; plain systems, which take seconds, are fitted again to recordings as they are; means are those of their parts.
Systems that see given embeddings are left out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.harness import Row, save, spawn
from steps.evaluation.metrics import classification_metrics
from steps.frontend.given import Given
from steps.frontend.options import Input
from steps.frontend.utterances import Corpus, read_corpus
from steps.nnet.networks import Classifier
from steps.systems.checks import DESCRIPTORS
from steps.systems.fine_tuning import posteriors
from steps.systems.system import Config
from steps.systems.train_run import train_run
from steps.training.checkpoint import load_model
from steps.training.device import on_device, pick_device
from utils import config, folds, runs
from utils.cli import UserError, run
from utils.copies import UNIQ
from utils.scores import Scores, pool, read_scores
from utils.table import read_table

TABLES = ("wav.scp", "segments", "utt2spk", "spk2utt", "utt2emo", "utt2dur", "utt2corpus", "frame_shift")


def changed(data: Path, gain: list[float], out: Path) -> Path:
    """A data dir of a copy of each utterance of `data`, with features."""
    (out / "plain").mkdir()
    for name in TABLES:  # without folds, as copies are otherwise for training alone
        if (data / name).is_file():
            shutil.copy(data / name, out / "plain")
    kind = ["--kinds", "gain", "--gain", str(gain)]
    spawn(["utils/augment_data_dir.py", *kind, out / "plain", out / "copies"])
    spawn(["steps/make_fbank.py", "--config", data / "fbank.yaml", "--nj", "1", out / "copies", out / "features"])
    return out / "copies"


class Both:
    """The utterances of a data dir, and the copy of each."""

    def __init__(self, data: Path, copies: Path, scratch: Path) -> None:
        self.folders, self.scratch = (data, copies), scratch
        self.copy_of = {origin: copy for copy, origin in read_table(copies / UNIQ).items()}
        self.known: dict[str, tuple[Corpus, Corpus]] = {}

    def read(self, sees: str, options: Input) -> tuple[Corpus, Corpus]:
        if (key := f"{sees} {options}") in self.known:
            return self.known[key]
        first, second = (
            read_corpus(
                folder,
                options,
                pick_device(),
                Given(folder / DESCRIPTORS, folder).read() if sees == "descriptors" else None,
                self.scratch,
            )
            for folder in self.folders
        )
        self.known[key] = first, second
        return first, second

    def corpus(self, settings: Config, tested: list[str]) -> Corpus:
        """What a system reads: of `tested` speakers the copies."""
        first, second = self.read("" if settings.reads_features else settings.backend.sees, settings.input)
        place = {name: i for i, name in enumerate(second.utterances)}
        if lost := [name for name in first.utterances if self.copy_of.get(name) not in place]:
            raise UserError(f"{lost[0]}: its copy has no features")
        inputs = [
            second.inputs[place[self.copy_of[name]]] if first.speakers[name] in tested else np.array(first.inputs[i])
            for i, name in enumerate(first.utterances)
        ]
        return replace(first, inputs=inputs, embeddings={})


def answers(both: Both, folder: Path, seed: int, parts: dict[str, list[str]], pretrained: str) -> Scores | None:
    """Posteriors of the copies of one run's test speakers; None for a system that cannot be asked."""
    settings = config.load(Config, folder / runs.CONFIG)
    own = read_scores(folder / runs.SCORES)
    if settings.backend.sees == "given" or (settings.backend.of and settings.backend.kind != "mean"):
        return None
    if settings.backend.of:
        every = [
            answers(both, folder.parents[1] / name / folder.name, seed, parts, pretrained)
            for name in settings.backend.of
        ]
        known = [scores.posteriors for scores in every if scores]
        return replace(own, posteriors=np.mean(known, axis=0)) if len(known) == len(every) else None
    corpus = both.corpus(settings, parts["test"])
    if settings.has_network and settings.training.epochs and settings.backend.kind == "network":
        network = Classifier(settings.network, len(corpus.classes))
        load_model(network, folder / runs.MODEL)
        place = {name: i for i, name in enumerate(corpus.utterances)}
        heard = [corpus.inputs[place[name]] for name in own.utterances]
        return replace(own, posteriors=posteriors(on_device(network, pick_device()), heard))
    out = both.scratch / "again"
    start = runs.pretrained_for(seed, Path(pretrained) / settings.training.extractor)
    train_run(corpus, parts, out, seed, settings, start)
    return read_scores(out / runs.SCORES)


def compared(both: Both, data: Path, exp: Path, pretrained: str) -> Iterator[tuple[str, list[int], float, float]]:
    """System, seeds, wF1 of its recordings as they are, wF1 of the copies: means over the seeds."""
    known = folds.of_data_dir(data)
    for system in runs.systems(exp):
        by_seed: dict[int, list[tuple[Scores, Scores]]] = {}
        for name, seed in runs.finished(exp / system):
            folder = exp / system / f"{name}_seed{seed}"
            if not (folder / runs.CONFIG).is_file():
                break
            if not (scores := answers(both, folder, seed, known[name], pretrained)):
                break
            by_seed.setdefault(seed, []).append((read_scores(folder / runs.SCORES), scores))
        else:
            pooled = [[wf1(pool([pair[which] for pair in pairs])) for pairs in by_seed.values()] for which in (0, 1)]
            yield system, sorted(by_seed), float(np.mean(pooled[0])), float(np.mean(pooled[1]))


def reads_level(system: Path) -> bool:
    """Whether a system's features keep the level of a recording."""
    settings = config.load(Config, next(system.glob(f"*_seed*/{runs.CONFIG}")))
    return settings.reads_features and settings.input.cmn == "none" and not settings.backend.of


def wf1(scores: Scores) -> float:
    return classification_metrics(np.array(scores.labels), scores.decisions).wf1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gain", type=float, nargs=2, default=[-10.0, 10.0], help="dB [-10 10]")
    parser.add_argument("--pretrained", default="egs/open/pretrained", help="[egs/open/pretrained]")
    parser.add_argument("data", type=Path)
    parser.add_argument("exp", type=Path)
    options = parser.parse_args()
    load, rows = os.getloadavg()[0], []
    with tempfile.TemporaryDirectory() as scratch:
        both = Both(options.data, changed(options.data, options.gain, Path(scratch)), Path(scratch))
        for system, seeds, before, after in compared(both, options.data, options.exp, options.pretrained):
            print(f"{system}: {before:.2f}, {after:.2f}", flush=True)
            reads = reads_level(options.exp / system)
            whose = f"{system} (seed {' '.join(map(str, seeds))}{', reads the level' if reads else ''})"
            what = f"{whose}: wF1 lost, of {before:.2f}"
            rows.append(Row(what, [before - after], "points", None if reads else 1.0, at_most=True))
    low, high = options.gain
    title = f"Level of test recordings of {options.data.name} changed by {low:g} to {high:g} dB"
    save(f"level.{options.data.name}", title, rows, clock="No time is measured", load=load)


if __name__ == "__main__":
    run(main)
