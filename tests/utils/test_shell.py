"""utils/parse_options.sh and utils/stages.sh, by means of a small run.sh."""

import os
import re
import signal
import subprocess
import time
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
systems="a b"         # which # ones
corpus=${{CORPUS:-}}  # folder
HERE=there            # in capitals: no option
here=there
. {ROOT}/utils/parse_options.sh
late=1  # below: no option
abspath corpus
. {ROOT}/utils/stages.sh
echo "check_counts=$check_counts systems=[$systems] corpus=[$corpus]"
if run_stage 1 "Data" data/one; then
  forget_results
  mkdir -p data
  touch data/one
fi
if run_stage 2 "Training" data/two data/more; then
  [ ! -e refused ] || exit 3
  forget_results
  touch data/two
  [ ! -e sleepy ] || bash -c ': > asleep; exec sleep 60'
  [ ! -e broken ] || false
  [ ! -e unwhole ] || ls nowhere | cat
  touch data/more
fi
if run_stage 3 "Results" data/three; then
  forget_results
  date +%N > data/three
fi
"""


@pytest.fixture(autouse=True)
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CORPUS", raising=False)
    monkeypatch.setenv("stage", "2")  # a variable of the user's; says nothing
    Path("run.sh").write_text(RUN_SH)
    Path("run.sh").chmod(0o755)


def run(*words, code=0):
    done = subprocess.run(["./run.sh", *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def stages(done):
    """The stages that ran, by their banners."""
    return [int(line.split("stage ")[1].split(":")[0]) for line in done.stdout.splitlines() if line.startswith("===")]


def options(done):
    return next(line for line in done.stdout.splitlines() if line.startswith("check_counts="))


def test_options_have_both_forms_and_keep_their_defaults():
    assert options(run()) == "check_counts=true systems=[a b] corpus=[]"
    assert options(run("--check-counts", "false", "--systems", "c d")) == "check_counts=false systems=[c d] corpus=[]"
    assert options(run("--check_counts=false", "--systems=")) == "check_counts=false systems=[] corpus=[]"
    assert options(run("--systems", "")) == "check_counts=true systems=[] corpus=[]"
    assert options(run("--systems=--x=1", "--")) == "check_counts=true systems=[--x=1] corpus=[]"


def test_a_value_is_never_run():
    value = "$(touch pwned) `touch pwned`; touch pwned; ' \" \\ *"
    assert f"systems=[{value}]" in options(run("--systems", value))
    assert not Path("pwned").exists()


def test_a_relative_path_belongs_to_the_callers_folder(monkeypatch):
    assert f"corpus=[{Path.cwd()}/some/where]" in options(run("--corpus", "some/where"))
    assert "corpus=[/some/where]" in options(run("--corpus", "/some/where"))
    monkeypatch.setenv("HOME", "/home/me")
    assert "corpus=[/home/me/corpus]" in options(run("--corpus=~/corpus"))
    monkeypatch.setenv("CORPUS", "there")
    assert f"corpus=[{Path.cwd()}/there]" in options(run())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--stages", "2"],
            "unknown option --stages; there are --stage --stop-stage --check-counts --systems --corpus",
        ),
        (["--stage"], "--stage needs a value"),
        (["--stage", "--stop-stage", "2"], "--stage needs a value"),
        (["--check-counts", "no"], "--check-counts is true or false, not 'no'"),
        (["--check-counts", ""], "--check-counts is true or false, not ''"),
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
        (["--stop-stage", ""], "--stop-stage : stages are 1 to 3"),
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
        ["--systems", "which", "#", "ones", "(default:", "x)"],
        ["--corpus", "folder"],
    ]
    assert run("-h").stdout.startswith(text)


def test_a_script_may_take_arguments_after_its_options():
    Path("tool.sh").write_text(f'set -eu\nnj=1  # jobs\n. {ROOT}/utils/parse_options.sh\nprintf "%s|" "$nj" "$@"\n')
    done = subprocess.run(["bash", "tool.sh", "--nj", "2", "a b", "--c"], capture_output=True, text=True, check=True)
    assert done.stdout == "2|a b|--c|"


def test_what_a_script_shares_with_others_may_be_in_a_file_of_its_own():
    Path("shared.sh").write_text(f"nj=1  # jobs\n. {ROOT}/utils/parse_options.sh\nlate=1  # no option\n")
    text = "# Its title.\nseed=0  # of chance\n. ./shared.sh\nafter=1  # no option\n"
    Path("run.sh").write_text(f'#!/usr/bin/env bash\n{text}echo "$seed $nj"\n')
    assert run("--nj", "2", "--seed", "3").stdout == "3 2\n"
    assert "there are --seed --nj (see" in run("--late", "2", code=1).stderr
    assert "there are --seed --nj (see" in run("--after", "2", code=1).stderr
    assert run("--help").stdout.startswith("Its title.\n\nOptions:\n  --seed ")


def test_without_stage_it_begins_at_the_first_unfinished_one():
    first = run("--stop-stage", "1")
    assert stages(first) == [1]
    assert "=== run.sh, stage 1: Data (" in first.stdout
    second = run()
    assert stages(second) == [2, 3]
    assert "run.sh: stage 1 is finished; going on at stage 2" in second.stdout
    third = run()
    assert stages(third) == []
    assert "run.sh: stages 1 to 3 are finished; to redo stage N" in third.stdout


def test_a_finished_stage_is_redone_when_named_and_so_is_what_follows():
    run()
    before = Path("data/three").read_text()
    done = run("--stage", "2")
    assert stages(done) == [2, 3]
    assert done.stdout.count("finished before, and redone") == 2
    assert Path("data/three").read_text() != before
    assert stages(run("--stage", "1", "--stop-stage", "2")) == [1, 2]


def test_a_stage_that_fails_while_it_is_redone_is_unfinished():
    run()
    for cause in ("broken", "unwhole"):
        Path(cause).touch()
        assert stages(run("--stage", "2", code=1 if cause == "broken" else 2)) == [2]
        assert not Path("data/more").exists()
        Path(cause).unlink()
    assert Path("data/three").exists(), "what comes after it was not reached"
    done = run()
    assert stages(done) == [2, 3]
    assert done.stdout.count("finished before, and redone") == 1, "an unfinished stage keeps what it has"


def test_a_stage_that_refuses_what_it_was_given_loses_nothing():
    run()
    Path("refused").touch()
    assert stages(run("--stage", "2", code=3)) == [2]
    assert Path("data/two").exists() and Path("data/more").exists()


def test_an_interrupted_stage_is_unfinished():
    run()
    Path("sleepy").touch()
    running = subprocess.Popen(["./run.sh", "--stage", "2"], start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not Path("asleep").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(60) != 0
    Path("sleepy").unlink()
    assert stages(run()) == [2, 3]


def test_a_stage_without_results_is_never_finished():
    text = RUN_SH.replace('"Training" data/two data/more', '"Training"')
    Path("run.sh").write_text(text)
    run()
    assert stages(run()) == [2, 3]


def test_a_stage_beyond_the_declared_last_one_is_a_mistake_of_the_script():
    Path("run.sh").write_text(RUN_SH.replace("stop_stage=3", "stop_stage=2"))
    assert "stage 3 comes after" in run(code=1).stderr


def test_cmd_sh_names_runners_that_work():
    script = f'cd {ROOT}/utils/.. && . ./cmd.sh && $train_cmd "$1/a.log" true && $cuda_cmd "$1/b.log" true'
    subprocess.run(
        ["bash", "-euc", script, "-", str(Path.cwd())], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True
    )
    assert Path("b.log").exists()


def records(script_change=("", "")):
    """The script with two things that it is made from: an option, a configuration."""
    text = RUN_SH.replace(
        'if run_stage 1 "Data"', 'made_from systems="$systems" corpus?="$corpus"\nif run_stage 1 "Data"'
    )
    text = text.replace('if run_stage 2 "Training"', 'made_from net.yaml=net.yaml\nif run_stage 2 "Training"')
    Path("run.sh").write_text(text.replace(*script_change))
    Path("net.yaml").write_text("# a comment\nnet: {width: 4}\n")
    if not Path("utils").exists():
        Path("utils").symlink_to(ROOT / "utils")


def test_a_stage_whose_configuration_changed_is_out_of_date_and_so_is_what_follows(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    records()
    run()
    assert stages(run()) == []
    Path("net.yaml").write_text("net:\n  width: 4  # touched, and another comment\n")
    assert stages(run()) == [], "the settings are the same"
    Path("net.yaml").write_text("net: {width: 8}\n")
    done = run()
    assert stages(done) == [2, 3]
    assert "run.sh: stage 2 is out of date: net.yaml: net.width was 4, is 8\n" in done.stdout
    assert stages(run()) == []


def test_an_option_that_changed_counts_and_a_corpus_that_is_not_given_does_not(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    records()
    for name in ("one", "other"):
        Path(name).mkdir()
    run("--corpus", "one")
    assert stages(run()) == stages(run("--corpus", "one")) == []
    done = run("--corpus", "other")
    assert stages(done) == [1, 2, 3]
    assert f"stage 1 is out of date: corpus was {Path.cwd()}/one, is {Path.cwd()}/other" in done.stdout
    words = ["--corpus", "other", "--systems", "c"]
    assert "stage 1 is out of date: systems was a b, is c" in run(*words, "--stop-stage", "1").stdout
    assert "stage 2 is out of date: systems was a b, is c" in run(*words).stdout
    Path("other/.made_from.1").write_text("{}")  # the corpus was itself made anew
    assert "stage 1 is out of date: corpus changed" in run(*words).stdout


def test_a_stage_that_failed_has_no_new_record(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    records()
    run()
    Path("net.yaml").write_text("net: {width: 8}\n")
    Path("refused").touch()
    assert stages(run(code=3)) == [2], "it fails before it replaces anything"
    Path("refused").unlink()
    assert stages(run()) == [2, 3]


def test_a_stage_may_see_to_its_records_itself(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    records(("if run_stage 3", "outdated_3() { ! [ -e old ] || cat old; }\nif run_stage 3"))
    run()
    assert stages(run()) == []
    Path("old").write_text("exp/a: epochs was 3, is 4\nexp/b: epochs was 3, is 4\n")
    done = run()
    assert stages(done) == [3] and "stage 3 is out of date: exp/a: epochs was 3, is 4\n" in done.stdout


def test_a_second_run_in_a_folder_is_told_who_is_in_it():
    Path("run.sh").write_text(RUN_SH.replace("\necho", "\nhold exp\necho", 1))
    Path("sleepy").touch()
    first = subprocess.Popen(["./run.sh"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not Path("asleep").exists():
        time.sleep(0.01)
    second = run(code=1)
    assert re.fullmatch(
        rf"run.sh: exp is in use by run.sh on \S+, process {first.pid}, since [-\d]+ [:\d]+; .* another folder\n",
        second.stderr,
    )
    Path("sleepy").unlink()
    os.killpg(first.pid, signal.SIGKILL)
    first.wait(60)
    assert Path("exp/.lock").exists(), "left behind"
    assert stages(run()) == [2, 3] and not Path("exp").exists(), "and no obstacle; an empty folder goes again"


def test_whoever_waits_for_a_folder_goes_on_when_it_is_left():
    text = f". {ROOT}/utils/parse_options.sh\n. {ROOT}/utils/stages.sh\n"
    for name, then in (("one.sh", "sleep 1\ntouch done\nleave data\n"), ("two.sh", "[[ -e done ]]\n")):
        first = "set -eu\nstop_stage=1  # last\nstage=  # first\n"
        Path(name).write_text(f"{first}{text}wait_for data\ntouch {name}.in\n{then}")
    one = subprocess.Popen(["bash", "one.sh"])
    while not Path("one.sh.in").exists():
        time.sleep(0.01)
    two = subprocess.run(["bash", "two.sh"], capture_output=True, text=True, timeout=60)
    assert two.returncode == 0 and "two.sh: waiting for one.sh on " in two.stdout
    assert one.wait(60) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_named():
    Path("run.sh").write_text(RUN_SH.replace("\necho", "\nhold exp\necho", 1))
    Path("exp").mkdir(mode=0o500)
    assert run(code=1).stderr == "run.sh: exp: cannot be written to\n"
