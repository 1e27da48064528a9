"""What emotions are called: labels of many corpora, and the classes that they mean."""

from __future__ import annotations

from collections.abc import Mapping

from utils.cli import UserError

# A class in three letters → what it is called.
NAMES = {
    "ang": "anger angry",
    "hap": "happiness happy joy joyful",
    "neu": "neutral neutrality",
    "sad": "sadness",
    "fea": "fear fearful",
    "dis": "disgust disgusted",
    "sur": "surprise surprised",
    "cal": "calm calmness",
    "bor": "boredom bored boredem",
    "con": "contempt",
    "exc": "excited excitement",
    "fru": "frustration frustrated",
    "amu": "amusement amused",
    "sle": "sleepiness sleepy",
}
CLASS_OF = {word: name for name, words in NAMES.items() for word in (name, *words.split())}
# MSP-Podcast's letters, beside X and O, which are no label.
LETTERS = {"a": "ang", "s": "sad", "h": "hap", "u": "sur", "f": "fea", "d": "dis", "c": "con", "n": "neu"}
NO_LABEL = {"", "xxx", "oth", "other", "unknown", "no agreement", "no-agreement", "noagreement", "nan", "none", "n/a"}


def read_map(text: str) -> dict[str, str]:
    """`anger=ang happiness=hap`, or the file of a YAML mapping, as label in lower case → class."""
    if not text:
        return {}
    if "=" not in text:
        from utils.config import read_yaml

        pairs = [(str(label), str(name)) for label, name in read_yaml(text).items()]
    else:
        pairs = []
        for word in text.split():
            label, equals, name = word.partition("=")
            if not (label and equals and name):
                raise UserError(f"--map: '{word}' is not <label>=<class>; for labels with blanks, name a YAML file")
            pairs.append((label, name))
    if bad := [name for _, name in pairs if name.split() != [name]]:
        raise UserError(f"--map: a class is one word, not '{bad[0]}'")
    return {label.strip().lower(): name for label, name in pairs}


def class_of(label: str, mapping: Mapping[str, str]) -> str:
    """The class of a label; "" for one to leave out: with a mapping, what that does not name; else what is no label."""
    word = " ".join(label.lower().split())
    if mapping:
        return mapping.get(word, "")
    return "" if word in NO_LABEL else CLASS_OF.get(word, word.replace(" ", "_"))
