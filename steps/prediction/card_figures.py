"""All figures of a model's card, and what the model costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from steps.evaluation import calibration
from steps.frontend.options import read_fbank
from steps.prediction import head, making, trials
from steps.prediction.model import Calibration
from steps.prediction.training import Labelled
from steps.systems.system import Backend
from utils.recordings import SOUND, read_sounds, sources
from utils.table import read_table

SOUNDS = 30  # of each kind that is no speech


def heard(data: Path) -> tuple[int, float]:
    """Sampling rate and upper edge, in Hz, of the descriptors in `data`."""
    options = read_fbank(data)
    return options.sample_frequency, options.upper_edge


def evaluate(
    known: Labelled, data: Path, languages: Mapping[str, str], backend: Backend, seed: int, tried: int
) -> dict[str, Any]:
    """All figures of the card. data: where `known` is from; languages: corpus → what is spoken; tried: how many
    recordings are changed on purpose."""
    parts, (rate, highest) = known.parts, heard(data)
    print("five models, each without a fifth of the speakers", flush=True)
    unseen = making.outputs(known, parts, backend, seed)
    T, posteriors = making.temperature(known, unseen.logits), making.cross_calibrated(known, unseen.logits, parts)
    threshold = float(np.percentile(unseen.unlike, making.UNLIKE))

    tables: dict[str, dict[str, Any]] = {}

    def group(names: np.ndarray) -> making.Table:
        return making.by_group(known, unseen, posteriors, threshold, names)

    tables["all"] = group(np.full(len(known.y), "all"))
    tables["corpus"] = group(known.corpora)
    tables["class"] = group(np.array(known.classes)[known.y])
    tables["language"] = group(np.array([languages.get(corpus, "") for corpus in known.corpora]))
    if (data / "spk2gender").is_file():
        genders = read_table(data / "spk2gender")
        tables["gender"] = group(np.array([genders.get(speaker, "") for speaker in known.speakers]))
    if (data / "utt2dur").is_file():
        seconds = read_table(data / "utt2dur")
        tables["length"] = group(making.thirds(np.array([float(seconds[name]) for name in known.names]), "s"))
    if (data / SOUND).is_file():
        sounds = read_sounds(data / SOUND)
        levels = np.array([sounds[name].level for name in known.names])
        tables["level"] = group(making.thirds(levels, "dB of full scale"))

    results: dict[str, Any] = {"temperature": T, "threshold": threshold, "unseen_speakers": tables}
    adapted = calibration.softmax(making.adapted(known, unseen, parts, known.speakers, threshold), T)
    results["unseen_speakers_adapted"] = making.by_group(known, unseen, adapted, threshold, known.corpora)
    # One that alone has a class cannot be left out.
    left = [c for c in np.unique(known.corpora) if len(set(known.y[known.corpora != c])) == len(known.classes)]
    if left:
        groups = np.where(np.isin(known.corpora, left), known.corpora, "")
        print("for each corpus, a model without it", flush=True)
        other = making.outputs(known, groups, backend, seed)
        ways = {"alone": other.logits}
        for way, whose in (("all", known.corpora), ("speaker", known.speakers)):
            ways[way] = making.adapted(known, other, groups, whose, threshold)
        results["unseen_corpora"] = {
            way: making.by_group(known, other, calibration.softmax(logits, T), threshold, groups)
            for way, logits in ways.items()
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
    results["sure"] = {"answered": 100 * sure.mean()}
    results["sure"] |= {name: 100 * right[s].mean() for name, s in [("right", sure), ("right_else", ~sure)] if s.any()}

    print(f"{tried} recordings, changed on purpose; sounds that are no speech", flush=True)
    chosen = np.random.default_rng(0).permutation(len(known.y))[:tried]
    places = sources(data)
    changed = trials.of_recordings({known.names[k]: places[known.names[k]] for k in chosen}, rate, highest)
    results["changed"] = making.of_changes(known, unseen.heads, parts, T, threshold, changed)
    results["sounds"] = {}
    for kind, x in trials.of_sounds(SOUNDS, rate, highest).items():
        unlike = np.concatenate([made.unlike(x) for made in unseen.heads.values()])
        results["sounds"][kind] = {
            "auroc": calibration.auroc(unseen.unlike, unlike), "unlike": 100 * float((unlike > threshold).mean())
        }  # fmt: skip
    return results


def cost(made: head.Head, rate: int, highest: float) -> dict[str, float]:
    """Parameters, multiplications of an answer behind the descriptors, seconds of one core for a second of sound."""
    sound = np.random.default_rng(0).normal(0, 1000, 3 * rate)
    times = []
    for _ in range(10):
        began = time.process_time()
        made.logits(trials.described(sound, rate, highest)[None])
        times.append(time.process_time() - began)
    weights = sum(weight.size for weight in made.weights)
    return {"parameters": weights + sum(bias.size for bias in made.biases), "multiplications": weights,
            "real_time_factor": float(f"{min(times) / 3:.2g}")}  # fmt: skip
