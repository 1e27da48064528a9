"""What the score files of one system say: each is read once, and each figure made once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from steps.evaluation.alike import made_alike
from steps.evaluation.metrics import Metrics, confusion, of_confusions
from steps.evaluation.significance import percentiles, resample
from utils import runs
from utils.cli import UserError
from utils.runs import Texts
from utils.scores import Scores, of_run, pool, speakers_in, text_of

Key = tuple[str, int]  # run and seed


@dataclass
class Summary:
    """What a system achieved on its test speakers. Spreads are sample standard deviations, nan of a single value."""

    name: str
    runs: list[str]
    seeds: list[int]
    texts: dict[Key, Texts]  # the files of each run, in the order of seeds and runs
    settings: dict[str, Any]  # what its configuration switches on, with dotted keys
    scores: dict[Key, Scores]  # of the test speakers
    selecting: dict[Key, set[str]]  # the validation speakers
    last: Metrics  # pooled, with each run's last epoch instead of the selected one; nan where there are no epochs

    @cached_property
    def pooled(self) -> list[Scores]:
        """All test utterances, of each seed."""
        return [pool([self.scores[run, seed] for run in self.runs]) for seed in self.seeds]

    @property
    def classes(self) -> list[str]:
        return self.pooled[0].classes

    @property
    def utterances(self) -> list[str]:
        return self.pooled[0].utterances

    @property
    def labels(self) -> np.ndarray:
        """(N,) of the pooled test utterances."""
        return self.pooled[0].labels

    @cached_property
    def speakers(self) -> list[str]:
        return sorted(set(self.pooled[0].speakers))

    @cached_property
    def counts(self) -> np.ndarray:
        """(speakers, seeds, classes, classes) confusion matrices: what intervals and tests over speakers rest on."""
        size, number = len(self.classes), {speaker: index for index, speaker in enumerate(self.speakers)}
        matrices = np.zeros((len(number), len(self.seeds), size, size), dtype=int)
        for index, scores in enumerate(self.pooled):
            who = np.array([number[speaker] for speaker in scores.speakers])
            cells = np.ravel_multi_index((who, scores.labels, scores.decisions), (len(number), size, size))
            matrices[:, index] = np.bincount(cells, minlength=len(number) * size**2).reshape(-1, size, size)
        return matrices

    @cached_property
    def by_seed(self) -> Metrics:
        """(seeds,) of the pooled test utterances."""
        return of_confusions(self.counts.sum(axis=0))

    @cached_property
    def sd(self) -> Metrics:
        """Over seeds; a deterministic system has none."""
        return sd(self.by_seed if not self.deterministic else Metrics(*(values[:1] for values in self.by_seed)))

    @cached_property
    def run_counts(self) -> np.ndarray:
        """(runs, seeds, classes, classes) confusion matrices."""
        each = [[self.scores[run, seed] for seed in self.seeds] for run in self.runs]
        size = len(self.classes)
        return np.array([[confusion(scores.labels, scores.decisions, size) for scores in row] for row in each])

    @cached_property
    def by_run(self) -> Metrics:
        """(runs,) of each run by itself, mean over its seeds."""
        return Metrics(*(values.mean(axis=-1) for values in of_confusions(self.run_counts)))

    @cached_property
    def resampled(self) -> Metrics:
        """(RESAMPLES, seeds) of the pooled test utterances of resampled speakers."""
        return resample(self.counts)

    @cached_property
    def intervals(self) -> Metrics:
        """The pooled figures, mean over seeds, with the intervals of a bootstrap over speakers."""
        return Metrics(*(
            percentiles(float(values.mean()), drawn.mean(axis=-1), len(self.speakers))
            for values, drawn in zip(self.by_seed, self.resampled)
        ))  # fmt: skip

    @cached_property
    def of_speakers(self) -> Metrics:
        """(speakers, seeds) of each speaker by itself."""
        return of_confusions(self.counts)

    @cached_property
    def deterministic(self) -> bool:
        """Whether it depends on no seed: a linear model or SVM, fitted on functionals, descriptors, given vectors or on
        the embeddings of a pre-trained network that stays as it is; or a mean that is the same for several seeds."""
        known, alike = self.settings.get, len(set(self.by_seed.wf1.tolist())) == 1
        if known("backend.of"):  # of what it takes up, this is not known
            return known("backend.kind") == "mean" and alike and len(self.seeds) > 1
        fixed = known("backend.sees") in ("functionals", "descriptors", "given")
        same = fixed or (known("training.pretrained") and not known("network.AD"))
        fitted = known("training.epochs") == 0 and known("backend.kind") in ("linear", "svm")
        return bool(alike and same and fitted)

    @cached_property
    def starts(self) -> dict[int, str]:
        """Seed → what its runs say of the pre-trained model that they start from; "" where from none."""
        said = {seed: self.texts[run, seed].mapping(runs.ENVIRONMENT) for run, seed in self.texts}
        return {seed: " ".join(map(str, own.get("pretrained") or [])) for seed, own in said.items()}

    @property
    def spaces(self) -> tuple[str, str]:
        """What the space that its classifier sees and the one that it has put aside are called, where it has both."""
        apart = self.settings.get("backend.kind") == "autoencoders"
        return ("z_style", "z_speaker") if apart else ("pool(F⁺)", "pool(F⁻)")

    @property
    def untested(self) -> list[str]:
        """The speakers that selected epochs and are tested in none of the runs."""
        return sorted(set().union(*self.selecting.values()) - set(self.speakers))

    @property
    def units(self) -> dict[Key, str]:
        """What each run counts as where runs are taken for independent (see `unit`)."""
        return {key: unit(key[0], set(self.scores[key].speakers), self.selecting[key]) for key in self.texts}


def sd(metrics: Metrics) -> Metrics:
    """Of arrays (n,)."""
    return Metrics(*(float(values.std(ddof=1)) if len(values) > 1 else float("nan") for values in metrics))


def unit(run: str, tested: set[str], selecting: set[str]) -> str:
    """The speakers that a run leaves out, instead of its name: IEMOCAP's runs come in pairs that leave out the same
    two, and so train alike. Where they are not known, the run itself."""
    return " ".join(sorted(tested | selecting)) if tested and selecting else run


def summarise(
    system: Path,
    finished: Mapping[Key, Texts],
    only_runs: Collection[str] = (),
    only_seeds: Collection[int] = (),
    emotions: Mapping[str, str] | None = None,
) -> Summary:
    """Read the score files of a system's `finished` runs, or of those named; emotions: utterance → class, for labels
    that are withheld. Raises UserError where a run that is asked for, or that another seed has, is missing, and for
    what makes no result."""
    names = list(dict.fromkeys(only_runs)) or sorted({run for run, _ in finished})
    seeds = list(dict.fromkeys(only_seeds)) or sorted({seed for _, seed in finished})
    missing = [f"{run}_seed{seed}" for run in names for seed in seeds if (run, seed) not in finished]
    if missing or not finished:
        raise UserError(f"{system}: no scores of {', '.join(missing) or 'any run'}; train it to the end first")
    texts = {(run, seed): finished[run, seed] for seed in seeds for run in names}
    settings = made_alike(texts)

    def read(name: str) -> dict[Key, Scores]:
        each = {key: of_run(files, name, emotions) for key, files in texts.items()}
        return {key: scores for key, scores in each.items() if scores is not None}

    scores, last, selecting = read(runs.SCORES), read(runs.LAST), {}
    for key, files in texts.items():
        valid = text_of(files, runs.VALID)
        selecting[key] = speakers_in(valid, files.place / runs.VALID) if valid is not None else set()
        if key in last and known(last[key]) != known(scores[key]):
            raise UserError(
                f"{files.place}: scores and scores.last differ in their classes, utterances, speakers or labels; train "
                "this run again"
            )
        if both := selecting[key] & set(scores[key].speakers):
            raise UserError(f"{files.place}: '{min(both)}' is tested, and selected the epoch; these scores are invalid")
    summary = Summary(system.name, names, seeds, texts, settings, scores, selecting, Metrics(*[float("nan")] * 4))
    try:
        together = summary.pooled
    except UserError as error:
        raise UserError(f"{system}: {error}") from None
    if any((other.utterances, other.classes) != (summary.utterances, summary.classes) for other in together):
        raise UserError(f"{system}: its seeds were not scored on the same utterances")
    if len(last) == len(texts):
        summary.last = Metrics(*(float(values.mean()) for values in replace(summary, scores=last).by_seed))
    return summary


def known(scores: Scores) -> tuple[list[str], set[tuple[str, str, int]]]:
    """All that a score file says but the posteriors."""
    return scores.classes, set(zip(scores.utterances, scores.speakers, scores.labels.tolist()))


def with_file(summary: Summary, name: str, emotions: Mapping[str, str] | None = None) -> Summary | None:
    """The same with another score file of each run, of the seeds all of whose runs have it; None where no seed does."""
    each = {key: scores for key, files in summary.texts.items() if (scores := of_run(files, name, emotions))}
    seeds = [seed for seed in summary.seeds if all((run, seed) in each for run in summary.runs)]
    texts = {key: files for key, files in summary.texts.items() if key[1] in seeds}
    return replace(summary, seeds=seeds, texts=texts, scores={key: each[key] for key in texts}) if seeds else None
