"""Probes on embeddings whose content is known."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from steps.evaluation import tables
from steps.evaluation.findings import speakers_in
from steps.evaluation.probe_files import Mean, means, over_runs, read_figures, write_figures
from steps.evaluation.probes import (
    Figure,
    Labelled,
    all_figures,
    between_pairs,
    probe,
    purity,
    purity_by_chance,
    silhouette,
)
from steps.evaluation.scores import write_scores
from steps.evaluation.summary import summarise
from utils.cli import UserError


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
    found = all_figures({"embedding": data}, PARTS, GENDERS)
    return {(one.attribute, one.of): one.value for one in found if one.measure == "probe"}


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
            (one.attribute, one.of): one
            for one in all_figures({"embedding": data}, PARTS, GENDERS)
            if one.measure == "probe"
        }
        assert found["speaker", "train"].how == how and found["speaker", "unseen"].how == f"{how}, same gender"
        assert found["emotion", "train"].how == "session" and found["speaker", "unseen"].count == 2  # s2 s4, s3 s5


def test_gender_is_no_help_within_a_gender_and_named_where_it_is():
    data = embeddings(speakers=4)
    women = np.isin(data.speakers, ["s1", "s3"])
    data.vectors[women] += 4
    assert between_pairs(data, GENDERS)[0] < 0.65
    value, count, how = between_pairs(data.where(np.isin(data.speakers, ["s0", "s1"])), GENDERS)
    assert value > 0.95 and count == 1 and how == "session, across genders"
    assert between_pairs(data, {})[2] == "session, across genders"  # nobody's gender is known


def test_probes_that_cannot_be():
    data = embeddings(sessions=1)
    assert np.isnan(probe(data.vectors, np.array(["a"] * len(data.speakers)), data.utterances))
    assert np.isnan(probe(data.vectors, data.speakers, data.sessions))


@pytest.mark.parametrize("size", range(2, 9))
def test_tiny_corpora_have_no_figures_rather_than_an_error(size, recwarn):
    data = embeddings(sessions=2, per_session=1 + size // 3)
    data = data.where(np.arange(len(data.speakers)) % (9 - size) == 0)
    found = all_figures({"embedding": data}, PARTS, GENDERS)
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


def test_files_are_read_as_written_and_averaged_over_seeds_then_runs(tmp_path):
    places = {(run, seed): tmp_path / f"{run}_seed{seed}" for run, seed in (("r1", 0), ("r1", 1), ("r2", 0))}
    figures = {
        key: all_figures({"embedding": embeddings(speaker=0.1 * i, seed=i)}, PARTS, GENDERS)
        for i, key in enumerate(places)
    }
    for key, place in places.items():
        write_figures(place / "probes", figures[key])
    again = read_figures(tmp_path / "r1_seed0/probes")
    assert [vars(one) for one in again] == [
        {**vars(one), "value": pytest.approx(one.value, abs=1e-4), "chance": pytest.approx(one.chance, abs=1e-4)}
        for one in figures["r1", 0]
    ]
    mean = means(places)["embedding", "speaker", "train", "probe"]
    of = {key: found[0].value for key, found in figures.items()}
    assert mean.by_run == pytest.approx({"r1": (of["r1", 0] + of["r1", 1]) / 2, "r2": of["r2", 0]}, abs=1e-4)
    assert means({("r1", 0): tmp_path}) == {}
    (tmp_path / "probes").write_text("value\n1\n")
    with pytest.raises(UserError, match="is not a file of probes"):
        read_figures(tmp_path / "probes")


def test_the_interval_over_runs_by_hand():
    found = over_runs({"a": 1.0, "b": 2.0, "c": 3.0})
    assert (found.low, found.value, found.high) == pytest.approx(
        (2 - 4.3027 / 3**0.5, 2, 2 + 4.3027 / 3**0.5), abs=1e-3
    )
    assert over_runs({"a": 1.0, "b": 2.0}, {"a": 0.5, "b": 1.5, "c": 9.0}).value == pytest.approx(0.5)


def test_runs_that_leave_out_the_same_speakers_count_once(tmp_path):
    places = {}
    for run, tested, validated, value in (("F", "s1", "s2", 0.5), ("M", "s2", "s1", 0.7), ("G", "s3", "s4", 0.9)):
        place = places[run, 0] = tmp_path / f"{run}_seed0"
        for name, who in (("scores", tested), ("scores.valid", validated)):
            write_scores(place / name, ["a", "b"], {f"{who}-0": np.array([1, 0])}, {f"{who}-0": who}, {f"{who}-0": "a"})
        write_figures(place / "probes", [Figure("embedding", "emotion", "unseen", "probe", value, 0.25, 9, "session")])
    mean = means(places)["embedding", "emotion", "unseen", "probe"]
    assert mean.by_run == pytest.approx({"s1 s2": 0.6, "s3 s4": 0.9}) and mean.value == pytest.approx(0.75)


def test_what_two_spaces_tell_of_speakers_is_said_of_both_kinds_with_intervals():
    """Near the ceiling of one measure, the other shows the difference; what has none is not called equal."""

    def mean(values, how):
        return Mean({f"r{i}": value for i, value in enumerate(values)}, 0.5, how)

    train, unseen = ("speaker", "train", "probe"), ("speaker", "unseen", "probe")
    found = {
        ("minus", *train): mean([0.80, 0.82, 0.81], "utterance"),
        ("plus", *train): mean([0.70, 0.71, 0.72], "utterance"),
        ("minus", *unseen): mean([0.95, 0.94, 0.96], "utterance, same gender"),
        ("plus", *unseen): mean([0.95, 0.95, 0.95], "utterance, same gender"),
    }
    said = speakers_in(found, "minus", found, "plus")
    assert "training speakers: more, +10.0 points (7.5 to 12.5), 81.0 against 71.0;" in said
    assert "pairs of unseen speakers (same gender): no difference is shown, +0.0 points" in said
    assert said.endswith("95.0 against 95.0, near the probe's ceiling")
    assert speakers_in(found, "minus", {}, "plus") == ""


@pytest.mark.parametrize(("kind", "name"), [("autoencoders", "z_speaker"), ("network", "pool(F⁻)")])
def test_the_space_put_aside_is_called_what_it_is(tmp_path, kind, name):
    """Auto-encoders put their speaker space aside, with AD behind them or not."""
    place = tmp_path / "sys/r1_seed0"
    for file, who in (("scores", "a"), ("scores.last", "a"), ("scores.valid", "b")):
        write_scores(place / file, ["x", "y"], {"u": np.array([1.0, 0.0])}, {"u": who}, {"u": "x"})
    (place / "config.yaml").write_text(f"network: {{AD: true}}\nbackend: {{kind: {kind}}}\n")
    write_figures(place / "probes", [Figure("embedding_minus", "speaker", "train", "probe", 0.9, 0.5, 20, "session")])
    one = summarise(tmp_path / "sys")
    table = tables.probes({"sys": means(one.places)}, {"sys": one.spaces})
    assert {row[0] for row in table.rows} == {f"sys, {name}"}
