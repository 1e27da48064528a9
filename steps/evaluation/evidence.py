"""All that the results of one corpus rest on, gathered from its folder of systems and its configuration."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from steps.evaluation.families import TITLES, comparisons, families
from steps.evaluation.probe_files import Means, means
from steps.evaluation.significance import Comparison
from steps.evaluation.summary import PLACE, Summary, complete_seeds, summarise
from utils import config, leak
from utils.cli import UserError

PRETRAINED = "pretrained"  # the folder of what is known of the pre-trained extractor before any fine-tuning
ORACLE = "scores.oracle"  # of the epoch that is best on the test speakers


@dataclass
class Evidence:
    """Of one corpus."""

    title: str
    summaries: list[Summary]
    published: dict[str, float]
    comparisons: list[Comparison]
    probes: dict[str, Means]  # system → means over its runs, the pre-trained network's first
    leaking: dict[str, list[Summary]] = field(default_factory=dict)  # kind → systems
    oracle: dict[str, Summary] = field(default_factory=dict)  # system → with the epoch that is best on test
    unfinished: list[str] = field(default_factory=list)  # systems left out
    lacking: list[str] = field(default_factory=list)  # family by family, the configured systems without a row


def scored(folder: Path) -> list[str]:
    """The systems in `folder` that have scores."""
    return sorted({path.parent.parent.name for path in folder.glob("*/*_seed*/scores")})


def find_systems(folder: Path, conf: Path) -> list[str]:
    """The same, family by family. Raises UserError where there is none."""
    found, order = scored(folder), [system for family in families(conf).values() for system in family]
    if not found:
        raise UserError(f"{folder}: there are no scored systems here")
    return [name for name in order if name in found] + [name for name in found if name not in order]


def without_row(conf: Path, rows: Collection[str]) -> list[str]:
    """Family by family, the systems that are configured and not among `rows`."""
    lacking = {
        TITLES.get(family, family): [
            name for name in systems if name not in rows and (conf / f"systems/{name}.yaml").is_file()
        ]
        for family, systems in families(conf).items()
    }
    return [f"{title}: {', '.join(names)}" for title, names in lacking.items() if names]


def oracle(one: Summary, folder: Path) -> Summary | None:
    """The same with each run's test-best epoch, of the seeds for all of whose runs training kept those scores."""
    without = {seed for (_, seed), place in one.places.items() if not (place / ORACLE).is_file()}
    kept = [seed for seed in one.seeds if seed not in without]
    return summarise(folder / one.name, one.runs, kept, ORACLE) if kept else None


def complete(folder: Path, systems: Sequence[str], leaking: bool = False) -> tuple[list[Summary], list[str]]:
    """Of systems that may still be in training: those with a seed in which every run of the folder is finished, and
    what is to be said of the others."""
    matches = [PLACE.fullmatch(path.parent.name) for name in systems for path in folder.glob(f"{name}/*_seed*/scores")]
    runs = sorted({match["run"] for match in matches if match})
    summaries, unfinished = [], []
    for name in systems:
        if seeds := complete_seeds(folder / name, runs):
            summaries.append(summarise(folder / name, runs, seeds, leaking=leaking))
        else:
            done = len(list(folder.glob(f"{name}/*_seed*/scores")))
            unfinished.append(f"{name} ({done} runs finished, no seed with all of {len(runs)})")
    return summaries, unfinished


def gather(
    folder: Path,
    conf: Path,
    title: str,
    systems: Sequence[str] = (),
    runs: Collection[str] = (),
    seeds: Collection[int] = (),
    growing: bool = False,
) -> Evidence:
    """Read the score and probe files of `systems` [all] under `folder`; conf: the folder of the configuration. With
    `growing`, systems that are not finished are left out by name. Raises UserError where systems were not scored on the
    same utterances, or where one was made under leaking folds."""
    systems = list(dict.fromkeys(systems)) or find_systems(folder, conf)
    for name in systems:
        leak.check_results(folder / name)
    unfinished: list[str] = []
    if growing:
        summaries, unfinished = complete(folder, systems)
    else:
        summaries = [summarise(folder / name, runs, seeds) for name in systems]
    if not summaries:
        raise UserError(f"{folder}: no system is finished: {'; '.join(unfinished)}")
    if any(other.utterances != summaries[0].utterances for other in summaries):
        raise UserError(f"{title}: the systems were not scored on the same utterances; name --runs that all have")
    places = {one.name: one.places for one in summaries}
    pretrained = {(run, 0): folder / PRETRAINED / f"{run}_seed0" for run in summaries[0].runs}
    probes = {name: means(found) for name, found in {PRETRAINED: pretrained, **places}.items()}
    leaking = {}
    for place in sorted(folder.glob(f"{leak.FOLDER}*")):
        if found := complete(place, scored(place), leaking=True)[0]:
            leaking[f"{place.name.removeprefix(leak.FOLDER).replace('_', ' ')} folds"] = found
    published = conf / "published.yaml"
    return Evidence(
        title=title,
        summaries=summaries,
        published=config.read_yaml(published) if published.is_file() else {},
        comparisons=comparisons(summaries, conf),
        probes={name: found for name, found in probes.items() if found},
        leaking=leaking,
        oracle={one.name: found for one in summaries if (found := oracle(one, folder))},
        unfinished=unfinished,
        lacking=without_row(conf, places),
    )
