#!/usr/bin/env python3
"""Measure how much of speaker and of emotion the embeddings of every run carry: a file `probes` beside its scores.

  steps/probe.py [--pretrained DIR] <data-dir> <exp-dir>
  steps/probe.py --pretrained exp/voxceleb1/resnet18 data/ravdess exp

Reads embedding.scp of every finished run and, where a space was put aside, embedding_minus.scp; roles, sessions and
labels are those of <data-dir>. Vectors of more than 1024 values, which take minutes a run, are probed where --systems
names them alone. With --pretrained, the extractor there is measured too, before any fine-tuning: once
with each run's roles, in <exp-dir>/pretrained. What was measured of the same embeddings and labels is kept. The means
go to <exp-dir>/results.json, where steps/score.py has made it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

import steps  # noqa: F401  # isort: skip (Ctrl-C is one line while all that follows is loaded)

from steps.evaluation import results
from steps.evaluation.differences import add_probes
from steps.evaluation.probing import WIDEST, Corpus, Folder, outdated, probe_folders, width
from steps.evaluation.summary import Key, unit
from steps.systems.embedding import embed
from utils import cli, runs
from utils.hold import hold
from utils.runs import Texts
from utils.scores import speakers_in


def speakers(files: Texts, name: str) -> set[str]:
    """Those of a score file of a run."""
    text = files.read(name)
    return speakers_in(text, files.place / name) if text is not None else set()


def update(exp: Path) -> bool:
    """Put the means of what was measured into <exp>/results.json; whether it is there."""
    if not (exp / results.NAME).exists():
        return False
    content = results.read(exp / results.NAME)
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
    results.write(exp / results.NAME, content)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=cli.path_of, help="the data dir that the systems were trained on")
    parser.add_argument("exp", type=cli.path_of, help="folder that holds the systems' folders")
    parser.add_argument("--pretrained", default="", help="folder of the extractor, to measure it too [none]")
    parser.add_argument("--systems", default="", help="systems, separated by spaces [all, and pretrained]")
    options = parser.parse_args()
    with hold(options.data, shared=True):
        probe(options)


def probe(options: argparse.Namespace) -> None:
    """What has not been probed yet."""
    exp, corpus = options.exp, Corpus(options.data)
    trained = [name for name in runs.systems(exp) if (exp / name).is_dir()]  # of archives, there are no embeddings
    wanted = options.systems.split() or [*trained, runs.PRETRAINED]
    if lost := [name for name in wanted if name != runs.PRETRAINED and not (exp / name).is_dir()]:
        raise cli.UserError(f"{exp}/{lost[0]}: no such system")
    folders = [
        Folder(files.place, files.place, run, speakers(files, runs.SCORES))
        for name in wanted
        if name != runs.PRETRAINED
        for (run, _), files in runs.finished(exp / name).items()
    ]
    pretrained = exp / runs.PRETRAINED
    if runs.PRETRAINED in wanted:
        if options.pretrained and (Path(options.pretrained) / runs.MODEL).is_file():
            if count := embed(Path(options.pretrained), options.data, pretrained):
                print(f"{pretrained}: {count} embeddings", flush=True)
        elif options.pretrained:
            print(f"{options.pretrained}: there is no {runs.MODEL}; the pre-trained extractor is not probed")
        if pretrained.is_dir():
            folders += [Folder(pretrained / f"{run}_seed0", pretrained, run) for run in corpus.folds]
    if not folders:
        raise cli.UserError(f"{exp}: holds no finished run of a system; steps/finetune.py makes such")
    todo = [folder for folder in folders if outdated(folder, corpus)]
    wide = [one for one in todo if one.place.parent.name not in options.systems.split() and width(one) > WIDEST]
    if wide:
        systems = ", ".join(dict.fromkeys(one.place.parent.name for one in wide))
        print(f"{exp}: {systems} left out, as vectors have more than {WIDEST} values; --systems probes them still")
        todo = [folder for folder in todo if folder not in wide]
    if todo:
        print(f"{exp}: {len(todo)} of {len(folders)} runs to probe", flush=True)
    probe_folders(todo, corpus)
    print(f"{exp}: {len(todo)} runs probed")
    if not update(exp):
        print(f"{exp}/{results.NAME}: not there; steps/score.py makes it, with what was probed")


if __name__ == "__main__":
    cli.run(main)
