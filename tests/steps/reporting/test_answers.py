"""In which words results are reported."""

import pytest

from steps.reporting import answers, comparisons, over_corpora, tables
from steps.reporting.comparisons import certainty
from steps.reporting.recommended import at_once, recommended
from steps.reporting.words import bounds, compact, names, number, signed


def interval(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


def system(wf1, parent=None, **more):
    row = {"parent": parent, "family": "table2", "differs": {}, "description": "A net. It is deep.", "seeds": [0, 1]}
    row |= {"deterministic": False, "cost": None, "not_above_majority": False, "not_above_chance": False}
    row |= {"last_epoch": None, "over_folds": {"value": wf1, "sd": 0.0}, "roles": None, "settings": {}}
    values = interval(wf1, wf1 - 5, wf1 + 5) | {"sd": 1.0}
    return row | {"wf1": values, "ua": values, "wa": values} | more


@pytest.fixture
def results():
    """Two systems, one the other's parent, with a probe of each and a mistake of one."""
    probe = {"probe": {"value": 0.95, "chance": 0.5, "how": "utterance, same gender"}}
    return {
        "corpus": "toy",
        "test": {
            "utterances": 20, "speakers": ["s1", "s2"], "runs": ["r1"], "classes": {"ang": 10, "hap": 10},
            "untested": [], "validation_speakers": 1,
        },
        "majority": {"wf1": 33.3, "ua": 50.0, "wa": 50.0},
        "published": {},
        "few_speakers": False,
        "systems": {"poor": system(50.0), "good": system(60.0, "poor")},
        "comparisons": [comparison(10.0, 5.0, 15.0, 0.01)],
        "probes": {name: {"embedding": {"speaker": {"train": probe, "unseen": probe}}} for name in ("poor", "good")},
        "probe_differences": [
            {"system": "good", "space": "embedding", "against": "poor", "against_space": "embedding"}
            | {"attribute": "speaker", "of": speakers, "difference": interval(*difference)}
            for speakers, difference in (("train", (-0.2, -0.3, -0.1)), ("unseen", (0.01, -0.1, 0.1)))
        ],
        "leaks": [],
        "selection": {"networks": 2, "last_better": 1, "mean_gain": 0.5},
        "best": {"system": "good", "not_told_from": {}, "of": 2},
        "unfinished": [],
        "groups": {"main": ["poor", "good"], "titles": {}, "questions": []},
    }  # fmt: skip


def comparison(value, low, high, p, by_seed=None):
    return {"system": "good", "reference": "poor", "family": "table2", "difference": interval(value, low, high),
            "by_seed": by_seed or {"0": value, "1": value}, "trained": [len(by_seed or "01")] * 2,
            "by_speaker": value, "p": p, "p_corrected": p}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "kind", "words"),
    [
        (comparison(10, 5, 15, 0.01), "difference", "Yes: good differs from poor by +10.0 points (95 %"),
        (comparison(10, 5, 15, 0.06), "hint", "A hint that it does: good"),
        (comparison(-10, -15, -5, 0.06), "hint", "A hint of the opposite: good"),
        (comparison(-10, -15, -5, 0.01), "difference", "No, the opposite: good"),
        (comparison(-10, -15, -5, 0.01, {"0": -10}), "one training", "Not here: lower, by a single training: good"),
        (comparison(10, 5, 15, 0.01, {"0": 10}), "one training", "Yes here, by a single training: good"),
        (comparison(10, 5, 15, 0.01) | {"trained": [2, 1]}, "one training", "Yes here, by a single training: good"),
        (comparison(10, 5, 15, 0.01, {"0": 10}) | {"trained": [0, 0]}, "difference", "Yes: good"),
        (comparison(10, 5, 15, 0.01, {"0": 21, "1": -1}), "hint", "A hint that it does: good"),
        (comparison(10, -5, 25, 0.06), "no difference", "No difference is shown: good"),
        (comparison(-10, -25, 5, 0.01), "hint", "A hint of the opposite: good"),
        (comparison(-10, -25, 5, 0.01) | {"by_speaker": 1.0}, "no difference", "No difference is shown: good"),
        (comparison(10, None, None, 0.06), "no difference", "No difference is shown: good"),
    ],
)
def test_a_difference_is_said_with_its_certainty(results, row, kind, words):
    results["comparisons"] = [row]
    results["groups"]["questions"] = [{"ask": "Is it?", "compare": ["good", "poor"]}]
    assert certainty(row) == kind
    answer = answers.answers(results)[1]
    assert str(answer).startswith(f"**Is it?** {words}") and ("Seed by seed" in answer.said) == (
        len(row["by_seed"]) > 1
    )
    table = tables.systems(results, ["poor", "good"], tables.MAIN)
    cells = dict(zip(table.head, table.rows[2]))
    assert ("*" in cells[tables.DIFFERENCE]) == (kind == "difference")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"family_size": 3}, "p 0.010, 0.030 after Holm's correction among 3)"),
        ({"family_size": 1}, "p 0.010, alone in its family)"),
        ({"family": "planned"}, "p 0.010, planned, not corrected)"),
    ],
)
def test_an_answer_says_for_how_many_tests_its_p_is_corrected(results, more, said):
    results["comparisons"] = [comparison(10, 5, 15, 0.01) | {"p_corrected": 0.03} | more]
    results["groups"]["questions"] = [{"ask": "Is it?", "compare": ["good", "poor"]}]
    assert said in answers.answers(results)[1].said


def test_what_was_not_run_is_not_answered(results):
    asked = [{"ask": "a", "compare": ["good", "gone"]}, {"ask": "b", "speaker_probe": ["away", "gone"]}]
    results["groups"]["questions"] = [*asked, {"ask": "c", "spaces": "good"}]
    _, c, *_, others = answers.answers(results)
    assert c.ask == "c" and c.said == f"{answers.NOT}the embeddings of good or good have not been probed."
    assert others.said == f"{answers.NOT}questions about gone and away, not trained here."
    results["groups"]["questions"] = [{"ask": "c", "compare": ["good", "poor"]}]
    assert not [answer for answer in answers.answers(results) if answers.NOT in answer.said]


def test_a_probe_answers_for_training_and_for_unseen_speakers(results):
    results["groups"]["questions"] = [{"ask": "Less?", "speaker_probe": ["good", "poor"]}]
    said = str(answers.answers(results)[1])
    assert "** Yes for training speakers, no difference is shown for unseen ones: a linear probe" in said
    assert "training speakers from good and from poor with 95.0 and 95.0 %" in said
    assert "−20.0 points (95 % interval −30.0 to −10.0; both near the ceiling)" in said
    assert "+1.0 points (95 % interval −10.0 to 10.0; both near the ceiling)" in said
    results["probe_differences"][0]["difference"] = interval(0.2, 0.1, 0.3)
    assert answers.answers(results)[1].said.startswith("No, the opposite for training speakers, no difference")
    results["probe_differences"][1]["difference"] = interval(0.2, 0.1, 0.3)
    assert answers.answers(results)[1].said.startswith("No, the opposite: ")
    results["probe_differences"][0]["by_seed"] = {"0": 0.5, "1": -0.1}  # what one training says another may not
    assert answers.answers(results)[1].said.startswith("Trainings disagree for training speakers, no, the opposite")


def test_mistakes_are_said_with_what_they_inflate(results):
    leak = {"system": "poor", "seeds": [0], "wf1": interval(73.2, 70, 76), "ua": 70.0, "wa": 70.0}
    results["leaks"] = [
        leak | {"mistake": "random", "gain": interval(16.4)},
        leak | {"mistake": "test_epoch", "gain": interval(1.0, -1.0, 3.0)},
        leak | {"mistake": "other", "gain": interval(None)},
    ]
    said = answers.answers(results)[1].said
    assert "Splitting by utterance instead of speaker inflates wF1 of poor by 16.4 points, to 73.2 (seed 0)." in said
    assert "inflates wF1 of poor by 1.0 points, to 73.2 (95 % interval −1.0 to 3.0; seed 0)" in said
    assert "Other inflates wF1 of poor by – points" in said
    assert [row[1] for row in tables.leaks(results).rows][2] == "other"


def test_changes_are_told_by_their_certainty(results):
    said = answers.answers(results)[1]
    assert (said.said, said.more) == ("Of 1, those that count: good +10.0.", "By a single training: none. Hints: none.")
    selected = answers.answers(results)[2].said
    assert (
        selected.startswith("Not tested: on average the last epoch has 0.50 points more")
        and "1 validation speaker a" in selected
    )
    results["selection"]["mean_gain"] = -0.5
    assert "Not tested: on average the last epoch has 0.50 points less" in answers.answers(results)[2].said
    results["selection"]["mean_gain"] = None
    assert len(answers.answers(results)) == 2


def test_the_best_is_said_with_its_equals_and_the_useless_are_marked(results):
    results["best"]["not_told_from"] = {"poor": interval(10.0, -1.0, 21.0)}
    results["best"]["told_who_speaks"] = ["poor"]
    assert "who speaks" not in answers.best(results)  # what is no better is not recommended
    results["systems"]["poor"]["wf1"]["value"] = 61.0
    assert "speaker are there, of varying emotions: poor, 61.0." in answers.best(results)
    told = "poor must know whose an utterance is, of those who are tested, too, and several of each: here "
    assert told in tables.systems(results, results["systems"], tables.MAIN).notes[-1]
    results["best"]["told_who_speaks"] = ["good"]  # where there are no others
    assert answers.best(results).endswith("of varying emotions.")
    results["best"]["told_who_speaks"], results["systems"]["poor"]["wf1"]["value"] = [], 50.0
    said = answers.answers(results)[0].said
    assert "No difference is shown from: poor, +10.0 (−1.0 to 21.0)." in said
    assert "good (a net) has the highest wF1 here, 60.0 (95 % interval 55.0 to 65.0)." in said
    assert "The best of 2 systems is biased upwards." in said
    results["systems"]["poor"] |= {"not_above_majority": True, "not_above_chance": True}
    results["few_speakers"] = True
    table = tables.systems(results, results["systems"], tables.MAIN)
    assert [row[0] for row in table.rows] == ["majority class", "poor †", "good"]
    assert any("Warning" in note for note in table.notes) and any("†: not shown" in note for note in table.notes)


def test_columns_without_content_are_left_out(results):
    head = tables.systems(results, results["systems"], tables.ALL).head
    assert "last epoch" not in head and tables.PAPER not in head and "over runs" in head
    del results["comparisons"]  # as steps/score.py prints it, before they are made
    assert tables.DIFFERENCE not in tables.systems(results, results["systems"], tables.ALL).head


def test_numbers():
    assert [compact(count) for count in (None, 880, 93_108, 1_031_540, 2e9)] == ["–", "880", "93.1 k", "1.03 M", "2 G"]
    assert (number(None), number(68.191, 0.423), signed(-1.5, 1)) == ("–", "68.19 ± 0.42", "−1.5")
    assert (
        names(list("abc")) == "a, b and c" and names(list("abcdef"), 3) == "a, b, c and 3 more" and names([]) == "none"
    )


def test_several_corpora_answer_together_where_they_were_compared_and_else_one_by_one(results):
    asked = {"ask": "Does it help?", "compare": ["good", "poor"]}
    one, two = ({**results, "groups": {**results["groups"], "questions": [asked]}} for _ in range(2))
    two["comparisons"] = [comparison(-1.0, -4.0, 2.0, 0.5)]
    both = {"one": one, "two": two}
    [alone] = over_corpora.answers(both, None)
    assert alone.said.startswith("On one: Yes: good differs from poor by +10.0")
    assert alone.said.endswith(" On others: two −1.0 (−4.0 to 2.0).")
    row = comparison(4.0, 1.0, 7.0, 0.02) | {"planned": False, "p_corrected": 0.2}
    compared = {"comparisons": [row], "speakers": 12, "utterances": 90, "corpora": ["one", "two"], "left_out": 3}
    [together] = over_corpora.answers(both, compared)
    assert together.said == (
        "A hint that it does: good differs from poor by +4.0 points (95 % interval 1.0 to 7.0); by corpus: "
        "one +10.0 (5.0 to 15.0), two −1.0 (−4.0 to 2.0)."
    )
    table = over_corpora.questions(both, compared)
    assert table.head == ["question", "what is compared", "answer", "trainings", "all corpora", "one", "two"]
    assert table.rows == [["Does it help?", "good against poor", "A hint that it does", "2", "+4.0 (1.0 to 7.0)",
                           "+10.0 (5.0 to 15.0)", "−1.0 (−4.0 to 2.0)"]]  # fmt: skip
    assert over_corpora.questions(both, compared, short=True).rows == [
        ["Does it help?", "A hint that it does", "2", "+4.0 (1.0 to 7.0)"]
    ]
    assert over_corpora.whose(compared) == (
        "Differences over all corpora are of 12 speakers of one and two (90 utterances). They leave out 3 that systems "
        "were developed on; differences on one corpus do not."
    )
    two["comparisons"] = []
    own = "+10.0 (5.0 to 15.0)"  # and columns without any figure are left out
    for everywhere, cells in (([row], ["A hint that it does", "2", "+4.0 (1.0 to 7.0)", own]), ([], ["Yes", "2", own])):
        [shown] = over_corpora.questions(both, compared | {"comparisons": everywhere}).rows
        assert shown[2:] == cells
    [alone] = over_corpora.questions(both, compared | {"comparisons": []}, short=True).rows
    assert alone[1:] == ["Yes", "2", f"{own} on one"]
    use = recommended(both, compared)  # the only comparison is a hint
    assert use.rows[0] == ["all of these corpora", "good (a net)", "2", "60.0"]
    assert use.rows[1][:4] == ["one (2 speakers)", "good", "2", "60.0 (55.0 to 65.0)"] and len(use.rows) == 3
    assert use.notes[0] == "all of these corpora: the mean of their wF1, of the systems that were run on all."
    assert at_once(use, both) == ["All of these corpora: good (a net), wF1 60.0, as the best of 2 somewhat too high."]
    unsure = row | {"p_corrected": 0.9, "difference": {"value": -1.0, "low": -4.0, "high": 2.0}}
    turned = compared | {"comparisons": [unsure | {"system": "poor", "reference": "good"}]}
    use = recommended(both, turned)
    assert use.rows[0][4] == "poor 50.0" and at_once(use, both)[0].endswith("; no difference is shown from poor 50.0.")
    assert any("on 12 speakers (those that" in note for note in use.notes)
    assert len(recommended(both, None).head) == 4  # of what was not compared, nothing is said
    two["best"] = results["best"] | {"told_who_speaks": ["good"], "system": "poor"}
    use = recommended(both, compared)
    assert [line[:4] for line in use.rows[:2]] == [
        ["all of these corpora", "poor (a net)", "1", "50.0"],
        ["the same, if it is known who speaks", "good (a net)", "1", "60.0"],
    ]
    assert "of the systems that were run on all and need not know who speaks" in use.notes[0]
    assert not any("too high" in said for said in at_once(use, both))
    assert any("of varying emotions" in note for note in use.notes)


@pytest.mark.parametrize(
    ("models", "trained", "said"),
    [
        ([0, 0], [1, 1], "1"),
        ([1, 1], [1, 1], "1 on 1"),
        (None, [1, 1], "1"),
        ([2, 0], [3, 1], "3 on 2 against 1"),
        ([0, 3], [4, 6], "4 against 6 on 3"),
        ([0, 0], [4, 0], "4 against –"),
        ([0, 0], [0, 0], "–"),
    ],
)
def test_a_pooled_difference_says_how_many_trainings_it_rests_on(models, trained, said):
    row = comparison(1.0, -1.0, 3.0, 0.5) | {"planned": True, "by_seed": {"0": 1.0}, "trained": trained}
    assert comparisons.trainings(row | ({} if models is None else {"models": models})) == said


def test_a_comparison_is_found_whichever_way_round_it_was_written(results):
    row = comparison(4.0, 1.0, 7.0, 0.02, {"0": 3.0, "1": 5.0}) | {"trained": [2, 3], "models": [0, 1]}
    row |= {"only_system": 5, "only_reference": 2}
    results["comparisons"] = [row]
    assert comparisons.comparison(results, "good", "poor") == row
    other = comparisons.comparison(results, "poor", "good")
    assert other["difference"] == interval(-4.0, -7.0, -1.0) and other["by_seed"] == {"0": -3.0, "1": -5.0}
    assert (other["system"], other["reference"], other["trained"], other["models"]) == ("poor", "good", [3, 2], [1, 0])
    assert (other["only_system"], other["only_reference"]) == (2, 5)
    assert comparisons.turned(other) == row and comparisons.comparison(results, "good", None) is None


def test_a_difference_of_several_trainings_says_what_it_varies_with():
    row = comparison(1.0, -1.0, 3.0, 0.5) | {"by_seed": {"0": 0.5, "1": 1.0, "2": 1.5}, "models": [2, 2]}
    row |= {"starts": {"0": "%ACC 90", "1": "%ACC 90", "2": "%ACC 91"}, "trained": [3, 3]}
    row |= {"spread": {"speakers": 1.02, "fine_tuning": 0.354, "pretraining": None}}
    assert over_corpora.varied({"comparisons": [row]}).rows == [["good", "poor", "+0.5, +1.0; +1.5", "1.0", "0.4"]]
    row |= {"spread": {"speakers": 1.02, "fine_tuning": 0.354, "pretraining": 0.0}}
    [said] = over_corpora.varied({"comparisons": [row | {"beyond_speakers": interval(1.0, -2.0, 4.0)}]}).rows
    assert said[-2:] == ["0.0", "−2.0 to 4.0"]
    kept_earlier, unlike = comparison(1.0, -1.0, 3.0, 0.5), row | {"trained": [3, 1]}
    assert over_corpora.varied({"comparisons": [kept_earlier, unlike]}).rows == []


def test_mistakes_on_several_corpora_are_told_by_corpus(results):
    leak = {"system": "poor", "mistake": "random", "seeds": [0], "wf1": interval(73.2, None, None)}
    leak |= {"gain": interval(16.4, None, None)}
    said = over_corpora.answers({"one": results, "two": {**results, "leaks": [leak]}}, None)[-1]
    assert said.said == (
        "On two, splitting by utterance instead of speaker inflates wF1 of poor by 16.4 points, to 73.2 (seed 0)."
    )


def test_probes_of_several_corpora_are_told_corpus_by_corpus(results):
    asked = {"ask": "Less?", "speaker_probe": ["good", "poor"]}
    one, two = ({**results, "groups": {**results["groups"], "questions": [asked]}} for _ in range(2))
    both = {"one": one, "two": two}
    training, unseen = over_corpora.probes(both).rows
    assert training == [
        "Less?", "good against poor", "training speakers", "Yes",
        *["−20.0 (−30.0 to −10.0), to 95.0 % (chance 50.0 %)"] * 2,
    ]  # fmt: skip
    assert unseen[2:5] == [
        "two unseen speakers", "No difference is shown",
        "+1.0 (−10.0 to 10.0), to 95.0 % (chance 50.0 %)",
    ]  # fmt: skip
    assert over_corpora.answers(both, None) == []
    less, same = two["probe_differences"]
    two["probe_differences"] = [less | {"difference": interval(0.2, 0.1, 0.3)}]
    assert [row[3:] for row in over_corpora.probes(both).rows] == [
        ["Corpora differ", training[4], "+20.0 (10.0 to 30.0), to 95.0 % (chance 50.0 %)"],
        ["No difference is shown", unseen[4], "–"],
    ]
    one["probe_differences"] = [own | {"by_seed": {"0": own["difference"]["value"], "1": -0.1}} for own in (less, same)]
    two["probe_differences"] = [own | {"by_seed": {"2": own["difference"]["value"]}} for own in (less, same)]
    assert [row[3:5] for row in over_corpora.probes(both).rows] == [
        ["Yes", "1 to 2"],
        ["No difference is shown", "1 to 2"],
    ]
    two["probe_differences"] = one["probe_differences"] = []
    assert over_corpora.probes(both).rows == []


def test_a_bound_that_rounds_to_zero_shows_on_which_side_it_lies():
    assert bounds(interval(-2.2, -4.5, -0.01)) == "−4.5 to −0.01" and bounds(interval(0, -1, 0.0)) == "−1.0 to 0.0"


def test_a_description_that_begins_with_an_acronym_keeps_its_letters():
    said = {"a": "VGG5, small. It learns.", "b": "A net.", "c": ""}
    results = {"systems": {name: {"description": text} for name, text in said.items()}}
    assert [answers.about(results, name) for name in said] == [" (VGG5, small)", " (a net)", ""]
