"""Reading YAML that nobody vouches for: no key twice, no value that holds itself, no bomb of aliases, no pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from utils.cli import UserError

MOST = 100_000  # values of a YAML file


class Loader(yaml.SafeLoader):
    """YAML without a key that stands twice in one mapping, without values that hold themselves, and without the types
    that would be taken for lists."""

    yaml_constructors = {
        tag: construct
        for tag, construct in yaml.SafeLoader.yaml_constructors.items()
        if str(tag).rpartition(":")[2] not in ("binary", "omap", "pairs", "set")
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.deep_construct = True  # finds recursion: a value is made when all that it holds is made

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class TextLoader(Loader):
    """The same, in which `yes`, `010` and `1_000` are what is written."""

    yaml_implicit_resolvers: dict[str, Any] = {}


def read_yaml(path: Path | str, as_text: bool = False) -> dict[str, Any]:
    """A YAML mapping; an empty file is an empty one; as_text: of words as they are written. Raises UserError for
    anything else."""
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), TextLoader if as_text else Loader)
    except FileNotFoundError:
        raise UserError(f"{path}: no such configuration file") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UserError(f"{path}: is not YAML: line {mark.line + 1 if mark else '?'}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # also of dates that are none, of text that is none
        raise UserError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
    if content is not None and not isinstance(content, dict):
        raise UserError(f"{path}: expected 'key: value' lines")
    if (size := unfolded(content, {})) > MOST:
        raise UserError(f"{path}: its aliases unfold to {size:.3g} values, and {MOST} are the most")
    return content or {}


def unfolded(value: Any, known: dict[int, int]) -> int:
    """How many values it holds, those behind aliases as often as they are named; known: of what was counted before."""
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        inside = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(unfolded(own, known) for own in inside)
    return known[id(value)]
