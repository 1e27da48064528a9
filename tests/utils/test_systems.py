"""Names and groups of systems."""

import pytest


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "systems").mkdir()
    for name in ("a", "b", "c", "mine"):
        (tmp_path / f"systems/{name}.yaml").write_text("network: {}\n")
    (tmp_path / "groups.yaml").write_text("first: [b, a]\nsecond: [c, a]\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("c a", "c a"),
        ("first", "b a"),
        ("second first", "c a b"),
        ("c first c", "c b a"),
        ("all", "b a c mine"),
        ("", ""),
    ],
)
def test_names_and_groups_stand_for_systems(conf, type_in, words, names):
    assert type_in("utils/systems.py", conf, words).stdout == f"{names}\n"


def test_without_groups_there_are_systems_still(conf, type_in):
    (conf / "groups.yaml").unlink()
    assert type_in("utils/systems.py", conf, "all").stdout == "a b c mine\n"


@pytest.mark.parametrize(
    ("groups", "words", "message"),
    [
        ("first: [a]\n", "frist", "there is no system 'frist' in"),
        ("first: [a]\n", "frist", "did you mean 'first'?"),
        ("first: [nowhere]\n", "first", "there is no system 'nowhere'"),
        ("first: a\n", "first", "groups.yaml: 'first' is not a list of systems"),
    ],
)
def test_what_is_neither_is_named(conf, type_in, groups, words, message):
    (conf / "groups.yaml").write_text(groups)
    done = type_in("utils/systems.py", conf, words, code=1)
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
