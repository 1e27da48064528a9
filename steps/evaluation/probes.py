"""What embeddings carry: linear probes for speaker and for emotion, silhouette, purity of neighbours."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# scikit-learn is imported where it is used: that takes longer than all else a step does to show its --help.

FOLDS = 5  # of cross-validation, where there are so many groups
NEIGHBOURS = 10


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


@dataclass
class Figure:
    """One line of a probe file."""

    space: str  # embedding: pool(F⁺) with AD, pool(F) without; embedding_minus: pool(F⁻)
    attribute: str  # speaker or emotion
    of: str  # whose utterances: train, or unseen (the validation and the test speakers)
    measure: str  # probe (mean recall), silhouette, purity
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


def between_pairs(data: Labelled, genders: Mapping[str, str]) -> tuple[float, int, str]:
    """Speaker probe of every pair of speakers of one gender, mean over pairs; how many; which. Where there is no such
    pair (a run of IEMOCAP leaves out a woman and a man), of all pairs, and it says so: gender alone may do there."""
    pairs = list(itertools.combinations(np.unique(data.speakers), 2))
    same = [pair for pair in pairs if genders.get(pair[0], "a") == genders.get(pair[1], "b")]
    found, hows = [], set()
    for pair in same or pairs:
        both = data.where(np.isin(data.speakers, pair))
        groups, how = speaker_groups(both)
        found.append(probe(both.vectors, both.speakers, groups))
        hows.add(how)
    found = [value for value in found if not np.isnan(value)]
    return float(np.mean(found or [np.nan])), len(found), f"{min(hows)}, {'same gender' if same else 'across genders'}"


def figures_of(data: Labelled, space: str, of: str, genders: Mapping[str, str]) -> list[Figure]:
    """All figures of one set of utterances in one space; `of`: train or unseen."""
    found = []
    if of == "train":
        groups, how = speaker_groups(data)
        value, count = probe(data.vectors, data.speakers, groups), len(data.utterances)
        found.append(Figure(space, "speaker", of, "probe", value, 1 / len(np.unique(data.speakers)), count, how))
    elif len(np.unique(data.speakers)) > 1:
        value, count, how = between_pairs(data, genders)
        found.append(Figure(space, "speaker", of, "probe", value, 0.5, count, how))
    # A class's utterances stand in many sessions, so that emotion is always held out by them; where a speaker has one
    # session, that leaves speakers out.
    value = probe(data.vectors, data.emotions, data.sessions)
    found.append(
        Figure(space, "emotion", of, "probe", value, 1 / len(np.unique(data.emotions)), len(data.utterances), "session")
    )
    for attribute, labels in (("emotion", data.emotions), ("speaker", data.speakers)):
        rows = (("silhouette", silhouette, 0.0), ("purity", purity, purity_by_chance(labels)))
        found += [
            Figure(space, attribute, of, name, measure(data.vectors, labels), chance, len(labels), "none")
            for name, measure, chance in rows
        ]
    return found


def all_figures(
    spaces: Mapping[str, Labelled], parts: Mapping[str, Sequence[str]], genders: Mapping[str, str]
) -> list[Figure]:
    """Of one run: of every space, for the training speakers and for the unseen ones."""
    who = {"train": parts["train"], "unseen": [*parts["valid"], *parts["test"]]}
    return [
        figure
        for space, data in spaces.items()
        for of, speakers in who.items()
        if (mask := np.isin(data.speakers, speakers)).any()
        for figure in figures_of(data.where(mask), space, of, genders)
    ]
