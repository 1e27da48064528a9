"""steps/across.py: the matrix of corpora, against scikit-learn on the same score files."""

import json
import shutil

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score

from steps.reporting import matrix
from utils.archive import ArkWriter
from utils.data_dir import Utterance, write_data_dir
from utils.scores import write_scores
from utils.table import read_table

CLASSES = ["ang", "hap", "sad"]
SPEAKERS = {"x": ["x_0", "x_1", "x_2"], "y": ["y_0", "y_1", "y_2"]}


@pytest.fixture
def work(tmp_path):
    """Two corpora; the scores of a system under every protocol, some decisions right."""
    rng = np.random.default_rng(0)
    rows = [
        Utterance(f"{who}-{i}", tmp_path / f"{who}-{i}.wav", who, who, "", CLASSES[i % 3])
        for names in SPEAKERS.values()
        for who in names
        for i in range(9)
    ]
    of = [f"{row.name} {row.name[0]}" for row in sorted(rows, key=lambda row: row.name)]
    write_data_dir(tmp_path / "all", rows, [], {"utt2corpus": of})
    truth = {}
    runs = {
        "within_x": {"a": ["x_0", "x_1"], "b": ["x_2"]},
        "within_y": {"a": ["y_0", "y_1", "y_2"]},
        "from_x": {"run01": SPEAKERS["y"]},
        "from_y": {"run01": SPEAKERS["x"]},
        "left_out": {"x": SPEAKERS["x"], "y": SPEAKERS["y"]},
        "together": {"run01": ["x_0", "y_0"], "run02": ["x_1", "x_2", "y_1", "y_2"]},
    }
    for protocol, parts in runs.items():
        for run, speakers in parts.items():
            place = tmp_path / f"exp/{protocol}/svm/{run}_seed0"
            mine = [row for row in rows if row.speaker in speakers]
            labels = {row.name: row.emotion for row in mine}
            posteriors = {row.name: rng.dirichlet(1 + 2 * (np.array(CLASSES) == row.emotion)) for row in mine}
            names = {row.name: row.speaker for row in mine}
            write_scores(place / "scores", CLASSES, posteriors, names, labels)
            (place / "config.yaml").write_text("backend: {kind: svm}\n")
            for name, values in posteriors.items():
                truth.setdefault((protocol, name[0]), []).append((labels[name], CLASSES[int(values.argmax())]))
    with ArkWriter(place / "e.ark", tmp_path / "exp/together/svm/run01_seed0/embedding.scp") as out:
        for row in sorted(rows, key=lambda row: row.name):
            out.write(row.name, rng.normal(3 * (row.name[0] == "x"), 1, 4))
    return tmp_path, truth


def test_each_cell_is_what_scikit_learn_makes_of_it(work, type_in):
    folder, truth = work
    said = type_in("steps/across.py", folder / "all", folder / "exp").stdout
    made = json.loads((folder / "exp/across.json").read_text())
    trained = {"within_x": "x", "within_y": "y", "from_x": "x", "from_y": "y", "left_out": "others", "together": "all"}
    assert made["systems"]["svm"].keys() == set(trained.values())
    for (protocol, tested), pairs in truth.items():
        cell = made["systems"]["svm"][trained[protocol]][tested]
        labels, decisions = zip(*pairs)
        assert cell["wf1"]["value"] == pytest.approx(100 * f1_score(labels, decisions, average="weighted"))
        assert cell["ua"]["value"] == pytest.approx(100 * recall_score(labels, decisions, average="macro"))
        assert cell["wf1"]["low"] <= cell["wf1"]["value"] <= cell["wf1"]["high"]
        assert (cell["utterances"], cell["speakers"]) == (len(pairs), 3)
    assert made["corpus_probe"]["svm"]["value"] > 90 and "A linear probe tells the corpus" in said
    page = (folder / "exp/README.md").read_text()
    one = made["systems"]["svm"]
    others = f"{(one['x']['y']['wf1']['value'] + one['y']['x']['wf1']['value']) / 2:.1f}"
    assert f"| {others} |" in next(line for line in page.splitlines() if line.startswith("| svm |"))
    assert "†" not in page and "| all others |" in page and "| majority class |" in page
    assert (folder / "exp/figures/across.png").is_file()
    many = made | {"systems": {f"{name}{k}": own for k in range(12) for name, own in made["systems"].items()}}
    canvas = matrix.heat(many)
    assert canvas.get_figwidth() < 14 and len(canvas.axes) == 12 * len(made["systems"])


def relabelled(folder, classes):
    """The corpus y with other classes, in which no system ever decides: classes(its own) → what is in their place."""
    path = folder / "all/utt2emo"
    lines = [line.split() for line in path.read_text().splitlines()]
    now = {name: classes(own) if name[0] == "y" else own for name, own in lines}
    path.write_text("".join(f"{name} {own}\n" for name, own in now.items()))
    others = sorted(set(now.values()) - set(CLASSES))
    for scores in folder.glob("exp/*/svm/*/scores"):
        header, *rows = (line.split() for line in scores.read_text().splitlines())
        rows = [[name, who, now[name], *values, *["0"] * len(others)] for name, who, _, *values in rows]
        scores.write_text("".join(" ".join(row) + "\n" for row in [[*header, *others], *rows]))


def cells_of(folder):
    """The table of the page: row → cells."""
    lines = [line.strip("|").split("|") for line in (folder / "exp/README.md").read_text().splitlines()]
    return {line[0].strip(): [cell.strip() for cell in line[1:]] for line in lines if len(line) == 3}


def test_a_cell_whose_classes_were_not_all_trained_on_says_so(work, type_in):
    folder, _ = work
    relabelled(folder, lambda own: {"hap": "fea"}.get(own, own))
    said = type_in("steps/across.py", folder / "all", folder / "exp").stdout
    rows, page = cells_of(folder), (folder / "exp/README.md").read_text()
    assert not rows["x"][0].endswith("†") and rows["x"][1].endswith(" †")
    assert rows["y"][0].endswith(" †") and all(cell.endswith(" †") for cell in rows["all others"])
    assert not any("†" in cell for cell in rows["all"])
    told = "errs on all of their recordings: x on y: fea; y on x: hap; all others on x: hap; all others on y: fea."
    assert told in page and told in said
    made = json.loads((folder / "exp/across.json").read_text())["systems"]["svm"]
    assert made["x"]["y"]["untaught"] == ["fea"] and made["x"]["x"]["untaught"] == []


def test_where_no_class_is_in_common_no_figure_stands(work, type_in):
    folder, _ = work
    relabelled(folder, lambda own: f"{own}2")
    type_in("steps/across.py", folder / "all", folder / "exp")
    rows = cells_of(folder)
    assert rows["x"][1] == rows["y"][0] == "–" and rows["all others"] == ["–", "–"]
    assert "–" not in rows["x"][0] + "".join(rows["all"])


def test_what_is_missing_is_named(work, tmp_path, type_in):
    folder, _ = work
    (tmp_path / "none").mkdir()
    assert "holds no scored system" in type_in("steps/across.py", folder / "all", tmp_path / "none", code=1).stderr


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: cut(folder / "all/utt2corpus"), "'x_0-0' is in one of utt2spk and utt2corpus"),
        (lambda folder: edit(folder / "all/utt2corpus", "x_0-0 x", "x_0-0 y"), "another corpus than its speaker"),
        (lambda folder: cut(folder / "all/utt2emo"), "'x_0-0' is in one of utt2spk and utt2emo"),
        (
            lambda folder: edit(folder / "all/utt2emo", "x_0-0 ang", "x_0-0 hap"),
            "is scored as x_0's, ang, and the data",
        ),
        (lambda folder: (folder / "exp/together/svm/run01_seed0/embedding.scp").write_text(""), "it is empty"),
        (
            lambda folder: edit(folder / "exp/together/svm/run01_seed0/embedding.scp", "x_0-0 ", "who "),
            "'who' is not in the data dir",
        ),
    ],
)
def test_a_data_dir_that_the_scores_are_not_of_is_refused(work, type_in, spoil, said):
    spoil(work[0])
    done = type_in("steps/across.py", work[0] / "all", work[0] / "exp", code=1)
    assert said in done.stderr and done.stderr.count("\n") == 1 and not (work[0] / "exp/across.json").exists()


@pytest.mark.parametrize("lost", ["scores", ""])
def test_a_system_whose_runs_are_not_all_there_is_left_out_and_said(work, type_in, lost):
    place = work[0] / "exp/together/svm/run02_seed0"
    (place / lost).unlink() if lost else shutil.rmtree(place)
    done = type_in("steps/across.py", work[0] / "all", work[0] / "exp")
    assert "together/svm: left out, as 4 of 6 speakers have not been tested, first x_1" in done.stderr
    made = json.loads((work[0] / "exp/across.json").read_text())["systems"]["svm"]
    assert made.keys() == {"x", "y", "others"} and "| all |" not in (work[0] / "exp/README.md").read_text()


def test_lost_embeddings_are_told_of(work, type_in):
    (work[0] / "exp/together/svm/run01_seed0/embedding.scp").rename(
        work[0] / "exp/together/svm/run02_seed0/embedding.scp"
    )
    assert "embedding.scp: is not there" in type_in("steps/across.py", work[0] / "all", work[0] / "exp").stderr


def test_wide_vectors_tell_no_corpora_and_that_is_said(work, type_in):
    with ArkWriter(work[0] / "w.ark", work[0] / "exp/together/svm/run01_seed0/embedding.scp") as out:
        for name in sorted(read_table(work[0] / "all/utt2spk")):
            out.write(name, np.ones(2049))
    done = type_in("steps/across.py", work[0] / "all", work[0] / "exp")
    assert "vectors have more than 2048 values" in done.stderr
    assert json.loads((work[0] / "exp/across.json").read_text())["corpus_probe"] == {}


def test_folders_of_no_corpus_are_left_out_and_said(work, type_in):
    shutil.copytree(work[0] / "exp/from_x", work[0] / "exp/from_x.old")
    assert "from_x.old: left out, as 'x.old' is no corpus" in type_in(
        "steps/across.py", work[0] / "all", work[0] / "exp"
    ).stderr  # fmt: skip


def cut(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))


def edit(path, old, new):
    assert old in (text := path.read_text())
    path.write_text(text.replace(old, new))
