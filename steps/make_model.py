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
import time
from pathlib import Path
from typing import Any

import numpy as np

from steps.frontend.features import DESCRIPTORS
from steps.prediction.model import CALIBRATION, CARD, CONFIG, GRAPH, WEIGHTS, Calibration, Settings
from steps.systems.system import Config
from utils import cli, config
from utils.archive import scp_content
from utils.files import whole
from utils.record import Origin, content, of_settings, outdated
from utils.recordings import SOUND, read_sounds, sources
from utils.table import read_table

VERSION = 1  # raised when another model or other figures come of the same recordings
RESULTS = "results.json"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="data dir with descriptors.scp and utt2emo")
    parser.add_argument("out", type=Path, help="folder of the model")
    parser.add_argument("--system", type=Path, required=True, help="YAML of a system: backend mlp on descriptors")
    parser.add_argument("--copies", type=Path, help="data dir of changed copies, to be trained on, too")
    parser.add_argument("--about", type=Path, help="YAML, corpus → title, language, licence, address; for the card")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training [0]")
    parser.add_argument(
        "--tried", type=int, default=300, help="recordings that are changed on purpose for the card [300]"
    )
    parser.add_argument("--redo", type=cli.boolean, default=False, help="make it again though it is up to date [false]")
    return parser


def settings_of(options: argparse.Namespace) -> Config:
    """The system. Raises UserError for one of another kind."""
    system = config.build(Config, config.read_files([options.system], Config), options.system)
    if system.backend.kind != "mlp" or system.backend.sees != "descriptors":
        raise cli.UserError(f"{options.system}: a model is made of backend: {{kind: mlp, sees: descriptors}}")
    return system


def heard(data: Path) -> tuple[int, float]:
    """Sampling rate and upper edge, in Hz, of the descriptors in `data`."""
    from steps.frontend.options import FbankOptions

    try:
        options = FbankOptions(**config.read_yaml(data / "fbank.yaml")["fbank"])
    except (KeyError, TypeError, ValueError) as error:
        raise cli.UserError(f"{data}/fbank.yaml: says no filter-bank ({error}); make the features again") from None
    return options.sample_frequency, options.upper_edge


def evaluate(options: argparse.Namespace, system: Config, known: Any, rate: int, highest: float) -> dict[str, Any]:
    """All figures of the card."""
    from steps.evaluation import calibration
    from steps.prediction import head, making, trials

    backend, seed, parts = system.backend, options.seed, known.parts()
    print("five models, each without a fifth of the speakers", flush=True)
    unseen = making.outputs(known, parts, backend, seed)
    T, posteriors = making.temperature(known, unseen.logits), making.cross_calibrated(known, unseen.logits, parts)
    threshold = float(np.percentile(unseen.unlike, making.UNLIKE))

    tables: dict[str, dict[str, Any]] = {}

    def group(names: np.ndarray) -> making.Table:
        return making.by_group(known, unseen, posteriors, threshold, names)

    tables["all"] = group(np.full(len(known.y), "all"))
    tables["corpus"], tables["class"] = group(known.corpora), group(np.array(known.classes)[known.y])
    about = config.read_yaml(options.about) if options.about else {}
    languages = {corpus: str((own or {}).get("language", "")) for corpus, own in about.items()}
    tables["language"] = group(np.array([languages.get(corpus, "") for corpus in known.corpora]))
    if (options.data / "spk2gender").is_file():
        genders = read_table(options.data / "spk2gender")
        tables["gender"] = group(np.array([genders.get(speaker, "") for speaker in known.speakers]))
    if (options.data / "utt2dur").is_file():
        seconds = read_table(options.data / "utt2dur")
        tables["length"] = group(making.thirds(np.array([float(seconds[name]) for name in known.names]), "s"))
    if (options.data / SOUND).is_file():
        sounds = read_sounds(options.data / SOUND)
        levels = np.array([sounds[name].level for name in known.names])
        tables["level"] = group(making.thirds(levels, "dB of full scale"))

    results: dict[str, Any] = {"temperature": T, "threshold": threshold, "unseen_speakers": tables}
    corpora = np.unique(known.corpora)
    if len(corpora) > 1:
        print("for each corpus, a model without it", flush=True)
        results["unseen_corpora"] = {
            way: making.by_group(known, other, calibration.softmax(other.logits, T), threshold, known.corpora)
            for way, own in (("alone", False), ("adapted", True))
            for other in [making.outputs(known, known.corpora, backend, seed, own)]
        }
    eight = np.zeros_like(unseen.logits)
    for part, made in unseen.heads.items():
        eight[parts == part] = head.rounded(made).logits(known.x[parts == part])
    results["int8"] = making.figures(calibration.softmax(eight, T), known.y, unseen.unlike, threshold)
    results["reliability"] = calibration.bins(posteriors, known.y).tolist()
    curve = calibration.risk_coverage(posteriors, known.y)
    results["risk_coverage"] = curve[np.linspace(0, len(curve) - 1, 101).astype(int)].tolist()
    sure = posteriors.max(axis=1) >= Calibration().unsure
    right = posteriors.argmax(axis=1) == known.y
    results["sure"] = {
        "answered": 100 * sure.mean(),
        "right": 100 * right[sure].mean(),
        "right_else": 100 * right[~sure].mean(),
    }

    print(f"{options.tried} recordings, changed on purpose; sounds that are no speech", flush=True)
    chosen = np.random.default_rng(0).permutation(len(known.y))[: options.tried]
    places = sources(options.data)
    changed = trials.of_recordings({known.names[k]: places[known.names[k]] for k in chosen}, rate, highest)
    results["changed"] = making.of_changes(known, unseen.heads, parts, T, threshold, changed)
    results["sounds"] = {}
    for kind, x in trials.of_sounds(30, rate, highest).items():
        unlike = np.concatenate([head.unlike(x) for head in unseen.heads.values()])
        results["sounds"][kind] = {
            "auroc": calibration.auroc(unseen.unlike, unlike), "unlike": 100 * float((unlike > threshold).mean())
        }  # fmt: skip
    return results


def main() -> None:
    options = arguments().parse_args()
    system = settings_of(options)
    read = {name: content(options.data / name) for name in ("utt2emo", "utt2spk")}
    if (options.data / DESCRIPTORS).is_file():  # else reading says so
        read[DESCRIPTORS] = scp_content(options.data / DESCRIPTORS)
    if options.copies:
        read["copies"] = scp_content(options.copies / DESCRIPTORS)
    read |= {"about": content(options.about)} if options.about else {}
    choice = of_settings(system.backend) | {"seed": options.seed, "tried": options.tried}
    origin, out = Origin("make_model", VERSION, choice, read), options.out
    if not options.redo and not outdated(out, origin, out / GRAPH, out / CARD):
        print(f"{out}: the model is there and up to date")
        return
    from steps.prediction import head, training
    from steps.reporting import card

    known = training.read(options.data, options.copies)
    rate, highest = heard(options.data)
    results = evaluate(options, system, known, rate, highest)
    print("the model, of all speakers", flush=True)
    everybody = np.ones(len(known.y), bool)
    made = known.fit(everybody, system.backend, options.seed)
    corpora = [str(name) for name in np.unique(known.corpora)]
    counts = {
        name: [int((known.corpora == name).sum()), len(set(known.speakers[known.corpora == name]))] for name in corpora
    }
    results |= {"copies": len(known.copies), "classes": known.classes, "corpora": counts, "highest": highest}
    results["cost"] = cost(made, rate, highest)
    results["about"] = config.read_yaml(options.about) if options.about else {}
    calibration = Calibration(round(results["temperature"], 4), unlike=round(results["threshold"], 4))
    calibration.shortest = card.shortest(results)
    with whole(out) as folder:
        folder.mkdir()
        head.save(made, folder / WEIGHTS)
        head.write_graph(made, calibration.temperature, folder / GRAPH)
        config.save(Settings(known.classes, rate, highest, corpora), folder / CONFIG)
        config.save(calibration, folder / CALIBRATION)
        (folder / RESULTS).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        card.write(results, calibration, folder)
        origin.write(folder)
    print(f"{out / CARD}")


def cost(made: Any, rate: int, highest: float) -> dict[str, float]:
    """Parameters, multiplications of an answer behind the descriptors, seconds of one core for a second of sound."""
    from steps.prediction.trials import described

    sound = np.random.default_rng(0).normal(0, 1000, 3 * rate)
    times = []
    for _ in range(10):
        began = time.perf_counter()
        made.logits(described(sound, rate, highest)[None])
        times.append(time.perf_counter() - began)
    weights = sum(weight.size for weight in made.weights)
    return {"parameters": weights + sum(bias.size for bias in made.biases), "multiplications": weights,
            "real_time_factor": float(f"{min(times) / 3:.2g}")}  # fmt: skip


if __name__ == "__main__":
    cli.run(main)
