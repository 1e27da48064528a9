"""steps/report.py on systems really trained, for a moment; the page in a real browser."""

import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

SMALL = ["--network.width", "2", "--input.crop", "40", "--training.epochs", "2", "--training.batch", "8"]
SYSTEMS = {"resnet18_pretrain": "false", "resnet18_pretrain_ad": "true"}
GROUPS = """\
families: {table2: {title: Table 2, systems: [resnet18_pretrain, resnet18_pretrain_ad]}}
planned: [resnet18_pretrain_ad, resnet18_pretrain]
figure1: {pretrained: pre-trained, resnet18_pretrain: fine-tuned, resnet18_pretrain_ad: with AD}
masks: resnet18_pretrain_ad
questions: [{ask: "Does AD help?", compare: [resnet18_pretrain_ad, resnet18_pretrain]}]
"""
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--v=0"]


@pytest.fixture
def exp(emotional, tmp_path, type_in):
    """Two systems of two runs, of which one is the other's parent, with what steps/score.py makes of them."""
    (tmp_path / "conf/systems").mkdir(parents=True)
    (tmp_path / "conf/groups.yaml").write_text(GROUPS)
    (tmp_path / "conf/systems/resnet18_pretrain.yaml").write_text("# <b>Bold</b>.\ntraining: {lambda_ad: 0.5}\n")
    (tmp_path / "conf/systems/resnet18_pretrain_ad.yaml").write_text(
        "# The paper's\n# system.\nparent: resnet18_pretrain\nnetwork: {AD: true}\n"
    )
    for system, AD in SYSTEMS.items():
        type_in("steps/finetune.py", *SMALL, "--network.AD", AD, emotional, tmp_path / f"exp/{system}")
    return tmp_path / "exp"


@pytest.fixture
def scored(exp, type_in):
    """The same with results.json."""
    type_in("steps/score.py", "--conf", exp.parent / "conf", exp)
    return exp


class Page(HTMLParser):
    """What a page refers to, its headings, and its words."""

    def __init__(self, text):
        super().__init__()
        self.refers, self.ids, self.sections, self.titles = [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        self.refers += [value for name, value in own.items() if name in ("src", "href", "xlink:href", "data")]
        self.ids += [own["id"]] if "id" in own else []
        self.sections += [own["id"]] if tag == "h2" else []
        self.titles += own.get("class") == "utt"


def test_the_page_is_whole_and_shows_what_there_is(scored, emotional, type_in):
    exp = scored
    (exp / "pretrained").mkdir()
    for name in ("embedding.ark", "embedding.scp"):
        shutil.copyfile(exp / f"resnet18_pretrain/r1_seed0/{name}", exp / f"pretrained/{name}")
    type_in("steps/probe.py", emotional, exp)
    type_in("steps/score.py", "--conf", exp.parent / "conf", exp)
    said = type_in("steps/report.py", "--data", emotional, exp).stdout
    assert "report.html" in said and "RESULTS.md" in said
    text = (exp / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    links = ("#", "data:image/png;base64", "https://doi.org/")
    assert all(value.startswith(links) for value in page.refers), page.refers
    assert len(page.ids) == len(set(page.ids))  # pictures do not take each other's clip paths
    assert {value[1:] for value in page.refers if value.startswith("#")} <= set(page.ids)
    assert page.sections[:3] == ["what-was-compared", "answers", "results"]
    assert text.count("Left out: ") == 1 and "Left out: none was made" in text
    assert page.titles == 3 * 32 and re.search(r"<title>s3-\d: hap, s3, unseen</title>", text)
    assert "steps/finetune.py" in text and "torch" in text and "Does AD help?" in text
    assert "resnet18_pretrain_ad: The paper's system." in text and "L_emo" in text
    assert "&lt;b&gt;Bold" in text and "<b>Bold" not in text
    for name in ("embeddings", "masks", "learning", "confusions", "main", "comparisons"):
        assert {path.suffix for path in (exp / "figures").glob(f"{name}.*")} == {".svg", ".pdf", ".png"}
    tables = (exp / "RESULTS.md").read_text(encoding="utf-8")
    for heading in ("Answers", "All systems", "Classes, runs and speakers", "How it was made"):
        assert f"\n## {heading}\n" in tables
    assert "![embeddings](figures/embeddings.png)" in tables and "2 test speakers are too few" in tables
    opened(exp / "report.html")


def test_a_data_dir_that_is_none_is_refused(scored, tmp_path, type_in):
    said = type_in("steps/report.py", "--data", tmp_path / "none", scored, code=1).stderr
    assert "none: is no data dir" in said and not (scored / "RESULTS.md").exists()


def test_what_is_missing_is_left_out_with_a_reason(exp, emotional, type_in):
    for name in ("embedding.scp", "history.tsv", "model.safetensors"):
        for path in exp.glob(f"*/*/{name}"):
            path.unlink()
    type_in("steps/score.py", "--conf", exp.parent / "conf", exp)
    type_in("steps/report.py", "--data", emotional, exp)
    text = (exp / "report.html").read_text(encoding="utf-8")
    for reason in (
        "no run has a file of probes",
        "no embedding.scp in the runs",
        "no network of resnet18_pretrain_ad",
        "no system of the short table has a history.tsv",
        "Left out: none was made",
    ):
        assert reason in text, reason
    opened(exp / "report.html")
    shutil.rmtree(exp / "resnet18_pretrain/r1_seed0")
    type_in("steps/score.py", "--conf", exp.parent / "conf", exp)
    type_in("steps/report.py", exp)  # one is not finished; no data dir is known
    text = (exp / "report.html").read_text(encoding="utf-8")
    assert "no seed has all runs: resnet18_pretrain (1 of 2 runs)" in text and "(--data)" in text


def test_mistakes_in_words(scored, tmp_path, type_in):
    exp = scored
    assert "steps/score.py makes it" in type_in("steps/report.py", tmp_path, code=1).stderr
    assert (
        "--run r9: there is no such run; there are: r1 r2"
        in type_in("steps/report.py", "--run", "r9", exp, code=1).stderr
    )
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "data", other)
    folds = (other / "folds").read_text()
    (other / "folds").write_text(folds.replace("r1 ", "r3 "))
    assert "folds: there is no run r1" in type_in("steps/report.py", "--data", other, exp, code=1).stderr
    (other / "folds").write_text(folds)
    feats = (other / "feats.scp").read_text().splitlines(keepends=True)
    (other / "feats.scp").write_text("".join(line for line in feats if not line.startswith("s3")))
    assert "feats.scp: no utterance 's3-" in type_in("steps/report.py", "--data", other, exp, code=1).stderr
    (other / "utt2spk").write_text("s9-0 s9\n")
    assert "is not in" in type_in("steps/report.py", "--data", other, exp, code=1).stderr
    assert not (exp / "report.html").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"test": 5},
        {"systems": {}},
        {"majority": {"wf1": 12.3}},
        {"format": 2},
        {"sum": "0"},
    ],
    ids=str,
)
def test_results_that_another_hand_has_changed_are_one_line(change, tmp_path, type_in):
    results = json.loads((Path(__file__).parents[2] / "egs/open/results/nemo/results.json").read_text(encoding="utf-8"))
    (tmp_path / "results.json").write_text(json.dumps(results | change), encoding="utf-8")
    said = type_in("steps/report.py", tmp_path, code=1).stderr
    assert len(said.splitlines()) == 1 and f"{tmp_path}/results.json: " in said and "steps/score.py" in said


def test_another_file_of_ours_and_a_pipe_are_no_results(tmp_path, type_in):
    path = tmp_path / "results.json"
    shutil.copy(Path(__file__).parents[2] / "egs/open/results/together.json", path)
    assert f"{path}: is another file than its name says" in type_in("steps/report.py", tmp_path, code=1).stderr
    path.unlink()
    os.mkfifo(path)
    assert f"{path}: is not a file" in type_in("steps/report.py", tmp_path, code=1).stderr


def opened(page):
    """The page as a browser sees it: no error, nothing fetched, no wider than a laptop."""
    if BROWSER is None:
        assert not os.environ.get("REQUIRE_BROWSER"), "REQUIRE_BROWSER is set, and there is no chromium"
        pytest.skip("no chromium to open the page in (the page itself has been checked)")
    probe = page.with_name("probe.html")
    ask = """<script>
      document.title = "wide " + (document.documentElement.scrollWidth > window.innerWidth);
    </script></body>"""
    probe.write_text(page.read_text(encoding="utf-8").replace("</body>", ask), encoding="utf-8")
    words = [
        *FLAGS,
        f"--user-data-dir={page.parent / 'browser'}",
        "--window-size=1280,900",
        "--dump-dom",
        f"file://{probe}",
    ]
    done = subprocess.run([BROWSER, *words], capture_output=True, text=True, timeout=120)
    errors = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert done.returncode == 0 and not errors, done.stderr[-2000:]
    assert "<title>wide false</title>" in done.stdout, done.stdout[:500]  # fits a laptop's width
