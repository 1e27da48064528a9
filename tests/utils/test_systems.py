"""What conf/ says of systems: names and groups, parents, families."""

import pytest

from utils.cli import UserError
from utils.systems import describe, read_groups

GROUPS = """families:
  first: {title: The first, systems: [b, a]}
  second: {systems: [c]}
controls: [c]
main: [mine, a]
planned: [a, b]
figure1: {pretrained: before, a: after}
masks: a
questions:
  - {ask: "Does it help?", compare: [a, b]}
  - {ask: "Is it there?", spaces: a}
"""


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "systems").mkdir()
    for name in ("a", "b", "c", "mine"):
        (tmp_path / f"systems/{name}.yaml").write_text("network: {}\n")
    (tmp_path / "groups.yaml").write_text(GROUPS)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("c a", "c a"),
        ("first", "b a"),
        ("second first", "c b a"),
        ("c first c", "c b a"),
        ("controls main", "c mine a"),
        ("all", "b a c mine"),
        ("ablation", "mine"),
        ("", ""),
    ],
)
def test_names_and_groups_stand_for_systems(conf, type_in, words, names):
    assert type_in("utils/systems.py", conf, words).stdout == f"{names}\n"


def test_without_groups_there_are_systems_still(conf, type_in):
    (conf / "groups.yaml").unlink()
    for words, names in (("all", "a b c mine"), ("ablation", "a b c mine"), ("main", "a b c mine"), ("controls", "")):
        assert type_in("utils/systems.py", conf, words).stdout == f"{names}\n"
    groups = read_groups(conf)
    assert groups.families == {"ablation": ["a", "b", "c", "mine"]} and groups.titles == {"ablation": "Systems"}
    assert not groups.planned and not groups.main and not groups.questions


def test_what_no_family_names_belongs_to_the_ablations(conf):
    groups = read_groups(conf)
    assert groups.families == {"first": ["b", "a"], "second": ["c"], "ablation": ["mine"]}
    assert groups.titles == {"first": "The first", "second": "second", "ablation": "Systems"}
    assert groups.planned == ["a", "b"] and groups.figure1 == {"pretrained": "before", "a": "after"}
    assert [question["ask"] for question in groups.questions] == ["Does it help?", "Is it there?"]


def test_a_system_is_its_parent_but_for_what_its_own_file_says(conf):
    (conf / "systems/b.yaml").write_text(
        "# Two lines\n# of words.\nparent: a\nnetwork: {AD: true, D: 8}\n# not these\n"
    )
    (conf / "systems/c.yaml").write_text("parent: b\n")
    assert describe(conf, "b") == ("a", {"network.AD": True, "network.D": 8}, "Two lines of words.")
    assert describe(conf, "c") == ("b", {}, "") and describe(conf, "a").parent is None
    assert describe(conf, "unheard of") == (None, {}, "")
    (conf / "systems/a.yaml").write_text("parent: gone\n")
    with pytest.raises(UserError, match="a.yaml: there is no gone.yaml, its parent"):
        describe(conf, "c")


@pytest.mark.parametrize(
    ("groups", "words", "message"),
    [
        (GROUPS, "frist", "there is no system 'frist' in"),
        (GROUPS, "frist", "did you mean 'first'?"),
        (GROUPS.replace("[b, a]", "[nowhere]"), "first", "there is no system 'nowhere'"),
        ("first: [a]\n", "a", "groups.yaml: there is no key 'first'; there are: families, controls"),
        ("families: [a]\n", "a", "'families' is not a mapping"),
        ("families: {first: [a]}\n", "a", "family 'first' is not {title, systems}"),
        ("families: {first: {systems: a}}\n", "a", "families: expected a list"),
        ("families: {x: {systems: [a]}, y: {systems: [a]}}\n", "a", "'a' stands in the families twice"),
        ("controls: a\n", "a", "controls: expected a list"),
        (f"main: [{', '.join('abcdefghijkl')}]\n", "a", "'main' has 12 systems, and 11 are the most"),
        ("planned: [a]\n", "a", "['a'] is not a system and its reference"),
        ("masks: [a]\n", "a", "masks: expected text"),
        ("figure1: [a]\n", "a", "figure1: expected keys with values"),
        ("questions: {ask: x}\n", "a", "questions: expected a list"),
        ("questions: [{ask: x}]\n", "a", "a question is 'ask' and one of"),
        ("questions: [x]\n", "a", "questions: expected keys with values"),
        ("questions: [{ask: x, compare: [a]}]\n", "a", "['a'] is not a system and its reference"),
        ("families: {\n", "a", "is not YAML"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(conf, type_in, groups, words, message):
    (conf / "groups.yaml").write_text(groups)
    done = type_in("utils/systems.py", conf, words, code=1)
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
