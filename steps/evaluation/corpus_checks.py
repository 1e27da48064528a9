"""What is wrong with a corpus and can be counted: classes and folds, sounds that stand twice, recordings that are
hardly speech, names that mislead. Each is a finding of audit.json."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator

import numpy as np

from steps.evaluation.corpus import Corpus
from steps.evaluation.findings import LIMITS, Json, finding
from utils import folds
from utils.cli import UserError
from utils.table import read_lines

# Cyrillic and Greek letters that look like Latin ones, each above its twin.
LOOKS = str.maketrans(
    "аеорсухіјѕԁһӏкАВЕКМНОРСТХІЈЅικνορυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdhlkABEKMHOPCTXIJSiknopuxABEZHIKMNOPTYX",
)


def checks(corpus: Corpus) -> Iterator[Json]:
    """All findings of this module."""
    yield from classes(corpus)
    yield from parts(corpus)
    yield from doubles(corpus)
    yield from recordings(corpus)
    yield from names(corpus)
    if (corpus.heard != "").any():
        agreed = {one: heard_as(corpus, one) for one in corpus.classes}
        first = [f"{one}: {value:.0f} %" for one, value in agreed.items() if value is not None]
        known = [value for value in agreed.values() if value is not None]
        count, of = int((corpus.heard != "").sum()), len(corpus.utterances)
        yield finding("heard", "note", count, of, "utterances", first, value=float(np.mean(known)))


def heard_as(corpus: Corpus, one: str) -> float | None:
    """Percent of what raters heard in a class that was the class; a tie counts its share."""
    words = [value.split(":") for value in corpus.heard[(corpus.emotions == one) & (corpus.heard != "")]]
    return 100 * float(np.mean([value.count(one) / len(value) for value in words])) if words else None


def classes(corpus: Corpus) -> Iterator[Json]:
    total, runs = len(corpus.classes), len(corpus.folds)
    if total < 2:
        yield finding("one_class", "error", total, total, "classes", corpus.classes)
    speakers = {one: sorted(set(corpus.speakers[corpus.emotions == one])) for one in corpus.classes}
    if alone := [f"{one} ({own[0]})" for one, own in speakers.items() if len(own) == 1]:
        yield finding("class_of_one_speaker", "error", len(alone), total, "classes", alone)
    sizes = {one: int((corpus.emotions == one).sum()) for one in corpus.classes}
    if few := [f"{one} ({size})" for one, size in sizes.items() if size < runs]:
        yield finding("class_of_few", "warning", len(few), total, "classes", few)


def parts(corpus: Corpus) -> Iterator[Json]:
    """Runs whose partitions lack a class, and folds that leak."""
    shown = {one: set(corpus.emotions[corpus.speakers == one]) for one in set(corpus.speakers)}
    for part in folds.PARTS:
        lacking = []
        for run, own in corpus.folds.items():
            there = set().union(*(shown.get(speaker, set()) for speaker in own[part]))
            if absent := [one for one in corpus.classes if one not in there]:
                lacking.append(f"{run} ({' '.join(absent)})")
        if lacking:
            severity = "error" if part == "train" else "warning"
            yield finding(f"{part}_lacks_class", severity, len(lacking), len(corpus.folds), "runs", lacking)
    if corpus.folds:
        utt2spk = dict(zip(map(str, corpus.utterances), map(str, corpus.speakers)))
        sessions = dict(zip(utt2spk, map(str, corpus.sessions))) if (corpus.sessions != "").any() else None
        try:
            folds.check(corpus.folds, utt2spk, sessions, complete=False)
        except UserError as error:
            yield finding("folds_leak", "error", 1, len(corpus.folds), "runs", [str(error)])


def doubles(corpus: Corpus) -> Iterator[Json]:
    """The same sound under several names: by file, by place of features, and by hash, which finds copies. Each group is
    told once, as the worst that it is."""
    place = {str(name): at for at, name in enumerate(corpus.utterances)}
    groups: dict[frozenset[str], list[int]] = {}
    for sounds in folds.recordings(corpus.data):
        same: dict[str, list[str]] = {}
        for name, sound in sounds.items():
            if name in place:
                same.setdefault(sound, []).append(name)
        for found in same.values():
            if len(found) > 1:
                groups.setdefault(frozenset(found), [place[name] for name in found])
    roles = [{one: part for part, own in run.items() for one in own} for run in corpus.folds.values()]
    told: dict[str, list[list[int]]] = {}  # kind → groups
    for members in groups.values():
        people = sorted(set(corpus.speakers[members]))
        if any(len({role[one] for one in people if one in role}) > 1 for role in roles):
            kind = "same_sound_parts"
        elif len(people) > 1:
            kind = "same_sound_speakers"
        elif len(set(corpus.emotions[members])) > 1:
            kind = "same_sound_labels"
        else:
            kind = "same_sound"
        told.setdefault(kind, []).append(members)
    severities = {"same_sound_parts": "error", "same_sound": "note"}
    for kind, those in told.items():
        first = [" = ".join(corpus.utterances[members[:3]]) + " = …" * (len(members) > 3) for members in those]
        count = len({at for members in those for at in members})
        yield finding(kind, severities.get(kind, "warning"), count, len(corpus.utterances), "utterances", first)


def recordings(corpus: Corpus) -> Iterator[Json]:
    """Those that are hardly speech. Few of them are a note."""
    columns, total = corpus.columns, len(corpus.utterances)
    odd = {
        "clipped_recordings": columns["clipped"] > LIMITS.clipped,
        "silent_recordings": (columns["level"] < LIMITS.silent) | (columns["nonspeech"] == 1),
        "short_recordings": columns["duration"] < LIMITS.short,
        "long_recordings": columns["duration"] > LIMITS.long,
    }
    found = {what: list(corpus.utterances[which]) for what, which in odd.items()}
    reasons = [f"{name} ({reason.partition(' [')[0]})" for name, reason in corpus.lost.items()]
    for what, which in (found | {"lost_recordings": reasons}).items():
        of = len({*corpus.utterances, *corpus.lost}) if what == "lost_recordings" else total
        if which:
            severity = "warning" if len(which) > LIMITS.many * of else "note"
            yield finding(what, severity, len(which), of, "utterances", which)


def look(name: str) -> str:
    """What a name looks like, at a glance: without accents, case and alphabets."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return "".join(one for one in plain.translate(LOOKS) if one.isprintable()).casefold()


def alphabets(name: str) -> set[str]:
    return {unicodedata.name(one, "?").split()[0] for one in name if one.isalpha()}


def looks_alike(some: Collection[str]) -> list[str]:
    """Groups of names that look the same, such as "spk1 SPK1"."""
    groups: dict[str, list[str]] = {}
    for name in sorted(some):
        groups.setdefault(look(name), []).append(name)
    return [" ".join(group) for group in groups.values() if len(group) > 1]


def names(corpus: Corpus) -> Iterator[Json]:
    """Names that tools stumble over, or that may be two names of one thing; a speaker with two genders."""
    utterances, speakers = list(map(str, corpus.utterances)), sorted(set(map(str, corpus.speakers)))
    strangers = [one for one, owner in zip(utterances, map(str, corpus.speakers)) if not one.startswith(owner)]
    spaced = [f"'{one}'" for one in (*speakers, *corpus.classes) if one.split() != [one]]
    every = (*speakers, *corpus.classes, *utterances)
    hidden = [one for one in every if not one.isprintable() or len(alphabets(one)) > 1]
    genders: dict[str, set[str]] = {}
    if (corpus.data / "spk2gender").is_file():
        for line in read_lines(corpus.data / "spk2gender"):
            if words := line.split(None, 1):
                genders.setdefault(words[0], set()).add(words[-1])
    two = [f"{one} ({' '.join(sorted(own))})" for one, own in genders.items() if len(own) > 1]
    of = len(speakers)
    for what, severity, which, total, unit in (
        ("name_without_speaker", "error", strangers, len(utterances), "utterances"),
        ("name_with_space", "error", spaced, of + len(corpus.classes), "names"),
        ("name_of_two_alphabets", "warning", hidden, len(every), "names"),
        ("speakers_alike", "warning", looks_alike(speakers), of, "speakers"),
        ("classes_alike", "warning", looks_alike(corpus.classes), len(corpus.classes), "classes"),
        ("two_genders", "warning", two, of, "speakers"),
    ):
        if which:
            yield finding(what, severity, len(which), total, unit, which)
