"""steps/truth.py: what spaces carry at several strengths, from fabricated scores and probes."""

import numpy as np
import pytest

from steps.evaluation.probe_files import write_figures
from steps.evaluation.probes import Figure
from steps.evaluation.scores import write_scores
from steps.evaluation.truth import read_rows
from utils.cli import UserError

CLASSES = ["ang", "hap"]


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
        figures = [Figure("embedding", "emotion", "unseen", "probe", plus + off, 0.5, 20, "session")]
        figures += [Figure("embedding_minus", "emotion", "unseen", "probe", minus - off, 0.5, 20, "session")]
        figures += [Figure("embedding", "emotion", "unseen", "purity", 0.9, 0.5, 20, "none")]
        write_figures(place / "probes", figures)


def test_what_is_carried_at_each_strength(tmp_path, type_in):
    train(tmp_path / "exp", "0", 0.5)
    train(tmp_path / "exp", "1.5", 0.8, right=0.9, minus=0.6)
    said = type_in("steps/truth.py", tmp_path / "exp", tmp_path / "truth.tsv").stdout
    rows = {(row.strength, row.space): row for row in read_rows(tmp_path / "truth.tsv")}
    assert len(rows) == 8 and rows[1.5, "embedding"].value == pytest.approx(0.8, abs=1e-4)
    half = 3.1824 * np.std([0.78, 0.82, 0.78, 0.82], ddof=1) / 2  # Student's, three degrees of freedom
    assert rows[1.5, "embedding"].high == pytest.approx(0.8 + half, abs=1e-3)
    assert rows[1.5, "embedding"].beats_chance and not rows[0.0, "embedding"].beats_chance
    assert rows[1.5, "difference"].value == pytest.approx(-0.2, abs=1e-4)
    assert 100 * 2 * half == pytest.approx(7.3, abs=0.1)  # the difference scatters by twice as much
    told = "how much pool(F⁻) tells of emotions against pool(F⁺) (unseen speakers): "
    assert f"sys, strength 1.5, {told}less, −20.0 points (−27.3 to −12.7)." in said
    assert rows[1.5, "classifier"].value == pytest.approx(0.9, abs=1e-4)
    assert (
        "strength 0, unseen speakers: nothing beats chance" in said
        and "| sys, pool(F⁺) | 1.5 | 80.0 (76 to 84)" in said
    )


def test_what_is_not_shown_to_differ_is_not_called_equal_nor_a_mute_classifier_a_proof(tmp_path, type_in):
    train(tmp_path / "exp", "0", 0.5)
    train(tmp_path / "exp", "1", 0.8, right=0.9, minus=0.8)
    said = type_in("steps/truth.py", tmp_path / "exp", tmp_path / "truth.tsv").stdout
    assert "against pool(F⁺) (unseen speakers): no difference is shown, +0.0 points (−7.3 to 7.3)" in said
    assert "sys, strength 0: the classifier is exactly at chance whichever speakers are drawn" in said
    assert "that it does not beat chance shows nothing" in said
    train(tmp_path / "exp", "0", 0.5, right=0.4)  # it can be worse than chance, and so it could be better
    said = type_in("steps/truth.py", tmp_path / "exp", tmp_path / "truth.tsv").stdout
    assert "nothing beats chance" in said and "shows nothing" not in said


def test_a_leak_at_strength_0_is_an_error(tmp_path, type_in):
    train(tmp_path / "exp", "0", 0.6)
    done = type_in("steps/truth.py", tmp_path / "exp", tmp_path / "truth.tsv", code=1)
    assert "sys, pool(F⁺) (60.0 (56 to 64)) beat chance: something leaks" in done.stdout
    assert "at strength 0 something beats chance" in done.stderr


def test_nothing_to_read(tmp_path, type_in):
    assert "expected <strength>/<system>" in type_in("steps/truth.py", tmp_path, tmp_path / "out", code=1).stderr
    (tmp_path / "out").write_text("strength\nx\n")
    with pytest.raises(UserError, match="is not a table of strengths"):
        read_rows(tmp_path / "out")
