"""Intervals, tests and families, against other code: scipy's own bootstrap, tests worked out by enumeration."""

import itertools
import math
import shutil

import numpy as np
import pytest
from scipy.stats import binom, bootstrap
from sklearn.metrics import f1_score

from steps.evaluation.families import comparisons
from steps.evaluation.findings import of_planned, verdict
from steps.evaluation.roles import over_roles
from steps.evaluation.scores import write_scores
from steps.evaluation.significance import Comparison, Interval, compare, correct, gain, interval, signed_ranks
from steps.evaluation.summary import summarise
from utils.cli import UserError

CLASSES = ["ang", "hap", "neu"]


def train(folder, name, skill, seeds=(0, 1), pairs=3, per_speaker=40):
    """A system with two runs of one speaker each in `pairs` sessions, each validated on the other; speakers differ."""
    for seed in seeds:
        for session, who in itertools.product(range(pairs), "FM"):
            rng = np.random.default_rng([seed, session, ord(who), len(name)])
            speaker, other = f"S{session}{who}", f"S{session}{'M' if who == 'F' else 'F'}"
            place = folder / name / f"{speaker}_seed{seed}"
            for file, whose in (("scores", speaker), ("scores.last", speaker), ("scores.valid", other)):
                names = [f"{whose}-{i}" for i in range(per_speaker)]
                labels = {one: CLASSES[i % 3] for i, one in enumerate(names)}
                rows = {one: rng.dirichlet(np.ones(3)) for one in names}
                for i, one in enumerate(names):
                    if rng.random() < skill + 0.1 * session:
                        rows[one] = np.eye(3)[i % 3] * 0.8 + 0.2 / 3
                write_scores(place / file, CLASSES, rows, dict.fromkeys(names, whose), labels)
            (place / "config.yaml").write_text("{}\n")
    return summarise(folder / name)


@pytest.fixture(scope="module")
def systems(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exp")
    return {name: train(folder, name, skill) for name, skill in (("good", 0.6), ("po", 0.2), ("p", 0.25))}


def pooled_wf1(summary, speakers):
    """Mean over seeds of wF1 over these speakers' utterances, repeated ones counted again; from labels themselves."""
    figures = []
    for scores in summary.together:
        picked = np.concatenate([np.flatnonzero(np.array(scores.speakers) == who) for who in speakers])
        figures.append(100 * f1_score(scores.labels[picked], scores.decisions[picked], average="weighted"))
    return np.mean(figures)


def test_the_interval_is_that_of_scipys_bootstrap_over_speakers(systems):
    one = systems["po"]
    found = interval(one)
    assert found.value == pytest.approx(one.pooled.wf1) == pytest.approx(pooled_wf1(one, one.speakers))

    def statistic(speakers):
        return pooled_wf1(one, np.array(one.speakers)[speakers.astype(int)])

    theirs = bootstrap(
        (np.arange(6),), statistic, n_resamples=600, vectorized=False, method="percentile", random_state=1
    ).confidence_interval
    assert found.low == pytest.approx(theirs.low, abs=1.5) and found.high == pytest.approx(theirs.high, abs=1.5)
    assert found.low < found.value < found.high and interval(one) == found  # the same each time


def test_a_difference_is_paired_by_speaker(systems):
    """Speakers differ far more than the two systems, and that cancels."""
    found = compare(systems["p"], systems["po"], "x").difference
    assert found.value == pytest.approx(systems["p"].pooled.wf1 - systems["po"].pooled.wf1)
    alone = [interval(systems[name]) for name in ("p", "po")]
    assert found.high - found.low < sum(one.high - one.low for one in alone)
    same = compare(systems["p"], systems["p"], "x")
    assert (same.difference.low, same.difference.high, same.p, same.p_mcnemar) == (0, 0, 1, 1)


def test_a_comparison_is_of_the_seeds_that_both_have(tmp_path):
    """A system of one seed stands against the same seed of a parent that has more, whichever its means are."""
    both, one = train(tmp_path, "both", 0.5), train(tmp_path, "one", 0.4, seeds=[1])
    same, found = summarise(tmp_path / "both", seeds=[1]), compare(one, both, "x")
    assert found == compare(one, same, "x") and found.difference.value == pytest.approx(gain(one, both))
    assert found.by_seed == {1: pytest.approx(one.pooled.wf1 - same.pooled.wf1)}
    assert found.difference.value != pytest.approx(one.pooled.wf1 - both.pooled.wf1, abs=0.1)
    each = compare(both, train(tmp_path, "three", 0.4, seeds=[0, 1, 2]), "x")
    assert list(each.by_seed) == [0, 1] and each.difference.value == pytest.approx(np.mean(list(each.by_seed.values())))
    assert "+1.00 with seed 0, +3.00 with seed 4." in of_planned(
        Comparison("planned", "a", "b", Interval(2, 1, 3), {0: 1.0, 4: 3.0}, 0.1, 0.1, 0, 0, 1.0)
    )


def test_without_a_seed_in_common_there_is_no_comparison(tmp_path):
    made = [train(tmp_path / "exp", name, 0.5, seeds=[i]) for i, name in enumerate(("parent", "child"))]
    with pytest.raises(UserError, match="child and parent have no seed in common"):
        compare(made[1], made[0], "x")
    (tmp_path / "systems").mkdir()
    (tmp_path / "systems/child.yaml").write_text("parent: parent\n")
    assert comparisons(made, tmp_path) == [] and math.isnan(gain(*made))


FROZEN = "training: {pretrained: true, epochs: 0}\nbackend: {kind: linear}\n"


@pytest.mark.parametrize(
    ("settings", "fixed"),
    [
        (FROZEN, True),
        ("training: {epochs: 0}\nbackend: {kind: svm, sees: functionals}\n", True),
        (FROZEN.replace("linear", "autoencoders"), False),
        (FROZEN.replace("true", "false"), False),  # a random network has a seed
        (FROZEN.replace("epochs: 0", "epochs: 5"), False),
        (FROZEN + "network: {AD: true}\n", False),
    ],
)
def test_what_depends_on_no_seed_has_no_spread_and_goes_with_each_seed(tmp_path, settings, fixed):
    other = train(tmp_path, "other", 0.4, seeds=[0, 3])
    train(tmp_path, "frozen", 0.5, seeds=[0])
    for place in list((tmp_path / "frozen").iterdir()):
        (place / "config.yaml").write_text(settings)
        shutil.copytree(place, place.with_name(place.name.replace("seed0", "seed1")))
    one = summarise(tmp_path / "frozen")
    assert one.deterministic == fixed and math.isnan(one.pooled_sd.wf1) == fixed
    assert list(compare(one, other, "x").by_seed) == ([0, 3] if fixed else [0])
    assert list(compare(one, one, "x").by_seed) == ([0] if fixed else [0, 1])


def test_signed_ranks_by_enumeration():
    one, other = np.array([5.0, 7.0, 9.0, 4.0, 8.0, 6.5]), np.array([4.0, 5.0, 6.0, 5.5, 4.0, 1.5])
    ranks = np.abs(one - other).argsort().argsort() + 1
    seen = ranks[one > other].sum()
    sums = [sum(r for r, sign in zip(ranks, signs) if sign) for signs in itertools.product([0, 1], repeat=6)]
    tail = np.mean([abs(value - 10.5) >= abs(seen - 10.5) for value in sums])
    assert signed_ranks(one, other) == pytest.approx(tail)
    ten = np.arange(1.0, 11)
    assert signed_ranks(ten, 0 * ten) == pytest.approx(2 / 1024)  # with ten speakers it goes no lower


def test_mcnemar_is_the_binomial_test_of_the_utterances_that_one_alone_got_right(systems):
    found = compare(systems["good"], systems["po"], "x")
    right = [np.array(one.together[0].decisions) == one.labels for one in (systems["good"], systems["po"])]
    assert found.only_system == (right[0] & ~right[1]).sum() and found.only_reference == (right[1] & ~right[0]).sum()
    b, c = found.only_system, found.only_reference
    assert found.p_mcnemar == pytest.approx(min(1, 2 * binom.cdf(min(b, c), b + c, 0.5)))


def comparison(p, low=1.0, high=3.0):
    return Comparison("ablation", "a", "b", Interval((low + high) / 2, low, high), {0: 2.0}, p, p, 0, 0, 1.0)


def test_holm_by_hand():
    family = [comparison(p) for p in (0.04, 0.01, 0.03, 0.5)]
    correct(family)
    assert [one.p_corrected for one in family] == pytest.approx([0.09, 0.04, 0.09, 0.5])
    correct([])


@pytest.mark.parametrize(
    ("p", "low", "high", "said"),
    [
        (0.01, 1, 3, "better"),
        (0.01, -3, -1, "worse"),
        (0.2, 1, 3, "better, though not beyond doubt"),
        (0.01, -1, 3, "no difference is shown"),
        (0.01, math.nan, math.nan, "no difference is shown"),
    ],
)
def test_a_difference_within_its_interval_is_none(p, low, high, said):
    assert verdict(comparison(p, low, high)) == said


def test_who_is_compared_with_whom_is_said_by_the_configuration(tmp_path):
    (tmp_path / "systems").mkdir()
    parents = {
        "resnet18_pretrain": "resnet18",
        "resnet18_pretrain_ad": "resnet18_pretrain",
        "mine": "resnet18_pretrain_ad",
        "orphan": "gone",
    }
    for name, parent in parents.items():
        (tmp_path / f"systems/{name}.yaml").write_text(f"parent: {parent}\n")
    made = [
        train(tmp_path / "exp", name, 0.1 + 0.1 * i, seeds=[0], per_speaker=12)
        for i, name in enumerate(["resnet18", *parents])
    ]
    found = {(one.system, one.reference): one for one in comparisons(made, tmp_path)}
    assert {pair: one.family for pair, one in found.items()} == {
        ("resnet18_pretrain_ad", "resnet18_pretrain"): "planned",
        ("resnet18_pretrain", "resnet18"): "table2",
        ("mine", "resnet18_pretrain_ad"): "ablation",
    }
    with pytest.raises(UserError, match="not scored on the same utterances"):
        compare(made[0], train(tmp_path / "exp", "small", 0.5, pairs=2), "x")


def test_the_range_over_roles_by_enumeration(systems):
    one = systems["po"]
    found = over_roles(one)
    figures = [
        pooled_wf1(one, [f"S{i}{who}" for i, who in enumerate(choice)]) for choice in itertools.product("FM", repeat=3)
    ]
    assert found.choices == 8
    assert (found.lowest.wf1, found.highest.wf1) == pytest.approx((min(figures), max(figures)))


def test_scores_of_a_speaker_that_selected_the_epoch_are_refused(tmp_path):
    train(tmp_path, "one", 0.5, seeds=[0])
    place = tmp_path / "one/S1F_seed0"
    (place / "scores.valid").write_text((place / "scores").read_text())
    with pytest.raises(UserError, match="S1F_seed0: 'S1F' is tested and selected the epoch, too"):
        summarise(tmp_path / "one")


def test_runs_that_come_in_no_pairs_have_no_such_range(tmp_path):
    train(tmp_path, "one", 0.5, seeds=[0])
    assert over_roles(summarise(tmp_path / "one", runs=["S0F", "S0M", "S1F"])) is None
