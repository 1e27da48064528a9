"""All that the results of one corpus rest on, read from its folder of systems or from what was kept of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from steps.evaluation.comparison import check_alike
from steps.evaluation.entry import read_history
from steps.evaluation.probes import parse_probes
from steps.evaluation.summary import Key, Summary, summarise, with_file
from utils import config, runs, systems
from utils.cli import UserError
from utils.runs import Texts
from utils.scores import of_run
from utils.table import read_table


@dataclass
class Evidence:
    """Of one corpus."""

    exp: Path
    conf: Path
    summaries: list[Summary]  # family by family
    pretrained: dict[Key, Texts]  # what is known of the extractor before any fine-tuning
    leaking: dict[str, list[Summary]] = field(default_factory=dict)  # kind of folds → systems
    oracle: dict[str, Summary] = field(default_factory=dict)  # system → with the epoch that is best on test
    unfinished: list[dict[str, object]] = field(default_factory=list)  # systems left out


def check_run(files: Texts, emotions: Mapping[str, str] | None = None) -> None:
    """Raises UserError for a run with a file that results cannot be made of; emotions: utterance → class, for labels
    that are withheld."""
    for name in (runs.SCORES, runs.VALID, runs.LAST, runs.ORACLE):
        of_run(files, name, emotions)
    if (probes := files.read(runs.PROBES)) is not None:
        parse_probes(probes, files.place / runs.PROBES)
    read_history(files)


def choose(exp: Path, conf: Path, words: str) -> list[str]:
    """The systems in `exp` that `words`, systems and groups, name; all of them without words; in the families' order
    where groups say it. Raises UserError where there is none, and for one by its name that has no finished run."""
    there, order = runs.systems(exp), systems.in_order(conf)
    if not there:
        raise UserError(f"{exp}: there are no scored systems here")
    named = set(words.split())
    names = systems.expand(conf, words) if named else [*order, *there]
    if lost := [name for name in names if name in named and name not in there]:
        runs.check_honest(exp / lost[0], ())
        raise UserError(f"{exp / lost[0]}: no run of this system is finished{config.nearest(lost[0], there)}")
    if not (chosen := [name for name in dict.fromkeys(names) if name in there]):
        raise UserError(f"{exp}: no system of '{words}' is finished; there are: {', '.join(there)}")
    return chosen


def complete(
    exp: Path, finished: Mapping[str, dict[Key, Texts]], emotions: Mapping[str, str] | None
) -> tuple[list[Summary], list[dict[str, object]]]:
    """Of systems that may still be in training, each → its finished runs: those with a seed in which every run of the
    folder is finished, and how far the others are."""
    every = sorted({run for files in finished.values() for run, _ in files})
    summaries, unfinished = [], []
    for name, files in finished.items():
        if seeds := runs.complete_seeds(files, every):
            summaries.append(summarise(exp / name, files, every, seeds, emotions))
        else:
            wanted = len(every) * len({seed for _, seed in files})
            unfinished.append({"system": name, "runs_done": len(files), "runs": wanted})
    return summaries, unfinished


def gather(
    exp: Path,
    conf: Path,
    words: str = "",
    only_runs: Sequence[str] = (),
    only_seeds: Collection[int] = (),
    data: Path | None = None,
) -> Evidence:
    """Read the score files of the systems that `words` name [all] under `exp`; conf: the folder of the configuration;
    data: the data dir that says what emotions are, where score files do not. Systems that are not finished are left
    out, unless runs or seeds are asked for. Raises UserError where systems were not scored on the same utterances, or
    where one was made under leaking folds."""
    emotions = read_table(data / "utt2emo") if data else None
    finished = {name: runs.finished(exp / name) for name in choose(exp, conf, words)}
    for name, files in finished.items():
        runs.check_honest(exp / name, files.values())
    unfinished: list[dict[str, object]] = []
    if only_runs or only_seeds:
        summaries = [summarise(exp / name, files, only_runs, only_seeds, emotions) for name, files in finished.items()]
    else:
        summaries, unfinished = complete(exp, finished, emotions)
    if not summaries:
        done = "; ".join(f"{row['system']} ({row['runs_done']} runs of {row['runs']})" for row in unfinished)
        raise UserError(f"{exp}: no system has a seed with all runs finished: {done}")
    for other in summaries[1:]:
        try:
            check_alike(summaries[0], other)
        except UserError as error:
            raise UserError(f"{exp}: {error}; --runs chooses those that every system has finished") from None
        if other.classes != summaries[0].classes:
            raise UserError(
                f"{exp}: {summaries[0].name} and {other.name} differ in their classes, or in the order of these"
            )
    leaking = {}
    for place in sorted(exp.glob(f"{runs.LEAKING}*")):
        false = {name: runs.finished(place / name) for name in runs.systems(place)} if place.is_dir() else {}
        if trained := complete(place, false, emotions)[0]:
            leaking[place.name.removeprefix(runs.LEAKING)] = trained
    oracle = {summary.name: with_file(summary, runs.ORACLE, emotions) for summary in summaries}
    known = runs.finished(exp / runs.PRETRAINED, last=runs.PROBES)
    return Evidence(
        exp=exp,
        conf=conf,
        summaries=summaries,
        pretrained={(run, 0): known[run, 0] for run in summaries[0].runs if (run, 0) in known},
        leaking=leaking,
        oracle={name: summary for name, summary in oracle.items() if summary},
        unfinished=unfinished,
    )
