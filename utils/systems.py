#!/usr/bin/env python3
"""The names of systems, where groups of them are named too: what --systems of a recipe means.

  utils/systems.py <conf> "<system or group> …"
  utils/systems.py conf "table2 ablation"

A system is <conf>/systems/<name>.yaml. Groups stand in <conf>/groups.yaml, as lists; "all" is every system of every
group, and then what no group names. Each system is printed once, in the order asked for.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from utils import cli, config

ALL = "all"


def groups(conf: Path) -> dict[str, list[str]]:
    """group → its systems; none where there is no <conf>/groups.yaml."""
    path = conf / "groups.yaml"
    found = config.read_yaml(path) if path.is_file() else {}
    if wrong := [name for name, systems in found.items() if not isinstance(systems, list)]:
        raise cli.UserError(f"{path}: '{wrong[0]}' is not a list of systems")
    return found


def select(conf: Path, words: str) -> list[str]:
    """The systems that `words`, names of systems and groups between spaces, stand for. Raises UserError for a name that
    is neither."""
    known = groups(conf)
    files = sorted(path.stem for path in (conf / "systems").glob("*.yaml"))
    known[ALL] = [*(name for group in known.values() for name in group), *files]
    names = [name for word in words.split() for name in known.get(word, [word])]
    if unknown := [name for name in names if name not in files]:
        raise cli.UserError(
            f"there is no system '{unknown[0]}' in {conf}/systems{config.nearest(unknown[0], [*files, *known])}"
        )
    return list(dict.fromkeys(names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conf", type=Path, help="folder of the configuration")
    parser.add_argument("systems", help="systems and groups, separated by spaces")
    options = parser.parse_args()
    print(*select(options.conf, options.systems))


if __name__ == "__main__":
    cli.run(main)
