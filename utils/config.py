"""Configuration: YAML files under conf/ and options of the same names, checked against dataclasses."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from argparse import SUPPRESS, Action, RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml
from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter, Namespace, set_parsing_settings

from utils.cli import UserError, path_of
from utils.files import whole
from utils.yaml_file import read_yaml

T = TypeVar("T")
LARGEST = 3e38  # what single precision can hold
WRONG_VALUE = re.compile(r'Parser key "([^"]+)": Expected a (\S.*?)\. Got value: (.*)')
KINDS = {  # Python's name of a type → the user's
    "<class 'int'>": "a whole number",
    "<class 'float'>": "a number",
    "<class 'bool'>": "true or false",
    "<class 'str'>": "text",
    "<class 'list'>": "a list",
    "<class 'dict'>": "keys with values",
}


class HelpFormatter(RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """A program's description as it is written; then every option, with what it may be and its default."""

    def __init__(self, prog: str, **kwargs: Any) -> None:
        super().__init__(prog, **kwargs | {"max_help_position": 8})

    def add_usage(self, usage: str | None, actions: Iterable[Action], *args: Any, **kwargs: Any) -> None:
        words = [self._format_args(action, action.dest) for action in actions if not action.option_strings]
        super().add_usage(" ".join(["%(prog)s [options]", *words]), [], *args, **kwargs)

    def _format_action_invocation(self, action: Action) -> str:
        shown = [name for name in action.option_strings if not name.endswith("+")]  # `--list+`: append to it
        value = self._format_args(action, self._get_default_metavar_for_optional(action)) if action.nargs != 0 else ""
        return f"{', '.join(shown)} {value}".rstrip() if shown else super()._format_action_invocation(action)

    def _get_help_string(self, action: Action) -> str:
        text, default = (action.help or "").removesuffix("."), action.default
        if not action.option_strings or action.nargs == 0 or default in (None, "") or text.endswith("]"):
            return text
        return f"{text} (default: {str(default).lower() if isinstance(default, bool) else default})"


def arguments(config: type, description: str | None) -> ArgumentParser:
    """A parser with an option for every field of the dataclass `config` (`--training.epochs 3`), which its docstring
    explains, and `--config FILE`, which may stand several times; add a program's own options and hand it to `parse`."""
    # That takes half of the time that a parser takes to be made, so it is done for those alone who ask.
    set_parsing_settings(docstring_parse_attribute_docstrings=not {"-h", "--help"}.isdisjoint(sys.argv))
    parser = fields_only(config, description=description, allow_abbrev=False, formatter_class=HelpFormatter)
    parser.add_argument("--config", action="append", help="YAML file of settings; of several, the later wins")
    for action in parser._actions:
        if is_dataclass(get_type_hints(config).get(action.dest)):
            action.help = SUPPRESS  # `--training FILE`: --config does that
    return parser


def parse(parser: ArgumentParser, config: type[T], args: Sequence[str] | None = None) -> tuple[Namespace, T]:
    """The program's options, and its configuration: defaults, then the files of --config in their order, each behind
    its `parent`, then the command line. Raises UserError for an option, a key or a value that does not fit."""
    args = sys.argv[1:] if args is None else list(args)
    names = list(get_type_hints(config))
    paths: list[Path] = []
    try:
        files = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        files.add_argument("--config", action="append", default=[], type=path_of)
        paths = files.parse_known_args(args)[0].config
        settings = read_files(paths, config)
        fields_only(config).parse_object(settings)  # checks the values: defaults are taken as they are
        parser.set_defaults(flatten(settings))
        options = parser.parse_args(args)
        chosen = parser.instantiate(Namespace({name: options[name] for name in names}))
        return options, bounded(config(**{name: chosen[name] for name in names}))
    except (ArgumentError, TypeError, ValueError, OverflowError, RecursionError) as error:
        settings = {}
        for file in [
            file for path in paths for file in chain(path)
        ]:  # if the value stands in one of them, say in which
            settings = merge(settings, {key: value for key, value in read_yaml(file).items() if key != "parent"})
            build(config, settings, file)
        raise UserError(one_line(error, option_names(parser))) from None


def fields_only(config: type, **options: Any) -> ArgumentParser:
    """A parser that knows the fields of `config` and nothing else."""
    parser = ArgumentParser(exit_on_error=False, **options)
    parser.add_class_arguments(config)
    return parser


def load(config: type[T], path: Path | str) -> T:
    """`config` as `save` wrote it; keys that are not its own are left (a model's file says how it was trained too)."""
    settings = {key: value for key, value in read_yaml(path).items() if key in get_type_hints(config)}
    return build(config, settings, path)


def build(config: type[T], settings: dict[str, Any], path: Path | str) -> T:
    """`config` with the `settings` that stand in the file `path`. Raises UserError for a key or value that does not
    fit."""
    check_keys(settings, config, Path(path))
    parser = fields_only(config)
    try:
        chosen = parser.instantiate(parser.parse_object(settings))
        return bounded(config(**{name: chosen[name] for name in get_type_hints(config)}))
    except (ArgumentError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UserError(f"{path}: {one_line(error, ())}") from None


def bounded(settings: T) -> T:
    """The same dataclass. Raises ValueError for a whole number in it that no computer counts to."""
    for name, value in vars(settings).items():
        if is_dataclass(value):
            bounded(value)
        elif isinstance(value, int) and abs(value) >= 1 << 31:
            raise ValueError(f"{name} is too large: 2147483647 is the largest")
    return settings


def require_positive(settings: Any, *names: str) -> None:
    """For a dataclass's __post_init__: raise ValueError, which `parse` reports, for a field that is not above 0."""
    for name in names:
        _require(name, value := getattr(settings, name), value > 0, "above 0")


def require_not_negative(settings: Any, *names: str) -> None:
    """The same for a field that may be 0."""
    for name in names:
        _require(name, value := getattr(settings, name), value >= 0, "0 or above")


def _require(name: str, value: float, good: bool, words: str) -> None:
    if value > LARGEST:
        raise ValueError(f"{name} is too large: {LARGEST:g} is the largest")
    if not good:
        raise ValueError(f"{name} is {value}, and must be {words}")


def save(config: Any, path: Path | str) -> None:
    """Write the dataclass instance `config`, whole, as YAML."""
    with whole(path) as temporary:
        temporary.write_text(yaml.safe_dump(asdict(config), sort_keys=False))


def read_files(paths: Iterable[Path], config: type) -> dict[str, Any]:
    """The settings in `paths`, later over earlier, each behind its parents."""
    settings: dict[str, Any] = {}
    for path in paths:
        for file in chain(path):
            own = read_yaml(file)
            own.pop("parent", None)
            check_keys(own, config, file)
            settings = merge(settings, own)
    return settings


def chain(path: Path) -> list[Path]:
    """A YAML file behind the file that its `parent` key names (a sibling, without .yaml), and so on: the root first.
    Raises UserError for a circle, and for a parent that is not there."""
    files = [Path(path)]
    while parent := read_yaml(files[0]).get("parent"):
        file = files[0].parent / f"{parent}.yaml"
        if not isinstance(parent, str) or file.parent != files[0].parent:
            raise UserError(f"{files[0]}: parent '{parent}' must be the name of a file beside it, without .yaml")
        if not file.is_file():
            there = sorted(beside.stem for beside in file.parent.glob("*.yaml"))
            raise UserError(f"{files[0]}: there is no {file.name}, its parent, beside it{nearest(parent, there)}")
        if file in files:
            circle = [one.stem for one in (*reversed(files[: files.index(file) + 1]), file)]
            raise UserError(f"{file}: is its own parent: {', whose parent is '.join(circle)}")
        files.insert(0, file)
    return files


def check_keys(settings: dict[str, Any], config: type, path: Path, prefix: str = "") -> None:
    """Raise UserError for a key that `config` does not have, naming the nearest that it has, and for one without a
    value."""
    types = get_type_hints(config)
    for key, value in settings.items():
        if key not in types:
            known = [*types, *["parent"] * (not prefix)]
            raise UserError(f"{path}: there is no key '{prefix}{key}'{nearest(str(key), known)}")
        if value is None:
            raise UserError(f"{path}: the key '{prefix}{key}' has no value")
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


def chosen(settings: Any) -> dict[str, Any]:
    """What differs in a dataclass instance from the defaults of its class, with dotted keys: an option that is added
    later, with a default that changes nothing, changes nothing here."""
    defaults = flatten(asdict(type(settings)()))
    return {key: value for key, value in flatten(asdict(settings)).items() if defaults.get(key, ...) != value}


def option_names(parser: ArgumentParser) -> list[str]:
    """Every `--option` that a parser's --help shows."""
    return [name for action in parser._actions if action.help != SUPPRESS for name in action.option_strings]


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
    if wrong := WRONG_VALUE.search(message):
        key, wanted, value = wrong.groups()
        if choices := re.fullmatch(r"typing\.Literal\[(.*)\]", wanted):
            wanted = f"one of {choices[1]}"
        return f"{key}: expected {KINDS.get(wanted, wanted)}, found {value}"
    return message
