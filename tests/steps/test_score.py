"""steps/score.py and steps/publish.py: tables out of score files."""

import re

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
                write_scores(place / name, CLASSES, posteriors, dict.fromkeys(names, run), labels)
            (place / "config.yaml").write_text(f"network: {{width: 4, AD: {str(system == 'good').lower()}}}\n")
            (place / "environment.yaml").write_text(ENVIRONMENT.format(system))
    return tmp_path / "egs/toy"


def rows(text):
    """Table rows by their first cell."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in cells}


def test_the_table_holds_what_the_scores_say(corpus, tmp_path, type_in):
    (tmp_path / "published.yaml").write_text("good: 68.19\n")
    done = type_in(
        "steps/score.py", "--systems", "poor good", "--published", tmp_path / "published.yaml", corpus / "exp"
    )
    found = rows(done.stdout)
    assert list(found) == ["system", "---", "majority class", "poor", "good"]
    assert found["good"][2] == "90.00" and found["good"][-1] == "68.19" and found["poor"][-1] == "–"
    # ang: 3 of 5 found, none too many, F1 0.75; hap: 2 of 5, F1 4/7; weighted alike
    assert found["poor"][1:3] == ["50.00", "50.00"] and found["poor"][3] == "66.07 ± 0.00"
    assert found["majority class"][0] == "33.33"
    assert "- All: width 4" in done.stdout and "- good: AD True" in done.stdout
    assert "all runs together: 6 minutes" in done.stdout and "steps/finetune.py good" in done.stdout
    assert (corpus / "exp/RESULTS.md").read_text() == done.stdout
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
        assert rows((tmp_path / "RESULTS.md").read_text())["good"][2] == "90.00"
        readme = (tmp_path / "README.md").read_text()
        assert readme.startswith("before\n") and readme.endswith("after\n") and "stale" not in readme
        assert rows(readme)["poor"][2] == "50.00"
