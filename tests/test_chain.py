"""The whole road, cut down: generated corpora, both recipes' run.sh, a table of results; reruns and Ctrl-C."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from utils.scores import read_scores
from utils.table import read_table

ROOT = Path(__file__).resolve().parent.parent
IEMOCAP, VOXCELEB1 = ROOT / "egs/iemocap/run.sh", ROOT / "egs/voxceleb1/run.sh"
OTHERS = ("open/run.sh", "open/across.sh", "mini/run.sh")
PRETRAIN = "network: {width: 2}\ninput: {crop: 60}\ntraining: {epochs: 1, batch: 16}\n"
FINETUNE = "network: {width: 2}\ninput: {crop: 60}\ntraining: {epochs: 2, batch: 16}\n"


def command(work, *words):
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [str(word) for word in words],
        cwd=work,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def call(work, *words, code=0):
    process = command(work, *words)
    output, _ = process.communicate(timeout=900)
    assert "Traceback" not in output and process.returncode == code, output
    return output


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder in which both recipes have run; what the emotion recipe said is in `said`."""
    work = tmp_path_factory.mktemp("chain")
    for corpus, options in (
        ("voxceleb1", ["--speakers", "4", "--utterances", "4"]),
        ("iemocap", ["--utterances", "6"]),
    ):
        call(work, ROOT / "local/mini.py", *options, corpus, f"corpora/{corpus}")
        (work / "conf" / corpus).mkdir(parents=True)
        (work / "conf" / corpus / "fbank.yaml").symlink_to(ROOT / "egs/iemocap/conf/fbank.yaml")
    (work / "conf/voxceleb1/pretrain.yaml").write_text(PRETRAIN)
    (work / "conf/iemocap/finetune.yaml").write_text(FINETUNE)
    for name in ("systems", "groups.yaml", "published.yaml"):
        (work / "conf/iemocap" / name).symlink_to(ROOT / "egs/iemocap/conf" / name)
    call(work, VOXCELEB1, *speaker_options("corpora/voxceleb1"))
    (work / "said").write_text(call(work, IEMOCAP, *emotion_options("corpora/iemocap")))
    return work


def speaker_options(corpus):
    places = ["--conf", "conf/voxceleb1", "--data", "data/voxceleb1", "--exp", "exp/voxceleb1"]
    return ["--voxceleb1", corpus, "--check-counts", "false", "--nj", "1", *places]


def emotion_options(corpus, exp="exp/iemocap", data="data/iemocap"):
    places = ["--conf", "conf/iemocap", "--data", data, "--exp", exp]
    choice = ["--controls", "svm", "--systems", "resnet18_pretrain_ad vgg5", "--runs", "Ses01F Ses03M"]
    return [
        "--iemocap",
        corpus,
        "--check-counts",
        "false",
        "--nj",
        "1",
        *places,
        *choice,
        "--pretrained",
        "exp/voxceleb1/resnet18",
    ]


def test_the_speaker_recipe_leaves_a_model_and_its_figures(work):
    model = work / "exp/voxceleb1/resnet18"
    assert (model / "model.safetensors").exists() and (model / "config.yaml").exists()
    assert re.match(r"%ACC \d+\.\d+ \[ \d+ / \d+ held-out utterances, 4 speakers \]", (model / "result").read_text())
    assert re.match(r"%EER \d+\.\d+ %minDCF \d\.\d+ \[ \d+ trials", (model / "trials/result").read_text())


def test_the_speaker_recipe_trains_on_changed_copies(work):
    data = work / "data/voxceleb1"
    before = (data / "heldout/feats.scp").read_bytes(), (data / "test/feats.scp").read_bytes()
    options = [*speaker_options("corpora/voxceleb1"), "--exp", "exp/augmented", "--augment", "speed babble"]
    call(work, VOXCELEB1, *options, "--stop-stage", "3")
    assert ", 12 speakers ]" in (work / "exp/augmented/resnet18/result").read_text()
    count = len(read_table(data / "train/utt2spk"))
    assert len(read_table(data / "train_combined/feats.scp")) == 4 * count
    assert len(read_table(data / "train_copies/vad.scp")) == 3 * count
    assert before == ((data / "heldout/feats.scp").read_bytes(), (data / "test/feats.scp").read_bytes())
    again = call(work, VOXCELEB1, *options, "--stop-stage", "3")
    assert "copies are there and up to date" in again and "the model is there and up to date" in again


def test_the_emotion_recipe_leaves_scores_and_a_table(work):
    for system in ("svm", "resnet18_pretrain_ad", "vgg5"):
        for run, speaker in (("Ses01F", "Ses01F"), ("Ses03M", "Ses03M")):
            scores = read_scores(work / f"exp/iemocap/{system}/{run}_seed0/scores")
            assert set(scores.speakers) == {speaker} and scores.classes == ["ang", "hap", "neu", "sad"]
        line = (work / f"exp/iemocap/{system}/result").read_text()
        count = "deterministic" if system == "svm" else "1 seed"
        assert re.match(rf"%WF1 \d+\.\d\d %UA \d+\.\d\d %WA \d+\.\d\d \[ \d+ utterances, 2 speakers, {count} \] ", line)
    results = json.loads((work / "exp/iemocap/results.json").read_text())
    assert set(results["systems"]) == {"svm", "resnet18_pretrain_ad", "vgg5"} and "pretrained" in results["probes"]
    table = (work / "exp/iemocap/RESULTS.md").read_text()
    for system, published in (("resnet18_pretrain_ad", "68.19"), ("vgg5", "61.84")):
        assert f"{results['systems'][system]['wf1']['value']:.2f}" in table and published in table
    said = (work / "said").read_text()
    assert said.index("majority class") < said.index("stage 4"), "the first table comes before the networks are trained"
    page = (work / "exp/iemocap/report.html").read_text()
    assert 'class="utt"' in page and "no network" not in page and "Learning curves" in page


def test_a_second_call_says_that_all_is_there(work):
    before = {path: path.stat().st_mtime_ns for path in work.glob("exp/iemocap/*/*/scores")}
    output = call(work, IEMOCAP, *emotion_options("corpora/iemocap"))
    assert "features are there and up to date" in output
    assert "all 2 runs are finished" in output and "all 4 runs are finished" in output
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_every_data_dir_is_valid(work):
    for data in ("data/voxceleb1/train", "data/voxceleb1/heldout", "data/voxceleb1/test", "data/iemocap/iemocap"):
        call(work, ROOT / "utils/validate_data_dir.py", "--no-text", data)


def test_interrupted_and_killed_it_leaves_no_process_and_ends_in_the_same_table(work):
    """Killed anywhere before the networks, then interrupted and killed between the epochs of a run; bench/kill.py does
    it more often."""
    words = emotion_options("corpora/iemocap", exp="exp/killed", data="data/killed")
    killed = command(work, IEMOCAP, *words)
    time.sleep(random.Random(0).uniform(0, 12))
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=60)
    for number in (signal.SIGINT, signal.SIGKILL):
        before = {*work.glob("exp/killed/*/*/checkpoint.pt")}
        again = command(work, IEMOCAP, *words)
        while again.poll() is None and before.issuperset(work.glob("exp/killed/*/*/checkpoint.pt")):
            time.sleep(0.01)
        os.killpg(again.pid, number)
        said, _ = again.communicate(timeout=60)
        assert again.returncode == (130 if number == signal.SIGINT else -number) and "Traceback" not in said, said
        if number == signal.SIGINT:
            alive = subprocess.run(["ps", "-o", "pid=,args=", "-s", str(again.pid)], capture_output=True, text=True)
            assert alive.stdout == ""
    call(work, IEMOCAP, *words)
    made = [*work.glob("exp/iemocap/*/*/scores*"), *work.glob("exp/iemocap/*/*/model.safetensors")]
    assert len([path for path in made if path.name.startswith("scores")]) == 16
    for path in made:
        assert (work / "exp/killed" / path.relative_to(work / "exp/iemocap")).read_bytes() == path.read_bytes()
    assert figures(work / "exp/killed") == figures(work / "exp/iemocap")


def figures(exp):
    """results.json without what says where and when, and how long it took."""
    results = json.loads((exp / "results.json").read_text())
    del results["sum"]  # of these, too
    for system in results["systems"].values():
        for key in ("cost", "conditions", "commands"):
            del system[key]
    return results


def test_what_is_no_longer_true_is_made_again_and_a_check_that_fails_is_a_failure(work):
    """A corpus whose files change, a moved folder, broken configurations and records; features alone, as training takes
    longer."""
    shutil.copytree(work / "corpora/iemocap", work / "corpora/changing")
    shutil.copytree(work / "conf/iemocap", work / "conf/changing", symlinks=True)
    words = [*emotion_options("corpora/changing", exp="exp/changing", data="data/changing"), "--conf", "conf/changing"]
    words += ["--stop-stage", "2"]
    made, kept = "data/changing/iemocap: making features", "features are there and up to date"
    assert made in call(work, IEMOCAP, *words)
    wav = sorted((work / "corpora/changing").glob("Session1/sentences/wav/*impro*/Ses*.wav"))[0]
    os.utime(wav, ns=(1, 1))  # exchanged
    assert made in call(work, IEMOCAP, *words)
    (work / "data/changing").rename(work / "data/moved")
    (work / "exp/changing").rename(work / "exp/moved")
    moved = [word.replace("data/changing", "data/moved").replace("exp/changing", "exp/moved") for word in words]
    said = call(work, IEMOCAP, *moved)
    assert "its archives were moved" in said and kept in said
    config = work / "conf/changing/fbank.yaml"
    config.unlink()
    broken = {"fbank: {num_mel_bins: 41": "is not YAML", "fbank: {bins: 3}": "there is no key 'fbank.bins'"}
    for text, why in broken.items():
        config.write_text(text)
        assert why in call(work, IEMOCAP, *moved, code=1)
    config.write_text((ROOT / "egs/iemocap/conf/fbank.yaml").read_text().replace("vad_mode: 2", "vad_mode: 3"))
    made = made.replace("changing", "moved")
    assert f"{made} (vad_mode was 2, is 3)" in call(work, IEMOCAP, *moved)
    wav.unlink()
    said = call(work, IEMOCAP, *moved)
    assert made in said and "labels without a wav file" in said
    (work / "data/moved/iemocap/.made_from.make_fbank").write_text("{")
    assert "cannot be read as a record" in call(work, IEMOCAP, *moved, code=1)


@pytest.mark.parametrize(
    ("script", "words", "message"),
    [
        (IEMOCAP, ["--iemocap", "nowhere", "--data", "d", "--exp", "e", "--stop-stage", "1"], "nowhere"),
        (IEMOCAP, ["--iemocap", "corpora/voxceleb1", "--data", "d", "--exp", "e", "--stop-stage", "1"], "Session"),
        (VOXCELEB1, ["--voxceleb1", "corpora/iemocap", "--data", "d", "--exp", "e", "--stop-stage", "1"], "wav"),
        (IEMOCAP, ["--data", "d", "--exp", "e", "--systems", "vgg5", "--controls", ""], "--iemocap DIR is needed"),
        (IEMOCAP, ["--iemocap", "corpora/iemocap", "--data", "d", "--exp", "e", "--pretrained", "no"], "no such model"),
        (IEMOCAP, ["--iemocap", "corpora/iemocap", "--data", "d", "--exp", "e", "--conf", "no"], "no: no such file"),
        (VOXCELEB1, ["--voxceleb1", "corpora/voxceleb1", "--data", "d", "--exp", "e", "--musan", "no"], "--musan"),
        (IEMOCAP, ["--stage", "9"], "stages are 1 to 5"),
        (
            IEMOCAP,
            [
                "--iemocap",
                "corpora/iemocap",
                "--data",
                "d",
                "--exp",
                "e",
                "--systems",
                "vgg5",
                "--controls",
                "",
                "--seeds",
                "x",
            ],
            "expected whole numbers",
        ),
        (IEMOCAP, ["--sistems", "vgg5"], "unknown option --sistems"),
        (VOXCELEB1, ["--nj"], "--nj needs a value"),
    ],
)
def test_mistakes_end_in_one_line_and_leave_nothing(work, script, words, message):
    output = call(work, script, *words, code=1)
    complaint = [line for line in output.splitlines() if not line.startswith("===")]
    assert len(complaint) == 1 and message in complaint[0]
    assert not (work / "d").exists() or not list((work / "d").rglob("*"))


@pytest.mark.parametrize(
    ("corpora", "message"),
    [
        ("a=x.csv fbank=y.csv", "'fbank=y.csv': the name 'fbank' is taken, as are: all "),
        ("a=x.csv a=y.csv", "'a=y.csv': another corpus is called so"),
        ("a-b=x.csv a_b=y.csv", "'a_b=y.csv': another corpus is called so"),
    ],
)
def test_names_of_corpora_are_their_own(tmp_path, corpora, message):
    corpora = corpora.replace(" ", "\n")
    words = ["--data", "d", "--exp", "e", "--corpora", corpora]
    for script in ("across.sh", "run.sh"):  # which hands several corpora over, with options of theirs alone
        own = ["--edge", "4000", *words] if script == "run.sh" else words
        (complaint,) = call(tmp_path, ROOT / "egs/open" / script, *own, code=1).splitlines()
        assert complaint.startswith("across.sh: ") and message in complaint and not list(tmp_path.iterdir())


def test_a_corpus_that_is_not_there_is_named(tmp_path):
    words = ["--data", "d", "--exp", "e", "--corpora", "aa=~/no.csv\nbb=b.csv", "--stop-stage", "1"]
    said = call(tmp_path, ROOT / "egs/open/across.sh", *words, code=1).splitlines()[-1]
    assert "'aa=~/no.csv'" in said and f"{os.environ['HOME']}/no.csv is not there" in said


def test_what_is_wrong_with_any_corpus_or_the_model_is_told_before_one_is_prepared(tmp_path):
    (tmp_path / "a.csv").write_text("path,speaker,emotion\n")
    (tmp_path / "odd").mkdir()
    script, words = ROOT / "egs/open/across.sh", ["--data", "d", "--exp", "e", "--corpora"]
    for second, more, message in (
        ("b=no.csv", [], "no.csv is not there"),
        ("odd=odd", [], "'odd' is no corpus of local/open (run.sh --corpus list), and "),
        ("b=a.csv", ["--model", "nosuch"], "--model nosuch: "),
    ):
        said = call(tmp_path, script, *words, f"a=a.csv {second}", *more, "--systems", "svm", code=1).splitlines()[-1]
        assert said.startswith("across.sh: ") and message in said
        assert not (tmp_path / "d").exists() or not list((tmp_path / "d").rglob("wav.scp"))


def test_names_of_the_recipes_own_folders_are_taken(tmp_path):
    words = ["--data", "d", "--exp", "e", "--table", "across.csv"]
    (complaint,) = call(tmp_path, ROOT / "egs/open/run.sh", *words, code=1).splitlines()
    assert "--name 'across': is the name of a folder of this recipe's own" in complaint


@pytest.mark.parametrize(
    "script", [IEMOCAP, VOXCELEB1, ROOT / "egs/open/run.sh", ROOT / "egs/open/across.sh", ROOT / "egs/mini/run.sh"]
)
def test_help_names_stages_and_options(script, tmp_path):
    output = call(tmp_path, script, "--help")
    assert "Stages:" in output and "--stop-stage" in output and "shellcheck" not in output
