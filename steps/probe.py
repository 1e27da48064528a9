#!/usr/bin/env python3
"""Measure how much of speaker and of emotion the embeddings of every run carry: a file `probes` beside its scores.

  steps/probe.py [--systems "..."] <data-dir> <exp-dir>
  steps/probe.py data/ravdess exp

Reads <exp-dir>/<system>/<run>_seed<k>/embedding.scp and, of systems with AD, embedding_minus.scp; roles and sessions
are those of <data-dir>. A folder <exp-dir>/pretrained that holds an embedding.scp itself (steps/embed.py writes it) is
measured once with each run's roles. Where a `probes` is there that is younger than its embeddings, it is kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import steps  # noqa: F401  # isort: skip (Ctrl-C is one line while all that follows is loaded)

import numpy as np
from threadpoolctl import threadpool_limits

from steps.evaluation.evidence import PRETRAINED
from steps.evaluation.probe_files import write_figures
from steps.evaluation.probes import Labelled, all_figures
from steps.evaluation.scores import read_scores
from steps.evaluation.summary import PLACE
from utils import cli, data_dir, folds
from utils.archive import read_array

SPACES = ("embedding", "embedding_minus")


class Known:
    """What the data dir says of its utterances."""

    def __init__(self, data: Path) -> None:
        self.speakers = data_dir.read_table(data / "utt2spk")
        self.emotions = data_dir.read_table(data / "utt2emo")
        self.sessions = data_dir.read_table(data / "utt2session")
        self.genders = data_dir.read_table(data / "spk2gender") if (data / "spk2gender").is_file() else {}
        self.folds = folds.read(data / "folds")
        folds.check(self.folds, self.speakers, self.sessions)

    def read(self, scp: Path) -> Labelled:
        """The embeddings of `scp` with their labels."""
        entries = data_dir.read_table(scp)
        if unknown := entries.keys() - self.speakers.keys():
            raise cli.UserError(f"{scp}: '{min(unknown)}' is not in the data dir: embeddings of other data?")
        names = list(entries)
        tables = (self.speakers, self.emotions, self.sessions)
        vectors = np.stack([read_array(entry) for entry in entries.values()]).astype(np.float64)
        return Labelled(vectors, *(np.array([table[name] for name in names]) for table in tables), np.array(names))


def measure(place: Path, source: Path, run: str, known: Known) -> bool:
    """Write <place>/probes from the embeddings in `source`; whether there was something to do."""
    paths = {space: source / f"{space}.scp" for space in SPACES if (source / f"{space}.scp").is_file()}
    probes = place / "probes"
    if not paths or probes.exists() and all(probes.stat().st_mtime > p.stat().st_mtime for p in paths.values()):
        return False
    if run not in known.folds:
        raise cli.UserError(f"{place}: the data dir's folds have no run {run}: was it trained on other data?")
    parts = known.folds[run]
    if (place / "scores").is_file() and set(read_scores(place / "scores").speakers) != set(parts["test"]):
        raise cli.UserError(f"{place}: tested others than the data dir's folds say: was it trained on other data?")
    spaces = {space: known.read(path) for space, path in paths.items()}
    write_figures(probes, all_figures(spaces, parts, known.genders))
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the data dir that the systems were trained on")
    parser.add_argument("exp", type=Path, help="folder that holds the systems' folders")
    parser.add_argument("--systems", default="", help="systems, separated by spaces [all, and pretrained]")
    options = parser.parse_args()
    threadpool_limits(1)  # of small matrices: several threads are slower, on a busy machine thirty times
    known, done = Known(options.data), 0
    wanted = options.systems.split()
    if lost := [name for name in wanted if name != PRETRAINED and not (options.exp / name).is_dir()]:
        raise cli.UserError(f"{options.exp}/{lost[0]}: no such system")
    for scores in sorted(options.exp.glob("*/*_seed*/scores")):
        match = PLACE.fullmatch(scores.parent.name)
        if match and (not wanted or scores.parent.parent.name in wanted):
            done += measure(scores.parent, scores.parent, match["run"], known)
    pretrained = options.exp / PRETRAINED
    if pretrained.is_dir() and (not wanted or PRETRAINED in wanted):
        done += sum(measure(pretrained / f"{run}_seed0", pretrained, run, known) for run in known.folds)
    print(f"{options.exp}: {done} runs probed")


if __name__ == "__main__":
    cli.run(main)
