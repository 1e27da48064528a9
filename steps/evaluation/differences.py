"""What results.json (steps/evaluation/results.py) says of systems against each other."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from steps.evaluation.comparison import compare, correct, difference, trainings
from steps.evaluation.evidence import Evidence
from steps.evaluation.probes import means
from steps.evaluation.significance import Interval, over_runs
from steps.evaluation.summary import Key, Summary
from utils import runs
from utils.runs import Texts

Json = dict[str, Any]


def add_tests(results: Json, evidence: Evidence) -> None:
    """Add to results.json what compares systems: comparisons, probes, leaks, selection, best."""
    by_name = {summary.name: summary for summary in evidence.summaries}
    results["comparisons"] = comparisons(results, by_name)
    texts = {runs.PRETRAINED: evidence.pretrained} | {name: summary.texts for name, summary in by_name.items()}
    units = {name: summary.units for name, summary in by_name.items()}
    units[runs.PRETRAINED] = {key: key[0] for key in evidence.pretrained}
    add_probes(results, texts, units)
    results["leaks"] = leaks(evidence)
    networks = [
        summary
        for summary in by_name.values()
        if summary.settings.get("backend.kind", "network") == "network"
        and summary.settings.get("training.selection") not in ("last", "average")
    ]
    gains = [float(summary.last.wf1) - summary.intervals.wf1.value for summary in networks]
    better = sum(gain > 0 for gain in gains)
    selection = {"networks": len(gains), "last_better": better, "mean_gain": float(np.mean(gains or [0]))}
    results["selection"] = selection if gains else None
    told = [name for name in by_name if is_told_who_speaks(name, by_name)]
    alone = [summary for name, summary in by_name.items() if name not in told] or [*by_name.values()]
    best = max(alone, key=lambda summary: summary.intervals.wf1.value)
    others = [summary for summary in alone if summary is not best]
    leads = {summary.name: difference(best, summary) for summary in others}
    alike = {  # without a seed in common, nothing is known
        name: lead._asdict() for name, lead in leads.items() if not lead.excludes_zero and not np.isnan(lead.value)
    }
    results["best"] = {"system": best.name, "not_told_from": alike, "of": len(alone), "told_who_speaks": told}


def is_told_who_speaks(name: str, by_name: Mapping[str, Summary]) -> bool:
    """Whether a system, or one that it is the mean of, must know whose an utterance is."""
    settings = by_name[name].settings if name in by_name else {}
    parts = settings.get("backend.of") or []
    return settings.get("backend.cmn") == "speaker" or any(is_told_who_speaks(part, by_name) for part in parts)


def comparisons(results: Json, by_name: Mapping[str, Summary]) -> list[Json]:
    """Those said beforehand: the planned one; family by family, each system against its parent, which is the one thing
    that its file changes; as the family "asked", what questions compare beside. A pair without a seed in common is
    left out."""
    planned = tuple(results["groups"]["planned"])
    pairs: dict[str, list[tuple[str, ...]]] = {"planned": [planned] if planned else []}
    for name, system in results["systems"].items():
        if (name, system["parent"]) != planned:
            pairs.setdefault(system["family"], []).append((name, system["parent"]))
    asked = [tuple(question["compare"]) for question in results["groups"]["questions"] if "compare" in question]
    known = {frozenset(pair) for pair in itertools.chain(*pairs.values())}  # either way round, it is one test
    pairs["asked"] = [pair for pair in asked if frozenset(pair) not in known]
    rows = []
    for family, names in pairs.items():
        scored = [(by_name[name], by_name[parent]) for name, parent in names if {name, parent} <= by_name.keys()]
        own = [{"family": family} | compare(*pair) for pair in scored if trainings(*pair).seeds]
        if family != "planned":
            correct(own)
        rows += own
    return rows


def leaks(evidence: Evidence) -> list[Json]:
    """What each mistake adds, of the systems that were made without it, too; paired by speaker where these are true."""
    rows = []
    for honest in evidence.summaries:
        mistaken = [("test_epoch", evidence.oracle[honest.name])] if honest.name in evidence.oracle else []
        for kind, summaries in evidence.leaking.items():
            mistaken += [(kind, summary) for summary in summaries if summary.name == honest.name]
        for mistake, summary in mistaken:
            row: Json = {"system": honest.name, "mistake": mistake, "seeds": summary.seeds}
            row |= {"wf1": summary.intervals.wf1._asdict()}
            row |= {name: getattr(summary.intervals, name).value for name in ("ua", "wa")}
            rows.append(row | {"gain": difference(summary, honest, paired=mistake == "test_epoch")._asdict()})
    return rows


def add_probes(results: Json, texts: Mapping[str, Mapping[Key, Texts]], units: Mapping[str, Mapping[Key, str]]) -> None:
    """`probes` and `probe_differences` anew, from the probe files of the runs; texts: system → run and seed → files;
    units: what each run counts as."""
    probes = {name: means(files, units[name]) for name, files in texts.items()}
    by_seed = {
        seed: {
            name: means({key: own for key, own in files.items() if key[1] == seed}, units[name])
            for name, files in texts.items()
        }
        for seed in sorted({key[1] for files in texts.values() for key in files})
    }
    pairs = [(name, runs.MINUS, name, runs.EMBEDDING) for name in probes]
    asked = [question["speaker_probe"] for question in results["groups"]["questions"] if "speaker_probe" in question]
    pairs += [(system, runs.EMBEDDING, against, runs.EMBEDDING) for system, against in asked]

    def by_run(seeds: Iterable[int], system: str, space: str, attribute: str, whose: str) -> dict[str, float]:
        """Run → what was measured, mean over the seeds that have it."""
        values: dict[str, list[float]] = {}
        for seed in seeds:
            groups = by_seed[seed].get(system, {}).get(space, {}).get(attribute, {})
            for run, value in groups.get(whose, {}).get("probe", {"by_run": {}})["by_run"].items():
                values.setdefault(run, []).append(value)
        return {run: float(np.mean(own)) for run, own in values.items()}

    def paired(seeds: Iterable[int], side: Sequence[str], other: Sequence[str]) -> Interval | None:
        values, reference = by_run(seeds, *side), by_run(seeds, *other)
        return over_runs(values, reference) if values.keys() & reference.keys() else None

    rows = []
    for system, space, against, against_space in pairs:
        for attribute, whose in itertools.product(("speaker", "emotion"), ("train", "unseen")):
            sides = (system, space, attribute, whose), (against, against_space, attribute, whose)
            own = {seed: found.value for seed in by_seed if (found := paired([seed], *sides))}
            if own and (overall := paired(own, *sides)):
                row: Json = {"system": system, "space": space, "against": against, "against_space": against_space}
                row |= {"attribute": attribute, "of": whose, "difference": overall._asdict()}
                rows.append(row | {"by_seed": {str(seed): value for seed, value in own.items()}})
    results["probes"] = {name: spaces for name, spaces in probes.items() if spaces}
    results["probe_differences"] = rows
