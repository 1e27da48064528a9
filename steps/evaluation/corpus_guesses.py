"""From what, other than the voice, the class of a corpus's utterances is guessed: `guesses` of audit.json, and the
findings that follow."""

from __future__ import annotations

import numpy as np

from steps.evaluation.corpus import Corpus
from steps.evaluation.findings import LIMITS, Json, finding
from steps.evaluation.guessing import Guess, from_columns, from_groups
from steps.evaluation.significance import holm

GROUPS = ("speaker", "sentence", "session")
NOT_SPEECH = ("rate", "channels", "format", "bandwidth", "noise")  # says nothing of emotion
RARE = 0.2  # of the mean class: a smaller one, which is a finding by itself, would blur how well the others are told
CUES = ("duration", "level", "clipped", "nonspeech")  # people do speak longer, louder, with more pauses
COLUMNS = {"level": ("level", "peak")}  # properties of several columns


def simply_speakers(corpus: Corpus) -> bool:
    """Whether sessions and speakers are the same thing."""
    pairs = len(set(zip(corpus.sessions, corpus.speakers)))
    return pairs == len(set(corpus.sessions)) == len(set(corpus.speakers))


def groups_of(corpus: Corpus) -> dict[str, np.ndarray]:
    """What an utterance may be told by: its speaker and, where known, its sentence and its session."""
    groups = {"speaker": corpus.speakers, "sentence": corpus.sentences}
    if not simply_speakers(corpus):
        groups["session"] = corpus.sessions
    return {name: values for name, values in groups.items() if (values != "").any()}


def properties_of(corpus: Corpus) -> dict[str, list[np.ndarray]]:
    """Properties of the recording that are known of all utterances or of most, each as columns of numbers."""
    kinds = np.unique(corpus.formats, return_inverse=True)[1].astype(float)
    columns = corpus.columns | {"format": np.where(corpus.formats == "", np.nan, kinds)}
    found = {name: [columns[one] for one in COLUMNS.get(name, (name,))] for name in (*NOT_SPEECH, *CUES)}
    return {name: values for name, values in found.items() if np.isfinite(values[0]).mean() > 0.5}


def typical(corpus: Corpus, name: str) -> Json:
    """class → the median of a property, or the commonest format."""
    if name == "format":
        formats = {one: corpus.formats[corpus.emotions == one] for one in corpus.classes}
        return {one: str(max(sorted(set(values)), key=list(values).count)) for one, values in formats.items()}
    values = corpus.columns[name]
    known = {one: values[(corpus.emotions == one) & np.isfinite(values)] for one in corpus.classes}
    return {one: float(np.median(own)) if len(own) else None for one, own in known.items()}


def grade(name: str, gain: float, p: float) -> str | None:
    """How bad it is that the class is guessed from a property so well."""
    if p >= LIMITS.p or gain < LIMITS.gain:
        return None
    if name in CUES:
        return "warning" if gain >= LIMITS.cue else "note"
    return "error" if gain >= LIMITS.tells else "warning"


def described(guess: Guess) -> Json:
    metrics = {name: float(value) for name, value in guess.metrics._asdict().items() if name != "mf1"}
    more = {"chance": guess.chance, "gain": max(0.0, guess.gain), "p": float(guess.p), "utterances": guess.utterances}
    return metrics | more | {"groups": guess.groups or None, "single": guess.single if guess.groups else None}


def guesses(corpus: Corpus) -> tuple[Json, Json]:
    """`guesses` and `same`."""
    found: Json = {}
    same: Json = {}
    sizes = np.bincount(corpus.labels, minlength=len(corpus.classes))
    usual = (sizes >= RARE * sizes.mean())[corpus.labels]
    for name, values in groups_of(corpus).items():
        known = (values != "") & usual
        if len(corpus.classes) > 1 and len(set(corpus.emotions[known])) > 1:
            found[name] = described(from_groups(values[known], corpus.labels[known])) | {"by_class": None}
    for name, columns in properties_of(corpus).items():
        if all(len(set(column[np.isfinite(column)])) == 1 and np.isfinite(column).all() for column in columns):
            same[name] = str(corpus.formats[0]) if name == "format" else float(columns[0][0])
        elif len(set(corpus.labels[usual])) > 1 and len(set(corpus.speakers[usual])) > 1:
            guess = from_columns([column[usual] for column in columns], corpus.labels[usual], corpus.speakers[usual])
            found[name] = described(guess) | {"by_class": typical(corpus, name)}
            if name in NOT_SPEECH:  # one class of four that is given away tells a third of the way only, and is enough
                found[name]["gain"] = max(found[name]["gain"], guess.best_class)
    for row, p in zip(found.values(), holm([row["p"] for row in found.values()])):
        row["p_corrected"] = p
    for name, row in found.items():
        row["severity"] = grade(name, row["gain"], row["p_corrected"])
    return found, same


def tied(corpus: Corpus, name: str, row: Json) -> Json:
    """The finding that the class is guessed from a property."""
    more = {"value": row["ua"], "chance": row["chance"], "gain": row["gain"], "p": row["p_corrected"]}
    more["effect"] = {"wf1": row["wf1"], "ua": row["ua"]}
    if name not in GROUPS:
        return finding(name, row["severity"], row["utterances"], len(corpus.utterances), "utterances", [], **more)
    values = groups_of(corpus)[name]
    names, counts = np.unique(values[values != ""], return_counts=True)
    single = {str(one): set(corpus.emotions[values == one]) for one in names[counts > 1]}
    first = [f"{one} ({next(iter(shown))})" for one, shown in single.items() if len(shown) == 1]
    return finding(name, row["severity"], row["single"], len(names), f"{name}s", first, **more)
