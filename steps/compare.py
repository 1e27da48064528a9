#!/usr/bin/env python3
"""Whether one system is better than another on the same utterances.

  steps/compare.py [options] <system> <reference>
  steps/compare.py exp/resnet18_pretrain_ad exp/resnet18_pretrain
  steps/compare.py results/resnet18_pretrain_ad.tar.xz my_scores.txt
  steps/compare.py --over "results/ravdess results/nemo" stages svm

Each is a system's folder, an archive of one (steps/publish.py), or a score file of anybody's: a line
`# utt spk label <class names>`, then a line an utterance, with the posterior of each class. The difference is that of
the utterances of all runs together, mean over the seeds that both have; interval and p take the speaker as the unit.
With --over, both are names of systems in several folders, each of a corpus with the same classes, and all of their
utterances are taken together.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from steps.evaluation.comparison import compare
from steps.evaluation.metrics import Metrics
from steps.evaluation.sealed import plain
from steps.evaluation.significance import FEW
from steps.evaluation.summary import Summary
from steps.evaluation.together import read_system, together
from steps.reporting import words
from utils import cli, runs
from utils.scores import pool, read_scores
from utils.table import read_lines, read_table

NAMES = {"wf1": "wF1 (weighted F1)", "ua": "UA (mean recall)"}


def read(path: Path, only_seeds: list[int], emotions: Mapping[str, str] | None) -> Summary:
    """The scores of a folder, an archive, or a file."""
    if path.exists() and not path.is_dir() and not path.name.endswith(runs.ARCHIVE):  # a file, or a pipe
        if only_seeds and 0 not in only_seeds:
            raise cli.UserError(f"--seeds: {path} is one score file, and counts as seed 0")
        scores = pool([read_scores(path, emotions)])  # one run with seed 0
        return Summary(str(path), [""], [0], {}, {}, {("", 0): scores}, {}, Metrics(*[float("nan")] * 4))
    return read_system(path, only_seeds, emotions)


def described(metric: str, comparison: dict[str, Any], system: Summary, reference: Summary) -> list[str]:
    """A line of the difference, and a line of its seeds where there are several."""
    difference, by_seed, (mine, theirs) = (comparison[key] for key in ("difference", "by_seed", "means"))
    ends = [words.signed(difference[end]) for end in ("low", "high")]
    interval = "no interval, of one speaker" if words.DASH in ends else f"95 % interval {' to '.join(ends)}"
    each = ", ".join(f"{seed}: {words.signed(value)}" for seed, value in by_seed.items())
    shown = f"the first is {'higher' if difference['value'] > 0 else 'lower'}"
    return [
        f"{NAMES[metric]}: {words.signed(difference['value'])} points, {interval}, p {words.p_value(comparison['p'])}; "
        f"{mine:.2f} against {theirs:.2f}: {shown if words.off_zero(difference) else 'no difference is shown'}",
        *[f"  by seed: {each}"] * (len(by_seed) > 1),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", type=cli.path_of, help="folder, archive, or score file; with --over, a name")
    parser.add_argument("reference", type=cli.path_of, help="the same of what it is compared with")
    parser.add_argument("--seeds", default="", help="seeds to compare [those with all runs that both have]")
    parser.add_argument("--over", default="", help="folders that have both systems, separated by spaces")
    parser.add_argument("--without", type=cli.path_of, help="file of speakers to leave out, one a line")
    parser.add_argument("--data", type=cli.path_of, help="the data dir, for score files without labels")
    options = parser.parse_args()
    emotions = read_table(options.data / "utt2emo") if options.data else None
    seeds = cli.numbers("--seeds", options.seeds)
    without = set(read_lines(options.without)) if options.without else set()
    folders = [Path(folder) for folder in options.over.split()]
    if without and not folders:
        raise cli.UserError("--without belongs to --over")
    system, reference = (
        together(folders, str(path), seeds, emotions, without) if folders else read(path, seeds, emotions)
        for path in (options.system, options.reference)
    )
    speakers = len(system.speakers)
    comparisons = {metric: plain(compare(system, reference, metric)) for metric in NAMES}
    wf1, shared = comparisons["wf1"], list(comparisons["wf1"]["by_seed"])
    print(
        f"{system.name} against {reference.name}: {len(system.utterances)} utterances, {speakers} speakers, "
        f"seed{'s' * (len(shared) > 1)} {' '.join(shared)}"
    )
    for metric, comparison in comparisons.items():
        print("\n".join(described(metric, comparison, system, reference)))
    alone = f"the first {wf1['only_system']} utterances, the second {wf1['only_reference']}"
    print(f"Right alone: {alone} (seed {shared[0]})")
    if speakers < FEW:
        print(f"Warning: with {speakers} speakers, fewer than {FEW}, the interval is too narrow and p says little.")


if __name__ == "__main__":
    cli.run(main)
