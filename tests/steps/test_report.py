"""steps/probe.py and steps/report.py on systems really trained, for a moment; the page in a real browser."""

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from steps.evaluation.probe_files import read_figures

SMALL = ["--network.width", "2", "--input.crop", "40", "--training.epochs", "2", "--training.batch", "8"]
SYSTEMS = {"resnet18_pretrain": "false", "resnet18_pretrain_ad": "true"}
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--v=0"]


@pytest.fixture
def exp(emotional, tmp_path, type_in):
    """Two systems of two runs; conf says that one is the other's parent."""
    for system, AD in SYSTEMS.items():
        type_in("steps/finetune.py", *SMALL, "--network.AD", AD, emotional, tmp_path / f"exp/{system}")
    (tmp_path / "conf/systems").mkdir(parents=True)
    (tmp_path / "conf/systems/resnet18_pretrain_ad.yaml").write_text(
        "# The paper's\n# system.\nparent: resnet18_pretrain\n"
    )
    return tmp_path / "exp"


class Page(HTMLParser):
    """What a page refers to, its headings, and its words."""

    def __init__(self, text):
        super().__init__()
        self.refers, self.ids, self.words, self.titles = [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.refers += [value for name, value in found.items() if name in ("src", "href", "xlink:href", "data")]
        self.ids += [found["id"]] if "id" in found else []
        self.titles += found.get("class") == "utt"

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_whole_and_shows_what_there_is(exp, emotional, type_in):
    shutil.copytree(exp / "resnet18_pretrain/r1_seed0", exp / "pretrained", ignore=shutil.ignore_patterns("scores*"))
    assert "6 runs probed" in type_in("steps/probe.py", emotional, exp).stdout
    assert "0 runs probed" in type_in("steps/probe.py", emotional, exp).stdout
    spaces = {one.space for one in read_figures(exp / "resnet18_pretrain_ad/r2_seed0/probes")}
    assert spaces == {"embedding", "embedding_minus"}
    said = type_in("steps/report.py", "--conf", exp.parent / "conf", "--data", emotional, exp).stdout
    assert "report.html and 7 figures" in said
    text = (exp / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert all(value.startswith(("#", "data:image/png;base64")) for value in page.refers), page.refers
    assert len(page.ids) == len(set(page.ids))  # figures do not take each other's clip paths
    assert {value[1:] for value in page.refers if value.startswith("#")} <= set(page.ids)
    absent = re.findall(r'<p class="absent">(.*?)</p>', text)
    assert len(absent) == 2 and "come in pairs" in absent[0] and "made to leak" in absent[1]
    assert page.titles == 3 * 32 and re.search(r"<title>s3-\d: hap, s3, unseen</title>", text)
    assert "steps/finetune.py" in text and "torch" in text and "Planned: resnet18_pretrain_ad" in text
    assert "resnet18_pretrain_ad: The paper&#39;s system." in text and "L = L_emo" in text
    for name in ("embeddings", "masks", "learning", "confusions"):
        assert {path.suffix for path in (exp / "figures").glob(f"{name}.*")} == {".svg", ".pdf", ".png"}
    opened(exp / "report.html")


def test_what_is_missing_is_left_out_with_a_reason(exp, emotional, type_in):
    for name in ("embedding.scp", "history.tsv", "model.safetensors"):
        for path in exp.glob(f"*/*/{name}"):
            path.unlink()
    type_in("steps/report.py", "--conf", exp.parent / "conf", "--data", emotional, exp)
    text = (exp / "report.html").read_text(encoding="utf-8")
    for reason in (
        "no run has a file of probes",
        "no embedding.scp in the runs",
        "no network of resnet18_pretrain_ad",
        "no run has a history.tsv",
        "no system was trained on folds made to leak",
    ):
        assert reason in text, reason
    opened(exp / "report.html")
    shutil.rmtree(exp / "resnet18_pretrain/r1_seed0")
    type_in("steps/report.py", "--conf", exp.parent / "conf", exp)  # one is not finished; no data dir is known
    text = (exp / "report.html").read_text(encoding="utf-8")
    assert "Not finished, and not in the table: resnet18_pretrain (1 runs" in text and "(--data)" in text


def test_probes_of_other_data_and_of_leaking_folds_are_refused(exp, emotional, type_in):
    folds = emotional / "folds"
    text = folds.read_text()
    folds.write_text(text.replace("r1 valid s2", "r1 valid s3").replace("r1 test s3", "r1 test s2"))
    assert "tested others than the data dir's folds say" in type_in("steps/probe.py", emotional, exp, code=1).stderr
    folds.write_text(text.replace("r1 test s3", "r1 test s3\nr1 train s3"))
    assert "speaker 's3' is in both" in type_in("steps/probe.py", emotional, exp, code=1).stderr
    assert not list(exp.glob("*/*/probes"))
    folds.write_text(text.replace("r1 ", "r3 "))
    assert "have no run r1" in type_in("steps/probe.py", emotional, exp, code=1).stderr
    assert "no such system" in type_in("steps/probe.py", "--systems", "gone", emotional, exp, code=1).stderr


def test_mistakes_in_words(exp, tmp_path, type_in):
    assert "there are no scored systems" in type_in("steps/report.py", tmp_path, code=1).stderr
    assert "--run r9: there are r1 r2" in type_in("steps/report.py", "--run", "r9", exp, code=1).stderr
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


def opened(page):
    """The page as a browser sees it: no script error, nothing fetched, and the pointer's line speaks."""
    if BROWSER is None:
        assert not os.environ.get("REQUIRE_BROWSER"), "REQUIRE_BROWSER is set, and there is no chromium"
        pytest.skip("no chromium to open the page in (the page itself has been checked)")
    probe = page.with_name("probe.html")
    ask = """<script>
      var digit = document.querySelector(".utt");
      if (digit) digit.dispatchEvent(new MouseEvent("mouseover", {bubbles: true}));
      var line = document.querySelector(".pointed");
      document.title = "asked " + (line ? line.textContent : "nothing") + " wide " +
        (document.documentElement.scrollWidth > window.innerWidth);
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
    answer = re.search(r"<title>asked (.*?) wide (\w+)</title>", done.stdout)
    assert answer, done.stdout[:500]
    assert answer[2] == "false"  # fits a laptop's width
    if 'class="utt"' in page.read_text(encoding="utf-8"):
        assert re.match(r"s\d-\d: (ang|hap), s\d", answer[1])
