"""What emotions are called: labels of many corpora, and the classes that they mean."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from utils.cli import UserError
from utils.columns import BROKEN, tidy

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
# MSP-Podcast's letters; the last two are no label.
LETTERS = {
    "x": "no agreement (X)",
    "o": "other (O)",
    "a": "ang",
    "s": "sad",
    "h": "hap",
    "u": "sur",
    "f": "fea",
    "d": "dis",
    "c": "con",
    "n": "neu",
}
NO_LABEL = BROKEN | {
    "",
    "xxx",
    "oth",
    "other",
    "unknown",
    "no agreement",
    "no-agreement",
    "noagreement",
    "nan",
    "none",
    "n/a",
    "na",
    "#n/a",
    "<na>",
    "null",
    "no agreement (x)",
    "other (o)",
    "-",
    "--",
}
LONGEST = 50  # characters of a class, which stands in every table and picture


def read_map(text: str) -> dict[str, str]:
    """`anger=ang happiness=hap`, or the file of a YAML mapping, as label in lower case → class."""
    if not text:
        return {}
    if "=" not in text:
        if not Path(text).is_file():
            if text.endswith((".yaml", ".yml")):
                raise UserError(f"--map {text}: there is no such file")
            raise UserError(f"--map '{text}': expected <label>=<class> …, or the YAML file of such a mapping")
        from utils.yaml_file import read_yaml

        pairs = list(read_yaml(text, as_text=True).items())
        if strange := [label for label, name in pairs if not isinstance(name, str) or name in ("", "~", "null")]:
            raise UserError(f"{text}: '{strange[0]}' has no class; to leave a label out, leave it out here")
    else:
        pairs = []
        for word in text.split():
            label, equals, name = word.partition("=")
            if not (label and equals and name):
                raise UserError(f"--map: '{word}' is not <label>=<class>; for labels with blanks, name a YAML file")
            pairs.append((label, name))
    mapping: dict[str, str] = {}
    for label, written in pairs:
        name = tidy(written)
        if written.split() != [written] or name == "-" or len(name) > LONGEST:
            raise UserError(f"--map '{text}': a class is one word of at most {LONGEST} characters, not '{name[:60]}'")
        word = tidy(label).lower()
        if mapping.setdefault(word, name) != name:
            raise UserError(f"--map: label '{word}' means '{mapping[word]}' and '{name}'")
    return mapping


def class_of(label: str, mapping: Mapping[str, str]) -> str:
    """The class of a label; "" for one to leave out: with a mapping, what that does not name; else what is no label."""
    word = " ".join(label.lower().split())
    if mapping:
        return mapping.get(word, "")
    return "" if word in NO_LABEL else CLASS_OF.get(word, word.replace(" ", "_"))


def doubts(labels: Iterable[str], mapping: Mapping[str, str]) -> Iterator[str]:
    """What may be a slip: labels that nearly bear a known name, keys of the mapping that no label has."""
    words, known = {" ".join(label.lower().split()) for label in labels}, [name for name in CLASS_OF if len(name) > 4]
    for word in sorted(words - CLASS_OF.keys() - NO_LABEL - mapping.keys()):
        if not mapping and (near := difflib.get_close_matches(word, known, n=1, cutoff=0.75)):
            yield f"label '{word}' is a class of its own; did you mean '{near[0]}'? (--map says what labels mean)"
    for word in sorted(mapping.keys() - words):
        yield f"--map: no row has the label '{word}'"
