#!/usr/bin/env python3
"""What conf/ says of systems: what --systems means, who is whose parent, which families are tested together.

  utils/systems.py <conf> "<system or group> …"    print each system once, in the order asked for
  utils/systems.py conf "table2 ablation"

A system is <conf>/systems/<name>.yaml. Groups are the families of <conf>/groups.yaml, its lists "controls" and "main",
and "all": every system, families first.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import cli, config
from utils.yaml_file import read_yaml

ALL = "all"
OTHERS = "ablation"  # the family of the systems that no family names
MOST_MAIN = 11  # rows of the short table, beside the majority row


@dataclass
class Groups:
    """<conf>/groups.yaml."""

    families: dict[str, list[str]] = field(default_factory=dict)  # family → its systems; Holm corrects within each
    controls: list[str] = field(default_factory=list)  # plain systems that take seconds
    main: list[str] = field(default_factory=list)  # rows of the short table
    planned: list[str] = field(default_factory=list)  # system and reference of the one planned comparison, or none
    together: list[list[str]] = field(default_factory=list)  # such pairs, compared over all corpora of a recipe
    figure1: dict[str, str] = field(default_factory=dict)  # system → title of its panel
    masks: str = ""  # the system whose masks are drawn
    questions: list[dict[str, str | list[str]]] = field(default_factory=list)  # `ask`, and what answers it
    titles: dict[str, str] = field(default_factory=dict)  # family → its title, from `families`


class Description(NamedTuple):
    """What a system's own YAML says."""

    parent: str | None
    differs: dict[str, Any]  # dotted key → value
    words: str  # the comment that the file begins with


def names(conf: Path) -> list[str]:
    """Every system that has a YAML, by name."""
    return sorted(path.stem for path in (conf / "systems").glob("*.yaml"))


def describe(conf: Path, system: str) -> Description:
    """What the system's YAML says; nothing where it has none. Raises UserError where its parents cannot be read."""
    path = conf / "systems" / f"{system}.yaml"
    if not path.is_file():
        return Description(None, {}, "")
    files, own = config.chain(path), read_yaml(path)
    own.pop("parent", None)
    comment = takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
    words = " ".join(line.lstrip("# ") for line in comment)
    return Description(files[-2].stem if len(files) > 1 else None, config.flatten(own), words)


def read_groups(conf: Path) -> Groups:
    """The groups; where there is no groups.yaml, one family of all systems. Raises UserError for what does not fit."""
    path = conf / "groups.yaml"
    content = read_yaml(path) if path.is_file() else {}
    families = content.pop("families", {})
    config.check_keys(content, Groups, path)

    def expect(fits: bool, otherwise: str) -> None:
        if not fits:
            raise cli.UserError(f"{path}: {otherwise}")

    expect(isinstance(families, dict), "'families' is not a mapping of names to {title, systems}")
    for name, family in families.items():
        fits = isinstance(family, dict) and {"systems"} <= set(family) <= {"title", "systems"}
        expect(fits, f"family '{name}' is not {{title, systems}}")
    content["families"] = {name: family["systems"] for name, family in families.items()}
    content["titles"] = {name: family.get("title", name) for name, family in families.items()}
    groups = config.build(Groups, content, path)
    expect(len(groups.main) <= MOST_MAIN, f"'main' has {len(groups.main)} systems, and {MOST_MAIN} are the most")
    pairs: list[str | list[str]] = [*groups.together, *([groups.planned] if groups.planned else [])]
    for question in groups.questions:
        answers = set(question) - {"ask"}
        fits = "ask" in question and len(answers) == 1 and answers <= {"compare", "speaker_probe", "spaces"}
        expect(fits, "a question is 'ask' and one of 'compare', 'speaker_probe', 'spaces'")
        pairs += [question[kind] for kind in answers - {"spaces"}]
    for pair in pairs:
        expect(isinstance(pair, list) and len(pair) == 2, f"{pair} is not a system and its reference")
    members = [system for systems in groups.families.values() for system in systems]
    for name in members:
        expect(members.count(name) == 1, f"'{name}' stands in the families twice")
    others = [name for name in names(conf) if name not in members]
    if others or not groups.families:
        groups.families.setdefault(OTHERS, []).extend(others)
        groups.titles.setdefault(OTHERS, "Systems")
    return groups


def in_order(conf: Path) -> list[str]:
    """Every system that has a YAML, in the order of the families."""
    there = set(names(conf))
    return [name for family in read_groups(conf).families.values() for name in family if name in there]


def expand(conf: Path, words: str) -> list[str]:
    """What `words`, systems and groups between spaces, stand for, each once; a word that is no group stays as it is."""
    groups = read_groups(conf)
    known = groups.families | {"controls": groups.controls, "main": groups.main or in_order(conf)[:MOST_MAIN]}
    known[ALL] = in_order(conf)
    return list(dict.fromkeys(name for word in words.split() for name in known.get(word, [word])))


def select(conf: Path, words: str) -> list[str]:
    """The same; raises UserError for a system that has no YAML."""
    there, chosen = names(conf), expand(conf, words)
    if chosen and not (conf / "systems").is_dir():
        raise cli.UserError(f"{conf}/systems: no such folder; --conf names the folder that holds it")
    if unknown := [name for name in chosen if name not in there]:
        groups = [*read_groups(conf).families, "controls", "main", ALL]
        hint = config.nearest(unknown[0], [*there, *groups])
        raise cli.UserError(f"there is no system '{unknown[0]}' in {conf}/systems{hint}")
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conf", type=cli.path_of, help="folder of the configuration")
    parser.add_argument("systems", help="systems and groups, separated by spaces")
    options = parser.parse_args()
    print(*select(options.conf, options.systems))


if __name__ == "__main__":
    cli.run(main)
