"""What embeddings carry: linear probes for speaker and for emotion, silhouette, purity of neighbours; the file `probes`
of a run, a header and a line a probe, and means over runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from steps.evaluation.significance import over_runs
from utils import runs
from utils.archive import read_of, read_scp
from utils.cli import UserError
from utils.files import whole
from utils.runs import Texts
from utils.table import read_table

# scikit-learn is imported where it is used: that takes longer than all else a step does to show its --help.

FOLDS = 5  # of cross-validation, where there are so many groups
NEIGHBOURS = 10
HEAD = ["space", "attribute", "of", "measure", "value", "chance", "count", "how"]  # of the file `probes` of a run


@dataclass
class Labelled:
    """N utterances with what is known of them."""

    vectors: np.ndarray  # (N, C)
    speakers: np.ndarray  # (N,) of names, as the next two
    emotions: np.ndarray
    sessions: np.ndarray
    utterances: np.ndarray

    def where(self, mask: np.ndarray) -> Labelled:
        return Labelled(*(value[mask] for value in vars(self).values()))


def read_tables(data: Path) -> dict[str, dict[str, str]]:
    """What a data dir says of its utterances."""
    return {name: read_table(data / name) for name in ("utt2spk", "utt2emo", "utt2session")}


def vectors_of(scp: Path, entries: Mapping[str, str]) -> np.ndarray:
    """(N, C) float64, of the lines `entries` of `scp`. Raises UserError for vectors that are not finite."""
    read = [read_of(scp, *line) for line in entries.items()]
    if wild := [name for name, row in zip(entries, read) if not np.isfinite(row).all()]:
        raise UserError(f"{scp}: {len(wild)} embeddings are not finite, the first that of '{wild[0]}'; make them again")
    return np.stack(read).astype(np.float64)


def read_labelled(scp: Path, tables: Mapping[str, Mapping[str, str]]) -> Labelled:
    """The embeddings of `scp` with their labels; tables: of `read_tables`. Raises UserError for embeddings of other
    data."""
    entries = read_scp(scp)
    if not entries:
        raise UserError(f"{scp}: holds no embedding; remove it and train the run again")
    for name, table in tables.items():
        if unknown := entries.keys() - table.keys():
            raise UserError(f"{scp}: '{min(unknown)}' is not in {name} of the data dir: embeddings of other data?")
    vectors = vectors_of(scp, entries)
    speakers, emotions, sessions = (np.array([table[name] for name in entries]) for table in tables.values())
    return Labelled(vectors, speakers, emotions, sessions, np.array(list(entries)))


@dataclass
class Probe:
    """What one set of utterances carries in one space: a line of a probe file."""

    space: str  # embedding: pool(F⁺) with AD, pool(F) without; embedding_minus: pool(F⁻)
    attribute: str  # speaker or emotion
    whose: str  # utterances of whom: train, or unseen (the validation and the test speakers)
    kind: str  # probe (mean recall), silhouette, purity
    value: float
    chance: float  # what it would be if the space knew nothing of the attribute
    count: int  # utterances; of a probe between pairs, pairs
    how: str  # what held-out utterances have for themselves, or which pairs


def probe(vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """Mean recall of a linear discriminant (shrunk covariance by Ledoit and Wolf, equal priors), trained on some
    groups and tested on the others, each group tested once. vectors: (N, C); labels, groups: (N,) of names. nan where
    there is nothing to tell apart, one group only, or a label that two utterances at most would teach."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.metrics import recall_score
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names = np.unique(labels)
    folds = min(FOLDS, *(len(np.unique(groups[labels == name])) for name in names)) if len(names) > 1 else 0
    if folds < 2:
        return float("nan")
    decided = np.empty_like(labels)
    for train, test in StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(vectors, labels, groups):
        counts = np.unique(labels[train], return_counts=True)[1]
        if len(counts) < 2 or min(counts) < 3:
            return float("nan")
        priors = np.full(len(counts), 1 / len(counts))
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=priors)
        model = make_pipeline(StandardScaler(), model).fit(vectors[train], labels[train])
        decided[test] = model.predict(vectors[test])
    return float(recall_score(labels, decided, average="macro", labels=names, zero_division=0))


def speaker_groups(data: Labelled) -> tuple[np.ndarray, str]:
    """By what the speaker probe is held out: the session (dialog, video), so that it cannot go by the room; where a
    speaker has one session only, as in RAVDESS, the utterance."""
    sessions = {who: len(np.unique(data.sessions[data.speakers == who])) for who in np.unique(data.speakers)}
    return (data.sessions, "session") if min(sessions.values()) > 1 else (data.utterances, "utterance")


def silhouette(vectors: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette of L2-normalised vectors, in [−1, 1]; 0 or below where the labels make no clusters."""
    from sklearn.metrics import silhouette_score
    from sklearn.preprocessing import normalize

    if not 1 < len(np.unique(labels)) < len(labels):
        return float("nan")
    return float(silhouette_score(normalize(vectors), labels))


def purity(vectors: np.ndarray, labels: np.ndarray) -> float:
    """The mean share of an utterance's 10 nearest neighbours, by L2-normalised vectors, that have its label."""
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import normalize

    if len(labels) < 2:
        return float("nan")
    units = normalize(vectors)
    near = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(labels) - 1)).fit(units).kneighbors(return_distance=False)
    return float((labels[near] == labels[:, None]).mean())


def purity_by_chance(labels: np.ndarray) -> float:
    """What random neighbours would give."""
    counts = np.unique(labels, return_counts=True)[1]
    return float((counts * (counts - 1)).sum() / max(1, len(labels) * (len(labels) - 1)))


def between_pairs(data: Labelled, genders: Mapping[str, str]) -> tuple[float, float, int, str]:
    """Speaker probe of every pair of speakers of one gender, mean over pairs; chance; how many pairs; which. Where
    there is no such pair (a run of IEMOCAP leaves out a woman and a man), of all pairs, and it says so: gender alone
    may do there."""
    pairs = list(itertools.combinations(np.unique(data.speakers), 2))
    same = [pair for pair in pairs if genders.get(pair[0], "a") == genders.get(pair[1], "b")]
    values, hows = [], set()
    for pair in same or pairs:
        both = data.where(np.isin(data.speakers, pair))
        groups, how = speaker_groups(both)
        values.append(probe(both.vectors, both.speakers, groups))
        hows.add(how)
    values = [value for value in values if not np.isnan(value)]
    which = f"{min(hows)}, {'same gender' if same else 'across genders'}"
    return float(np.mean(values or [np.nan])), 0.5, len(values), which


def probe_space(data: Labelled, space: str, whose: str, genders: Mapping[str, str]) -> list[Probe]:
    """All that is measured of one set of utterances in one space; whose: train or unseen."""
    rows, speakers, emotions = [], len(np.unique(data.speakers)), len(np.unique(data.emotions))
    size = len(data.utterances)
    if whose == "train":
        groups, how = speaker_groups(data)
        value = probe(data.vectors, data.speakers, groups)
        rows.append(Probe(space, "speaker", whose, "probe", value, 1 / speakers, size, how))
    elif speakers > 1:
        rows.append(Probe(space, "speaker", whose, "probe", *between_pairs(data, genders)))
    # A class's utterances stand in many sessions, so that emotion is always held out by them; where a speaker has one
    # session, that leaves speakers out.
    value = probe(data.vectors, data.emotions, data.sessions)
    rows.append(Probe(space, "emotion", whose, "probe", value, 1 / emotions, size, "session"))
    for attribute, labels in (("emotion", data.emotions), ("speaker", data.speakers)):
        for kind, score, chance in (("silhouette", silhouette, 0.0), ("purity", purity, purity_by_chance(labels))):
            rows.append(Probe(space, attribute, whose, kind, score(data.vectors, labels), chance, size, "none"))
    return rows


def probe_run(
    spaces: Mapping[str, Labelled], parts: Mapping[str, Sequence[str]], genders: Mapping[str, str]
) -> list[Probe]:
    """Of every space of one run, for the training speakers and for the unseen ones; parts: train, valid, test →
    speakers."""
    groups = {"train": parts["train"], "unseen": [*parts["valid"], *parts["test"]]}
    return [
        row
        for space, data in spaces.items()
        for whose, speakers in groups.items()
        if (mask := np.isin(data.speakers, speakers)).any()
        for row in probe_space(data.where(mask), space, whose, genders)
    ]


def write_probes(path: Path, probes: Iterable[Probe]) -> None:
    """Tab-separated, as `how` holds spaces."""
    with whole(path) as temporary, open(temporary, "w", encoding="utf-8") as out:
        out.write("\t".join(HEAD) + "\n")
        for row in probes:
            cells = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in astuple(row)]
            out.write("\t".join(cells) + "\n")


def parse_probes(text: str, path: Path) -> list[Probe]:
    """The content `text` of the file `path`. Raises UserError for what `write_probes` does not write."""
    try:
        head, *lines = text.splitlines()
        if head.split("\t") != HEAD:
            raise ValueError("its header differs")
        rows = [line.split("\t") for line in lines]
        return [
            Probe(space, attribute, whose, kind, float(value), float(chance), int(count), how)
            for space, attribute, whose, kind, value, chance, count, how in rows
        ]
    except ValueError as error:
        raise UserError(f"{path}: is not a file of probes ({error}); remove it, and steps/probe.py makes it") from None


def means(texts: Mapping[tuple[str, int], Texts], units: Mapping[tuple[str, int], str]) -> dict[str, Any]:
    """space → attribute → of → measure → the entry of results.json, over those of the runs, (run, seed) → files, that
    have a file `probes`; units: (run, seed) → what the run counts as (steps/evaluation/summary.py), mean over seeds.
    What cannot be measured in a run (nan) is left out there."""
    rows: dict[tuple[str, str, str, str], dict[str, list[Probe]]] = {}
    for key, files in texts.items():
        text = files.read(runs.PROBES)
        for row in parse_probes(text, files.place / runs.PROBES) if text is not None else []:
            if not np.isnan(row.value):
                name = (row.space, row.attribute, row.whose, row.kind)
                rows.setdefault(name, {}).setdefault(units[key], []).append(row)
    result: dict[str, Any] = {}
    for (space, attribute, whose, kind), by_unit in rows.items():
        every = [row for of_unit in by_unit.values() for row in of_unit]
        by_run = {run: float(np.mean([row.value for row in of_unit])) for run, of_unit in by_unit.items()}
        chance = float(np.mean([row.chance for row in every]))
        place = result.setdefault(space, {}).setdefault(attribute, {}).setdefault(whose, {})
        place[kind] = over_runs(by_run)._asdict() | {"chance": chance, "by_run": by_run, "how": every[0].how}
    return result
