"""What is wrong with a corpus, in words: tables for a terminal and a page, from audit.json (its layout stands in
steps/evaluation/audit.py)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from steps.evaluation.corpus_guesses import CUES
from steps.reporting.tables import Table
from steps.reporting.words import DASH, number, p_value

Audit = dict[str, Any]
Row = dict[str, Any]
PROPERTIES = {
    "speaker": "the speaker",
    "sentence": "the sentence",
    "session": "the session",
    "rate": "sampling rate",
    "channels": "channels",
    "format": "file type",
    "bandwidth": "bandwidth",
    "noise": "noise floor",
    "duration": "duration",
    "level": "level",
    "clipped": "clipping",
    "nonspeech": "share of non-speech",
}
UNITS = {"rate": " Hz", "bandwidth": " Hz", "noise": " dB", "duration": " s", "level": " dB"}
# Of each finding that is no property: what it is, and what it does to results.
FOUND = {
    "one_class": ("one class alone", "there is nothing to tell apart."),
    "class_of_one_speaker": (
        "class of one speaker alone",
        "who is tested on it never trained on it, or knows this voice: no figure of this class means anything.",
    ),
    "class_of_few": ("class of fewer utterances than runs", "some runs cannot test it; its figures hang on a few."),
    "train_lacks_class": ("a class is missing in training", "such a run is wrong on each utterance of that class."),
    "valid_lacks_class": ("a class is missing in validation", "epochs are selected as if it did not exist."),
    "test_lacks_class": (
        "a class is missing in the test",
        "that run alone is of fewer classes; all runs together are not.",
    ),
    "folds_leak": ("folds that leak", "training would refuse them."),
    "same_sound_parts": (
        "the same sound in two parts of a run",
        "what is tested was trained on.",
    ),
    "same_sound_speakers": ("the same sound under two speakers", "one of the names is wrong, and with it the folds."),
    "same_sound_labels": ("the same sound under two labels", "one of them is wrong: not both can be decided right."),
    "same_sound": ("the same sound twice", "counted twice."),
    "clipped_recordings": ("clipped recordings", "loud emotions clip first: the distortion may stand for the emotion."),
    "silent_recordings": ("recordings with hardly any speech", "their class can be told from nothing but that."),
    "short_recordings": ("very short recordings", "decided from a few frames."),
    "long_recordings": ("very long recordings", "may hold more than one utterance, or emotion."),
    "lost_recordings": ("recordings that could not be used", "they are not in any figure."),
    "name_without_speaker": ("names that do not begin with their speaker", "sorted tables mix speakers; tools refuse."),
    "name_with_space": ("names with white space", "tables are read wrongly."),
    "name_of_two_alphabets": ("names of two alphabets, or with hidden signs", "who types them does not find them."),
    "speakers_alike": ("speakers whose names look the same", "if they are one, that one may be in training and test."),
    "classes_alike": ("classes whose names look the same", "if they are one, it is divided at random."),
    "two_genders": ("speakers of two genders", "a name stands for two people, or a table is wrong."),
    "heard": ("what raters heard is the label", "no ceiling: a system may hear what they did not, and they err too."),
}
DOES = {
    "speaker": "what is learnt as an emotion may be these voices; on others, a score then says how alike voices are.",
    "sentence": "words tell the emotion: a system may recognise what is said.",
    "session": "rooms, days and scenes tell the emotion: a system may recognise these.",
    "cue": "a true cue of emotion; a system is worth what it reaches beyond this.",
    "other": "no speech is needed to reach this figure: on recordings made otherwise it is not reached.",
}
HEAD = ("severity", "finding", "value", "chance", "p", "how many", "which")
GUESSED = ("guessed from", "UA", "chance", "wF1", "p", "medians")


def what(row: Row) -> str:
    """The finding, in a few words."""
    name = row["what"]
    if name in PROPERTIES:
        return f"{PROPERTIES[name]} tells the class"
    return FOUND[name][0] if name in FOUND else name


def does(name: str) -> str:
    """What a finding does to results."""
    if name in FOUND:
        return FOUND[name][1]
    return DOES.get(name) or DOES["cue" if name in CUES else "other"]


def medians(audit: Audit, name: str) -> str:
    """`ang 16000 Hz, neu 44100 Hz`: the property in each class."""
    by_class = audit["guesses"].get(name, {}).get("by_class") or {}
    words = {one: said(name, value) for one, value in by_class.items()}
    if len(set(words.values())) == 1:
        return f"{next(iter(words.values()))} in each class"
    return ", ".join(f"{one} {value}" for one, value in words.items())


def said(name: str, value: Any) -> str:
    """A property's value with its unit."""
    if value is None or isinstance(value, str):
        return value or DASH
    if name in ("clipped", "nonspeech"):
        return f"{100 * value:.3g} %"
    digits = {"duration": 2, "level": 1, "noise": 1}.get(name, 0)
    return number(value, digits=digits) + UNITS.get(name, "")


def cells(audit: Audit, row: Row) -> list[str]:
    few, more = ", ".join(row["first"][:3]), row["count"] - 3
    whole = row["what"] in PROPERTIES and row["unit"] == "utterances"
    single = " of one class" if row["what"] in ("speaker", "sentence", "session") else ""
    return [
        row["severity"],
        what(row),
        number(row["value"], digits=1),
        number(row["chance"], digits=1),
        DASH if row["p"] is None else p_value(row["p"]),
        f"{row['count']} of {row['of']} {row['unit']}{single}",
        medians(audit, row["what"]) if whole else few + " …" * (bool(few) and more > 0) or DASH,
    ]


def findings(audit: Audit, severities: tuple[str, ...]) -> Table:
    """A row a finding, the worst first; notes say what each does to results, and when it is one."""
    rows = [row for row in audit["findings"] if row["severity"] in severities]
    limits = audit["limits"]
    notes = list(dict.fromkeys(f"{what(row)}: {does(row['what'])}" for row in rows))
    if any(row["what"] in PROPERTIES for row in rows):
        notes.append(
            "value: UA, in percent, of deciding by that alone; p: that it is no better than chance, Holm's correction "
            f"for {len(audit['guesses'])} properties. Told of p < {limits['p']:g} and a tenth ({limits['gain']:g}) of "
            "the way from chance to certainty, of all classes or of one against the rest; an error from "
            f"{limits['tells']:g}. Of true cues of emotion (duration, level, clipping, pauses), a note, from "
            f"{limits['cue']:g} a warning."
        )
    return Table(HEAD, [cells(audit, row) for row in rows], notes) if rows else Table(["finding"], [["nothing"]], [])


def guesses(audit: Audit) -> Table:
    """A row a property that the class was guessed from."""
    rows = [
        [
            PROPERTIES[name],
            number(row["ua"], digits=1) if row["gain"] > 0 else "not above chance",
            number(row["chance"], digits=1),
            number(row["wf1"], digits=1),
            p_value(row["p_corrected"]),
            medians(audit, name) or DASH,
        ]
        for name, row in audit["guesses"].items()
    ]
    notes = [
        "UA, wF1: in percent, of the speaker, sentence or session from the class of its other utterances; of the rest, "
        "by a small tree on speakers that it was not grown on.",
        f"The commonest class: wF1 {number(audit['majority']['wf1'], digits=1)}.",
    ]
    if audit["same"]:
        alike = (f"{PROPERTIES[name]} {said(name, value)}" for name, value in audit["same"].items())
        notes.append(f"The same in all utterances: {', '.join(alike)}.")
    if audit["absent"]:
        notes.append(f"Not looked at, as it is not there: {', '.join(audit['absent'])}.")
    return Table(GUESSED, rows, notes) if rows else Table(["guessed from"], [["nothing"]], notes)


def wrong(audit: Audit, severity: str) -> bool:
    """Whether there is a finding of this severity."""
    return any(row["severity"] == severity for row in audit["findings"])


def counted(audit: Audit) -> str:
    """`1 error, 2 warnings, 3 notes`."""
    counts = Counter(row["severity"] for row in audit["findings"])
    words = [f"{counts[one]} {one}{'s' * (counts[one] != 1)}" for one in ("error", "warning", "note") if counts[one]]
    unheard = "; the sound is not looked at before there are features" if "features" in audit["absent"] else ""
    return (", ".join(words) or "nothing wrong") + unheard


def summary(audit: Audit) -> str:
    """What the corpus is, in a line."""
    counts = audit["counts"]
    parts = [f"{counts['utterances']} utterances", f"{counts['speakers']} speakers", f"{len(audit['classes'])} classes"]
    parts += [f"{counts['sentences']} sentences"] * bool(counts["sentences"])
    found = counted(audit)
    return f"{audit['corpus']}: {', '.join(parts)}. {found[0].upper()}{found[1:]}."


def line(audit: Audit, row: Row) -> str:
    """A finding in one line, for a terminal."""
    _, found, value, chance, _, many, which = cells(audit, row)
    figure = f", UA {value} where chance is {chance}" if row["chance"] is not None else ""
    return f"{row['severity']}: {found}{figure}: {many}" + (f" ({which})" if which != DASH else "")
