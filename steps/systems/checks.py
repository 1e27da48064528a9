"""Checks of a system before any run is trained, rather than behind hours of others. Loads no torch."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from zipfile import is_zipfile

import numpy as np

from steps.frontend.features import DESCRIPTORS
from steps.frontend.options import Input
from steps.nnet.architecture import Network
from steps.systems.system import Config
from utils import config, folds, runs
from utils.archive import entries, read_of
from utils.cli import UserError, warn
from utils.folds import Folds, classes_of
from utils.record import state
from utils.table import read_table

CORPORA = "utt2corpus"  # the table of a data dir of several corpora: utterance → corpus


@dataclass
class Pretrained:
    """What is checked of a pre-trained model's config.yaml."""

    network: Network = field(default_factory=Network)
    """What the network is made of."""
    input: Input = field(default_factory=Input)
    """What it reads."""


def lacks(settings: Config, options: Namespace) -> str:
    """What a system needs and has not, in the options of steps/finetune.py and, without --check, in the data dir; ""
    where it has all. Raises UserError for a file of vectors that is none."""
    table, extractor = options.data / CORPORA, settings.training.extractor
    unknown = options.check and not options.pretrained  # it is yet to be trained
    if extractor and not unknown and not (model := Path(options.pretrained) / extractor / runs.MODEL).is_file():
        return f"starts from a model of its own, which is not there: {model}"
    if settings.backend.sees == "given":
        if not options.embeddings:
            return "needs vectors: name them with --embeddings"
        if (path := vectors_of(settings, options)).is_dir():
            return f"needs a file of vectors, and --embeddings names a folder: {path}"
        if settings.backend.vectors and not path.is_file():
            return f"needs a folder with {path.name}: --embeddings names {options.embeddings}"
        if path.suffix == ".npy" or (path.suffix == ".npz" and path.is_file() and not is_zipfile(path)):
            raise UserError(f"{path}: is no .npz (numpy.savez, an array an utterance-id), and no scp of Kaldi archives")
    if options.check:
        return ""
    if settings.backend.sees == "descriptors" and not vectors_of(settings, options).is_file():
        return f"needs descriptors: {options.data} has no {DESCRIPTORS} (steps/make_fbank.py --descriptors true)"
    if settings.needs_corpora and not table.is_file():
        return f"needs to know which corpus an utterance is of: {table} is not there"
    if settings.training.L_AD_minus_corpus and (run := of_one_corpus(options.data, options.runs.split())):
        return f"tells corpora apart, and all that trains in run {run} is of one ({table})"
    return ""


def vectors_of(settings: Config, options: Namespace) -> Path:
    """Where the vectors are that a system sees."""
    if settings.backend.sees == "descriptors":
        return Path(options.data) / DESCRIPTORS
    given, name = Path(options.embeddings), settings.backend.vectors
    return given / f"{name}.npz" if name else given


def of_one_corpus(data: Path, wanted: Collection[str]) -> str:
    """A run, of those wanted [all], whose training speakers are all of one corpus; "" where there is none."""
    utt2spk, corpora = read_table(data / "utt2spk"), read_table(data / CORPORA)
    for run, parts in folds.of_data_dir(data).items():
        training = set(parts["train"])
        known = {corpora.get(utterance) for utterance, speaker in utt2spk.items() if speaker in training}
        if len(known) == 1 and (run in wanted or not wanted):
            return run
    return ""


def without_lacking(every: Mapping[str, Config], options: Namespace) -> dict[str, Config]:
    """The systems that lack nothing: a group may name others, which are left out with a notice. Raises UserError for
    one that --systems names itself, and where none is left, unless options.lenient. options: of steps/finetune.py."""
    lacking = {name: why for name, own in every.items() if (why := lacks(own, options))}
    for name in TopologicalSorter({name: own.backend.of for name, own in every.items()}).static_order():
        if parts := [part for part in every[name].backend.of if part in lacking]:
            lacking[name] = f"takes up {parts[0]}, which {lacking[parts[0]]}"
    for name, why in lacking.items():
        if not options.lenient and (name in options.systems.split() or len(lacking) == len(every)):
            raise UserError(f"{name or options.out} {why}")
        if not options.list and not options.check:  # said once, and not by each job of an array
            warn(f"{name} {why}; it is left out")
    return {name: own for name, own in every.items() if name not in lacking}


def check_circles(every: Mapping[str, Config]) -> None:
    """Raise UserError where a system takes itself up, by way of others or not."""
    try:
        TopologicalSorter({name: own.backend.of for name, own in every.items()}).prepare()
    except CycleError as error:
        raise UserError(f"backend.of goes in a circle: {' takes up '.join(reversed(error.args[1]))}") from None


def pretrained_of(settings: Config, seed: int, options: Namespace) -> Path:
    """The folder of the pre-trained model that a system starts from, if it does."""
    folder = Path(options.pretrained) / settings.training.extractor
    return runs.pretrained_for(seed, folder) if settings.training.pretrained else folder


def check_starts(every: Iterable[Config], seeds: Sequence[int], options: Namespace, speakers: Collection[str]) -> None:
    """`check_pretrained` of all that the systems start from, with any of the seeds."""
    for settings in every:
        if settings.training.pretrained:
            for folder in dict.fromkeys(pretrained_of(settings, seed, options) for seed in seeds):
                check_pretrained(folder, settings, speakers)


def check_pretrained(folder: Path, settings: Config, speakers: Collection[str]) -> None:
    """Raise UserError where a system starts from the extractor in `folder` and that is missing, is of another kind, or
    was pre-trained on some of `speakers`: these would not be unseen when they are tested. Speaker-ids are compared with
    <folder>/speakers, where there is one (steps/pretrain.py leaves it); a person with two ids is not found."""
    if not (folder / runs.MODEL).is_file():
        raise UserError(
            f"{folder / runs.MODEL}: no such model; --pretrained names the folder of one, and egs/voxceleb1/run.sh "
            "makes one (for egs/open/run.sh, --speakers)"
        )
    if (folder / runs.CONFIG).is_file():
        theirs = config.load(Pretrained, folder / runs.CONFIG)
        kind = ("extractor", "width", *["vgg5_max_pool"] * (settings.network.extractor == "vgg5"))
        for name in kind:
            if (there := getattr(theirs.network, name)) != (needed := getattr(settings.network, name)):
                raise UserError(f"{folder}: holds a network of {name} {there}, and {name} {needed} is wanted")
        for name in ("cmn", "vad"):  # what it has learnt says nothing of other inputs
            if (there := getattr(theirs.input, name)) != (needed := getattr(settings.input, name)):
                raise UserError(
                    f"{folder}: was pre-trained with input.{name} {there}, and {name} {needed} is to be read: "
                    f"pre-train another, or let the system read {name} {there}, too"
                )
    check_weights(folder / runs.MODEL, settings.network)
    speakers_of = folder / "speakers"
    if speakers_of.exists() and not speakers_of.is_file():
        raise UserError(f"{speakers_of}: is not a file; it should name the speakers that the extractor has heard")
    heard = set(speakers_of.read_text(errors="surrogateescape").split()) if speakers_of.exists() else set()
    if shared := heard & set(speakers):
        raise UserError(
            f"{folder}/speakers: '{min(shared)}' ({len(shared)} such) is in the data dir, too, and test speakers must "
            "be new to the network; pre-train without them, or rename other persons of the same id"
        )


@lru_cache
def weights_of(path: Path, now: str) -> Mapping[str, tuple[int, ...]]:
    """Name → shape in a file of weights, as it is `now`, by its `state`. Raises UserError where it is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in [*file.keys()]}
            for name in shapes:
                with suppress(TypeError):  # bfloat16, which numpy has not: the training looks at it
                    if not np.isfinite(file.get_tensor(name)).all():
                        raise UserError(
                            f"{path}: {name} holds values that are no numbers; copy it, or pre-train it, again"
                        )
    except SafetensorError as error:
        raise UserError(f"{path}: is no whole safetensors file ({error}); copy it, or pre-train it, again") from None
    return shapes


def check_weights(path: Path, network: Network) -> None:
    """Raise UserError where a file of weights is damaged, or those of another kind of network."""
    shapes = weights_of(path, state(path))
    weighted = (layer for layer in network.layers if layer.startswith(("conv", "stage", "transition")))
    if lost := [layer for layer in weighted if not any(name.startswith(f"extractor.{layer}.") for name in shapes)]:
        raise UserError(f"{path}: has no {lost[0]}: it is of another network than {network.extractor}")
    first = [shape[0] for name, shape in shapes.items() if name.startswith("extractor.conv1.") and len(shape) == 4]
    if first and first[0] != network.width:
        raise UserError(f"{path}: holds a network of width {first[0]}, and width {network.width} is wanted")


def check_bins(feats: Path, every: Mapping[str, Config]) -> None:
    """Raise UserError where features have too few bins for a system's network."""
    networks = {name: own.network for name, own in every.items() if own.has_network}
    if networks and (first := next(entries(feats), None)):
        bins = read_of(feats, *first).shape[-1]
        for name, network in networks.items():
            if bins < (needed := network.smallest_bins):
                cut = f"bands {network.bands}" + f", vgg5_max_pool {network.vgg5_max_pool}" * (
                    network.extractor == "vgg5"
                )
                raise UserError(f"{name or 'the network'}: needs {needed} bins ({cut}), and {feats} has {bins}")


def check_corpora(data: Path, utterances: Collection[str]) -> None:
    """Raise UserError where utt2corpus does not say of all `utterances` which corpus they are of."""
    corpora = read_table(data / CORPORA)
    if nobodys := [utterance for utterance in utterances if utterance not in corpora]:
        raise UserError(f"{data / CORPORA}: {len(nobodys)} utterances have no corpus ({nobodys[0]}, …)")


def check_classes(
    settings: Config, runs: Folds, utt2spk: Mapping[str, str], utt2emo: Mapping[str, str], name: str
) -> None:
    """Raise UserError where the system `name` cannot be trained: CopyPaste without a neutral class, training speakers
    who show one class alone."""
    if settings.has_network:
        settings.augmentation.check_neutral(utt2emo.values())
    for run, parts in runs.items():
        if len(shown := classes_of(set(parts["train"]), utt2spk, utt2emo)) < 2:
            raise UserError(
                f"{name or settings.backend.kind}: the training speakers of {run} show one class only "
                f"({', '.join(shown)}), and a classifier needs two; leave the run out (--runs)"
            )
