"""steps/score.py and steps/publish.py: tables out of score files."""

import re
import shutil

import numpy as np
import pytest

from steps.evaluation.scores import write_scores

SYSTEMS = ["good", "poor"]
CLASSES = ["ang", "hap", "neu"]
ENVIRONMENT = "date: '2026-01-01'\ntorch: 2.13.0\nseconds: 90\ncommand: steps/finetune.py {}\n"
TABLE2 = ("resnet18_pretrain_ad", "resnet18_pretrain")


@pytest.fixture
def corpus(tmp_path):
    """A repository with one corpus, two systems and two runs: `good` is right 9 times in 10, `poor` 5 times."""
    for system, right in (("good", 9), ("poor", 5)):
        for run in ("r1", "r2"):
            place = tmp_path / f"egs/toy/exp/{system}/{run}_seed0"
            names = [f"{run}-{i}" for i in range(10)]
            posteriors = {name: np.eye(3)[i % 2 if i < right else 2] for i, name in enumerate(names)}
            labels = {name: CLASSES[i % 2] for i, name in enumerate(names)}
            for name in ("scores", "scores.valid", "scores.last"):
                who = "valid" if name == "scores.valid" else run
                write_scores(place / name, CLASSES, posteriors, dict.fromkeys(names, who), labels)
            (place / "config.yaml").write_text(f"network: {{width: 4, AD: {str(system == 'good').lower()}}}\n")
            (place / "environment.yaml").write_text(ENVIRONMENT.format(system))
    (tmp_path / "egs/toy/conf/systems").mkdir(parents=True)
    (tmp_path / "egs/toy/conf/systems/poor.yaml").write_text("{}\n")
    (tmp_path / "egs/toy/conf/systems/good.yaml").write_text("parent: poor\n")
    (tmp_path / "egs/toy/conf/published.yaml").write_text("good: 68.19\n")
    return tmp_path / "egs/toy"


def rows(text):
    """Table rows by their first cell."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in cells}


def test_the_table_holds_what_the_scores_say(corpus, tmp_path, type_in):
    done = type_in("steps/score.py", "--systems", "poor good", "--conf", corpus / "conf", corpus / "exp")
    found = rows(done.stdout)
    assert list(found) == ["system", "---", "majority class", "poor", "good"]
    assert found["good"][3] == "90.00" and found["good"][-1] == "68.19" and found["poor"][-1] == "–"
    # ang: 3 of 5 found, none too many, F1 0.75; hap: 2 of 5, F1 4/7; weighted alike
    assert found["poor"][2:4] == ["50.00", "50.00"] and found["poor"][5] == "66.07 ± 0.00"
    assert found["majority class"][0] == "33.33"
    text = (corpus / "exp/RESULTS.md").read_text()
    assert rows(text)["good"] and "- All: network (width 4)" in text and "- good: network (AD True)" in text
    assert "all runs together: 6 minutes" in text and "# good\nsteps/finetune.py good\n" in text
    line = (corpus / "exp/good/result").read_text()
    assert re.match(r"%WF1 9\d\.\d\d %UA 90\.00 %WA 90\.00 \[ 20 utterances, 2 speakers, 1 seed \] .*exp/good\n", line)


def test_systems_with_other_runs_are_not_compared(corpus, type_in):
    (corpus / "exp/poor/r2_seed0/scores").unlink()
    done = type_in("steps/score.py", corpus / "exp", code=1)
    assert "not scored on the same utterances" in done.stderr
    assert "no scores of r2_seed0" in type_in("steps/score.py", "--runs", "r1 r2", corpus / "exp", code=1).stderr
    assert rows(type_in("steps/score.py", "--runs", "r1", corpus / "exp").stdout).keys() >= {"good", "poor"}


def test_published_pictures_stand_in_the_tables_file(corpus, tmp_path, type_in):
    (corpus / "exp/figures").mkdir()
    (corpus / "exp/figures/masks.png").write_bytes(b"a picture")
    (corpus / "exp/figures/learning.png").write_bytes(b"another")
    type_in("steps/publish.py", corpus / "exp", corpus / "results", tmp_path / "RESULTS.md")
    assert "![masks](egs/toy/results/figures/masks.png)" in (tmp_path / "RESULTS.md").read_text()
    assert [path.name for path in (corpus / "results/figures").iterdir()] == ["masks.png"]


def test_published_results_are_kept_and_the_tables_written(corpus, tmp_path, type_in):
    (tmp_path / "README.md").write_text("before\n<!-- results -->\nstale\n<!-- /results -->\nafter\n")
    for _ in range(2):  # a second time changes nothing
        type_in("steps/publish.py", corpus / "exp", corpus / "results", tmp_path / "RESULTS.md")
        assert len(list((corpus / "results").glob("*/*/scores"))) == 4
        text = (tmp_path / "RESULTS.md").read_text()
        assert "| good | poor | ablations | +2" in text and "# poor\nsteps/finetune.py poor\n" in text
        readme = (tmp_path / "README.md").read_text()
        assert readme.startswith("before\n") and readme.endswith("after\n") and "stale" not in readme
        assert rows(readme)["poor"][2] == "50.00" and rows(readme)["good"][2] == "90.00"


def test_without_epochs_there_is_no_figure_of_the_last_one(corpus, tmp_path, type_in):
    words = ["steps/publish.py", corpus / "exp", corpus / "results", tmp_path / "RESULTS.md"]
    type_in(*words)
    for place in (corpus / "exp/poor").glob("*"):
        (place / "scores.last").unlink()
    type_in(*words)
    assert not list((corpus / "results/poor").glob("*/scores.last"))
    lines = (tmp_path / "RESULTS.md").read_text().splitlines()
    last = {name: next(line for line in lines if line.startswith(f"| {name} |")).split(" | ")[-2] for name in SYSTEMS}
    assert last["poor"] == "–" and last["good"] != "–"


def test_seeds_that_differ_in_the_oracle_alone_make_one_table(corpus, type_in):
    for place in (corpus / "exp/good").glob("*"):
        shutil.copytree(place, place.with_name(place.name.replace("seed0", "seed1")))
    for name, line in (("r1_seed1", "training: {oracle: true}"), ("r1_seed0", "training: {oracle: false}")):
        with open(corpus / f"exp/good/{name}/config.yaml", "a") as out:
            out.write(f"{line}\n")
    assert rows(type_in("steps/score.py", "--systems", "good good", corpus / "exp").stdout)["good"]
    (corpus / "exp/good/r1_seed1/config.yaml").write_text("network: {width: 5}\n")
    assert "another configuration" in type_in("steps/score.py", "--systems", "good", corpus / "exp", code=1).stderr


def test_one_seed_with_test_best_epochs_is_enough_for_the_leak_table(corpus, type_in):
    for run in ("r1", "r2"):
        place = corpus / f"exp/good/{run}_seed0"
        shutil.copytree(place, place.with_name(f"{run}_seed1"))
        shutil.copyfile(place / "scores", place / "scores.oracle")
    for run in ("r1", "r2"):  # a seed that differs, and has none
        shutil.copyfile(corpus / f"exp/poor/{run}_seed0/scores", corpus / f"exp/good/{run}_seed1/scores")
    said = type_in("steps/score.py", "--systems", "good", corpus / "exp").stdout
    assert rows((corpus / "exp/RESULTS.md").read_text())["good, epoch chosen on the test speakers"][-1] == "+0.00"
    assert "choosing the epoch on the test speakers is worth +0.00 points of wF1 (0.0 to 0.0)" in said


def test_what_is_not_finished_is_named_and_what_leaks_is_kept_apart(corpus, tmp_path, type_in):
    (corpus / "exp/poor/r2_seed0/scores").unlink()
    for run in ("r1", "r2"):
        shutil.copytree(corpus / f"exp/good/{run}_seed0", corpus / f"exp/leak_random/good/{run}_seed0")
        shutil.copyfile(corpus / f"exp/good/{run}_seed0/scores", corpus / f"exp/good/{run}_seed0/scores.oracle")
    type_in("steps/publish.py", corpus / "exp", corpus / "results", tmp_path / "RESULTS.md")
    text = (tmp_path / "RESULTS.md").read_text()
    assert "poor (1 runs finished, no seed with all of 2)" in text and "| poor |" not in text
    assert "| good, random folds | 9" in text and "| leak_random" not in text
    assert "# good, random folds\nsteps/finetune.py good\n" in text
    assert "choosing the epoch on the test speakers is worth +0.00 points of wF1 (0.0 to 0.0)" in text
    assert "good: random folds are worth +0.00 points of wF1 (wF1 9" in text
    assert "| good, epoch chosen on the test speakers | 9" in text and "| good, as it should be | 9" in text
    error = type_in("steps/score.py", "--systems", "leak_random", corpus / "exp", code=1).stderr
    assert "leaking folds make no results" in error
    assert "--seeds 'x': expected whole" in type_in("steps/score.py", "--seeds", "x", corpus / "exp", code=1).stderr
    assert (
        "no run of this system"
        in type_in(
            "steps/publish.py", "--systems", "gone", corpus / "exp", corpus / "results", tmp_path / "RESULTS.md", code=1
        ).stderr
    )


def another_seed(system):
    for place in list(system.glob("*_seed0")):
        shutil.copytree(place, place.with_name(place.name.replace("seed0", "seed1")))


def test_each_row_has_its_own_number_of_seeds_where_they_differ(corpus, type_in):
    assert rows(type_in("steps/score.py", corpus / "exp").stdout)["system"][0] == "wF1"
    another_seed(corpus / "exp/good")
    said = type_in("steps/score.py", "--conf", corpus / "conf", corpus / "exp").stdout
    found = rows(said)
    assert found["system"][0] == "seeds" and (found["good"][0], found["poor"][0]) == ("2", "1")
    assert "2 runs with 1 to 2 seeds" in said and "holds for these seeds, which vary the fine-tuning alone" in said
    text = (corpus / "exp/RESULTS.md").read_text()
    assert "| good | poor | ablations | +2" in text and re.search(r"\| 0: \+2\d\.\d\d \|", text)


def test_what_depends_on_no_seed_shows_no_spread_over_seeds(corpus, type_in):
    for system in ("good", "poor"):
        another_seed(corpus / "exp" / system)
    for place in (corpus / "exp/good").iterdir():
        (place / "config.yaml").write_text(
            "training: {pretrained: true, epochs: 0}\nbackend: {kind: linear, C: [1], latent: 32}\n"
        )
        (place / "scores.last").unlink()
    said = type_in("steps/score.py", "--conf", corpus / "conf", corpus / "exp").stdout
    found = rows(said)
    assert found["good"][0] == "deterministic" and "±" not in found["good"][1] and found["poor"][0] == "2"
    assert "with 2 seeds; deterministic rows depend on none" in said
    assert "for 0 of 1 networks" in said  # the other one chooses no epoch
    assert "2 speakers, deterministic ]" in (corpus / "exp/good/result").read_text()
    text = (corpus / "exp/RESULTS.md").read_text()
    assert "- good: training (pretrained True, epochs 0), backend (kind linear, C [1])" in text


def test_a_run_that_is_missing_everywhere_is_noticed(corpus, tmp_path, type_in):
    """Its test speaker selected another run's epoch, and is tested nowhere."""
    for system in ("good", "poor"):
        for run, who in (("r1", "r2"), ("r2", "r1")):
            path = corpus / f"exp/{system}/{run}_seed0/scores.valid"
            path.write_text(path.read_text().replace(" valid ", f" {who} "))
    words = ("steps/publish.py", corpus / "exp", corpus / "results", tmp_path / "RESULTS.md")
    assert "never tested" not in type_in(*words).stdout + (tmp_path / "RESULTS.md").read_text()
    for folder in ("exp", "results"):
        for system in ("good", "poor"):
            shutil.rmtree(corpus / f"{folder}/{system}/r2_seed0")
    assert "r2 never tested: is a run missing?" in type_in(*words).stdout
    assert "Selecting epochs, and never tested: r2; a run is missing, or" in (tmp_path / "RESULTS.md").read_text()


def test_settings_keep_their_sections_and_leave_out_what_is_off(corpus, type_in):
    more = "training: {epochs: 14}\naugmentation: {copypaste: none, neutral: neu, time_mask: 0, masks: 2}\n"
    more += "backend: {kind: network, epochs: 100}\n"
    for path in (corpus / "exp").glob("*/*/config.yaml"):
        own = more.replace("time_mask: 0", "time_mask: 20") if "poor" in str(path) else more
        path.write_text(path.read_text() + own)
    type_in("steps/score.py", corpus / "exp")
    text = (corpus / "exp/RESULTS.md").read_text()
    assert "- All: network (width 4), training (epochs 14), backend (kind network)\n" in text
    assert "- poor: network (AD False), augmentation (time_mask 20, masks 2)\n" in text


def test_what_was_not_run_is_listed(corpus, type_in):
    (corpus / "conf/systems/other.yaml").write_text("parent: poor\n")
    (corpus / "conf/groups.yaml").write_text("related: [other]\n")
    type_in("steps/score.py", "--conf", corpus / "conf", corpus / "exp")
    lacking = (corpus / "exp/RESULTS.md").read_text().partition("## Not in these tables\n")[2].partition("\n## ")[0]
    assert "- related methods: other\n" in lacking and "ablations" not in lacking
    assert "- Leaks: left out" in lacking and "- Choice of roles: left out" in lacking


def test_the_line_that_makes_all_of_it_is_there_where_a_recipe_does(corpus, type_in):
    typed = (
        "steps/finetune.py --config conf/finetune.yaml --systems-dir conf/systems --systems 'poor good' {} --seeds 0"
    )
    for path in (corpus / "exp").glob("*/*/environment.yaml"):
        options = "--pretrained exp/own --nj 0 data/toy exp"
        path.write_text(f'seconds: 1\ncommand: "{typed.format(options)}"\n')
    type_in("steps/score.py", corpus / "exp")
    text = (corpus / "exp/RESULTS.md").read_text()
    assert "\n./run.sh --toy DIR --pretrained exp/own --systems 'good poor' --seeds 0\n" in text
    for path in (corpus / "exp/good").glob("*/environment.yaml"):
        path.write_text(path.read_text().replace("--nj 0", "--training.epochs 3"))
    type_in("steps/score.py", corpus / "exp")
    assert (
        "\n./run.sh --toy DIR --pretrained exp/own --systems poor --seeds 0\n"
        in (corpus / "exp/RESULTS.md").read_text()
    )


def test_the_readme_says_what_its_table_rests_on(corpus, tmp_path, type_in):
    for old, new in zip(("good", "poor"), TABLE2):
        (corpus / "exp" / old).rename(corpus / "exp" / new)
    (tmp_path / "README.md").write_text("<!-- results -->\n<!-- /results -->\n")
    type_in("steps/publish.py", corpus / "exp", corpus / "results", tmp_path / "RESULTS.md")
    readme = (tmp_path / "README.md").read_text()
    assert "20 utterances of 2 speakers, tested in 2 runs with 1 seed." in readme
    assert "Planned: resnet18_pretrain_ad against resnet18_pretrain: " in readme and "with seed 0." in readme


def test_the_findings_say_what_selecting_was_worth_and_what_the_highest_is_worth(corpus, type_in):
    for run in ("r1", "r2"):  # as good as `good`, and with a better last epoch
        shutil.copytree(corpus / f"exp/good/{run}_seed0", corpus / f"exp/also/{run}_seed0")
        last = corpus / f"exp/also/{run}_seed0/scores.last"
        lines = last.read_text().splitlines(keepends=True)
        last.write_text("".join(lines[:-1]))  # without the one utterance that is wrong
    said = type_in("steps/score.py", corpus / "exp").stdout
    assert "The last epoch has a higher wF1 than the selected one for 1 of 3 networks, by +" in said
    assert "are few (1 in a run)" in said
    assert "no difference is shown between it and" in said and "the highest of several is so in part by chance" in said
