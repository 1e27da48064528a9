"""steps/score.py and steps/publish.py: tables out of score files."""

import re
import shutil

import numpy as np
import pytest

from steps.evaluation.scores import write_scores

CLASSES = ["ang", "hap", "neu"]
ENVIRONMENT = "date: '2026-01-01'\ntorch: 2.13.0\nseconds: 90\ncommand: steps/finetune.py {}\n"


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
    assert rows(text)["good"] and "- All: width 4" in text and "- good: AD True" in text
    assert "all runs together: 6 minutes" in text and "# good\nsteps/finetune.py good\n" in text
    line = (corpus / "exp/good/result").read_text()
    assert re.match(r"%WF1 9\d\.\d\d %UA 90\.00 %WA 90\.00 \[ 20 utterances, 2 speakers, 1 seed \] .*exp/good\n", line)


def test_systems_with_other_runs_are_not_compared(corpus, type_in):
    (corpus / "exp/poor/r2_seed0/scores").unlink()
    done = type_in("steps/score.py", corpus / "exp", code=1)
    assert "not scored on the same utterances" in done.stderr
    assert "no scores of r2_seed0" in type_in("steps/score.py", "--runs", "r1 r2", corpus / "exp", code=1).stderr
    assert rows(type_in("steps/score.py", "--runs", "r1", corpus / "exp").stdout).keys() >= {"good", "poor"}


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
