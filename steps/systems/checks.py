"""What is refused of a system before any run is trained, rather than behind hours of others. Loads no torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from steps.nnet.settings import Network
from steps.systems.settings import Config
from utils import config
from utils.cli import UserError
from utils.folds import Folds


@dataclass
class Pretrained:
    """What counts here of a pre-trained model's config.yaml."""

    network: Network = field(default_factory=Network)


def check_pretrained(folder: Path, settings: Config, speakers: Collection[str]) -> None:
    """Raises UserError where a system needs the extractor in `folder` and that is missing, is of another kind, or was
    pre-trained on some of `speakers`, who then are no strangers when they are tested. Only ids can be compared, where
    the folder has a list of them (steps/pretrain.py leaves one): a person of two names is not found out."""
    if not settings.training.pretrained:
        return
    if not (folder / "model.safetensors").is_file():
        raise UserError(
            f"{folder}/model.safetensors: no such model; --pretrained names the folder of one, and --speakers makes one"
        )
    if (folder / "config.yaml").is_file():
        theirs, ours = config.load(Pretrained, folder / "config.yaml").network, settings.network
        for name in ("extractor", "width"):
            if (found := getattr(theirs, name)) != (wanted := getattr(ours, name)):
                raise UserError(f"{folder}: holds a network of {name} {found}, and {name} {wanted} is wanted")
    heard = set((folder / "speakers").read_text().split()) if (folder / "speakers").is_file() else set()
    if both := heard & set(speakers):
        raise UserError(
            f"{folder}/speakers: '{min(both)}' ({len(both)} such) is in the data dir, too: a network that was "
            "pre-trained on a speaker is not tested on a stranger; pre-train without, or rename whom it only looks like"
        )


def check_classes(
    settings: Config, runs: Folds, utt2spk: Mapping[str, str], utt2emo: Mapping[str, str], name: str
) -> None:
    """Raises UserError where the system `name` cannot learn what it is to learn: copypaste without a neutral class, a
    classifier of vectors from training speakers who show one class only."""
    if settings.has_network:
        settings.augmentation.check_neutral(utt2emo.values())
    if settings.backend.kind not in ("linear", "svm"):
        return
    of_speaker: dict[str, set[str]] = {}
    for utterance, speaker in utt2spk.items():
        of_speaker.setdefault(speaker, set()).update([utt2emo[utterance]] if utterance in utt2emo else [])
    for run, parts in runs.items():
        shown = set().union(*(of_speaker[speaker] for speaker in parts["train"]))
        if len(shown) < 2:
            raise UserError(
                f"{name or settings.backend.kind}: the training speakers of {run} show one class only "
                f"({', '.join(shown)}), of which nothing can be told apart; leave the run out (--runs)"
            )
