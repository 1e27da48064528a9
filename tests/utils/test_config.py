"""utils/config.py: YAML files, their parents, and what is refused."""

import os
import subprocess
from pathlib import Path

import pytest

from steps.systems.system import Config
from utils import config
from utils.cli import UserError
from utils.yaml_file import read_yaml

ROOT = Path(__file__).resolve().parents[2]
MILESTONES = "--training.milestones"


def test_a_chain_begins_with_the_root(tmp_path):
    for name, text in {"a": "x: 1", "b": "parent: a", "c": "parent: b\ny: 2"}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    assert config.chain(tmp_path / "c.yaml") == [tmp_path / f"{name}.yaml" for name in "abc"]
    assert config.chain(tmp_path / "a.yaml") == [tmp_path / "a.yaml"]


BOMB = "a0: &a0 1\n" + "".join(f"a{k + 1}: &a{k + 1} [{', '.join([f'*a{k}'] * 10)}]\n" for k in range(8))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("parent: own", "own.yaml: is its own parent: own, whose parent is own"),
        ("parent: nobody", "own.yaml: there is no nobody.yaml, its parent, beside it"),
        ("parent: onw", "did you mean 'own'"),
        ("parent: [own]", "must be the name of a file beside it, without .yaml"),
        ("parent: sub/other", "own.yaml: parent 'sub/other' must be the name of a file beside it, without .yaml"),
        ("a: &a {b: *a}", "own.yaml: is not YAML: line 1: found unconstructable recursive node"),
        ("&a [*a]", "is not YAML: line 1: found unconstructable recursive node"),
        ("[" * 5000, "is not YAML: maximum recursion depth exceeded"),
        ("training:\n  epochs: 3\n  batch: 4\n  epochs: 5", "is not YAML: line 4: 'epochs' stands twice"),
        ("training: {epochs: 3}\ntraining: {batch: 3}", "is not YAML: line 2: 'training' stands twice"),
        ("x: !!python/object/apply:os.getcwd []", "is not YAML: line 1: could not determine a constructor"),
        (BOMB, "own.yaml: its aliases unfold to 1.23e\\+08 values, and 100000 are the most"),
        ("x: 2026-13-45", "is not YAML: month must be in 1..12"),
        ("x: !!int many", "is not YAML: invalid literal"),
        ("{", "is not YAML: line 1: "),
        ("a\0b", "is not YAML: unacceptable character"),
        ("one: 1\n---\ntwo: 2", "is not YAML: line 2: "),
        ("- 1", "expected 'key: value' lines"),
        ("false", "expected 'key: value' lines"),
    ],
)
def test_files_of_another_form_are_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        config.chain(tmp_path / "own.yaml")
    assert len(str(error.value).splitlines()) == 1


def test_a_key_may_replace_a_merged_one(tmp_path):
    (tmp_path / "own.yaml").write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert read_yaml(tmp_path / "own.yaml")["b"] == {"x": 3, "y": 2}


@pytest.mark.parametrize("value", ["", "null", "2026-01-01", "!!set {1}", "!!binary aGk=", "[[1]]", "{a: 1}", "many"])
@pytest.mark.parametrize("key", ["epochs", "milestones"])
def test_values_of_another_type_are_refused_in_one_line(tmp_path, key, value):
    (tmp_path / "own.yaml").write_text(f"training:\n  {key}: {value}\n")
    for read in (
        lambda: config.load(Config, tmp_path / "own.yaml"),
        lambda: config.parse(config.arguments(Config, ""), Config, ["--config", str(tmp_path / "own.yaml")]),
    ):
        with pytest.raises(UserError, match=f"{key}|could not determine a constructor") as error:
            read()
        assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "words", [["--milestones", "1"], [MILESTONES, "&a [*a]"], [MILESTONES, "[" * 3000], ["--training", "[1]"]]
)
def test_a_command_line_of_another_form_is_refused(words):
    with pytest.raises(UserError):
        config.parse(config.arguments(Config, ""), Config, words)


@pytest.mark.parametrize("program", ["finetune", "pretrain", "make_fbank"])
def test_help_explains_every_option_in_few_lines(program):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    command = [ROOT / f"steps/{program}.py", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT).stdout
    lines = shown.splitlines()
    assert len(lines) <= 275 and "Literal" not in shown and "<class" not in shown and "type:" not in shown
    options = [number for number, line in enumerate(lines) if line.startswith("  --")]
    assert len(options) > 10
    for number in options:
        assert lines[number + 1].startswith("        ") and len(lines[number + 1].split()) > 1, lines[number]
    assert "  --help" not in shown and "default: " in shown
