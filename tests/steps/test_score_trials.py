"""EER and minDCF, by hand (trials and embeddings: test_pretrain.py)."""

import numpy as np
import pytest

from steps.score_trials import eer, min_dcf, read_trials
from utils.archive import ArkWriter
from utils.cli import UserError


def test_eer_by_hand():
    # Targets 0.9 0.8 0.4, others 0.5 0.3 0.2 0.1. Just above 0.4: misses 1/3, false alarms 1/4; at 0.4: 0 and 1/4.
    # Between the two, misses fall from 1/3 to 0 and cross 1/4.
    scores = np.array([0.9, 0.8, 0.4, 0.5, 0.3, 0.2, 0.1])
    targets = np.array([1, 1, 1, 0, 0, 0, 0])
    assert eer(scores, targets) == pytest.approx(0.25)


def test_eer_of_perfect_useless_and_reversed_scores():
    targets = np.array([1, 1, 0, 0])
    assert eer(np.array([4.0, 3.0, 2.0, 1.0]), targets) == 0
    assert eer(np.array([1.0, 1.0, 1.0, 1.0]), targets) == 0.5
    assert eer(np.array([1.0, 2.0, 3.0, 4.0]), targets) == 1


def test_min_dcf_by_hand():
    scores, targets = np.array([0.9, 0.8, 0.4, 0.5, 0.3, 0.2, 0.1]), np.array([1, 1, 1, 0, 0, 0, 0])
    # Accept 0.9 and 0.8 alone: misses 1/3, no false alarm: 0.01 / 3, over the 0.01 of rejecting all.
    assert min_dcf(scores, targets) == pytest.approx(1 / 3)
    # With targets as likely as others it is better to accept the third too, at one false alarm in four.
    assert min_dcf(scores, targets, p_target=0.5) == pytest.approx((1 / 4 * 0.5) / 0.5)


@pytest.mark.parametrize(
    ("last", "trials", "said"),
    [
        (np.ones(3), "a b target\na none nontarget\n", "what is left has not both"),
        (np.ones(3), "no b target\na none nontarget\n", "what is left has not both"),
        (np.zeros(3), "a b target\na c nontarget\n", "'c' is no embedding: expected a vector of 3 values"),
        (np.array([1, np.nan, 1]), "a b target\na c nontarget\n", "'c' is no embedding"),
        (np.full(3, 3e38), "a b target\na c nontarget\n", "'c' is no embedding"),
        (np.ones(4), "a b target\na c nontarget\n", "'c' is no embedding"),
        (np.ones((2, 3)), "a b target\na c nontarget\n", "'c' is no embedding"),
    ],
)
def test_what_gives_no_figure_leaves_nothing(tmp_path, type_in, recwarn, last, trials, said):
    with ArkWriter(tmp_path / "e.ark", tmp_path / "e.scp") as archive:
        for name, vector in {"a": np.ones(3), "b": np.arange(3), "c": last}.items():
            archive.write(name, vector)
    (tmp_path / "trials").write_text(trials)
    done = type_in("steps/score_trials.py", tmp_path / "trials", tmp_path / "e.scp", tmp_path / "out", code=1)
    assert said in done.stderr.splitlines()[-1] and not (tmp_path / "out").exists()
    assert not recwarn.list


def test_trials_that_contradict_each_other_are_refused_and_others_that_say_nothing_new_counted(tmp_path, capsys):
    (path := tmp_path / "trials").write_text("a b target\na c nontarget\nb a target\nc c target\n")
    assert len(read_trials(path)[0]) == 4
    assert "2 of 4 trials stood before, or are of an utterance with itself" in capsys.readouterr().err
    path.write_text("a b target\na c nontarget\nb a nontarget\n")
    with pytest.raises(UserError, match="trials:3: is nontarget, and line 1 says of the same two: target"):
        read_trials(path)
