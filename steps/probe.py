#!/usr/bin/env python3
"""Measure how much of speaker and of emotion the embeddings of every run carry: a file `probes` beside its scores.

  steps/probe.py [--pretrained DIR] <data-dir> <exp-dir>
  steps/probe.py --pretrained exp/voxceleb1/resnet18 data/ravdess exp

Reads embedding.scp of every finished run and, where a space was put aside, embedding_minus.scp; roles, sessions and
labels are those of <data-dir>. With --pretrained, the extractor there is measured too, before any fine-tuning: once
with each run's roles, in <exp-dir>/pretrained. What was measured of the same embeddings and labels is kept. The means
go to <exp-dir>/results.json, where steps/score.py has made it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

import steps  # noqa: F401  # isort: skip (Ctrl-C is one line while all that follows is loaded)

from threadpoolctl import threadpool_limits

from steps.evaluation import results
from steps.evaluation.differences import add_probes
from steps.evaluation.probes import probe_run, read_labelled, read_tables, write_probes
from steps.evaluation.summary import Key, unit
from steps.systems.embedding import embed
from utils import cli, data_dir, folds, record, runs
from utils.archive import scp_content
from utils.files import remove
from utils.hold import hold
from utils.runs import Texts
from utils.scores import speakers_in

SPACES = (runs.EMBEDDING, runs.MINUS)
TABLES = ("utt2spk", "utt2emo", "utt2session", "spk2gender")
VERSION = 1  # of the probes themselves


class Corpus:
    """What the data dir says of its utterances."""

    def __init__(self, data: Path) -> None:
        self.data, self.folds = data, folds.of_data_dir(data)
        self.content = {name: record.content(data / name) for name in TABLES if (data / name).is_file()}
        self.labels = read_tables(data)
        self.genders = data_dir.read_table(data / "spk2gender") if "spk2gender" in self.content else {}

    def roles(self, run: str, place: Path) -> dict[str, list[str]]:
        """train, valid, test → speakers. Raises UserError for a run that the folds do not have."""
        if run not in self.folds:
            raise cli.UserError(f"{place}: the data dir's folds have no run {run}: was it trained on other data?")
        return self.folds[run]


def probe_folder(place: Path, source: Path, run: str, corpus: Corpus, tested: set[str] | None) -> bool:
    """Write <place>/probes of the embeddings in `source`, unless that is there; whether it was to be done. tested: the
    speakers that the run was scored on, where they are known."""
    paths = {space: source / f"{space}.scp" for space in SPACES if (source / f"{space}.scp").is_file()}
    if not paths:
        return False
    roles = corpus.roles(run, place)
    if tested is not None and tested != set(roles["test"]):
        raise cli.UserError(
            f"{place}: its test speakers are not those of the data dir's folds; was it trained on another data dir?"
        )
    origin = record.Origin(
        "probe",
        VERSION,
        content={space: scp_content(path) for space, path in paths.items()}
        | {"roles": record.total(f"{part} {' '.join(sorted(names))}" for part, names in roles.items())}
        | corpus.content,
    )
    if not record.outdated(place, origin, place / runs.PROBES):
        return False
    with hold(place):
        remove(origin.path(place))  # so that no probes ever stand beside a record of others
        spaces = {space: read_labelled(path, corpus.labels) for space, path in paths.items()}
        write_probes(place / runs.PROBES, probe_run(spaces, roles, corpus.genders))
        origin.write(place)
    return True


def speakers(files: Texts, name: str) -> set[str]:
    """Those of a score file of a run."""
    text = files.read(name)
    return speakers_in(text, files.place / name) if text is not None else set()


def update(exp: Path) -> bool:
    """Put the means of what was measured into <exp>/results.json; whether it is there."""
    if not (exp / results.NAME).is_file():
        return False
    content = results.read(exp)
    texts: dict[str, dict[Key, Texts]] = {}
    units: dict[str, dict[Key, str]] = {}
    seeds = {runs.PRETRAINED: [0]} | {name: system["seeds"] for name, system in content["systems"].items()}
    for name, own in seeds.items():
        finished = runs.finished(exp / name, runs.PROBES if name == runs.PRETRAINED else runs.SCORES)
        keys = [(run, seed) for seed in own for run in content["test"]["runs"] if (run, seed) in finished]
        texts[name] = {key: finished[key] for key in keys}
        units[name] = {
            key: unit(key[0], speakers(files, runs.SCORES), speakers(files, runs.VALID))
            for key, files in texts[name].items()
        }
    add_probes(content, texts, units)
    results.write(exp, content)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the data dir that the systems were trained on")
    parser.add_argument("exp", type=Path, help="folder that holds the systems' folders")
    parser.add_argument("--pretrained", type=Path, help="folder of the pre-trained extractor, to measure it too")
    parser.add_argument("--systems", default="", help="systems, separated by spaces [all, and pretrained]")
    options = parser.parse_args()
    threadpool_limits(1)  # of small matrices: several threads are slower, on a busy machine thirty times
    with hold(options.data, shared=True):
        probe(options)


def probe(options: argparse.Namespace) -> None:
    """What has not been probed yet."""
    exp, corpus = options.exp, Corpus(options.data)
    trained = [name for name in runs.systems(exp) if (exp / name).is_dir()]  # of archives, there are no embeddings
    wanted = options.systems.split() or [*trained, runs.PRETRAINED]
    if lost := [name for name in wanted if name != runs.PRETRAINED and not (exp / name).is_dir()]:
        raise cli.UserError(f"{exp}/{lost[0]}: no such system")
    done = 0
    for name in wanted:
        if name != runs.PRETRAINED:
            for (run, _), files in runs.finished(exp / name).items():
                done += probe_folder(files.place, files.place, run, corpus, speakers(files, runs.SCORES))
    pretrained = exp / runs.PRETRAINED
    if runs.PRETRAINED in wanted:
        if options.pretrained and (options.pretrained / runs.MODEL).is_file():
            if count := embed(options.pretrained, options.data, pretrained):
                print(f"{pretrained}: {count} embeddings", flush=True)
        elif options.pretrained:
            print(f"{options.pretrained}: there is no {runs.MODEL}; the pre-trained extractor is not probed")
        if pretrained.is_dir():
            done += sum(
                probe_folder(pretrained / f"{run}_seed0", pretrained, run, corpus, None) for run in corpus.folds
            )
    print(f"{exp}: {done} runs probed")
    if not update(exp):
        print(f"{exp}/{results.NAME}: not there; steps/score.py makes it, with what was probed")


if __name__ == "__main__":
    cli.run(main)
