"""Configuration: YAML files under conf/ and options of the same names, checked against dataclasses."""

from __future__ import annotations

import difflib
import math
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml
from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter, Namespace

from utils.cli import UserError
from utils.files import whole

T = TypeVar("T")


class HelpFormatter(RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """A program's description as it is written, then its options."""


def arguments(config: type, description: str) -> ArgumentParser:
    """A parser with an option for every field of the dataclass `config` (`--training.epochs 3`) and `--config FILE`,
    which may stand several times; add a program's own options and hand it to `parse`."""
    parser = ArgumentParser(
        description=description, exit_on_error=False, allow_abbrev=False, formatter_class=HelpFormatter
    )
    parser.add_argument("--config", action="append", help="YAML file of settings; of several, the later wins")
    parser.add_class_arguments(config)
    return parser


def parse(parser: ArgumentParser, config: type[T], args: Sequence[str] | None = None) -> tuple[Namespace, T]:
    """The program's options, and its configuration: defaults, then the files of --config in their order, each behind
    its `parent`, then the command line. Raises UserError for an option, a key or a value that does not fit."""
    args = sys.argv[1:] if args is None else list(args)
    names = [field.name for field in fields(config)]
    try:
        settings = read_files(config_files(args), config)
        fields_only(config).parse_object(settings)  # checks the values: defaults are taken as they are
        parser.set_defaults(flatten(settings))
        options = parser.parse_args(args)
        chosen = parser.instantiate(Namespace({name: options[name] for name in names}))
        return options, config(**{name: chosen[name] for name in names})
    except (ArgumentError, ValueError) as error:
        raise UserError(one_line(error, option_names(parser))) from None


def fields_only(config: type) -> ArgumentParser:
    """A parser that knows the fields of `config` and nothing else."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(config)
    return parser


def load(config: type[T], path: Path | str) -> T:
    """`config` as `save` wrote it; keys that are not its own are left (a model's file says how it was trained too)."""
    settings = {key: value for key, value in read_yaml(path).items() if key in get_type_hints(config)}
    parser = fields_only(config)
    try:
        chosen = parser.instantiate(parser.parse_object(settings))
        return config(**{field.name: chosen[field.name] for field in fields(config)})
    except (ArgumentError, ValueError) as error:
        raise UserError(f"{path}: {one_line(error, ())}") from None


def require_positive(settings: Any, *names: str) -> None:
    """For a dataclass's __post_init__: raise ValueError, which `parse` reports, for a field that is not above 0."""
    for name in names:
        if not 0 < getattr(settings, name) < math.inf:
            raise ValueError(f"{name} is {getattr(settings, name)}, and must be above 0")


def require_not_negative(settings: Any, *names: str) -> None:
    """The same for a field that may be 0."""
    for name in names:
        if not 0 <= getattr(settings, name) < math.inf:
            raise ValueError(f"{name} is {getattr(settings, name)}, and must be 0 or above")


def save(config: Any, path: Path | str) -> None:
    """Write the dataclass instance `config`, whole, as YAML."""
    with whole(path) as temporary:
        temporary.write_text(yaml.safe_dump(asdict(config), sort_keys=False))


def config_files(args: Sequence[str]) -> list[Path]:
    """The values of --config in a command line."""
    pairs = zip(args, [*args[1:], ""])
    return [
        Path(value if word == "--config" else word.partition("=")[2])
        for word, value in pairs
        if word == "--config" or word.startswith("--config=")
    ]


def read_files(paths: Iterable[Path], config: type) -> dict[str, Any]:
    """The settings in `paths`, later over earlier, each over those of the file that its `parent` key names (a sibling,
    without .yaml)."""
    settings: dict[str, Any] = {}
    for path in paths:
        chain = [path]
        while parent := read_yaml(chain[-1]).get("parent"):
            chain.append(chain[-1].with_name(f"{parent}.yaml"))
            if chain[-1] in chain[:-1]:
                raise UserError(f"{path}: is its own parent by way of {chain[-1]}")
        for file in reversed(chain):
            own = read_yaml(file)
            own.pop("parent", None)
            check_keys(own, config, file)
            settings = merge(settings, own)
    return settings


def read_yaml(path: Path | str) -> dict[str, Any]:
    """A YAML mapping; an empty file is an empty one."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such configuration file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content or {}, dict):
        raise UserError(f"{path}: expected 'key: value' lines")
    return content or {}


def check_keys(settings: dict[str, Any], config: type, path: Path, prefix: str = "") -> None:
    """Raise UserError for a key that `config` does not have, naming the nearest that it has."""
    types = get_type_hints(config)
    for key, value in settings.items():
        if key not in types:
            raise UserError(f"{path}: there is no key '{prefix}{key}'{nearest(str(key), types)}")
        if is_dataclass(types[key]):
            if not isinstance(value, dict):
                raise UserError(
                    f"{path}: '{prefix}{key}' holds keys of its own: {', '.join(get_type_hints(types[key]))}"
                )
            check_keys(value, types[key], path, f"{prefix}{key}.")


def merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` laid over `under`, mapping by mapping."""
    result = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merge(result[key], value) if both else value
    return result


def flatten(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def option_names(parser: ArgumentParser) -> list[str]:
    """Every `--option` of a parser."""
    return [name for action in parser._actions for name in action.option_strings]


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the known word that `word` was perhaps meant to be, or at all of them."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; there are: {', '.join(known)}" if known else ""


def one_line(error: Exception, known: Iterable[str]) -> str:
    """jsonargparse's message as one line, with the option that an unknown one was perhaps meant to be."""
    message = " ".join(str(error).split())
    unknown = [word.split("=")[0] for word in message.split() if word.startswith("--")]
    if message.startswith("unrecognized arguments") and unknown:
        return f"there is no option {unknown[0]}{nearest(unknown[0], known)}"
    return message
