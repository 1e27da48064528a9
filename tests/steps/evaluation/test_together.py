"""Systems over several corpora: differences of all utterances, without the speakers that systems were developed on."""

import shutil

import numpy as np
import pytest
from scipy.stats import wilcoxon
from sklearn.metrics import f1_score

from steps.evaluation import results
from steps.evaluation.together import make, together
from utils.cli import UserError
from utils.scores import read_scores, write_scores

CLASSES = ["ang", "neu"]


def system(folder, skill, speakers="abcdef"):
    """Two runs of half of the speakers, each."""
    for run in range(2):
        rng = np.random.default_rng([run, int(100 * skill)])
        names = [f"{who}-{i}" for who in speakers[run::2] for i in range(12)]
        labels = {name: CLASSES[i % 2] for i, name in enumerate(names)}
        right = [rng.random() < skill for _ in names]
        rows = {name: np.eye(2)[(i + (not right[i])) % 2] for i, name in enumerate(names)}
        place = folder / f"run{run}_seed0"
        write_scores(place / "scores", CLASSES, rows, {name: name[0] for name in names}, labels)
        (place / "config.yaml").write_text("{}\n")


@pytest.fixture
def home(tmp_path):
    for corpus, skills in {"one": (0.9, 0.6, 0.7), "two": (0.8, 0.5, 0.6)}.items():
        for name, skill in zip(("good", "poor", "fair"), skills):
            system(tmp_path / corpus / name, skill)
        results.write(tmp_path / corpus / "results.json", {"systems": dict.fromkeys(["good", "poor", "fair"])})
    (tmp_path / "develop").write_text("a\nf\n")
    return tmp_path


def test_differences_are_those_of_all_utterances_but_of_speakers_for_development(home):
    folders = [home / "one", home / "two"]
    pairs = [["good", "poor"], ["good", "fair"], ["fair", "poor"], ["good", "absent"]]
    made = make(home, folders, pairs, planned=["fair", "poor"])
    assert (made["corpora"], made["left_out"], made["speakers"], made["utterances"]) == (["one", "two"], 2, 8, 96)
    first, second, planned = made["comparisons"]
    values, each = [], []
    for name in ("good", "poor"):
        parts = [read_scores(path) for folder in folders for path in sorted(folder.glob(f"{name}/*/scores"))]
        who = np.concatenate([[f"{i // 2}{speaker}" for speaker in part.speakers] for i, part in enumerate(parts)])
        y, p = (np.concatenate([getattr(part, key) for part in parts]) for key in ("labels", "decisions"))
        kept = np.array([speaker[-1] not in "af" for speaker in who])
        values.append(100 * f1_score(y[kept], p[kept], average="weighted"))
        speakers = sorted(set(who[kept]))
        each.append([100 * f1_score(y[who == s], p[who == s], average="weighted") for s in speakers])
    assert first["difference"]["value"] == pytest.approx(values[0] - values[1])
    assert first["p"] == pytest.approx(wilcoxon(*each).pvalue)
    assert planned["p_corrected"] == planned["p"]
    assert min(first["p_corrected"], second["p_corrected"]) >= 2 * min(first["p"], second["p"]) - 1e-12


def test_what_is_not_whole_on_a_corpus_is_not_compared_nor_a_corpus_without_the_planned_pair(home):
    folders, pairs = [home / "one", home / "two", home / "three"], [["good", "poor"], ["good", "fair"]]
    shutil.copytree(home / "one", home / "three")
    shutil.rmtree(home / "three/good/run1_seed0")  # so results.json leaves it out
    results.write(home / "three/results.json", {"systems": dict.fromkeys(["poor", "fair"])})
    made = make(home, folders, pairs, planned=["good", "poor"])
    assert made["corpora"] == ["one", "two"] and len(made["comparisons"]) == 2
    made = make(home, folders, [*pairs, ["fair", "poor"]], planned=["fair", "poor"])
    [only] = made["comparisons"]
    assert made["corpora"] == ["one", "two", "three"] and (only["system"], only["reference"]) == ("fair", "poor")


def test_corpora_of_other_classes_are_no_company(home):
    write_scores(
        home / "three/good/run0_seed0/scores",
        ["hap", "neu"],
        {"x-1": np.array([1.0, 0.0])},
        {"x-1": "x"},
        {"x-1": "hap"},
    )
    (home / "three/good/run0_seed0/config.yaml").write_text("{}\n")
    with pytest.raises(UserError, match="its classes are not those of"):
        together([home / "one", home / "three"], "good")


def test_one_corpus_in_two_folders_is_said(home, capsys):
    together([home / "one", home / "two"], "good")
    assert "tell of the same utterances, speakers and labels" in capsys.readouterr().err
    shutil.rmtree(home / "two/good")
    system(home / "two/good", 0.8, speakers="ghijkl")
    together([home / "one", home / "two"], "good")
    assert not capsys.readouterr().err
