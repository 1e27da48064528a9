"""steps/truth.py: what spaces carry at several strengths, from fabricated scores and probes."""

from pathlib import Path

import numpy as np
import pytest

from steps.evaluation.probes import Probe, write_probes
from steps.evaluation.results import make, write
from utils.scores import write_scores

CLASSES = ["ang", "hap"]
HEAD = ["strength", "system", "space", "attribute", "of", "value", "low", "high", "chance", "runs"]
KEPT = Path(__file__).resolve().parents[2] / "egs/mini/results"


def read_rows(path):
    """(strength, space) → its figures, of a table with one system, one attribute and one kind of speakers."""
    head, *lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert head == HEAD
    return {(float(cells[0]), cells[2]): dict(zip(HEAD[5:], map(float, cells[5:]))) for cells in lines}


def train(exp, strength, plus, right=0.5, minus=0.5):
    """Four runs whose probes scatter by ±0.02 around `plus` and `minus`."""
    for i in range(4):
        place = exp / f"{strength}/sys/r{i}_seed0"
        names = [f"s{i}-{n}" for n in range(20)]
        labels = {name: CLASSES[n % 2] for n, name in enumerate(names)}
        rows = {name: np.eye(2)[n % 2 if n < 20 * right else 1 - n % 2] for n, name in enumerate(names)}
        for file in ("scores", "scores.last", "scores.valid"):
            who = "valid" if file == "scores.valid" else f"s{i}"
            write_scores(place / file, CLASSES, rows, dict.fromkeys(names, who), labels)
        (place / "config.yaml").write_text("{}\n")
        off = 0.02 * (-1) ** i
        probes = [Probe("embedding", "emotion", "unseen", "probe", plus + off, 0.5, 20, "session")]
        probes += [Probe("embedding_minus", "emotion", "unseen", "probe", minus - off, 0.5, 20, "session")]
        probes += [Probe("embedding", "emotion", "unseen", "purity", 0.9, 0.5, 20, "none")]
        write_probes(place / "probes", probes)
    write(exp / str(strength) / "results.json", make(exp / str(strength), exp))


def test_what_is_carried_at_each_strength(tmp_path, type_in):
    train(tmp_path / "exp", "0", 0.5)
    train(tmp_path / "exp", "1.5", 0.8, right=0.9, minus=0.6)
    (tmp_path / "exp/log").mkdir()
    said = type_in("steps/truth.py", tmp_path / "exp", tmp_path / "out").stdout
    rows = read_rows(tmp_path / "out/truth.tsv")
    assert len(rows) == 8 and rows[1.5, "embedding"]["value"] == pytest.approx(0.8, abs=1e-4)
    half = 3.1824 * np.std([0.78, 0.82, 0.78, 0.82], ddof=1) / 2  # Student's, three degrees of freedom
    assert rows[1.5, "embedding"]["high"] == pytest.approx(0.8 + half, abs=1e-3)
    assert rows[1.5, "difference"]["value"] == pytest.approx(-0.2, abs=1e-4) and rows[1.5, "difference"]["runs"] == 4
    width = rows[1.5, "difference"]["high"] - rows[1.5, "difference"]["value"]
    assert width == pytest.approx(2 * half, abs=1e-3)  # the difference scatters by twice as much
    assert rows[1.5, "classifier"]["value"] == pytest.approx(0.9, abs=1e-4)
    page = (tmp_path / "out/README.md").read_text()
    assert "Strength 0 is not" not in page
    assert "| sys | 0 | 50.0 (50.0 to 50.0) = |" in page and "| 80.0 (76.3 to 83.7) | 60.0 (56.3 to 63.7) |" in page
    assert "| −20.0 (−27.3 to −12.7) * |" in page and "  50.0 (50.0 to 50.0) =  " in said


def test_a_leak_at_strength_0_is_an_error(tmp_path, type_in):
    train(tmp_path / "exp", "0", 0.6)
    done = type_in("steps/truth.py", tmp_path / "exp", tmp_path / "out", code=1)
    assert "at strength 0 something beats chance, so something leaks: embedding of sys 60.0 (56.3 to" in done.stderr


def test_two_folders_of_one_strength_are_refused_and_names_stay_as_they_are(tmp_path, type_in):
    train(tmp_path / "exp", "0.5", 0.8)
    (tmp_path / "exp/0.5/sys").rename(tmp_path / "exp/0.5/svm_None")
    write(tmp_path / "exp/0.5/results.json", make(tmp_path / "exp/0.5", tmp_path / "exp"))
    (tmp_path / "exp/²").mkdir()
    type_in("steps/truth.py", tmp_path / "exp", tmp_path / "out")
    assert "\tsvm_None\t" in (tmp_path / "out/truth.tsv").read_text()
    assert "Strength 0 is not among them" in (tmp_path / "out/README.md").read_text()
    train(tmp_path / "exp", "2", 0.8)
    type_in("steps/truth.py", "--strengths", "2", tmp_path / "exp", tmp_path / "out")
    assert "svm_None" not in (tmp_path / "out/truth.tsv").read_text()
    said = type_in("steps/truth.py", "--strengths", "2 strong", tmp_path / "exp", tmp_path / "out", code=1).stderr
    assert "--strengths 'strong': expected numbers" in said
    (tmp_path / "exp/0.50").mkdir()
    assert "of one strength" in type_in("steps/truth.py", tmp_path / "exp", tmp_path / "out", code=1).stderr


def test_nothing_to_read(tmp_path, type_in):
    assert "expected <strength>/results.json" in type_in("steps/truth.py", tmp_path, tmp_path / "out", code=1).stderr
    (tmp_path / "1").mkdir()
    assert "results.json: no such file" in type_in("steps/truth.py", tmp_path, tmp_path / "out", code=1).stderr


def test_the_page_that_is_kept_is_of_the_table_that_is_kept():
    lines = (KEPT / "truth.tsv").read_text().splitlines()[1:]
    of_classifier = [line.split("\t") for line in lines if "\tclassifier\t" in line]
    page = (KEPT / "README.md").read_text()
    assert of_classifier and all(f"| {float(row[0]):g} | {100 * float(row[5]):.1f} (" in page for row in of_classifier)
