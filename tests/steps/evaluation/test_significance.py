"""Intervals, tests and families, against other code: scipy's own bootstrap, tests worked out by enumeration."""

import itertools
import math
import shutil

import numpy as np
import pytest
from scipy.stats import binom, bootstrap
from sklearn.metrics import f1_score

from steps.evaluation.comparison import beyond_speakers, compare, correct, difference, spread
from steps.evaluation.entry import roles
from steps.evaluation.results import make
from steps.evaluation.significance import Interval, resample, signed_ranks
from steps.evaluation.summary import summarise
from utils import runs
from utils.cli import UserError
from utils.scores import write_scores

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
                labels = {utterance: CLASSES[i % 3] for i, utterance in enumerate(names)}
                rows = {utterance: rng.dirichlet(np.ones(3)) for utterance in names}
                for i, utterance in enumerate(names):
                    if rng.random() < skill + 0.1 * session:
                        rows[utterance] = np.eye(3)[i % 3] * 0.8 + 0.2 / 3
                write_scores(place / file, CLASSES, rows, dict.fromkeys(names, whose), labels)
            (place / "config.yaml").write_text("{}\n")
    return summary(folder / name)


def summary(system, only_runs=(), only_seeds=()):
    return summarise(system, runs.finished(system), only_runs, only_seeds)


@pytest.fixture(scope="module")
def systems(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exp")
    return {name: train(folder, name, skill) for name, skill in (("good", 0.6), ("po", 0.2), ("p", 0.25))}


def pooled_wf1(system, speakers):
    """Mean over seeds of wF1 over these speakers' utterances, repeated ones counted again; from labels themselves."""
    figures = []
    for scores in system.pooled:
        picked = np.concatenate([np.flatnonzero(np.array(scores.speakers) == who) for who in speakers])
        figures.append(100 * f1_score(scores.labels[picked], scores.decisions[picked], average="weighted"))
    return np.mean(figures)


def test_the_interval_is_that_of_scipys_bootstrap_over_speakers(systems):
    system = systems["po"]
    interval = system.intervals.wf1
    assert interval.value == pytest.approx(pooled_wf1(system, system.speakers))

    def statistic(speakers):
        return pooled_wf1(system, np.array(system.speakers)[speakers.astype(int)])

    theirs = bootstrap(
        (np.arange(6),), statistic, n_resamples=600, vectorized=False, method="percentile", random_state=1
    ).confidence_interval
    assert interval.low == pytest.approx(theirs.low, abs=1.5) and interval.high == pytest.approx(theirs.high, abs=1.5)
    assert interval.low < interval.value < interval.high


def test_many_speakers_are_drawn_in_groups_with_the_same_certainty():
    rng, size = np.random.default_rng(0), 5000
    skill = np.clip(rng.normal(0.6, 0.2, size), 0, 1)
    right = rng.binomial(20, skill)
    counts = np.zeros((size, 1, 2, 2), dtype=int)
    counts[:, 0, 0, 0], counts[:, 0, 0, 1] = right, 20 - right
    of_all = [np.mean(right[rng.integers(0, size, size)]) / 0.2 for _ in range(4000)]
    assert np.std(resample(counts).wa) == pytest.approx(np.std(of_all), rel=0.07)
    assert np.mean(resample(counts).wa) == pytest.approx(np.mean(of_all), abs=0.02)


def test_a_difference_is_paired_by_speaker(systems):
    """Speakers differ far more than the two systems, and that cancels."""
    made = Interval(**compare(systems["p"], systems["po"])["difference"])
    alone = [systems[name].intervals.wf1 for name in ("p", "po")]
    assert made.value == pytest.approx(alone[0].value - alone[1].value)
    assert made.high - made.low < sum(interval.high - interval.low for interval in alone)
    same = compare(systems["p"], systems["p"])
    assert same["difference"] == {"value": 0, "low": 0, "high": 0} and (same["p"], same["p_mcnemar"]) == (1, 1)
    unpaired = difference(systems["p"], systems["po"], paired=False)
    assert unpaired.value == made.value and math.isnan(unpaired.low) and not unpaired.excludes_zero


def test_a_comparison_is_of_the_seeds_that_both_have(tmp_path):
    """A system of one seed stands against the same seed of a parent that has more, whichever its means are."""
    both, single = train(tmp_path, "both", 0.5), train(tmp_path, "one", 0.4, seeds=[1])
    same, made = summary(tmp_path / "both", only_seeds=[1]), compare(single, both)
    means = [side.intervals.wf1.value for side in (single, same, both)]
    assert made == compare(single, same) and made["by_seed"] == {"1": pytest.approx(means[0] - means[1])}
    assert made["difference"]["value"] != pytest.approx(means[0] - means[2], abs=0.1)
    each = compare(both, train(tmp_path, "three", 0.4, seeds=[0, 1, 2]))
    assert list(each["by_seed"]) == ["0", "1"]
    assert each["difference"]["value"] == pytest.approx(np.mean(list(each["by_seed"].values())))


def test_all_trainings_count_where_one_alone_starts_from_a_pre_trained_model(tmp_path):
    """Its seeds have several of these, of which the seed that both have is but one."""
    scratch, pre = (tmp_path / name for name in ("scratch", "pre"))
    train(tmp_path, "scratch", 0.4, seeds=[0]), train(tmp_path, "pre", 0.5, seeds=[0, 1, 2])
    for place in pre.iterdir():
        (place / "environment.yaml").write_text(f"pretrained: [model {place.name[-1]}]\n")
    mine, theirs = summary(pre), summary(scratch)
    made, means = compare(mine, theirs), mine.by_seed.wf1 - theirs.by_seed.wf1[0]
    assert made["by_seed"] == {str(seed): pytest.approx(value) for seed, value in enumerate(means)}
    assert made["difference"]["value"] == pytest.approx(means.mean()) and made["trained"] == [3, 1]
    assert made["starts"] == {seed: f"model {seed}" for seed in "012"} and made["models"] == [3, 0]
    turned = compare(theirs, mine)
    assert turned["difference"]["value"] == pytest.approx(-means.mean()) and turned["trained"] == [1, 3]
    assert list(turned["by_seed"]) == ["0", "1", "2"]


def test_without_a_seed_in_common_there_is_no_comparison(tmp_path):
    made = [train(tmp_path / "exp", name, 0.5, seeds=[i]) for i, name in enumerate(("parent", "child"))]
    with pytest.raises(UserError, match="child and parent have no seed in common"):
        compare(made[1], made[0])
    assert math.isnan(difference(*made).value)
    (tmp_path / "systems").mkdir()
    (tmp_path / "systems/child.yaml").write_text("parent: parent\n")
    (tmp_path / "systems/parent.yaml").write_text("")
    assert make(tmp_path / "exp", tmp_path)["comparisons"] == []


FROZEN = "training: {pretrained: true, epochs: 0}\nbackend: {kind: linear}\n"


@pytest.mark.parametrize(
    ("settings", "fixed"),
    [
        (FROZEN, True),
        ("training: {epochs: 0}\nbackend: {kind: svm, sees: functionals}\n", True),
        ("training: {epochs: 0}\nbackend: {kind: linear, sees: given}\n", True),
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
    frozen = summary(tmp_path / "frozen")
    assert frozen.deterministic == fixed and math.isnan(frozen.sd.wf1) == fixed
    assert list(compare(frozen, other)["by_seed"]) == (["0", "3"] if fixed else ["0"])
    assert list(compare(frozen, frozen)["by_seed"]) == (["0"] if fixed else ["0", "1"])


def test_what_a_difference_varies_with_by_simulation():
    """Many experiments of three pre-trainings × two fine-tunings, whose deviations are known."""
    rng, found = np.random.default_rng(0), []
    for _ in range(4000):
        of_models = rng.normal(0, 2, 3)
        values = {seed: of_models[seed // 2] + rng.normal(0, 1) for seed in range(6)}
        found.append(spread(values, {seed: str(seed // 2) for seed in values}, Interval(0, -3.92, 3.92)))
    assert all(one["speakers"] == pytest.approx(2) for one in found)
    squares = {what: np.mean([one[what] ** 2 for one in found]) for what in ("fine_tuning", "pretraining")}
    assert squares["fine_tuning"] == pytest.approx(1, abs=0.05)
    assert squares["pretraining"] == pytest.approx(4, abs=0.3)
    single = spread({0: 1.0, 1: 2.0}, {0: "a", 1: "b"}, Interval(1.5))
    assert single == {"speakers": None, "fine_tuning": None, "pretraining": None}
    assert math.isnan(beyond_speakers(Interval(1.5), single, 2, 2).low)
    wide = beyond_speakers(Interval(1.0, 0.8, 1.2), {"speakers": 0.1, "fine_tuning": 0.6, "pretraining": 0.9}, 6, 3)
    assert wide == pytest.approx((1.0, 1.0 - 1.96 * math.sqrt(0.34), 1.0 + 1.96 * math.sqrt(0.34)))


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
    made = compare(systems["good"], systems["po"])
    right = [side.pooled[0].decisions == side.labels for side in (systems["good"], systems["po"])]
    b, c = (right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum()
    assert (made["only_system"], made["only_reference"]) == (b, c)
    assert made["p_mcnemar"] == pytest.approx(min(1, 2 * binom.cdf(min(b, c), b + c, 0.5)))


def test_holm_by_hand():
    family = [{"p": p} for p in (0.04, 0.01, 0.03, 0.5)]
    correct(family)
    assert [row["p_corrected"] for row in family] == pytest.approx([0.09, 0.04, 0.09, 0.5])
    correct([])


def test_who_is_compared_with_whom_is_said_by_the_configuration(tmp_path):
    (tmp_path / "systems").mkdir()
    parents = {"resnet": None, "pre": "resnet", "ad": "pre", "mine": "ad", "also": "ad", "orphan": "unscored"}
    for i, (name, parent) in enumerate({**parents, "unscored": None}.items()):
        (tmp_path / f"systems/{name}.yaml").write_text(f"parent: {parent}\n" if parent else "{}\n")
        if name != "unscored":
            train(tmp_path / "exp", name, 0.1 + 0.1 * i, seeds=[0], per_speaker=12)
    families = "first: {title: First, systems: [resnet, pre, ad]}, ablation: {title: Ablations, systems: [mine]}"
    pairs = ("ad, pre", "mine, also", "mine, ad", "ad, mine", "ad, vgg")
    asked = "".join(f"- {{ask: '?', compare: [{pair}]}}\n" for pair in pairs)
    (tmp_path / "groups.yaml").write_text(f"families: {{{families}}}\nplanned: [ad, pre]\nquestions:\n{asked}")
    rows = make(tmp_path / "exp", tmp_path)["comparisons"]
    assert {(row["system"], row["reference"]): row["family"] for row in rows} == {
        ("ad", "pre"): "planned",
        ("pre", "resnet"): "first",
        ("mine", "ad"): "ablation",
        ("also", "ad"): "ablation",
        ("mine", "also"): "asked",
    }
    p = {row["system"]: (row["p"], row["p_corrected"]) for row in rows if row["family"] != "asked"}
    assert p["ad"][0] == p["ad"][1] and p["pre"][0] == p["pre"][1]  # alone in its family
    low, high = sorted((p["mine"], p["also"]))
    assert low[1] == min(1, 2 * low[0]) and high[1] == max(low[1], high[0])


def test_systems_scored_on_other_utterances_or_labels_are_not_compared(tmp_path):
    made = train(tmp_path, "made", 0.1, seeds=[0], per_speaker=12)
    with pytest.raises(UserError, match="not scored on the same utterances: only made has 'S0F-0', the first of 24"):
        compare(made, summary(tmp_path / "made", ["S1F", "S1M", "S2F", "S2M"]))
    for change, message in (
        (("S1F ang ", "S1F neu "), "'S1F-0' is 'ang' of speaker 'S1F' in made, and 'neu' of speaker 'S1F' in other"),
        ((" S1F ", " S2F "), "'S1F-0' is 'ang' of speaker 'S1F' in made, and 'ang' of speaker 'S2F' in other"),
    ):
        shutil.copytree(tmp_path / "made", tmp_path / "other", dirs_exist_ok=True)
        for path in tmp_path.glob("other/S1F_seed0/scores*"):
            if path.name != "scores.valid":
                path.write_text(path.read_text().replace(*change))
        with pytest.raises(UserError, match=message):
            compare(made, summary(tmp_path / "other"))


def test_the_range_over_roles_by_enumeration(systems):
    system = systems["po"]
    made = roles(system)
    figures = [
        pooled_wf1(system, [f"S{i}{who}" for i, who in enumerate(choice)])
        for choice in itertools.product("FM", repeat=3)
    ]
    assert made["choices"] == 8 and made["wf1"] == pytest.approx([min(figures), max(figures)])


def test_scores_of_a_speaker_that_selected_the_epoch_are_refused(tmp_path):
    train(tmp_path, "one", 0.5, seeds=[0])
    place = tmp_path / "one/S1F_seed0"
    (place / "scores.valid").write_text((place / "scores").read_text())
    with pytest.raises(UserError, match="S1F_seed0: 'S1F' is tested, and selected the epoch"):
        summary(tmp_path / "one")


def test_scores_that_lost_a_line_are_refused(tmp_path):
    train(tmp_path, "one", 0.5, seeds=[0])
    place = tmp_path / "one/S1F_seed0"
    text = (place / "scores").read_text()
    (place / "scores.last").write_text(text)
    summary(tmp_path / "one")
    (place / "scores").write_text("".join(text.splitlines(keepends=True)[:-1]))
    with pytest.raises(UserError, match="S1F_seed0: scores and scores.last differ in their classes, utterances"):
        summary(tmp_path / "one")


def test_runs_that_come_in_no_pairs_have_no_such_range(tmp_path):
    train(tmp_path, "one", 0.5, seeds=[0])
    assert roles(summary(tmp_path / "one", ["S0F", "S0M", "S1F"])) is None
