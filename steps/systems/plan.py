"""What is to be trained: systems × runs × seeds, what each is made from, what is unfinished. Loads no torch."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from steps.frontend.given import Given
from steps.systems.checks import (
    CORPORA,
    check_bins,
    check_classes,
    check_corpora,
    check_starts,
    pretrained_of,
    vectors_of,
)
from steps.systems.dealing import read_list
from steps.systems.system import VECTORS, Config
from utils import cli, folds, runs
from utils.archive import scp_content
from utils.record import Origin, content, of_settings, outdated
from utils.runs import Run
from utils.scores import check_names
from utils.table import read_table

VERSION = 1  # raised when a training makes another result of the same things


class Plan:
    """What is asked for, systems × runs × seeds; what each run is made from; which are to be trained."""

    def __init__(self, options: Namespace, settings: dict[str, Config]) -> None:
        """options: those of steps/finetune.py; settings: system → its configuration. Raises UserError for whatever is
        wrong with them."""
        self.options, self.settings = options, settings
        self.folds = folds.of_data_dir(options.data)
        chosen = options.runs.split() or list(self.folds)
        folds.check_runs(options.data, self.folds, options.runs)
        seeds = cli.numbers("--seeds", options.seeds)
        if not seeds:
            raise cli.UserError("--seeds is empty: name at least one")
        quick_first = sorted(self.settings, key=lambda name: (self.depth(name), settings[name].training.epochs > 0))
        self.runs = list(
            dict.fromkeys(Run(name, run, seed) for name in quick_first for run in chosen for seed in seeds)
        )
        if options.list:
            self.runs = [run for run in read_list(options.list) if run in self.runs]
        self.check({run: self.folds[run] for run in chosen}, seeds)
        data, every = options.data, settings.values()
        reading = [settings for settings in every if settings.reads_features]
        self.labels = content(data / "utt2spk", data / "utt2emo")
        self.features = scp_content(data / "feats.scp") if reading else ""
        check_bins(data / "feats.scp", settings)
        self.speech = scp_content(data / "vad.scp") if any(settings.input.vad for settings in reading) else ""
        seen = {path for settings in every if (path := self.vectors_seen(settings))}
        self.given = {path: Given(path, data) for path in sorted(seen)}
        self.vectors = {path: given.content for path, given in self.given.items()}
        self.read: dict[Path, dict[str, np.ndarray]] = {}
        self.corpora = content(data / CORPORA) if any(settings.needs_corpora for settings in every) else ""
        starting = {name: settings for name, settings in self.settings.items() if settings.training.pretrained}
        folders = {self.pretrained(name, seed) for name in starting for seed in seeds}
        self.models = {folder: content(folder / runs.MODEL) for folder in folders}

    def pretrained(self, system: str, seed: int) -> Path:
        """The folder of the model that a pre-trained system starts from."""
        return pretrained_of(self.settings[system], seed, self.options)

    def check(self, chosen: folds.Folds, seeds: Sequence[int]) -> None:
        """Refuse here what would be refused behind the first run."""
        data = self.options.data
        runs.check_home(data, self.options.out if self.options.systems else self.options.out.resolve().parent)
        utt2spk, utt2emo = (read_table(data / name) for name in ("utt2spk", "utt2emo"))
        check_names(data, utt2spk, utt2emo)
        if any(settings.needs_corpora for settings in self.settings.values()):
            check_corpora(data, utt2spk)
        check_starts(self.settings.values(), seeds, self.options, utt2spk.values())
        for name, settings in self.settings.items():
            check_classes(settings, chosen, utt2spk, utt2emo, name)

    def vectors_seen(self, settings: Config) -> Path | None:
        """The file of the vectors that a system sees; None where it reads features."""
        return vectors_of(settings, self.options) if settings.backend.sees in VECTORS else None

    def vectors_for(self, settings: Config) -> dict[str, np.ndarray] | None:
        """utterance → the vector that a system sees, read once; None where it reads features. Raises UserError for
        broken ones."""
        if not (path := self.vectors_seen(settings)):
            return None
        if path not in self.read:
            self.read[path] = self.given[path].read()
        return self.read[path]

    def folder(self, run: Run) -> Path:
        return run.folder(self.options.out)

    def origin(self, run: Run) -> Origin:
        """What a run is made from."""
        settings = self.settings[run.system]
        if settings.backend.of:
            made = {part.system: self.origin(part) for part in self.parts(run)}
            read = {f"runs of {name}": of.sum() for name, of in made.items()}
            read |= {"labels": self.labels} if settings.backend.kind != "mean" else {}
            chosen = of_settings(settings) | self.speakers(run)
            return Origin("finetune", VERSION, chosen, read, of_settings(Config()))
        sees, kinds = settings.backend.sees, {"given": "embeddings", "descriptors": "descriptors"}
        if settings.reads_features:
            read = {"features": self.features}
        else:
            read = {kinds[sees]: self.vectors[vectors_of(settings, self.options)]}
        read["labels"] = self.labels
        if settings.reads_features and settings.input.vad:
            read["speech decisions"] = self.speech
        if settings.needs_corpora:
            read["corpora"] = self.corpora
        if settings.training.pretrained:
            read["pre-trained model"] = self.models[self.pretrained(run.system, run.seed)]
        chosen = of_settings(settings, ["training.oracle"])
        return Origin("finetune", VERSION, chosen | self.speakers(run), read, of_settings(Config()))

    def speakers(self, run: Run) -> dict[str, str]:
        """Who trains, validates and is tested, as options of its record."""
        return {f"speakers of {part}": " ".join(names) for part, names in self.folds[run.run].items()}

    @cached_property
    def epoch(self) -> dict[str, int]:
        """Run of the fold list → the crops of an epoch: one of each training utterance."""
        counts = Counter(read_table(self.options.data / "utt2spk").values())
        return {run: sum(counts[who] for who in parts["train"]) for run, parts in self.folds.items()}

    def crops(self, todo: list[Run], epochs: int | None = None) -> int:
        """How many crops so many epochs of some runs take; by default, all of their training."""
        every = {run: self.settings[run.system].training.epochs if epochs is None else epochs for run in todo}
        return sum(every[run] * self.epoch[run.run] for run in todo)

    def depth(self, system: str) -> int:
        """0 for a system by itself; for one of others, how many stand on each other."""
        return 1 + max(map(self.depth, self.settings[system].backend.of), default=-1)

    def parts(self, run: Run) -> list[Run]:
        """The same run of those systems that its system takes up."""
        return [run._replace(system=name) for name in self.settings[run.system].backend.of]

    def stale(self) -> list[Path]:
        """The folders that hold something of runs which the folds no longer have, of whichever system is there."""
        out = self.options.out
        systems = [out] if not self.options.systems else [path for path in out.glob("[!.]*") if path.is_dir()]
        folders = [place for system in systems for place in system.glob("[!.]*_seed*") if place.is_dir()]
        others = [place for place in folders if (key := runs.parse(place.name)) and key[0] not in self.folds]
        return sorted(place for place in others if any(not path.name.startswith(".") for path in place.iterdir()))

    def unfinished(self, run: Run) -> str:
        """Why a run is to be trained; "" where it is finished."""
        wanted = [runs.CONFIG, runs.ENVIRONMENT, runs.SCORES, *[runs.ORACLE] * self.settings[run.system].has_oracle]
        return outdated(self.folder(run), self.origin(run), *(self.folder(run) / name for name in wanted))
