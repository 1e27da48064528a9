"""Probes on embeddings whose content is known."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from steps.evaluation.differences import add_probes
from steps.evaluation.probes import (
    Labelled,
    Probe,
    between_pairs,
    means,
    parse_probes,
    probe,
    probe_run,
    purity,
    purity_by_chance,
    silhouette,
    write_probes,
)
from steps.evaluation.significance import over_runs
from steps.evaluation.summary import unit
from utils.cli import UserError
from utils.runs import Texts


def embeddings(speaker=0.0, emotion=0.0, session=0.0, speakers=6, sessions=4, per_session=12, seed=0):
    """Speakers (s0 …, men and women in turn) × sessions × utterances in 16 dimensions, in which each of the three has
    so much weight."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(speakers), sessions * per_session)
    when = np.tile(np.repeat(np.arange(sessions), per_session), speakers) + sessions * who
    what = rng.integers(0, 4, len(who))
    means = [rng.normal(size=(n, 16)) for n in (speakers, 4, speakers * sessions)]
    vectors = rng.normal(size=(len(who), 16)) + speaker * means[0][who] + emotion * means[1][what]
    vectors += session * means[2][when]
    names = [np.array([f"{letter}{i}" for i in index]) for letter, index in (("s", who), ("e", what), ("d", when))]
    return Labelled(vectors, *names, np.array([f"u{i}" for i in range(len(who))]))


GENDERS = {f"s{i}": "mf"[i % 2] for i in range(6)}
PARTS = {"train": ["s0", "s1"], "valid": ["s2", "s3"], "test": ["s4", "s5"]}


def values(data):
    rows = probe_run({"embedding": data}, PARTS, GENDERS)
    return {(row.attribute, row.whose): row.value for row in rows if row.kind == "probe"}


def test_what_is_there_is_found_and_nothing_else():
    blank, told = values(embeddings()), values(embeddings(emotion=1.5))
    assert blank["speaker", "train"] == pytest.approx(0.5, abs=0.17)
    assert blank["speaker", "unseen"] == pytest.approx(0.5, abs=0.12)
    assert told["emotion", "train"] > 0.8 and told["emotion", "unseen"] > 0.8 and told["speaker", "unseen"] < 0.65
    speaking = values(embeddings(speaker=1.0))
    assert speaking["speaker", "train"] > 0.9 and speaking["speaker", "unseen"] > 0.9
    assert speaking["emotion", "unseen"] == pytest.approx(0.25, abs=0.12)


def test_a_room_does_not_pass_for_a_speaker():
    """Sessions are told apart perfectly; held out by session, that says nothing of whose they are."""
    data = embeddings(session=3.0, sessions=2, per_session=24)
    assert probe(data.vectors, data.speakers, data.utterances) > 0.95
    assert probe(data.vectors, data.speakers, data.sessions) < 0.4


def test_where_speakers_have_one_session_utterances_are_held_out_and_it_is_said():
    several, single = embeddings(speaker=1.0), embeddings(speaker=1.0, sessions=1, per_session=40)
    for data, how in ((several, "session"), (single, "utterance")):
        found = {
            (row.attribute, row.whose): row
            for row in probe_run({"embedding": data}, PARTS, GENDERS)
            if row.kind == "probe"
        }
        assert found["speaker", "train"].how == how and found["speaker", "unseen"].how == f"{how}, same gender"
        assert found["emotion", "train"].how == "session" and found["speaker", "unseen"].count == 2  # s2 s4, s3 s5


def test_gender_is_no_help_within_a_gender_and_named_where_it_is():
    data = embeddings(speakers=4)
    women = np.isin(data.speakers, ["s1", "s3"])
    data.vectors[women] += 4
    assert between_pairs(data, GENDERS)[0] < 0.65
    value, chance, count, how = between_pairs(data.where(np.isin(data.speakers, ["s0", "s1"])), GENDERS)
    assert value > 0.95 and (chance, count) == (0.5, 1) and how == "session, across genders"
    assert between_pairs(data, {})[3] == "session, across genders"  # nobody's gender is known


def test_probes_that_cannot_be():
    data = embeddings(sessions=1)
    assert np.isnan(probe(data.vectors, np.array(["a"] * len(data.speakers)), data.utterances))
    assert np.isnan(probe(data.vectors, data.speakers, data.sessions))


@pytest.mark.parametrize("size", range(2, 9))
def test_tiny_corpora_have_no_figures_rather_than_an_error(size, recwarn):
    data = embeddings(sessions=2, per_session=1 + size // 3)
    data = data.where(np.arange(len(data.speakers)) % (9 - size) == 0)
    found = probe_run({"embedding": data}, PARTS, GENDERS)
    assert all(np.isnan(one.value) or -1 <= one.value <= 1 for one in found) and not recwarn.list


def test_silhouette_and_purity_by_plain_code():
    data = embeddings(emotion=0.8, sessions=2, per_session=6)
    units = data.vectors / np.linalg.norm(data.vectors, axis=1, keepdims=True)
    assert silhouette(5 * data.vectors, data.emotions) == pytest.approx(silhouette_samples(units, data.emotions).mean())
    likeness = units @ units.T
    np.fill_diagonal(likeness, -2)
    near = np.argsort(-likeness, axis=1)[:, :10]
    assert purity(data.vectors, data.emotions) == pytest.approx((data.emotions[near] == data.emotions[:, None]).mean())
    pairs = data.emotions[:, None] == data.emotions[None]
    chance = (pairs.sum() - len(pairs)) / (len(pairs) * (len(pairs) - 1))
    assert purity_by_chance(data.emotions) == pytest.approx(chance)


def files(tmp_path, **rows):
    """(run, seed) → files, with these rows as probes."""
    made = {}
    for name, probes in rows.items():
        run, _, seed = name.rpartition("_")
        place = tmp_path / f"{run}_seed{seed}"
        write_probes(place / "probes", probes)
        made[run, int(seed)] = Texts(place)
    return made


def test_files_are_read_as_written_and_averaged_over_seeds_then_runs(tmp_path):
    rows = {
        name: probe_run({"embedding": embeddings(speaker=0.1 * i, seed=i)}, PARTS, GENDERS)
        for i, name in enumerate(("r1_0", "r1_1", "r2_0"))
    }
    texts = files(tmp_path, **rows)
    again = parse_probes(texts["r1", 0].read("probes"), tmp_path)
    assert [vars(row) for row in again] == [
        {**vars(row), "value": pytest.approx(row.value, abs=1e-4), "chance": pytest.approx(row.chance, abs=1e-4)}
        for row in rows["r1_0"]
    ]
    mean = means(texts, {key: key[0] for key in texts})["embedding"]["speaker"]["train"]["probe"]
    value = {name: of_run[0].value for name, of_run in rows.items()}
    expected = {"r1": (value["r1_0"] + value["r1_1"]) / 2, "r2": value["r2_0"]}
    assert mean["by_run"] == pytest.approx(expected, abs=1e-4) and mean["how"] == "session"
    assert mean["value"] == pytest.approx(np.mean(list(expected.values())), abs=1e-4)
    assert means({("r1", 0): Texts(tmp_path)}, {("r1", 0): "r1"}) == {}
    for text in ("value\n1\n", "", texts["r1", 0].read("probes").replace("session", "session\tx")):
        with pytest.raises(UserError, match="is not a file of probes"):
            parse_probes(text, tmp_path / "probes")


def test_the_interval_over_runs_by_hand():
    made = over_runs({"a": 1.0, "b": 2.0, "c": 3.0})
    assert (made.low, made.value, made.high) == pytest.approx((2 - 4.3027 / 3**0.5, 2, 2 + 4.3027 / 3**0.5), abs=1e-3)
    assert over_runs({"a": 1.0, "b": 2.0}, {"a": 0.5, "b": 1.5, "c": 9.0}).value == pytest.approx(0.5)


def test_runs_that_leave_out_the_same_speakers_count_once(tmp_path):
    roles = {"F": ({"s1"}, {"s2"}), "M": ({"s2"}, {"s1"}), "G": ({"s3"}, {"s4"}), "H": ({"s5"}, set())}
    values = {"F": 0.5, "M": 0.7, "G": 0.9, "H": 0.1}
    texts = files(
        tmp_path,
        **{f"{run}_0": [Probe("embedding", "emotion", "unseen", "probe", value, 0.25, 9, "session")]
           for run, value in values.items()},
    )  # fmt: skip
    mean = means(texts, {key: unit(key[0], *roles[key[0]]) for key in texts})["embedding"]["emotion"]["unseen"]["probe"]
    assert mean["by_run"] == pytest.approx({"s1 s2": 0.6, "s3 s4": 0.9, "H": 0.1})
    assert mean["value"] == pytest.approx(1.6 / 3)


def test_differences_are_of_the_runs_that_both_have_and_of_what_was_measured(tmp_path):
    def row(space, value, attribute="speaker", kind="probe"):
        return Probe(space, attribute, "train", kind, value, 0.5, 20, "session")

    both = {f"r{i}_0": [row("embedding", 0.7), row("embedding_minus", 0.8 + 0.01 * i)] for i in range(3)}
    texts = {
        "ad": files(tmp_path / "ad", **both, r3_0=[row("embedding", float("nan")), row("embedding_minus", 0.1)]),
        "plain": files(tmp_path / "plain", r0_0=[row("embedding", 0.9), row("embedding", 0.3, kind="purity")]),
        "nothing": {("r0", 0): Texts(tmp_path)},
    }
    units = {name: {key: key[0] for key in own} for name, own in texts.items()}
    asked = [{"ask": "?", "speaker_probe": pair} for pair in (["ad", "plain"], ["ad", "nothing"], ["ad", "unheard of"])]
    results = {"groups": {"questions": [*asked, {"ask": "?", "spaces": "ad"}]}}
    add_probes(results, texts, units)
    assert (
        results["probes"].keys() == {"ad", "plain"}
        and "purity" in results["probes"]["plain"]["embedding"]["speaker"]["train"]
    )
    first, second = results["probe_differences"]
    assert (first["system"], first["space"], first["against"], first["against_space"]) == (
        "ad", "embedding_minus", "ad", "embedding",
    )  # fmt: skip
    assert (first["attribute"], first["of"]) == ("speaker", "train")
    assert first["difference"] == pytest.approx(
        {"value": 0.11, "low": 0.11 - 4.3027 * 0.01 / 3**0.5, "high": 0.11 + 4.3027 * 0.01 / 3**0.5}, abs=1e-4
    )
    assert second["against"] == "plain" and second["difference"]["value"] == pytest.approx(-0.2)
    assert np.isnan(second["difference"]["low"])  # one run
    assert first["by_seed"] == {"0": pytest.approx(0.11)}


def test_a_probed_difference_is_of_the_seeds_that_both_have_and_told_seed_by_seed(tmp_path):
    def row(value):
        return [Probe("embedding", "speaker", "train", "probe", value, 0.5, 20, "session")]

    mine = {"r0_0": row(0.7), "r1_0": row(0.8), "r0_1": row(0.4), "r1_1": row(0.4), "r0_2": row(0.1), "r1_2": row(0.1)}
    theirs = {"r0_0": row(0.5), "r1_0": row(0.5), "r0_1": row(0.5), "r1_1": row(0.5)}  # seed 2 was not probed
    texts = {"ad": files(tmp_path / "ad", **mine), "plain": files(tmp_path / "plain", **theirs)}
    results = {"groups": {"questions": [{"ask": "?", "speaker_probe": ["ad", "plain"]}]}}
    add_probes(results, texts, {name: {key: key[0] for key in own} for name, own in texts.items()})
    [found] = results["probe_differences"]
    assert found["by_seed"] == {"0": pytest.approx(0.25), "1": pytest.approx(-0.1)}
    assert found["difference"]["value"] == pytest.approx(0.075)
