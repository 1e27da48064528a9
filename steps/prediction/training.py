"""The recordings that a model is made of, and the models that tell how good it is: each leaves some speakers out, or a
corpus."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from steps.frontend.features import DESCRIPTORS
from steps.prediction.head import Head, fit
from steps.systems.checks import CORPORA
from steps.systems.system import Backend
from steps.training.order import balanced
from utils.archive import read_of, read_scp
from utils.cli import UserError, warn
from utils.copies import UNIQ, read_changes
from utils.folds import check_recordings, recordings
from utils.lot import FIFTHS, fifths
from utils.recordings import Source, sources
from utils.table import read_table

WITHOUT = " (across.sh --model '' makes no model)"


@dataclass
class Labelled:
    """N recordings of a data dir."""

    names: np.ndarray  # utterance-ids
    x: np.ndarray  # (N, size) descriptors
    y: np.ndarray  # class indices
    classes: list[str]
    speakers: np.ndarray
    corpora: np.ndarray
    parts: np.ndarray  # the fifth of its corpus's speakers that a recording's is in
    copies: np.ndarray  # (M, size) descriptors of changed copies, which train wherever their origin does
    origins: np.ndarray  # (M,) which recording each is a copy of

    def weights(self, chosen: np.ndarray) -> np.ndarray:
        """What each of the `chosen` (N,) counts: corpora alike, and classes within a corpus."""
        return balanced(self.corpora[chosen], self.y[chosen])

    def fit(self, chosen: np.ndarray, backend: Backend, seed: int) -> Head:
        """A head of the `chosen` (N,) recordings. Raises UserError where a class has none."""
        if missing := set(range(len(self.classes))) - set(self.y[chosen].tolist()):
            raise UserError(f"no recording is left of class '{self.classes[min(missing)]}' to train on")
        weights = np.zeros(len(self.y))
        weights[chosen] = self.weights(chosen)
        own = np.flatnonzero(chosen)
        copies = np.flatnonzero(chosen[self.origins])
        of = np.concatenate([own, self.origins[copies]])
        x = np.concatenate([self.x[own], self.copies[copies]])
        if len(copies):  # as many steps as twice the epochs without copies
            backend = replace(backend, epochs=max(1, round(2 * backend.epochs * len(own) / len(of))))
        return fit(x, self.y[of], weights[of], backend, seed)


def read(data: Path, copies: Path | None = None) -> Labelled:
    """The labelled recordings of `data`, which has descriptors.scp; without utt2corpus, they are one corpus, of the
    folder's name; and their copies in another data dir. Raises UserError for what is missing."""
    if not (data / DESCRIPTORS).is_file():
        raise UserError(f"{data}: has no {DESCRIPTORS}; steps/make_fbank.py --descriptors true makes it")
    places, utt2emo, utt2spk = (read_scp(data / DESCRIPTORS), *map(read_table, (data / "utt2emo", data / "utt2spk")))
    names = sorted(set(places) & set(utt2emo))
    if not names:
        raise UserError(f"{data}: no utterance has both descriptors and an emotion")
    corpora = read_table(data / CORPORA) if (data / CORPORA).is_file() else dict.fromkeys(utt2spk, data.name)
    classes = sorted({utt2emo[name] for name in names})
    x = np.stack([read_of(data / DESCRIPTORS, name, places[name]) for name in names]).astype(np.float32)
    y = np.array([classes.index(utt2emo[name]) for name in names])
    speakers, of_corpus = (np.array([table[name] for name in names]) for table in (utt2spk, corpora))
    changed, origins = read_copies(copies, names, x.shape[1])
    part = fifths(utt2spk, corpora)
    if copies:
        check_voices(copies, data, {name: part[speaker] for name, speaker in utt2spk.items()})
    dealt = np.array([part[speaker][1] for speaker in speakers])
    result = Labelled(np.array(names), x, y, classes, speakers, of_corpus, dealt, changed, origins)
    check(result, data)
    together: dict[str, list[str]] = {}
    for speaker, (corpus, number) in part.items():
        together.setdefault(f"{corpus}, part {number + 1}", []).append(speaker)
    for sounds in recordings(data):
        check_recordings({"unseen speakers": together}, utt2spk, sounds, data)
    return result


def check(known: Labelled, data: Path) -> None:
    """Raises UserError for recordings that no model is made of, or that do not tell how good it is."""
    if len(known.classes) < 2:
        raise UserError(
            f"{data}/utt2emo: all recordings are {known.classes[0]}, and a model tells classes apart{WITHOUT}"
        )
    if max(len(set(known.speakers[known.corpora == corpus])) for corpus in np.unique(known.corpora)) < FIFTHS:
        raise UserError(f"{data}: no corpus has {FIFTHS} speakers, too few to leave some out each time{WITHOUT}")
    for k, name in enumerate(known.classes):
        if len(set(known.parts[known.y == k])) < 2:
            who = " ".join(sorted(set(known.speakers[known.y == k]))[:5])
            raise UserError(
                f"{data}/utt2emo: class '{name}' is left to nobody while its speakers ({who}) are left out, to tell "
                f"how good the model is: add speakers of it, or take other --classes{WITHOUT}"
            )


def check_voices(copies: Path, data: Path, part: Mapping[str, tuple[str, int]]) -> None:
    """Raises UserError for copies in which voices are heard that are to be left out without them; part: utterance → its
    corpus and part."""
    origins, owner = read_table(copies / UNIQ), {real(source): name for name, source in sources(data).items()}
    for copy, change in read_changes(copies).items():
        for sound in change.values.get("voices", ()):
            if (voice := owner.get(real(sound))) and part[voice] != part.get(origins.get(copy, ""), part[voice]):
                raise UserError(
                    f"{copies}: '{copy}' holds the voice of '{voice}', whom the model that tells of it must not have "
                    f"heard: make copies among voices of a data dir with {CORPORA}"
                )


def real(source: Source) -> Source:
    """The same stretch, wherever links lead to its file."""
    return source._replace(path=os.path.realpath(source.path))


def read_copies(data: Path | None, names: list[str], size: int) -> tuple[np.ndarray, np.ndarray]:
    """(M, size) descriptors of the copies in `data` of the recordings `names`, and (M,) whose each is; none without
    `data`. Raises UserError for a data dir of no copies."""
    if data is None:
        return np.empty((0, size), np.float32), np.empty(0, int)
    if not (data / UNIQ).is_file() or not (data / DESCRIPTORS).is_file():
        raise UserError(f"{data}: needs {UNIQ} (utils/augment_data_dir.py) and {DESCRIPTORS} (steps/make_fbank.py)")
    place, origins = {name: k for k, name in enumerate(names)}, read_table(data / UNIQ)
    entries = {name: entry for name, entry in read_scp(data / DESCRIPTORS).items() if origins.get(name) in place}
    if not entries:
        raise UserError(f"{data}: holds no copy of these recordings")
    if strange := sorted(read_scp(data / DESCRIPTORS).keys() - entries.keys()):
        warn(f"{data}: {len(strange)} copies are not used, as none of the recordings is their origin: {strange[0]}, …")
    x = np.stack([read_of(data / DESCRIPTORS, *line) for line in entries.items()]).astype(np.float32)
    return x, np.array([place[origins[name]] for name in entries])
