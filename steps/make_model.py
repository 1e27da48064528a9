#!/usr/bin/env python3
"""A model to use, of all speakers of a data dir: what steps/predict.py answers with.

  steps/make_model.py --system FILE [options] <data-dir> <model-dir>
  steps/make_model.py --system conf/systems/descriptors_mlp.yaml data/across/all exp/model

<data-dir> has descriptors.scp (steps/make_fbank.py --descriptors true), utt2emo and, of several corpora, utt2corpus:
then each counts as much as another. The model is trained on everybody. How good it is, and how far its posteriors are
to be trusted, is told by others, made in the same way: five that leave out a fifth of the speakers each, and one for
each corpus, that leaves it out. <model-dir> gets
  model.safetensors, model.onnx   the weights; the same as a graph
  config.yaml, calibration.yaml   what it hears and answers; temperature and thresholds
  results.json, CARD.md, card.png what it can do, for machines and for people
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

import steps  # noqa: F401  # isort: skip (before what takes long: it says why)

import numpy as np

from steps.frontend.features import DESCRIPTORS
from steps.prediction.model import CALIBRATION, CARD, CONFIG, GRAPH, WEIGHTS, Calibration, Settings, is_whole, sum_of
from steps.systems.system import Config
from utils import cli, config, runs
from utils.archive import scp_content
from utils.copies import AUGMENT, UNIQ, read_changes
from utils.data_dir import check_whole
from utils.files import whole
from utils.record import Origin, content, of_settings, outdated
from utils.yaml_file import read_yaml

VERSION = 7  # raised when another model or other figures come of the same recordings
RESULTS = "results.json"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=cli.path_of, help="data dir with descriptors.scp and utt2emo")
    parser.add_argument("out", type=cli.path_of, help="folder of the model")
    parser.add_argument("--system", type=cli.path_of, required=True, help="a system: backend mlp on descriptors")
    parser.add_argument("--copies", type=cli.path_of, help="data dir of copies, to be trained on, too")
    parser.add_argument("--about", type=cli.path_of, help="corpus → title, language, licence, address")
    parser.add_argument("--seed", type=cli.natural, default=0, help="seed of the training [0]")
    parser.add_argument(
        "--tried", type=cli.positive, default=300, help="recordings that are changed on purpose for the card [300]"
    )
    parser.add_argument("--redo", type=cli.boolean, default=False, help="make it again though it is up to date [false]")
    return parser


def settings_of(options: argparse.Namespace) -> Config:
    """The system. Raises UserError for one of another kind."""
    system = config.build(Config, config.read_files([options.system], Config), options.system)
    if system.backend.kind != "mlp" or system.backend.sees != "descriptors":
        raise cli.UserError(f"{options.system}: a model is made of backend: {{kind: mlp, sees: descriptors}}")
    if len(system.backend.C) != 1:
        raise cli.UserError(f"{options.system}: C {system.backend.C}: a model is made with one, such as [100.0]")
    return system


def kinds_of(copies: Path | None) -> list[str]:
    """What has been done to the copies (utils/copies.py), sorted."""
    return sorted({change.kind for change in read_changes(copies).values()}) if copies else []


def check_replaceable(out: Path) -> None:
    """Raise UserError where `out` holds what is no model's: the folder is replaced as a whole."""
    if out.exists() and not out.is_dir():
        raise cli.UserError(f"{out}: is a file, and the model is a folder: name another")
    own = {CALIBRATION, CARD, CONFIG, GRAPH, WEIGHTS, RESULTS, "card.png", ".made_from.make_model"}
    if out.is_dir() and (strange := sorted(path.name for path in out.iterdir() if path.name not in own)):
        raise cli.UserError(
            f"{out}: holds '{strange[0]}', which is no model's and would be lost: name a folder of its own"
        )


def is_words(about: object) -> bool:
    """Whether it is a mapping of words, as what is known of a corpus."""
    return isinstance(about, dict) and all(isinstance(word, str) for word in about.values())


def make(options: argparse.Namespace, system: Config, folder: Path) -> None:
    """Train the model, tell how good it is, and leave in `folder` all that a model has."""
    from steps.prediction import card_figures, head, training  # here: --help, and what is up to date, need none of it
    from steps.reporting import card

    known = training.read(options.data, options.copies)
    about = read_yaml(options.about, as_text=True) if options.about else {}
    if odd := [name for name, own in about.items() if not is_words(own)]:
        raise cli.UserError(f"{options.about}: '{odd[0]}': expected title, language, licence and address of the corpus")
    languages = {corpus: own.get("language", "") for corpus, own in about.items()}
    rate, highest = card_figures.heard(options.data)
    results = card_figures.evaluate(known, options.data, languages, system.backend, options.seed, options.tried)
    print("the model, of all speakers", flush=True)
    made = known.fit(np.ones(len(known.y), bool), system.backend, options.seed)
    corpora = [str(name) for name in np.unique(known.corpora)]
    counts = {
        name: [int((known.corpora == name).sum()), len(set(known.speakers[known.corpora == name]))] for name in corpora
    }
    results |= {
        "copies": len(known.copies),
        "kinds": kinds_of(options.copies),
        "classes": known.classes,
        "corpora": counts,
        "highest": highest,
    }
    results |= {"cost": card_figures.cost(made, rate, highest), "about": about}
    calibration = Calibration(round(results["temperature"], 4), unlike=round(results["threshold"], 4))
    calibration.shortest = card.shortest(results)
    head.save(made, folder / WEIGHTS)
    head.write_graph(made, calibration.temperature, folder / GRAPH)
    config.save(calibration, folder / CALIBRATION)
    (folder / RESULTS).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    card.write(results, calibration, folder)
    settings = Settings(known.classes, rate, float(highest), corpora)
    settings.sums = {path.name: sum_of(path.read_bytes(), settings) for path in sorted(folder.iterdir())}
    config.save(settings, folder / CONFIG)


def main() -> None:
    options = arguments().parse_args()
    system = settings_of(options)
    check_replaceable(options.out)
    check_whole(options.data)
    if kind := runs.leak(options.data):
        raise cli.UserError(f"{options.data}: has falsified speakers ({kind}), so that no card would be true")
    if (options.data / AUGMENT).is_file():
        raise cli.UserError(f"{options.data}: holds changed copies; name the originals' data dir, and this by --copies")
    read = {name: content(options.data / name) for name in ("utt2emo", "utt2spk")}
    of_data = ("utt2corpus", "utt2dur", "spk2gender", "fbank.yaml", "wav.scp", "segments")
    read |= {name: content(options.data / name) for name in of_data if (options.data / name).is_file()}
    if (options.data / DESCRIPTORS).is_file():  # else reading says so
        read[DESCRIPTORS] = scp_content(options.data / DESCRIPTORS)
    if options.copies:
        read["copies"] = scp_content(options.copies / DESCRIPTORS)
        read["origins of copies"] = content(options.copies / UNIQ)
    read |= {"about": content(options.about)} if options.about else {}
    choice = of_settings(system.backend) | {"seed": options.seed, "tried": options.tried}
    origin, out = Origin("make_model", VERSION, choice, read), options.out
    if not options.redo and not outdated(out, origin) and is_whole(out):
        print(f"{out}: the model is there and up to date")
        return
    with whole(out) as folder:  # from the beginning: where nothing can be written, nothing is trained
        folder.mkdir()
        make(options, system, folder)
        origin.write(folder)
    print(f"{out / CARD}")


if __name__ == "__main__":
    cli.run(main)
