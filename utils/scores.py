"""Score files: a header `# utt spk label <class names>` and a line an utterance, with the posterior of each class. The
label is "-" where the corpus does not allow it to be given away. The environment.yaml of a run holds a sum of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from utils.cli import UserError
from utils.files import whole
from utils.record import total
from utils.runs import ENVIRONMENT, RECORD, Texts
from utils.table import is_text

HEADER = ["#", "utt", "spk", "label"]
WITHHELD = "-"  # instead of a label
SUMS = "sums"  # in a run's environment.yaml: score file → sum of its content, with the labels


@dataclass
class Scores:
    """What a system said of N utterances."""

    classes: list[str]
    utterances: list[str]
    speakers: list[str]
    labels: np.ndarray  # (N,) indices into classes
    posteriors: np.ndarray  # (N, classes), rows summing to 1

    @property
    def decisions(self) -> np.ndarray:
        """(N,) the class with the highest posterior."""
        return self.posteriors.argmax(axis=1)


def check_names(data: Path, utt2spk: Mapping[str, str], utt2emo: Mapping[str, str]) -> None:
    """Raise UserError for a name or class of a data dir that no score file can hold."""
    tables = {"utt2spk": chain(*utt2spk.items()), "utt2emo": utt2emo.values()}
    for name, words in tables.items():
        for word in words:
            if not is_text(word):
                raise UserError(f"{data}/{name}: {word!a} is not UTF-8, and results could not name it: rename it")
            if any(one < " " or "\x7f" <= one < "\xa0" for one in word):
                raise UserError(f"{data}/{name}: {word!a} holds a control character: rename it")
    for utterance, emotion in utt2emo.items():
        if emotion.split() != [emotion]:
            raise UserError(f"{data}/utt2emo: {utterance}: a class is one word, not '{emotion}'")
        if emotion == WITHHELD:
            raise UserError(f"{data}/utt2emo: {utterance}: '{WITHHELD}' is no class: score files have it for no label")


def format_scores(
    path: Path,
    classes: Sequence[str],
    posteriors: Mapping[str, np.ndarray],
    speakers: Mapping[str, str],
    labels: Mapping[str, str],
) -> str:
    """The content of the score file `path`, of the utterances that `posteriors` names. Raises UserError where one is
    not finite."""
    for utterance, values in posteriors.items():
        if not np.isfinite(values).all():
            raise UserError(
                f"{path}: the posteriors of '{utterance}' are not finite, so nothing is written; look at its features, "
                "and train at a lower learning rate"
            )
    lines = [" ".join([*HEADER, *classes])]
    for utterance in sorted(posteriors):
        figures = " ".join(f"{value:.6f}" for value in posteriors[utterance])
        lines.append(f"{utterance} {speakers[utterance]} {labels[utterance]} {figures}")
    return "\n".join([*lines, ""])


def sums(contents: Mapping[str, str]) -> dict[str, str]:
    """What a run's environment.yaml says of its score files and its configuration: name → content."""
    return {name: total(text.splitlines()) for name, text in contents.items()}


def write_scores(path: Path, *content: Any) -> None:
    """Write one score file, of what `format_scores` takes."""
    write_all(path.parent, {path.name: format_scores(path, *content)})


def write_all(folder: Path, contents: Mapping[str, str]) -> None:
    """Write score files, name → content, in their order."""
    for name, text in contents.items():
        with whole(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def read_scores(path: Path, emotions: Mapping[str, str] | None = None) -> Scores:
    """A score file, beside a run's other files or anywhere; emotions: utterance → class, for labels that are withheld.
    Raises UserError as `parse` does."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return parse(text, path, emotions, known_sum(Texts(path.parent), path.name))
    except FileNotFoundError:
        raise UserError(f"{path}: no such score file; has this system been trained?") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not a score file: it is not text") from None


def of_run(files: Texts, name: str, emotions: Mapping[str, str] | None = None) -> Scores | None:
    """A score file of a run; None where it is not there. Raises UserError as `parse` does."""
    text = text_of(files, name)
    return None if text is None else parse(text, files.place / name, emotions, known_sum(files, name))


def text_of(files: Texts, name: str) -> str | None:
    """The content of a score file of a run; None where it has none. Raises UserError where the run says it had one."""
    text = files.read(name)
    if text is None and known_sum(files, name):
        raise UserError(f"{files.place / name}: is missing, and {ENVIRONMENT} knows it; remove the run and redo it")
    return text


def known_sum(files: Texts, name: str) -> str:
    """What the run says of its score file, or configuration; "" of one that an earlier version made."""
    if files.read(ENVIRONMENT) is None and (files.place / RECORD).is_file():
        raise UserError(f"{files.place / ENVIRONMENT}: is missing beside the scores; remove the run and redo it")
    own = files.mapping(ENVIRONMENT).get(SUMS)
    if not isinstance(own, dict) and (files.place / RECORD).is_file():
        raise UserError(f"{files.place / ENVIRONMENT}: holds no {SUMS}, so it is damaged: remove the run and redo it")
    return str(own.get(name, "")) if isinstance(own, dict) else ""


def rows_of(text: str, path: Path) -> tuple[list[str], list[list[str]]]:
    """The class names, and the fields of each line."""
    header, *lines = text.splitlines() or [""]
    rows, classes = [line.split() for line in lines], header.split()[4:]
    if header.split()[:4] != HEADER or not classes:
        raise UserError(f"{path}: is not a score file: it does not begin with '{' '.join(HEADER)} <class names>'")
    if doubled := [name for name, count in Counter(classes).items() if count > 1]:
        raise UserError(f"{path}: is not a score file: class '{doubled[0]}' stands twice in its header")
    if {len(row) for row in rows} != {3 + len(classes)}:
        raise UserError(f"{path}: is not a score file: a line has the wrong number of fields")
    return classes, rows


def parse(text: str, path: Path, emotions: Mapping[str, str] | None = None, known: str = "") -> Scores:
    """The content `text` of the score file `path`, whose sum is `known`. Raises UserError for what `format_scores` does
    not write, an unknown class, labels that are withheld where `emotions` do not say them, and another sum."""
    classes, rows = rows_of(text, path)
    number = {name: index for index, name in enumerate(classes)}
    labels, lines = [], [" ".join([*HEADER, *classes])]
    for utterance, speaker, label, *figures in rows:
        if label == WITHHELD:
            if emotions is None:
                raise UserError(
                    f"{path}: holds no labels, as the corpus is licensed; name your own data dir of it: --data DIR"
                )
            if (label := emotions.get(utterance, "")) == "":
                raise UserError(f"{path}: the data dir (--data) says no emotion of '{utterance}'")
        if label not in number:
            raise UserError(f"{path}: is not a score file: '{utterance}' is '{label}', and the classes are {classes}")
        labels.append(number[label])
        lines.append(" ".join([utterance, speaker, label, *figures]))
    try:
        posteriors = np.array([row[3:] for row in rows], dtype=np.float64)
    except ValueError as error:
        raise UserError(f"{path}: is not a score file: {error}") from None
    if not np.isfinite(posteriors).all():
        utterance = rows[int(np.flatnonzero(~np.isfinite(posteriors).all(axis=1))[0])][0]
        raise UserError(f"{path}: the posteriors of '{utterance}' are not finite: these scores are no result")
    outside = (posteriors < 0) | (posteriors > 1)
    if (wrong := outside.any(axis=1) | (abs(posteriors.sum(axis=1) - 1) > 0.01)).any():
        utterance = rows[int(np.flatnonzero(wrong)[0])][0]
        raise UserError(f"{path}: is not a score file: the posteriors of '{utterance}' are not from 0 to 1, of sum 1")
    if known and total(lines) != known:
        raise UserError(
            f"{path}: is not what training left there, by the sum in {ENVIRONMENT}: restore it, or remove it, and "
            "steps/finetune.py makes the run again"
        )
    return Scores(classes, [row[0] for row in rows], [row[1] for row in rows], np.array(labels), posteriors)


def speakers_in(text: str, path: Path) -> set[str]:
    """The speakers of the score file `path`, whether it has labels or not."""
    return {row[1] for row in rows_of(text, path)[1]}


def pool(parts: Sequence[Scores]) -> Scores:
    """Several runs' scores as one, by utterance. Raises UserError where their classes differ or an utterance stands
    twice."""
    classes = parts[0].classes
    if any(part.classes != classes for part in parts):
        raise UserError("score files with different classes cannot be pooled")
    utterances = [name for part in parts for name in part.utterances]
    if len(set(utterances)) < len(utterances):
        name = Counter(utterances).most_common(1)[0][0]
        raise UserError(f"'{name}' is scored twice, by one run or by two; these scores cannot be pooled")
    order = np.array(sorted(range(len(utterances)), key=utterances.__getitem__), dtype=int)
    speakers = [name for part in parts for name in part.speakers]
    labels, posteriors = (np.concatenate([getattr(part, key) for part in parts]) for key in ("labels", "posteriors"))
    return Scores(classes, sorted(utterances), [speakers[row] for row in order], labels[order], posteriors[order])
