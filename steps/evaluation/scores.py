"""Score files: a header `# utt spk label <class names>` and a line an utterance, with the posterior of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.cli import UserError
from utils.files import whole


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


def write_scores(
    path: Path,
    classes: Sequence[str],
    posteriors: Mapping[str, np.ndarray],
    speakers: Mapping[str, str],
    labels: Mapping[str, str],
) -> None:
    """Write the posteriors of the utterances that `posteriors` names. Raises UserError where one is not finite."""
    for utterance, values in posteriors.items():
        if not np.isfinite(values).all():
            raise UserError(
                f"{path}: the posteriors of '{utterance}' are not finite, so nothing is written; look at its features, "
                "and train at a lower learning rate"
            )
    with whole(path) as temporary, open(temporary, "w", encoding="utf-8") as out:
        out.write(f"# utt spk label {' '.join(classes)}\n")
        for utterance in sorted(posteriors):
            values = " ".join(f"{value:.6f}" for value in posteriors[utterance])
            out.write(f"{utterance} {speakers[utterance]} {labels[utterance]} {values}\n")


def read_scores(path: Path) -> Scores:
    """Raises UserError for a file that is missing or not as `write_scores` leaves it."""
    try:
        header, *lines = path.read_text(encoding="utf-8").splitlines()
        rows = [line.split() for line in lines]
        classes = header.split()[4:]
        if header.split()[:4] != ["#", "utt", "spk", "label"] or {len(row) for row in rows} != {3 + len(classes)}:
            raise ValueError("a line has the wrong number of fields")
        return Scores(
            classes=classes,
            utterances=[row[0] for row in rows],
            speakers=[row[1] for row in rows],
            labels=np.array([classes.index(row[2]) for row in rows]),
            posteriors=np.array([row[3:] for row in rows], dtype=np.float64),
        )
    except FileNotFoundError:
        raise UserError(f"{path}: no such score file; has this system been trained?") from None
    except ValueError as error:
        raise UserError(f"{path}: is not a score file: {error}") from None


def pool(parts: Sequence[Scores]) -> Scores:
    """Several runs' scores as one. Raises UserError where their classes differ or an utterance stands twice."""
    if any(part.classes != parts[0].classes for part in parts):
        raise UserError("score files with different classes cannot be pooled")
    utterances = [name for part in parts for name in part.utterances]
    if len(set(utterances)) < len(utterances):
        raise UserError("an utterance is scored in two runs; these runs cannot be pooled")
    return Scores(
        classes=parts[0].classes,
        utterances=utterances,
        speakers=[name for part in parts for name in part.speakers],
        labels=np.concatenate([part.labels for part in parts]),
        posteriors=np.concatenate([part.posteriors for part in parts]),
    )
