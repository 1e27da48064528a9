"""steps/compare.py: two systems, wherever their scores are."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wilcoxon
from sklearn.metrics import f1_score, recall_score

from steps.evaluation.together import read_system
from utils import runs
from utils.scores import read_scores, write_scores

CLASSES = ["ang", "hap", "neu"]
SPEAKERS = [f"s{i}" for i in range(9)]


def system(folder, skill, seeds=(0, 1)):
    """Three runs of three speakers, each."""
    for seed in seeds:
        for run in range(3):
            rng = np.random.default_rng([seed, run, int(100 * skill)])
            names = [f"{who}-{i}" for who in SPEAKERS[run::3] for i in range(15)]
            labels = {name: CLASSES[i % 3] for i, name in enumerate(names)}
            rows = {name: rng.dirichlet(np.ones(3)) for name in names}
            for name in names:
                if rng.random() < skill:
                    rows[name] = np.eye(3)[CLASSES.index(labels[name])]
            place = folder / f"run{run}_seed{seed}"
            write_scores(place / "scores", CLASSES, rows, {name: name.split("-")[0] for name in names}, labels)
            (place / "config.yaml").write_text("{}\n")
    return folder


@pytest.fixture
def pair(tmp_path):
    return system(tmp_path / "exp/one", 0.6), system(tmp_path / "exp/other", 0.3, seeds=(0, 1, 2))


def by_hand(paths, score, average):
    parts = [read_scores(path) for path in paths]
    labels, decisions = (np.concatenate([getattr(part, key) for part in parts]) for key in ("labels", "decisions"))
    who = np.concatenate([part.speakers for part in parts])
    return 100 * score(labels, decisions, average=average), np.array(
        [100 * score(labels[who == name], decisions[who == name], average=average) for name in SPEAKERS]
    )


def test_the_difference_is_that_of_the_pooled_decisions_and_p_that_of_the_speakers(pair, type_in):
    said = type_in("steps/compare.py", *pair).stdout.splitlines()
    assert said[0] == f"{pair[0]} against {pair[1]}: 135 utterances, 9 speakers, seeds 0 1"
    for metric, score, average in (("wF1", f1_score, "weighted"), ("UA", recall_score, "macro")):
        values = [[by_hand(path.glob(f"*_seed{seed}/scores"), score, average) for seed in (0, 1)] for path in pair]
        pooled, speakers = (np.array([[value[i] for value in of_one] for of_one in values]) for i in (0, 1))
        line = next(line for line in said if line.startswith(metric))
        difference = pooled[0].mean() - pooled[1].mean()
        assert f"{difference:+.2f} points" in line
        p = wilcoxon(*speakers.mean(axis=1).round(9)).pvalue
        assert f"p {p:.3f}" in line or p < 0.001 and "p < 0.001" in line
        assert f"; {pooled[0].mean():.2f} against {pooled[1].mean():.2f}: the first is higher" in line
        each = "  by seed: " + ", ".join(f"{seed}: {a - b:+.2f}" for seed, a, b in zip((0, 1), *pooled))
        assert each in said
    assert not any("Warning" in line for line in said)
    back = type_in("steps/compare.py", *pair[::-1]).stdout
    assert "the first is lower" in back and "points, 95 % interval −" in back and "-" not in back.split("points")[1]


def test_folders_archives_and_score_files_give_the_same(pair, tmp_path, type_in):
    said = type_in("steps/compare.py", "--seeds", "0", *pair).stdout.partition(": ")[2]
    kept = [tmp_path / f"kept/{path.name}.tar.xz" for path in pair]
    for path, archive in zip(pair, kept):
        runs.pack(path, archive)
    assert type_in("steps/compare.py", "--seeds", "0", pair[0], kept[1]).stdout.partition(": ")[2] == said
    for path in pair:  # as somebody else would hand them over: one file, in any order
        lines = [line for scores in path.glob("*_seed0/scores") for line in scores.read_text().splitlines()[1:]]
        (tmp_path / path.name).write_text("\n".join(["# utt spk label ang hap neu", *lines[::-1], ""]))
    theirs = type_in("steps/compare.py", tmp_path / "one", tmp_path / "other").stdout
    assert theirs.partition(": ")[2] == said
    assert type_in("steps/compare.py", "--seeds", "0", pair[0], tmp_path / "other").stdout.partition(": ")[2] == said


def test_a_score_file_counts_as_seed_0_alone(pair, tmp_path, type_in):
    """Of a system with several pre-trained seeds, too."""
    for place in pair[1].iterdir():
        (place / "environment.yaml").write_text("pretrained: [one]\n")
    parts = [(pair[1] / f"run{run}_seed0/scores").read_text().splitlines(keepends=True) for run in range(3)]
    (tmp_path / "mine.txt").write_text("".join([*parts[0], *(line for part in parts[1:] for line in part[1:])]))
    said = type_in("steps/compare.py", pair[1], tmp_path / "mine.txt").stdout
    assert "9 speakers, seed 0\n" in said and "wF1 (weighted F1): +0.00 points" in said


def test_the_folder_that_one_is_in_has_a_name(pair, type_in, monkeypatch):
    for words in ([pair[0], "/"], ["--over", ". .", ".", "."], ["--over", "/", "/", "."]):
        said = type_in("steps/compare.py", *words, code=1).stderr
        assert said.startswith("compare.py: ") and said.count("\n") == 1
    monkeypatch.chdir(pair[0])
    assert read_system(Path(".")).seeds == [0, 1]


def test_few_speakers_are_warned_of_and_one_has_no_interval(pair, tmp_path, type_in):
    for i, path in enumerate(pair):
        lines = (path / "run0_seed0/scores").read_text().splitlines(keepends=True)
        (tmp_path / f"three{i}").write_text("".join(lines))
        (tmp_path / f"single{i}").write_text("".join(lines[:1] + [line for line in lines if " s0 " in line]))
    said = type_in("steps/compare.py", tmp_path / "three0", tmp_path / "three1").stdout
    assert "3 speakers, seed 0\n" in said and "Warning: with 3 speakers, fewer than 8" in said and "by seed" not in said
    said = type_in("steps/compare.py", tmp_path / "single0", tmp_path / "single1").stdout
    assert "no interval, of one speaker" in said and "no difference is shown" in said


def test_what_cannot_be_compared_is_said(pair, tmp_path, type_in):
    def error(*words):
        text = type_in("steps/compare.py", *words, code=1).stderr
        assert len(text.splitlines()) == 1
        return text

    text = (pair[0] / "run0_seed0/scores").read_text()
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.write_text(text)
    theirs.write_text(text.replace("s0-3 ", "s0-x "))
    assert f"only {mine} has 's0-3', the first of 2" in error(mine, theirs)
    theirs.write_text(text.replace("s0-0 s0 ang", "s0-0 s0 neu"))
    assert "'s0-0' is 'ang' of speaker 's0'" in error(mine, theirs)
    theirs.write_text(re.sub(r" (ang|hap|neu) (?=\d)", " - ", text))
    assert "holds no labels" in error(mine, theirs)
    (tmp_path / "data").mkdir()
    labels = re.findall(r"^(s\S+) \S+ (\S+)", text, flags=re.MULTILINE)
    (tmp_path / "data/utt2emo").write_text("".join(f"{name} {label}\n" for name, label in sorted(labels)))
    said = type_in("steps/compare.py", "--data", tmp_path / "data", mine, theirs).stdout
    assert "wF1 (weighted F1): +0.00 points, 95 % interval +0.00 to +0.00, p 1.000" in said
    assert "gone: no such folder, archive or score file" in error(tmp_path / "gone", mine)
    assert "no scores of any run" in error(tmp_path / "data", mine)
    theirs.write_text("hello\n")
    assert "is not a score file" in error(mine, theirs)
    assert "is one score file, and counts as seed 0" in error("--seeds", "7", mine, mine)
    (tmp_path / "broken.tar.xz").write_text("hello\n")
    assert "broken.tar.xz: is not an archive of runs" in error(mine, tmp_path / "broken.tar.xz")
    (pair[1] / "run1_seed1/leak").write_text("random\n")
    assert "made with false speakers, so no result" in error(*pair)
    assert "no seed in common" in error(pair[0], system(tmp_path / "exp/late", 0.2, seeds=[7]))


def test_systems_are_compared_over_corpora_without_some_speakers(tmp_path, type_in):
    for corpus, skills in {"a": (0.6, 0.3), "b": (0.5, 0.4)}.items():
        system(tmp_path / corpus / "one", skills[0])
        system(tmp_path / corpus / "other", skills[1])
    (tmp_path / "left").write_text("s0\ns4\n")
    words = ["steps/compare.py", "--over", f"{tmp_path}/a {tmp_path}/b", "--without", tmp_path / "left", "one", "other"]
    said = type_in(*words).stdout
    assert "one against other: 210 utterances, 14 speakers, seeds 0 1" in said
    pooled = []
    for name in ("one", "other"):
        values = []
        for seed in (0, 1):
            parts = [read_scores(path) for path in tmp_path.glob(f"[ab]/{name}/*_seed{seed}/scores")]
            kept = [np.array([who not in ("s0", "s4") for who in part.speakers]) for part in parts]
            labels = np.concatenate([part.labels[keep] for part, keep in zip(parts, kept)])
            decisions = np.concatenate([part.decisions[keep] for part, keep in zip(parts, kept)])
            values.append(100 * f1_score(labels, decisions, average="weighted"))
        pooled.append(np.mean(values))
    assert f"wF1 (weighted F1): {pooled[0] - pooled[1]:+.2f} points" in said
    assert "--without belongs to --over" in type_in(*words[:1], *words[3:], code=1).stderr
    assert "no such folder, archive" in type_in(*words[:-1], "none", code=1).stderr
    (tmp_path / "left").write_text("s0\nnobody\n")
    assert "'nobody' is to be left out, and is no speaker of" in type_in(*words, code=1).stderr
    (tmp_path / "left").write_text("\n".join(SPEAKERS))
    assert "are to be left out" in type_in(*words, code=1).stderr
