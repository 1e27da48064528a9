"""steps/score.py: a table, and exp/results.json, out of score files."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from steps.evaluation import results
from utils import runs
from utils.scores import write_scores

CLASSES = ["ang", "hap", "neu"]
ENVIRONMENT = "date: '2026-01-01'\ntorch: 2.13.0\nseconds: 90\ncommand: steps/finetune.py {}\n"


@pytest.fixture
def corpus(tmp_path):
    """A corpus with two systems and two runs: `good` is right 9 times in 10, `poor` 5 times."""
    for system, right in (("good", 9), ("poor", 5)):
        for run in ("r1", "r2"):
            place = tmp_path / f"toy/exp/{system}/{run}_seed0"
            names = [f"{run}-{i}" for i in range(10)]
            posteriors = {name: np.eye(3)[i % 2 if i < right else 2] for i, name in enumerate(names)}
            labels = {name: CLASSES[i % 2] for i, name in enumerate(names)}
            for name in ("scores", "scores.valid", "scores.last"):
                who = "valid" if name == "scores.valid" else run
                write_scores(place / name, CLASSES, posteriors, dict.fromkeys(names, who), labels)
            (place / "config.yaml").write_text(f"network: {{width: 4, AD: {str(system == 'good').lower()}}}\n")
            (place / "environment.yaml").write_text(ENVIRONMENT.format(system))
    (tmp_path / "toy/conf/systems").mkdir(parents=True)
    (tmp_path / "toy/conf/systems/poor.yaml").write_text("{}\n")
    (tmp_path / "toy/conf/systems/good.yaml").write_text("# Better.\nparent: poor\nnetwork: {AD: true}\n")
    (tmp_path / "toy/conf/published.yaml").write_text("good: 68.19\n")
    return tmp_path / "toy"


@pytest.fixture
def score(corpus, type_in):
    """Score the corpus; what was said, and what results.json holds then."""

    def run(*words, code=0):
        done = type_in("steps/score.py", "--conf", corpus / "conf", *words, corpus / "exp", code=code)
        return done.stderr if code else (done.stdout, results.read(corpus / "exp/results.json"))

    return run


def rows(text):
    """Table rows by their first cell."""
    cells = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    return {row[0]: row[1:] for row in cells if len(row) > 3}


def another_seed(system):
    for place in list(system.glob("*_seed0")):
        shutil.copytree(place, place.with_name(place.name.replace("seed0", "seed1")))


def test_the_table_holds_what_the_scores_say(corpus, score):
    said, figures = score("--systems", "poor good")
    table = rows(said)
    assert list(table) == ["system", "-" * 14, "majority class", "poor †", "good"]
    assert table["system"] == ["seeds", "wF1", "95 % interval", "UA", "WA", "last epoch", "wF1 in the paper"]
    assert table["good"][3] == "90.00" and table["good"][-1] == "68.19" and table["poor †"][-1] == "–"
    assert table["majority class"][1] == "33.33" and figures["majority"]["wf1"] == pytest.approx(100 / 3)
    # ang: 3 of 5 found, none too many, F1 0.75; hap: 2 of 5, F1 4/7; weighted alike
    poor = figures["systems"]["poor"]
    assert poor["wf1"]["value"] == pytest.approx(100 * (0.75 + 4 / 7) / 2) and poor["wf1"]["sd"] is None
    assert poor["by_class"]["hap"] == pytest.approx({"precision": 100, "recall": 40, "f1": 400 / 7})
    assert poor["confusion"] == [[6, 0, 4], [0, 4, 6], [0, 0, 0]] and poor["over_folds"]["sd"] == 0
    assert poor["by_run"].keys() == poor["by_speaker"].keys() == {"r1", "r2"}
    assert (
        figures["test"]["classes"] == {"ang": 10, "hap": 10, "neu": 0} and figures["test"]["validation_speakers"] == 1
    )
    line = (corpus / "exp/good/result").read_text()
    assert re.match(r"%WF1 9\d\.\d\d %UA 90\.00 %WA 90\.00 \[ 20 utterances, 2 speakers, 1 seed \] .*exp/good\n", line)


def test_what_is_not_above_the_majority_or_chance_is_marked_and_few_speakers_warned_of(corpus, score):
    said, figures = score()
    weak = {
        name: (system["not_above_majority"], system["not_above_chance"]) for name, system in figures["systems"].items()
    }
    assert weak == {"good": (False, False), "poor": (False, True)}  # UA 50 of two classes
    assert "†: not shown to be above" in said and "2 test speakers are too few" in said and figures["few_speakers"]
    for run in ("r1", "r2"):  # one class for all
        path = corpus / f"exp/poor/{run}_seed0/scores"
        path.write_text(re.sub(r"(\w+) [\d.]+ [\d.]+ [\d.]+$", r"\1 1 0 0", path.read_text(), flags=re.MULTILINE))
    weak = score()[1]["systems"]["poor"]
    assert weak["not_above_majority"] and weak["not_above_chance"]


@pytest.mark.parametrize("change", [("r1-3 r1", "r1-3 r9"), ("r1-3 r1 hap", "r1-3 r1 ang"), ("hap neu\n", "neu hap\n")])
def test_a_last_epoch_of_other_speakers_labels_or_classes_is_refused(corpus, score, change):
    path = corpus / "exp/good/r1_seed0/scores.last"
    assert change[0] in (text := path.read_text())
    path.write_text(text.replace(*change, 1))
    assert "r1_seed0: scores and scores.last differ in their" in score(code=1)


def test_of_one_speaker_there_is_no_interval(score):
    said, figures = score("--runs", "r1")
    wf1 = figures["systems"]["good"]["wf1"]
    assert wf1["value"] > 90 and wf1["low"] is wf1["high"] is None and "95 % interval" not in rows(said)["system"]


@pytest.mark.parametrize(
    "line",
    [
        "seconds: {a: b}", "seconds: x", "seconds: .inf", "pretrained: 5", "cost: 7", "cost: {real_time_factor: x}",
    ],
)  # fmt: skip
def test_an_environment_that_training_did_not_leave_is_refused(corpus, score, type_in, line):
    path = corpus / "exp/good/r1_seed0/environment.yaml"
    kept = [own for own in path.read_text().splitlines() if own.split(":")[0] != line.split(":")[0]]
    path.write_text("\n".join([*kept, line, ""]))
    said = type_in("steps/score.py", "--conf", corpus / "conf", corpus / "exp", code=1).stderr
    assert said.splitlines()[-1].endswith(
        "r1_seed0/environment.yaml: is not as training leaves it; remove the run and redo it"
    )


def test_results_json_says_of_each_system_what_its_yaml_and_its_runs_say(corpus, score):
    cost = "cost: {{parameters: 10, multiplications: 20, real_time_factor: {}}}\n"
    for run, factor in (("r1", 0.5), ("r2", 0.25)):
        with open(corpus / f"exp/good/{run}_seed0/environment.yaml", "a") as out:
            out.write(cost.format(factor) + "pretrained: ['%EER 5']\n")
        (corpus / f"exp/good/{run}_seed0/history.tsv").write_text(f"epoch\tL\tvalid wF1\n1\t{factor}\t10\n2\t0.1\t20\n")
    with open(corpus / "exp/good/r2_seed0/history.tsv", "a") as out:
        out.write("3\t0\t30\n")
    _, figures = score("--title", "Toys")
    good, poor = figures["systems"]["good"], figures["systems"]["poor"]
    assert (good["parent"], good["differs"], good["description"]) == ("poor", {"network.AD": True}, "Better.")
    assert (good["family"], poor["parent"], figures["corpus"]) == ("ablation", None, "Toys")
    assert good["settings"] == {"network.width": 4, "network.AD": True} and good["seeds"] == [0]
    assert good["cost"] == {"parameters": 10, "multiplications": 20, "real_time_factor": 0.25} and poor["cost"] is None
    assert good["conditions"] == {
        "pretrained": ["%EER 5"], "date": ["2026-01-01"], "torch": ["2.13.0"], "seconds": 180,
    }  # fmt: skip
    assert good["commands"] == ["steps/finetune.py good"] and poor["curves"] is None
    assert good["curves"]["L"] == {"mean": [0.375, 0.1], "low": [0.25, 0.1], "high": [0.5, 0.1]}
    assert figures["groups"]["main"] == ["good", "poor"] and figures["groups"]["titles"] == {"ablation": "Systems"}
    (comparison,) = figures["comparisons"]
    assert comparison["difference"]["value"] == pytest.approx(good["wf1"]["value"] - poor["wf1"]["value"])


def test_results_json_is_json_that_others_can_read(corpus, score):
    score()
    text = (corpus / "exp/results.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert re.search(r'"confusion": \[\n +\[5\.0, 0\.0, ', text) is None and "[10.0, 0.0, 0.0]" in text  # a line a row
    (corpus / "exp/results.json").write_text(text.replace('"format": 1', '"format": 99'))
    wrong = (("{", "is not JSON"), ("[]", "is not of format"), ('{"format": 1}', "was changed after steps/score.py"))
    for text, message in ((None, "is not of format 1"), *wrong):
        if text:
            (corpus / "exp/results.json").write_text(text)
        with pytest.raises(Exception, match=message):
            results.read(corpus / "exp/results.json")


def test_every_key_of_results_json_is_described(score):
    words = set(re.findall(r"\w+", results.__doc__))
    _, figures = score()
    assert figures.keys() | figures["systems"]["good"].keys() <= words
    assert figures["comparisons"][0].keys() | figures["test"].keys() | figures["best"].keys() <= words


def test_groups_stand_for_those_of_their_systems_that_are_there(corpus, score):
    (corpus / "conf/systems/other.yaml").write_text("parent: poor\n")
    groups = "families: {mine: {title: Mine, systems: [poor, other]}}\nmain: [good, other]\n"
    (corpus / "conf/groups.yaml").write_text(groups)
    assert list(score("--systems", "mine")[1]["systems"]) == ["poor"]
    assert list(score("--systems", "main mine")[1]["systems"]) == ["good", "poor"]
    figures = score()[1]
    assert list(figures["systems"]) == ["poor", "good"] and figures["not_run"] == {
        "Mine": ["other"]
    }  # family by family
    assert "exp/other: no run of this system is finished" in score("--systems", "other", code=1)
    assert "did you mean 'good'?" in score("--systems", "goood", code=1)
    (corpus / "conf/groups.yaml").write_text("main: [other]\n")
    assert "no system of 'main' is finished" in score("--systems", "main", code=1)


def test_the_terminal_shows_the_questions_that_are_answered(corpus, score):
    asked = '[{ask: "Better?", compare: [good, poor]}, {ask: "Gone?", compare: [good, gone]}]'
    (corpus / "conf/groups.yaml").write_text(f"questions: {asked}\n")
    said = score()[0]
    assert "\nBetter? " in said and "Gone?" not in said and "**" not in said


def test_what_is_not_finished_is_left_out_by_name(corpus, score):
    score()  # which leaves a result, that is then no longer true
    (corpus / "exp/poor/r2_seed0/scores").unlink()
    said, figures = score()
    assert figures["unfinished"] == [{"system": "poor", "runs_done": 1, "runs": 2}] and "poor" not in figures["systems"]
    assert "Left out, as no seed has all runs: poor (1 of 2 runs)." in said
    assert not (corpus / "exp/poor/result").exists() and (corpus / "exp/good/result").exists()
    assert "no scores of r2_seed0" in score("--runs", "r1 r2", code=1)
    assert rows(score("--runs", "r1")[0]).keys() >= {"good †", "poor †"}
    assert "no system has a seed with all runs finished: poor" in refused(corpus, score)


def test_of_several_seeds_all_runs_are_counted(corpus, score):
    shutil.copytree(corpus / "exp/poor/r1_seed0", corpus / "exp/poor/r1_seed1")
    (corpus / "exp/poor/r2_seed0/scores").unlink()
    assert "poor (2 of 4 runs)" in score()[0]


def refused(corpus, score):
    for run in ("r1", "r2"):
        (corpus / f"exp/good/{run}_seed0/scores").unlink()
    shutil.copytree(corpus / "exp/poor/r1_seed0", corpus / "exp/poor/r3_seed1")
    return score(code=1)


def test_systems_scored_on_other_utterances_are_refused(corpus, score):
    path = corpus / "exp/poor/r2_seed0/scores"
    path.with_name("scores.last").unlink()
    path.write_text(path.read_text().replace("r2-9", "r2-x"))
    error = score(code=1)
    assert "good and poor were not scored on the same utterances: only good has 'r2-9', the first of 2" in error
    path.write_text(path.read_text().replace("r2-x r2 hap", "r2-9 r2 ang"))
    assert "'r2-9' is 'hap' of speaker 'r2' in good, and 'ang'" in score(code=1)
    (corpus / "exp/poor/r2_seed0/config.yaml").write_text("network: {width: 5}\n")
    assert "was made with another configuration" in score(code=1)


def test_each_row_has_its_own_number_of_seeds(corpus, score):
    another_seed(corpus / "exp/good")
    said, figures = score()
    table = rows(said)
    assert (table["good"][0], table["poor †"][0]) == ("2", "1") and "± 0.00" in table["good"][1]
    assert list(figures["comparisons"][0]["by_seed"]) == ["0"]


def test_what_depends_on_no_seed_shows_no_spread_over_seeds(corpus, score):
    for system in ("good", "poor"):
        another_seed(corpus / "exp" / system)
    for place in (corpus / "exp/good").iterdir():
        (place / "config.yaml").write_text(
            "training: {pretrained: true, epochs: 0}\nbackend: {kind: linear, C: [1], latent: 32}\n"
        )
        (place / "scores.last").unlink()
    said, figures = score()
    table, good = rows(said), figures["systems"]["good"]
    assert table["good"][0] == "–" and "±" not in table["good"][1] and table["poor †"][0] == "2"
    assert good["deterministic"] and good["last_epoch"] is None and table["good"][-2] == "–"
    assert good["settings"] == {
        "training.pretrained": True, "training.epochs": 0, "backend.kind": "linear", "backend.C": [1],
    }  # fmt: skip
    assert figures["selection"]["networks"] == 1  # the other one chooses no epoch
    assert "2 speakers, deterministic ]" in (corpus / "exp/good/result").read_text()


def test_a_run_that_is_missing_everywhere_is_noticed(corpus, score):
    """Its test speaker selected another run's epoch, and is tested nowhere."""
    for system in ("good", "poor"):
        for run, who in (("r1", "r2"), ("r2", "r1")):
            path = corpus / f"exp/{system}/{run}_seed0/scores.valid"
            path.write_text(path.read_text().replace(" valid ", f" {who} "))
    said, figures = score()
    assert "never tested" not in said and figures["systems"]["good"]["roles"]["choices"] == 2
    for system in ("good", "poor"):
        shutil.rmtree(corpus / f"exp/{system}/r2_seed0")
    said, figures = score()
    assert "Validation speakers never tested: r2" in said and figures["test"]["untested"] == ["r2"]


def test_what_mistakes_are_worth_is_kept_apart(corpus, score):
    for run in ("r1", "r2"):
        shutil.copytree(corpus / f"exp/good/{run}_seed0", corpus / f"exp/leak_random/poor/{run}_seed0")
        shutil.copyfile(corpus / f"exp/good/{run}_seed0/scores", corpus / f"exp/good/{run}_seed0/scores.oracle")
    another_seed(corpus / "exp/good")  # one seed with test-best epochs is enough
    for run in ("r1", "r2"):
        (corpus / f"exp/good/{run}_seed1/scores.oracle").unlink()
    said, figures = score()
    assert "leak_random" not in rows(said) and list(figures["systems"]) == ["good", "poor"]
    oracle, random = figures["leaks"]
    assert (oracle["system"], oracle["mistake"], oracle["seeds"]) == ("good", "test_epoch", [0])
    assert oracle["gain"] == {"value": 0, "low": 0, "high": 0}
    assert (random["system"], random["mistake"]) == ("poor", "random") and random["gain"]["low"] is None
    wf1 = [figures["systems"][name]["wf1"]["value"] for name in ("good", "poor")]
    assert random["gain"]["value"] == pytest.approx(wf1[0] - wf1[1]) and random["wf1"]["value"] == wf1[0]
    assert "made with false speakers, so no result" in score("--systems", "leak_random", code=1)
    (corpus / "exp/good/r1_seed0/leak").write_text("random\n")
    assert "made with false speakers, so no result" in score(code=1)


def test_seeds_that_differ_in_the_oracle_alone_make_one_table(corpus, score):
    another_seed(corpus / "exp/good")
    for name, line in (("r1_seed1", "training: {oracle: true}"), ("r1_seed0", "training: {oracle: false}")):
        with open(corpus / f"exp/good/{name}/config.yaml", "a") as out:
            out.write(f"{line}\n")
    assert score("--systems", "good good")[1]["systems"]["good"]["seeds"] == [0, 1]


def test_what_selecting_was_worth_and_what_the_highest_is_worth(corpus, score):
    for run in ("r1", "r2"):  # as good as `good`, and with a better last epoch
        shutil.copytree(corpus / f"exp/good/{run}_seed0", corpus / f"exp/also/{run}_seed0")
        last = corpus / f"exp/also/{run}_seed0/scores.last"
        names = [f"{run}-{i}" for i in range(10)]
        labels = {name: CLASSES[i % 2] for i, name in enumerate(names)}
        right = {name: np.eye(3)[i % 2] for i, name in enumerate(names)}
        write_scores(last, CLASSES, right, dict.fromkeys(names, run), labels)
    figures = score()[1]
    selection = figures["selection"]
    assert (selection["networks"], selection["last_better"]) == (3, 1) and selection["mean_gain"] > 0
    best = figures["best"]
    assert (best["system"], list(best["not_told_from"]), best["of"]) == ("good", ["also"], 3)
    assert best["not_told_from"]["also"]["low"] <= 0 <= best["not_told_from"]["also"]["high"]
    for run in ("r1", "r2"):
        (corpus / f"exp/also/{run}_seed0").rename(corpus / f"exp/also/{run}_seed7")
        (corpus / f"exp/also/{run}_seed7/config.yaml").write_text("training: {selection: average}\n")
    figures = score()[1]
    assert figures["selection"]["networks"] == 2  # a mean of epochs selects none
    assert figures["best"]["not_told_from"] == {}  # and without a seed in common, nothing is known
    for run in ("r1", "r2"):
        (corpus / f"exp/good/{run}_seed0/config.yaml").write_text("backend: {cmn: speaker}\n")
    best = score()[1]["best"]
    assert (best["system"], best["of"], best["told_who_speaks"]) == ("also", 2, ["good"])  # they had more to go by
    for run in ("r1", "r2"):
        (corpus / f"exp/poor/{run}_seed0/config.yaml").write_text("backend: {kind: mean, of: [good, also]}\n")
    assert score()[1]["best"]["told_who_speaks"] == ["good", "poor"]  # and so had their mean


def test_results_bear_the_name_of_their_folder_and_say_where_they_are_of_some_runs(corpus, type_in):
    words = ("steps/score.py", "--conf", corpus / "conf")
    type_in(*words, corpus / "exp")
    assert results.read(corpus / "exp/results.json")["corpus"] == corpus.resolve().name
    (corpus / "exp").rename(corpus / "mine")
    [run, *_] = results.read(corpus / "mine/results.json")["test"]["runs"]
    said = type_in(*words, "--runs", run, corpus / "mine").stdout
    assert said.startswith("mine\n") and said.endswith("results.json, which is now of these runs alone\n")


def test_archives_give_the_same_and_withheld_labels_come_from_the_data_dir(corpus, score, type_in, tmp_path):
    _, figures = score("--title", "toy")
    for labels in (True, False):
        kept = tmp_path / f"kept_{labels}/results"
        for system in ("good", "poor"):
            runs.pack(corpus / "exp" / system, kept / f"{system}.tar.xz", labels=labels)
    words = ("steps/score.py", "--conf", corpus / "conf", "--title", "toy")
    type_in(*words, tmp_path / "kept_True/results")
    assert results.read(tmp_path / "kept_True/results/results.json") == figures
    error = type_in(*words, tmp_path / "kept_False/results", code=1).stderr
    assert "holds no labels" in error and "--data DIR" in error and len(error.splitlines()) == 1
    (tmp_path / "data").mkdir()
    labels = [f"{run}-{i} {CLASSES[i % 2]}" for run in ("r1", "r2") for i in range(10)]
    (tmp_path / "data/utt2emo").write_text("\n".join(labels) + "\n")
    type_in(*words, "--data", tmp_path / "data", tmp_path / "kept_False/results")
    assert results.read(tmp_path / "kept_False/results/results.json") == figures


def test_mistakes_in_words(corpus, score, type_in, tmp_path):
    assert "--seeds 'x': expected whole" in score("--seeds", "x", code=1)
    assert "gone: there are no scored" in type_in("steps/score.py", tmp_path / "gone", code=1).stderr
    assert "there are no scored systems" in type_in("steps/score.py", tmp_path, code=1).stderr
    (corpus / "conf/groups.yaml").write_text("main: good\n")
    assert re.search("groups.yaml: .*main", score(code=1))
    (corpus / "conf/groups.yaml").unlink()
    (corpus / "conf/published.yaml").write_text("good: high\n")
    assert "published.yaml: 'good' is not a number" in score(code=1)
    for wrong in (10**400, ".nan", "true", 101):
        (corpus / "conf/published.yaml").write_text(f"good: {wrong}\n")
        assert "published.yaml: 'good' is not a number from 0 to 100" in score(code=1)
    (corpus / "conf/published.yaml").unlink()
    (corpus / "exp/good/r1_seed0/history.tsv").write_text("epoch\tL\n1\n")
    assert "is not a table of epochs" in score(code=1)


def test_results_are_there_though_nobody_reads_the_table(corpus):
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "steps/score.py", "--conf", corpus / "conf", corpus / "exp"]
    done = subprocess.run(words, cwd=Path(__file__).resolve().parents[2], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"") and results.read(corpus / "exp/results.json")["systems"]


def test_torch_is_not_loaded(corpus):
    code = "import runpy, sys; sys.argv = ['steps/score.py', *sys.argv[1:]]\ntry: runpy.run_path(sys.argv[0], "
    code += "run_name='__main__')\nfinally: print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code, corpus / "exp"], cwd=root, env={"PYTHONPATH": str(root)},
                          capture_output=True, text=True)  # fmt: skip
    assert done.stdout.endswith("False False\n"), done.stdout + done.stderr
