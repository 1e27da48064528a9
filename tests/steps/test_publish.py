"""steps/publish.py: what is kept of exp/, and the tables written from it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from utils import runs
from utils.hold import hold
from utils.scores import read_scores, sums, write_scores

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ["ang", "hap", "neu"]
GROUPS = """\
families: {table2: {title: Table 2, systems: [poor, good]}}
main: [poor, good]
questions: [{ask: "Is good better?", compare: [good, poor]}]
"""


def pair(path, right, who, letter):
    """A score file of ten utterances, of which the first `right` are decided as they should be."""
    names = [f"{letter}-{i}" for i in range(10)]
    posteriors = {name: np.eye(3)[i % 2 if i < right else 2] for i, name in enumerate(names)}
    labels = {name: CLASSES[i % 2] for i, name in enumerate(names)}
    write_scores(path, CLASSES, posteriors, dict.fromkeys(names, who), labels)


@pytest.fixture
def corpus(tmp_path):
    """A repository with one corpus, two systems and two runs: `good` is right 9 times in 10, `poor` 5 times."""
    for system, right in (("good", 9), ("poor", 5)):
        for run in ("r1", "r2"):
            place = tmp_path / f"egs/toy/exp/{system}/{run}_seed0"
            pair(place / "scores", right, run, run)
            pair(place / "scores.valid", right, "valid", f"v{run}")
            pair(place / "scores.last", right, run, run)
            (place / "config.yaml").write_text(f"network: {{width: 4, AD: {str(system == 'good').lower()}}}\n")
            (place / "environment.yaml").write_text(
                "date: '2026-01-01'\ntorch: 2.13.0\nseconds: 90\ncommand: steps/finetune.py\n"
            )
            (place / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "egs/toy/conf/systems").mkdir(parents=True)
    (tmp_path / "egs/toy/conf/systems/poor.yaml").write_text("{}\n")
    (tmp_path / "egs/toy/conf/systems/good.yaml").write_text("parent: poor\nnetwork: {AD: true}\n")
    (tmp_path / "egs/toy/conf/groups.yaml").write_text(GROUPS)
    (tmp_path / "egs/toy/conf/published.yaml").write_text("good: 68.19\n")
    (tmp_path / "README.md").write_text("before\n<!-- results -->\nstale\n<!-- /results -->\nafter\n")
    return tmp_path / "egs/toy"


def rows(text):
    """Table rows by their first cell: of the first table that has it."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return {row[0].removesuffix(" †"): dict(zip(cells[0], row)) for row in reversed(cells)}


def content(folder):
    """What every file in a folder holds."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_archives_hold_what_the_runs_hold_and_tables_what_results_json_holds(corpus, tmp_path, type_in):
    type_in("steps/publish.py", corpus / "exp")
    first = content(corpus / "results")
    type_in("steps/publish.py", corpus / "exp")
    assert content(corpus / "results") == first  # a second time changes nothing
    type_in("steps/publish.py", corpus / "conf/../exp/../exp")
    assert content(corpus / "results") == first and not (corpus / "exp/good.tar.xz").exists()  # nor by another path
    type_in("steps/publish.py", corpus / "results")
    assert content(corpus / "results") == first  # nor do the tables made anew from what is kept
    assert {path.name for path in (corpus / "results").iterdir()} == {
        "good.tar.xz", "poor.tar.xz", "results.json", "README.md", "figures",
    }  # fmt: skip
    for system in ("good", "poor"):
        kept = runs.finished(corpus / "results" / system)
        assert list(kept) == [("r1", 0), ("r2", 0)]
        for (run, _), texts in kept.items():
            place = corpus / f"exp/{system}/{run}_seed0"
            names = {path.name for path in place.iterdir()} - {"model.safetensors"}
            assert {name: texts.read(name) for name in names} == {name: (place / name).read_text() for name in names}
            assert texts.read("model.safetensors") is None
    made = json.loads((corpus / "results/results.json").read_text())
    text, readme = (tmp_path / "RESULTS.md").read_text(), (tmp_path / "README.md").read_text()
    assert readme.startswith("before\n") and readme.endswith("after\n") and "stale" not in readme
    for document in (text, readme, (corpus / "results/README.md").read_text()):
        table = rows(document)
        for name, system in made["systems"].items():
            assert table[name]["wF1"].startswith(f"{system['wf1']['value']:.2f}")
            assert table[name]["UA"].startswith(f"{system['ua']['value']:.2f}")
        assert (table["good"]["wF1 in the paper"], table["poor"]["wF1 in the paper"]) == ("68.19", "–")
        assert table["majority class"]["wF1"] == f"{made['majority']['wf1']:.2f}"
    difference = made["comparisons"][0]["difference"]
    assert rows(text)["good"]["difference from parent"].startswith(f"{difference['value']:+.2f}")
    everything = (corpus / "results/README.md").read_text().partition("## All systems")[2]
    assert rows(everything)["good"]["what differs"] == "AD true"
    assert "**Is good better?**" in text and "egs/toy/run.sh --toy DIR --seeds '0' --systems 'poor good'" in text
    assert "2 test speakers are too few" in text and "![main](egs/toy/results/figures/main.png)" in text


def test_readme_says_what_to_use_and_answers_the_planned_question_alone(corpus, tmp_path, type_in):
    asked = GROUPS.replace("}]\n", '}, {ask: "And the other way?", compare: [poor, good]}]\n')
    (corpus / "conf/groups.yaml").write_text(f"{asked}planned: [good, poor]\n")
    type_in("steps/publish.py", corpus / "exp")
    text, readme = (tmp_path / "RESULTS.md").read_text(), (tmp_path / "README.md").read_text()
    assert "**And the other way?**" in text and "**And the other way?**" not in readme
    assert "**What should I use?** good" in readme and "**Is good better?**" in readme


def sealed(place):
    """With the sums that training leaves."""
    known = {path.name: path.read_text() for path in place.glob("*") if path.name.startswith(("scores", "config"))}
    said = {"date": "2026-01-01", "torch": "2.13.0", "seconds": 90, "sums": sums(known)}
    (place / "environment.yaml").write_text(yaml.safe_dump(said))


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("scores", lambda text: "x\n", "is not a score file"),
        ("scores.last", lambda text: text.replace("1.000000", "0.900000", 1), "sum 1"),
        ("config.yaml", lambda text: "network: {width: 4}\n", "changed after the run was made"),
        ("probes", lambda text: "{}\n", "is not a file of probes"),
        ("history.tsv", lambda text: "epoch\tL\n1\tx\n", "is not a table of epochs"),
        ("../../../results/about.md", lambda text: "sch\udcf6n", "is no text in UTF-8"),
    ],
)
def test_what_is_damaged_is_refused_before_anything_is_kept(corpus, type_in, name, damage, said):
    for place in corpus.glob("exp/*/*_seed0"):
        sealed(place)
    type_in("steps/publish.py", corpus / "exp")
    before, place = content(corpus / "results"), corpus / "exp/good/r1_seed0"
    text = (place / name).read_text() if (place / name).is_file() else ""
    (place / name).write_bytes(damage(text).encode("utf-8", "surrogateescape"))
    message = type_in("steps/publish.py", corpus / "exp", code=1).stderr
    assert said in message and name.rpartition("/")[2] in message and message.count("\n") == 1
    (place / name).unlink() if not text else (place / name).write_text(text)
    assert content(corpus / "results") == before


def test_systems_that_are_not_named_stay(corpus, type_in):
    type_in("steps/publish.py", corpus / "exp")
    poor = (corpus / "results/poor.tar.xz").read_bytes()
    shutil.rmtree(corpus / "exp/poor")
    pair(corpus / "exp/good/r1_seed0/scores", 8, "r1", "r1")
    type_in("steps/publish.py", "--systems", "good", corpus / "exp")
    assert (corpus / "results/poor.tar.xz").read_bytes() == poor
    assert set(json.loads((corpus / "results/results.json").read_text())["systems"]) == {"good", "poor"}
    shutil.rmtree(corpus / "exp/good/r2_seed0")  # a run that was kept before
    type_in("steps/publish.py", corpus / "exp")
    kept = runs.finished(corpus / "results/good")
    assert list(kept) == [("r1", 0), ("r2", 0)]
    assert kept["r1", 0].read("scores") == (corpus / "exp/good/r1_seed0/scores").read_text()


def test_what_is_not_finished_is_named_and_what_leaks_is_kept_apart(corpus, tmp_path, type_in):
    (corpus / "exp/poor/r2_seed0/scores").unlink()
    for run in ("r1", "r2"):
        shutil.copytree(corpus / f"exp/good/{run}_seed0", corpus / f"exp/leak_random/good/{run}_seed0")
        (corpus / f"exp/leak_random/good/{run}_seed0/leak").write_text("random\n")
        shutil.copyfile(corpus / f"exp/good/{run}_seed0/scores", corpus / f"exp/good/{run}_seed0/scores.oracle")
    type_in("steps/publish.py", corpus / "exp")
    assert (corpus / "results/leak_random/good.tar.xz").is_file() and not (corpus / "results/random.tar.xz").exists()
    text, everything = (tmp_path / "RESULTS.md").read_text(), (corpus / "results/README.md").read_text()
    assert "- Left out, as no seed has all runs: poor (1 of 2 runs)." in everything and "\n| poor" not in text
    assert "Choosing the epoch on the test speakers inflates wF1 of good by 0.0 points, to 9" in text
    assert "Splitting by utterance instead of speaker inflates wF1 of good by 0.0 points, to 9" in text
    table = everything.partition("## What mistakes inflate")[2]
    assert [line.split(" | ")[1] for line in table.splitlines() if line.startswith("| good")] == [
        "choosing the epoch on the test speakers", "splitting by utterance instead of speaker",
    ]  # fmt: skip


def test_refusals(corpus, tmp_path, type_in):
    def said(*words):
        return type_in("steps/publish.py", *words, code=1).stderr

    assert "gone: there are no scored systems here" in said(corpus / "gone")
    assert "exp/gone: no run of this system is finished" in said("--systems", "gone", corpus / "exp")
    (tmp_path / "egs/empty/exp").mkdir(parents=True)
    assert "there are no scored systems here" in said(tmp_path / "egs/empty/exp")
    shutil.copytree(corpus / "exp", tmp_path / "elsewhere/exp")
    assert "--results egs/<recipe>/results" in said(tmp_path / "elsewhere/exp")
    assert "--data" in said("--labels", "false", corpus / "exp")
    (corpus / "exp/poor/r1_seed0/leak").write_text("random\n")
    assert "made with false speakers, so no result" in said(corpus / "exp")
    (corpus / "exp/poor/r1_seed0/leak").unlink()
    (corpus / "exp/audit.json").write_text("{")
    assert "audit.json: is not JSON" in said(corpus / "exp")
    assert not (corpus / "results").exists()


def test_a_mean_is_one_of_what_is_kept_of_its_parts(corpus, type_in):
    """Or a row would tell of a part as it was, beside the part as it is."""
    for run in ("r1", "r2"):
        place = corpus / f"exp/both/{run}_seed0"
        shutil.copytree(corpus / f"exp/good/{run}_seed0", place)
        (place / "config.yaml").write_text("backend: {kind: mean, of: [good, poor]}\n")
        for name in ("scores", "scores.valid"):
            parts = [read_scores(corpus / f"exp/{part}/{run}_seed0/{name}") for part in ("good", "poor")]
            rows = dict(zip(parts[0].utterances, sum(part.posteriors for part in parts) / 2))
            who, labels = parts[0].speakers[0], [CLASSES[label] for label in parts[0].labels]
            write_scores(place / name, CLASSES, rows, dict.fromkeys(rows, who), dict(zip(rows, labels)))
    type_in("steps/publish.py", corpus / "exp")
    before = {path: path.read_bytes() for path in corpus.rglob("results/*") if path.is_file()}
    for run in ("r1", "r2"):
        pair(corpus / f"exp/poor/{run}_seed0/scores", 7, run, run)
    for words in ((), ("--systems", "poor")):
        said = type_in("steps/publish.py", *words, corpus / "exp", code=1).stderr
        assert re.search(r"both/r1_seed0: is not the mean of good and poor.*make it again, and publish", said)
    assert before == {path: path.read_bytes() for path in corpus.rglob("results/*") if path.is_file()}


def test_of_a_licensed_corpus_no_label_is_kept(corpus, tmp_path, type_in):
    (tmp_path / "data").mkdir()
    lines = [f"{letter}-{i} {CLASSES[i % 2]}" for letter in ("r1", "r2", "vr1", "vr2") for i in range(10)]
    (tmp_path / "data/utt2emo").write_text("".join(f"{line}\n" for line in lines))
    type_in("steps/publish.py", corpus / "exp")
    honest = (corpus / "results/results.json").read_text()
    shutil.rmtree(corpus / "results")
    type_in("steps/publish.py", "--labels", "false", "--data", tmp_path / "data", corpus / "exp")
    for texts in runs.finished(corpus / "results/good").values():
        for name in ("scores", "scores.valid", "scores.last"):
            assert {line.split()[2] for line in texts.read(name).splitlines()[1:]} == {"-"}
    assert (corpus / "results/results.json").read_text() == honest


def test_pictures_are_kept_small_and_words_on_the_data_come_with_them(corpus, tmp_path, type_in):
    from PIL import Image

    (corpus / "exp/figures").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (300, 3000, 3), dtype=np.uint8)
    Image.fromarray(noise).save(corpus / "exp/figures/masks.png")
    Image.fromarray(noise).save(corpus / "exp/figures/learning.png")
    (corpus / "results").mkdir()
    (corpus / "results/about.md").write_text("Ten toys.\n\n- Toys are small.\n- They break.\n")
    type_in("steps/publish.py", corpus / "exp")
    assert {path.stem for path in (corpus / "results/figures").iterdir()} == {"masks", "main", "results", "comparisons"}
    text = (tmp_path / "RESULTS.md").read_text()
    assert "\nTen toys.\n" in text and text.index("Ten toys") < text.index("## toy: answers")
    assert "- Toys are small.\n- They break.\n" in text and "They break" not in (tmp_path / "README.md").read_text()
    assert "![masks](figures/masks.png)" in (corpus / "results/README.md").read_text()


def test_a_run_that_is_missing_everywhere_is_noticed(corpus, tmp_path, type_in):
    """Its test speaker selected another run's epoch, and is tested nowhere."""
    for system in ("good", "poor"):
        for run, who in (("r1", "r2"), ("r2", "r1")):
            path = corpus / f"exp/{system}/{run}_seed0/scores.valid"
            path.write_text(path.read_text().replace(" valid ", f" {who} "))
    assert "never tested" not in type_in("steps/publish.py", corpus / "exp").stdout
    for system in ("good", "poor"):
        shutil.rmtree(corpus / f"exp/{system}/r2_seed0")
    shutil.rmtree(corpus / "results")
    assert "Validation speakers never tested: r2" in type_in("steps/publish.py", corpus / "exp").stdout
    assert re.search("- Validation speakers never tested: r2", (tmp_path / "RESULTS.md").read_text())


def test_results_of_another_kind_are_linked(corpus, tmp_path, type_in):
    (tmp_path / "egs/made/results").mkdir(parents=True)
    (tmp_path / "egs/made/results/README.md").write_text("# Made\n")
    type_in("steps/publish.py", corpus / "exp")
    assert "- [egs/made/results](egs/made/results/README.md)" in (tmp_path / "RESULTS.md").read_text()


def test_several_corpora_stand_in_one_table_and_are_compared_over_all(corpus, type_in):
    (corpus / "conf/groups.yaml").write_text(GROUPS + "planned: [good, poor]\ntogether: [[good, poor]]\n")
    for run in [*corpus.glob("exp/*/*_seed0")]:
        shutil.copytree(run, run.with_name(run.name.replace("seed0", "seed1")))
    shutil.move(corpus / "exp", corpus / "systems")
    (corpus / "results").mkdir()
    (corpus / "results/about.md").write_text("Ten toys.\n\n- Toys are small.\n\n- They break.\n\n- They are dear.\n")
    for name in ("one", "two"):
        shutil.copytree(corpus / "systems", corpus / f"exp/{name}")
        type_in("steps/publish.py", corpus / f"exp/{name}")
    text = (corpus.parents[1] / "RESULTS.md").read_text()
    table = rows(text[text.index("| system | seeds") :])
    assert table["good"].keys() >= {"system", "one", "two"} and "(" in table["good"]["one"]
    compared = json.loads((corpus / "results/together.json").read_text())
    assert compared["corpora"] == ["one", "two"] and compared["utterances"] == 40
    assert "of 4 speakers of one and two (40 utterances)" in text
    page = (corpus / "results/README.md").read_text()
    assert "## Answers" in text and "of the systems that were run on all" in page and "run on all" not in text
    assert "**What should I use?**" in text and "\n- All of these corpora: good, wF1 " in text
    for place in re.findall(r"\]\((egs[^)#]+)", text):  # nothing that it names is missing
        assert (corpus.parents[1] / place).exists() or place == "egs/toy/README.md", place
    assert "(egs/toy/results/README.md#what-should-i-use)" in text and "\n## What should I use?\n" in page
    assert "](egs/toy/results/figures/main.png)" in text and "](figures/main.png)" in page
    assert "| good | poor |" in page and "[one](one/README.md)" in page and "| good | poor |" not in text
    assert "## What a difference varies with" in page and "nan" not in page
    assert "[egs/toy/results](egs/toy/results/README.md)" in text
    assert "- Toys are small." in text and "They break" not in text
    assert "- They break.\n\n- They are dear.\n" in page and "Toys are small" not in page
    readme, before = (corpus.parents[1] / "README.md").read_text(), (corpus / "results/together.json").read_text()
    assert "\n- All of these corpora: good, wF1 " in readme
    assert "## Answers" not in readme and "stale" not in readme
    assert "of 4 speakers of one and two (40 utterances)" in readme
    assert "Ten toys." in readme and "small" not in readme
    shutil.copytree(corpus / "systems/poor", corpus / "exp/mine/poor")  # a corpus without the planned pair
    said = type_in("steps/publish.py", corpus / "exp/mine").stdout
    assert "results/mine: lacks one of good, poor: left out of what is compared over all" in said
    assert (corpus.parents[1] / "README.md").read_text() == readme
    assert (corpus / "results/together.json").read_text() == before
    text = (corpus.parents[1] / "RESULTS.md").read_text()
    assert "- [mine](egs/toy/results/mine/README.md)\n" in text and "likewise two." in text
    shutil.copytree(corpus / "conf", corpus.parent / "other/conf")  # a recipe of one's own
    shutil.copytree(corpus / "systems", corpus.parent / "other/exp/more")
    type_in("steps/publish.py", corpus.parent / "other/exp/more")
    assert (corpus.parents[1] / "README.md").read_text() == readme
    shutil.move(corpus.parent / "other/exp/more", corpus.parent / "other/exp/one")
    refused = type_in("steps/publish.py", corpus.parent / "other/exp/one", code=1).stderr
    assert "egs/toy/results/one: is called one, too; keep this under another name" in refused
    assert not (corpus.parent / "other/results/one").exists()


def test_runs_of_other_folds_are_not_kept_beside_those_before(corpus, type_in):
    type_in("steps/publish.py", corpus / "exp")
    before = content(corpus / "results")
    for run in ("r1", "r2"):
        (corpus / f"exp/good/{run}_seed0").rename(corpus / f"exp/good/other{run}_seed0")
    said = type_in("steps/publish.py", corpus / "exp", code=1).stderr
    assert "good.tar.xz: its runs are of other folds: 'r1' is tested in " in said and "remove it, and these" in said
    assert content(corpus / "results") == before and said.count("\n") == 1
    for archive in (corpus / "results").glob("*.xz"):
        archive.unlink()
    shutil.rmtree(corpus / "exp/poor")
    type_in("steps/publish.py", corpus / "exp")


def test_two_at_once_come_one_after_the_other(corpus, tmp_path):
    """Or the second would write back archives and pages without what the first has added."""
    with hold(tmp_path / "egs"):
        other = subprocess.Popen(
            [sys.executable, "steps/publish.py", corpus / "exp"], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        assert "waiting for " in other.stderr.readline()
        assert not (corpus / "results").exists()
    assert other.wait(60) == 0 and (corpus / "results/results.json").is_file()
