"""utils/parse_options.sh and utils/stages.sh, by means of a small run.sh (who holds what: test_hold.py)."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

RUN_SH = f"""#!/usr/bin/env bash
# A title.
#
# A paragraph, with `code` and $dollars.

# shellcheck disable=SC1091
set -euo pipefail
stage=               # first stage
stop_stage=3         # last stage
check_counts=true    # true: be strict
nj=2                 # jobs
systems="a b"         # which # ones
corpus=${{CORPUS:-}}  # folder
HERE=there            # in capitals: no option
here=there
. {ROOT}/utils/parse_options.sh
late=1  # below: no option
abspath corpus
exp=exp
. {ROOT}/utils/stages.sh
echo "check_counts=$check_counts systems=[$systems] corpus=[$corpus] redo=$redo"
if run_stage 1 "Data" && given corpus data; then
  mkdir -p data
  touch data/utt2spk
  made data
fi
if run_stage 2 "Training"; then
  [ ! -e meddled ] || echo "of another table" >data/.made_from.data
  [ ! -e broken ] || false
  [ ! -e unwhole ] || ls nowhere | cat
fi
if run_stage 3 "Results"; then
  echo made >exp/made
fi
"""


@pytest.fixture(autouse=True)
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CORPUS", raising=False)
    monkeypatch.setenv("stage", "2")  # a variable of the user's; says nothing
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    Path("utils").symlink_to(ROOT / "utils")
    Path("run.sh").write_text(RUN_SH)
    Path("run.sh").chmod(0o755)


def run(*words, code=0):
    done = subprocess.run(["./run.sh", *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def prepare():
    """A data dir that is taken as it is."""
    Path("data").mkdir()
    Path("data/utt2spk").touch()


def stages(done):
    """The stages that ran, by their banners."""
    return [int(line.split("stage ")[1].split(":")[0]) for line in done.stdout.splitlines() if line.startswith("===")]


def options(done):
    return next(line for line in done.stdout.splitlines() if line.startswith("check_counts=")).partition(" redo")[0]


def test_options_have_both_forms_and_keep_their_defaults():
    prepare()
    assert options(run()) == "check_counts=true systems=[a b] corpus=[]"
    assert options(run("--check-counts", "false", "--systems", "c d")) == "check_counts=false systems=[c d] corpus=[]"
    assert options(run("--check_counts=false", "--systems=")) == "check_counts=false systems=[] corpus=[]"
    assert options(run("--systems", "")) == "check_counts=true systems=[] corpus=[]"
    assert options(run("--systems=--x=1", "--")) == "check_counts=true systems=[--x=1] corpus=[]"


def test_a_value_is_never_run():
    prepare()
    value = "$(touch pwned) `touch pwned`; touch pwned; ' \" \\ *"
    assert f"systems=[{value}]" in options(run("--systems", value))
    assert not Path("pwned").exists()


def test_a_relative_path_belongs_to_the_callers_folder(monkeypatch):
    prepare()
    assert f"corpus=[{Path.cwd()}/some/where]" in options(run("--corpus", "some/where"))
    assert "corpus=[/some/where]" in options(run("--corpus", "/some/where"))
    monkeypatch.setenv("HOME", "/home/me")
    assert "corpus=[/home/me/corpus]" in options(run("--corpus=~/corpus"))
    monkeypatch.delenv("HOME")
    assert run("--corpus=~/corpus", code=1).stderr.endswith(": ~/corpus: HOME is not set; write the whole path\n")
    monkeypatch.setenv("CORPUS", "there")
    assert f"corpus=[{Path.cwd()}/there]" in options(run())
    assert run("--corpus", "a\nb", code=1).stderr.endswith("--corpus: a path with a line break; choose another\n")


@pytest.mark.parametrize("words", [["--corpus", ""], ["--corpus="]])
def test_a_folder_is_not_left_empty(monkeypatch, words):
    prepare()
    monkeypatch.setenv("CORPUS", "/there")
    assert run(*words, code=1).stderr.endswith("--corpus is empty: a folder is needed\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--stages", "2"],
            "unknown option --stages; there are --stage --stop-stage --check-counts --nj --systems --corpus",
        ),
        (["--stage"], "--stage needs a value"),
        (["--stage", "--stop-stage", "2"], "--stage needs a value"),
        (["--check-counts", "no"], "--check-counts is true or false, not 'no'"),
        (["--check-counts", ""], "--check-counts is true or false, not ''"),
        (["--nj", "0"], "--nj '0': expected one number, 1 or above"),
        (["--nj", "1 2"], "--nj '1 2': expected one number, 1 or above"),
        (["--nj", "9" * 30], "expected one number, 1 or above"),
        (["--PATH", "/x"], "unknown option --PATH"),
        (["--path", "/x"], "unknown option --path"),
        (["--late", "2"], "unknown option --late"),
        (["--HERE", "2"], "unknown option --HERE"),
        (["--here", "2"], "unknown option --here"),
        (["--last-stage", "2"], "unknown option --last-stage"),
        (["--stage[0]", "2"], "unknown option --stage[0]"),
        (["--", "x"], "'x' is no option"),
        (["-stage", "2"], "unknown option -stage"),
        (["stage", "2"], "'stage' is no option"),
        (["--stage", "4"], "--stage 4: stages are 1 to 3"),
        (["--stage", "0"], "--stage 0: stages are 1 to 3"),
        (["--stage", "two"], "--stage two: stages are 1 to 3"),
        (["--stop-stage", "9"], "--stop-stage 9: stages are 1 to 3"),
        (["--stop-stage", ""], "--stop-stage '': expected whole numbers"),
        (["--stage", "3", "--stop-stage", "2"], "nothing would run"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_runs(words, said):
    done = run(*words, code=1)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("run.sh: ")
    assert said in done.stderr
    assert not Path("data").exists()


def test_help_shows_the_first_comment_and_the_options():
    text = "A title.\n\nA paragraph, with `code` and $dollars.\n\nOptions:\n"
    done = run("--systems", "x", "--help")
    assert done.stdout.startswith(text)
    assert [line.split() for line in done.stdout[len(text) :].splitlines()] == [
        ["--stage", "first", "stage"],
        ["--stop-stage", "last", "stage", "(default:", "3)"],
        ["--check-counts", "true:", "be", "strict", "(default:", "true)"],
        ["--nj", "jobs", "(default:", "2)"],
        ["--systems", "which", "#", "ones", "(default:", "x)"],
        ["--corpus", "folder"],
    ]
    assert run("-h").stdout.startswith(text)


def test_a_script_may_take_arguments_after_its_options():
    Path("tool.sh").write_text(f'set -eu\nnj=1  # jobs\n. {ROOT}/utils/parse_options.sh\nprintf "%s|" "$nj" "$@"\n')
    done = subprocess.run(["bash", "tool.sh", "--nj", "2", "a b", "--c"], capture_output=True, text=True, check=True)
    assert done.stdout == "2|a b|--c|"


def test_without_stage_all_are_entered_and_the_commands_decide():
    done = run("--corpus", "x")
    assert stages(done) == [1, 2, 3] and "redo=false" in done.stdout and Path("exp/made").exists()
    assert "=== run.sh, stage 1: Data (" in done.stdout
    assert stages(run("--corpus", "x", "--stop-stage", "1")) == [1]


def test_a_stage_that_is_named_is_made_again_and_what_follows():
    done = run("--stage", "2")
    assert stages(done) == [2, 3] and "redo=true" in done.stdout
    assert stages(run("--corpus", "x", "--stage", "1", "--stop-stage", "2")) == [1, 2]


@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
def test_a_stage_that_cannot_say_so_does_not_pass_for_finished(where):
    Path("run.sh").write_text("".join(line for line in RUN_SH.splitlines(True) if "check_counts=$" not in line))
    done = subprocess.run(["bash", "-c", f"./run.sh {where}"], capture_output=True, text=True, timeout=60)
    assert done.returncode and "standard output cannot be written" in done.stderr and not Path("exp/made").exists()


def test_a_stage_that_fails_ends_the_script():
    for cause in ("broken", "unwhole"):
        Path(cause).touch()
        assert stages(run("--stage", "2", code=1 if cause == "broken" else 2)) == [2]
        assert not Path("exp/made").exists()
        Path(cause).unlink()


def test_a_data_dir_that_another_call_makes_meanwhile_ends_the_script():
    run("--corpus", "x")
    Path("meddled").touch()
    done = run("--corpus", "x", code=1)
    assert stages(done) == [1, 2] and "run.sh: data: another call has made it of other things meanwhile" in done.stderr
    run("--corpus", "x")  # it was so when this one began


def test_a_corpus_that_is_not_given_is_asked_for_where_there_is_no_data_dir():
    assert "run.sh: --corpus DIR is needed: the folder of the corpus (or set CORPUS" in run(code=1).stderr
    run("--corpus", "x")
    done = run()
    assert stages(done) == [1, 2, 3] and "data: taken as it is, as --corpus is not given" in done.stdout


def test_a_stage_beyond_the_declared_last_one_is_a_mistake_of_the_script():
    prepare()
    Path("run.sh").write_text(RUN_SH.replace("stop_stage=3", "stop_stage=2"))
    assert "stage 3 comes after" in run(code=1).stderr


def test_cmd_sh_names_runners_that_work():
    script = f'cd {ROOT}/utils/.. && . ./cmd.sh && $train_cmd "$1/a.log" true && $cuda_cmd "$1/b.log" true'
    subprocess.run(
        ["bash", "-euc", script, "-", str(Path.cwd())], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True
    )
    assert Path("b.log").exists()


def recipe(tmp_path, name="a-recipe of mine"):
    """A recipe of a user's own, with everything that one needs, in a copy of the root."""
    folder = tmp_path / "root/egs" / name
    folder.mkdir(parents=True)
    for link in ("steps", "utils", "local", "path.sh", "cmd.sh"):
        (tmp_path / "root" / link).symlink_to(ROOT / link)
        (folder / link).symlink_to(f"../../{link}")
    (folder / "run.sh").write_bytes((ROOT / "egs/open/run.sh").read_bytes())
    (folder / "run.sh").chmod(0o755)
    return folder


def called(script, *words):
    return subprocess.run(
        ["bash", script, *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("link", ["steps", "utils", "local", "path.sh", "cmd.sh"])
def test_a_link_that_a_recipe_lacks_is_named(tmp_path, link):
    folder = recipe(tmp_path)
    (folder / link).unlink()
    done = called(folder / "run.sh", "--corpus", "list")
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert f"{folder}/{link} is missing: 'ln -s ../../{link}" in done.stderr


def test_a_recipe_runs_through_a_link_and_by_whatever_name(tmp_path):
    folder = recipe(tmp_path)
    (tmp_path / "mine.sh").symlink_to(folder / "run.sh")
    for script in (folder / "run.sh", tmp_path / "mine.sh"):
        done = called(script, "--corpus", "list")
        assert done.returncode == 0 and "ravdess" in done.stdout, done.stderr


@pytest.mark.parametrize("mode", ["noclobber", "posix", "nounset"])
def test_modes_of_the_users_shell_do_not_show(tmp_path, mode):
    done = subprocess.run(
        ["bash", "-o", mode, ROOT / "egs/open/run.sh", "--corpus", "list"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "ravdess" in done.stdout and done.stderr == ""
    inherited = called(ROOT / "egs/open/run.sh", "--table", "/none.tsv")
    assert inherited.returncode == 1 and "/none.tsv" in inherited.stderr
