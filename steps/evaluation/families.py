"""Which systems are compared with which, said beforehand: by the groups and the parents under conf/systems."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from steps.evaluation.significance import Comparison, compare, correct, shared_seeds
from steps.evaluation.summary import Summary
from utils import config, systems

PLANNED = ("resnet18_pretrain_ad", "resnet18_pretrain")  # the one planned comparison: AD against pre-train alone
TABLE2 = ("resnet18", "resnet18_pretrain", "resnet18_pretrain_ad", "vgg5", "vgg5_ad")
TITLES = {"planned": "planned", "table2": "Table 2", "ablation": "ablations", "related": "related methods"}


def parents(conf: Path) -> dict[str, str]:
    """system → the system that it names as its parent, of the files under <conf>/systems."""
    files = sorted((conf / "systems").glob("*.yaml"))
    return {path.stem: own["parent"] for path in files if "parent" in (own := config.read_yaml(path))}


def descriptions(conf: Path) -> dict[str, str]:
    """system → the comment that its file begins with."""
    found = {}
    for path in sorted((conf / "systems").glob("*.yaml")):
        lines = takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
        found[path.stem] = " ".join(line.lstrip("# ") for line in lines)
    return found


def families(conf: Path) -> dict[str, list[str]]:
    """table2, ablation, related → their systems. What no group names belongs to the ablations."""
    listed = {"table2": list(TABLE2), "ablation": [], "related": []} | systems.groups(conf)
    known = {system for group in listed.values() for system in group}
    listed["ablation"] += [path.stem for path in sorted((conf / "systems").glob("*.yaml")) if path.stem not in known]
    return listed


def comparisons(summaries: Sequence[Summary], conf: Path) -> list[Comparison]:
    """Each system against its parent, which is the one thing that its file changes, where both were scored
    with a seed in common; Holm's correction within each family, of which the planned comparison is none."""
    by_name, parent_of = {one.name: one for one in summaries}, parents(conf)

    def comparable(name: str, reference: str) -> bool:
        both = by_name.keys() >= {name, reference}
        return both and bool(shared_seeds(by_name[name], by_name[reference]))

    result = [compare(by_name[PLANNED[0]], by_name[PLANNED[1]], "planned")] if comparable(*PLANNED) else []
    for family, names in families(conf).items():
        pairs = [(name, parent_of.get(name, "")) for name in names]
        pairs = [pair for pair in pairs if pair != PLANNED and comparable(*pair)]
        found = [compare(by_name[name], by_name[parent], family) for name, parent in pairs]
        correct(found)
        result = [*result, *found]
    return result
