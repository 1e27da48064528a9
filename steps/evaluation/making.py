"""How results were made: settings, conditions and commands, from the files beside the scores."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from steps.evaluation.evidence import Evidence
from steps.evaluation.summary import Summary
from utils import config

# The options of steps/finetune.py that a recipe's run.sh gives it, or its jobs.
RECIPE = {"config", "systems-dir", "systems", "pretrained", "runs", "seeds", "redo", "nj", "cmd", "list"}


def in_sections(settings: Mapping[str, Any]) -> str:
    """`network (width 16, D 8), training (epochs 14)` of dotted keys."""
    sections: dict[str, list[str]] = {}
    for key, value in settings.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, []).append(f"{name} {value}")
    return ", ".join(f"{section} ({', '.join(own)})" for section, own in sections.items())


def settings(summaries: Sequence[Summary]) -> list[str]:
    """What the systems have in common, and what each has for itself."""
    flat = {one.name: one.settings for one in summaries}
    first = next(iter(flat.values()))
    shared = {
        key: value for key, value in first.items() if all(key in own and own[key] == value for own in flat.values())
    }
    lines = [f"- All: {in_sections(shared)}"]
    if len(flat) > 1:
        for name, own in flat.items():
            lines.append(f"- {name}: {in_sections({key: own[key] for key in own if key not in shared})}")
    return lines


def conditions(summaries: Sequence[Summary]) -> list[str]:
    """Where and when the runs were made: each thing once, with all its values."""
    found: dict[str, list[str]] = {}
    seconds = 0
    for place in (place for one in summaries for place in one.places.values()):
        said = config.read_yaml(place / "environment.yaml")
        seconds += int(said.pop("seconds", 0))
        pretrained = said.pop("pretrained", [])
        said.pop("command", "")
        for key, value in [*said.items(), *(("pre-trained extractor", line) for line in pretrained)]:
            if str(value) not in found.setdefault(key, []):
                found[key].append(str(value))
    lines = [f"- {key}: {', '.join(values)}" for key, values in found.items()]
    return [*lines, f"- all runs together: {seconds / 60:.0f} minutes"]


def typed(one: Summary) -> list[str]:
    """The commands that made a system's runs, each once."""
    said = [config.read_yaml(place / "environment.yaml").get("command", "") for place in one.places.values()]
    return list(dict.fromkeys(filter(None, said)))


def recipe_options(command: str) -> str | None:
    """The options of run.sh that make it type a command of steps/finetune.py, besides --systems and --seeds; None where
    it types none like it."""
    words, options, others = iter(shlex.split(command)[1:]), {}, []
    for word in words:
        if word.startswith("--"):
            name, given, value = word[2:].partition("=")
            options[name] = value if given else next(words, "")
        else:
            others.append(PurePath(word))
    if len(others) != 2 or "systems" not in options or options.keys() - RECIPE:
        return None
    data, exp = others
    found = {data.name: "DIR", "pretrained": options.get("pretrained", "")}
    found |= {"conf": str(PurePath(options.get("systems-dir", "conf/systems")).parent), "data": data.parent, "exp": exp}
    usual = {"pretrained": "", "conf": "conf", "data": "data", "exp": "exp"}
    return " ".join(
        f"--{name} {shlex.quote(str(value))}" for name, value in found.items() if str(value) != usual.get(name)
    )


def recipes(summaries: Sequence[Summary]) -> list[str]:
    """The lines that make all of it, from the corpus on, where the commands were those of a recipe; a line for each set
    of seeds."""
    systems: dict[tuple[str, str], list[str]] = {}
    for one in summaries:
        options = {recipe_options(command) for command in typed(one)}
        if len(options) == 1 and (said := options.pop()):
            systems.setdefault((said, " ".join(map(str, one.seeds))), []).append(one.name)
    return [
        f"./run.sh {said} --systems {shlex.quote(' '.join(names))} --seeds {shlex.quote(seeds)}"
        for (said, seeds), names in systems.items()
    ]


def commands(evidence: Evidence) -> list[str]:
    """What to type for all rows, then the commands behind each one; those of the leak table, too."""
    rows = {one.name: one for one in evidence.summaries}
    rows |= {f"{one.name}, {kind}": one for kind, found in evidence.leaking.items() for one in found}
    whole = recipes(evidence.summaries)
    lines = ["# by the recipe, from the corpus in DIR on", *whole, ""] if whole else []
    return lines + [line for name, one in rows.items() for line in (f"# {name}", *typed(one))]
