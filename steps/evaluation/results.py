"""exp/results.json: every figure of a corpus's results, for the pages and for other people's programs.

`make` makes it of a folder of systems or of archives; `read` and `write` are for the file. Figures are in percent,
differences in points of percent, as full floats, unless it says otherwise; null is a figure that cannot be had.
INTERVAL is {value, low, high}, with the 95 % bounds, null where there is one unit alone.

sum         of all else: a file that was changed afterwards is not read
format      1: a number that changes when a reader of this layout would go wrong
corpus      the name of exp or, where that is "exp", of the folder that holds it; or the title asked for
how         in words, how intervals and p were made: interval, p, p_corrected, p_mcnemar, probe_interval
test        what was tested: utterances, a number; speakers, runs, names; classes, class → utterances; untested, the
            speakers that selected epochs and were never tested; validation_speakers, their number in a run or null
majority    wf1, ua, wa, mf1 of always deciding for the commonest class
published   system → wF1 in the paper
systems     system → what follows, family by family
  family, parent (null: none), differs (dotted key → value, of its own YAML), description, settings (dotted key →
  value, of what is switched on), seeds, deterministic (it depends on no seed)
  wf1, ua, wa, mf1    INTERVAL and sd: of the pooled test utterances, mean over seeds; the sample sd over seeds
  over_folds          value, sd: wF1 of each run by itself, mean and sample sd over runs
  last_epoch          wF1 of the last epoch instead of the selected one
  by_class            class → precision, recall, f1; by_run: run → wF1; by_speaker: speaker → wF1; means over seeds
  confusion           utterances, a row a true class in the order of test.classes, mean over seeds
  roles               null, or the range over all choices of one run of each pair that test each other's validation
                      speakers: choices, their number; wf1, ua, wa, [lowest, highest]
  not_above_majority  wF1's interval is not above the majority's wF1; not_above_chance: UA's is not above chance
  cost                null, or parameters, multiplications (a second of speech), real_time_factor (the runs' least)
  conditions          date, revision, python, torch, device, precision, pretrained: all values; seconds: of all runs
  commands            what was typed for its runs; spaces: names of the space classified and of the one put aside
  curves              null, or column of history.tsv → mean, low, high over runs and seeds, each a list over epochs
comparisons each system against its parent, and what is asked beside: family (or "planned", "asked"), system, reference,
            difference INTERVAL of wF1, by_seed (seed → difference), means and trained of both (wF1; how many
            trainings, 0 where it depends on no seed), models (on how many pre-trained ones each side rests), starts
            (seed → what its pre-trained model is known by), spread (standard deviations: speakers, fine_tuning,
            pretraining; steps/evaluation/comparison.py), beyond_speakers (INTERVAL that covers all three), by_speaker
            (mean over speakers of the difference of their own wF1), p of that, p_corrected, family_size (how many it is
            corrected for), p_mcnemar, only_system, only_reference (utterances that one alone got right, with the first
            of these seeds)
probes      system, or "pretrained" → space → attribute → of → measure → value, chance, low, high, by_run (run, or the
            speakers that it leaves out → value), how (what was held out); shares of 1. space: embedding, or
            embedding_minus, which was put aside; attribute: speaker or emotion; of: train or unseen speakers; measure:
            probe (mean recall), silhouette, purity
probe_differences  of the measure "probe": system, space, against, against_space, attribute, of, difference INTERVAL
            over runs, shares of 1, of the seeds that both have (by_seed: seed → difference); of what a system put aside
            against what it classifies, and of pairs asked for
leaks       what a mistake is worth: system, mistake ("test_epoch", or the kind of folds), seeds, wf1 INTERVAL, ua, wa,
            gain INTERVAL of wF1 on the seeds that both have (no bounds where speakers are not true)
selection   null, or of the networks that select an epoch: networks, last_better, numbers; mean_gain of the last epoch
best        the highest wF1: system; not_told_from, system → INTERVAL of the best's lead on it, where that contains 0;
            of, the number of systems; told_who_speaks, systems that are not among these, as they are told
unfinished  system, runs_done, runs: left out, as no seed has all runs; not_run: title of a family → systems
few_speakers  fewer than eight test speakers: intervals over them are too narrow
corpus_findings   {}, or what steps/audit.py found wrong with the corpus: <exp-dir>/audit.json, whole (its layout:
            steps/evaluation/audit.py); results kept before there was such a thing lack the key
groups      of conf/groups.yaml: planned, main, controls, figure1, masks, questions, titles (family → title)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from steps.evaluation import audit, sealed
from steps.evaluation.differences import add_tests
from steps.evaluation.entry import Json, entry
from steps.evaluation.evidence import Evidence, gather
from steps.evaluation.metrics import majority
from steps.evaluation.significance import FEW, MANY, RESAMPLES, SEED
from utils import systems
from utils.cli import UserError
from utils.yaml_file import read_yaml

NAME = "results.json"
FORMAT = 1
HOW = {
    "interval": f"95 % percentile bootstrap over speakers (of more than {MANY}: over {MANY} groups of them), "
    f"{RESAMPLES} resamples, seed {SEED}",
    "p": "Wilcoxon's signed ranks over speakers, two-sided",
    "p_corrected": "Holm within the family; the planned comparison is none",
    "p_mcnemar": "McNemar's exact test of utterances, with the first seed: a description",
    "probe_interval": "95 %, Student's t over runs, of which those that leave out the same speakers count once",
}


def system_rows(evidence: Evidence, title: str = "") -> Json:
    """Of results.json, all that the scores alone say: `test`, `majority`, `systems` and what the configuration says of
    them."""
    first, groups, place = evidence.summaries[0], systems.read_groups(evidence.conf), evidence.exp.resolve()
    family = {name: key for key, names in groups.families.items() for name in names}
    base = majority(first.labels)
    selecting = next(iter(first.selecting.values()))
    present = {summary.name for summary in evidence.summaries}
    with_yaml = set(systems.names(evidence.conf))
    lacking = {
        groups.titles[key]: [name for name in names if name in with_yaml - present]
        for key, names in groups.families.items()
    }
    counts = np.bincount(first.labels, minlength=len(first.classes))
    chance = 100 / np.count_nonzero(counts)
    return {
        "format": FORMAT,
        "corpus": title or (place.parent if place.name == "exp" else place).name,
        "how": HOW,
        "test": {
            "utterances": len(first.utterances),
            "speakers": first.speakers,
            "runs": first.runs,
            "classes": {name: int(count) for name, count in zip(first.classes, counts)},
            "untested": first.untested,
            "validation_speakers": len(selecting) or None,
        },
        "majority": base._asdict(),
        "published": read_published(evidence.conf / "published.yaml"),
        "systems": {
            summary.name: entry(summary, evidence.conf, family.get(summary.name, systems.OTHERS), base.wf1, chance)
            for summary in evidence.summaries
        },
        "unfinished": evidence.unfinished,
        "not_run": {title: names for title, names in lacking.items() if names},
        "few_speakers": len(first.speakers) < FEW,
        "corpus_findings": audit.read(evidence.exp),
        "groups": {key: value for key, value in vars(groups).items() if key != "families"}
        | {"main": groups.main or [summary.name for summary in evidence.summaries][: systems.MOST_MAIN]}
        | {"titles": {systems.OTHERS: "Systems"} | groups.titles},
    }


def read_published(path: Path) -> Json:
    """system → wF1 in the paper; {} where there is no such file."""
    published = read_yaml(path) if path.is_file() else {}
    if wrong := [name for name, value in published.items() if type(value) not in (int, float) or not 0 <= value <= 100]:
        raise UserError(f"{path}: '{wrong[0]}' is not a number from 0 to 100")
    return published


def write(path: Path, content: Json) -> None:
    """Write results.json, or another file of its kind."""
    sealed.write(path, content)


def read(path: Path, maker: str = "steps/score.py", key: str = "systems") -> Json:
    """What `write` wrote into results.json, or another file of its kind, which has `key`. Raises UserError where there
    is none, or what is there has been changed since."""
    return sealed.read(path, maker, key, FORMAT)


def make(
    folder: Path,
    conf: Path,
    title: str = "",
    words: str = "",
    only_runs: Sequence[str] = (),
    only_seeds: Collection[int] = (),
    data: Path | None = None,
) -> Json:
    """All of it, of the systems in `folder`; the arguments are those of `gather`."""
    evidence = gather(folder, conf, words, only_runs, only_seeds, data)
    results = system_rows(evidence, title)
    add_tests(results, evidence)
    return results
