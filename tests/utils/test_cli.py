"""utils/cli.py: what whoever types a program is told."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from utils.cli import UserError, duration, numbers

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("script", ["steps/embed.py", "steps/pretrain.py"])
def test_ctrl_c_while_a_program_is_loading_is_one_line(script):
    """The interrupt comes as the first heavy package begins to load."""
    code = "import builtins, os, runpy, signal, sys\nreal = builtins.__import__\n"
    code += "def load(name, *rest):\n    if name in ('numpy', 'torch'):\n        os.kill(os.getpid(), signal.SIGINT)\n"
    code += "    return real(name, *rest)\nbuiltins.__import__ = load\n"
    code += "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    code = code.replace("sys.argv[0]", repr(script))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == -signal.SIGINT and done.stderr.endswith("interrupted\n"), done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1


def test_numbers_are_whole_and_stand_once():
    assert numbers("--seeds", " 3 1 3") == [3, 1]
    with pytest.raises(UserError, match="--seeds '1,2': expected whole numbers separated by spaces"):
        numbers("--seeds", "1,2")
    assert numbers("--seeds", "0" * 5000 + "7 000") == [7, 0]
    for words, said in (("9" * 5000, "too large"), ("٣", "expected whole numbers")):
        with pytest.raises(UserError, match=said):
            numbers("--seeds", words)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_what_is_half_written_goes_when_the_program_is_told_to_end(tmp_path, number, code):
    code_of = (
        "import os, time\nfrom pathlib import Path\nfrom utils import cli\nfrom utils.files import whole\n"
        f"def main():\n    with whole(Path({str(tmp_path / 'x')!r})) as half:\n        half.write_text('half')\n"
        f"        os.kill(os.getpid(), {int(number)})\n        time.sleep(9)\ncli.run(main)"
    )
    done = subprocess.run([sys.executable, "-c", code_of], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, "") and not list(tmp_path.iterdir())


def test_a_time_to_wait_for_has_two_units_at_most():
    said = {50: "50 s", 700: "12 min", 3 * 3600 + 1200: "3 h 20 min", 52 * 3600: "2 d 4 h", 3599: "1 h 0 min"}
    assert [duration(seconds) for seconds in said] == list(said.values())


@pytest.mark.parametrize(
    ("body", "environment", "shown"),
    [
        ("print('Jos\\u00e9')", {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}, b"Jos\\xe9\n"),
        ("print('s1\\udce9')", {"PYTHONUTF8": "1"}, b"s1\xe9\n"),
        ("raise MemoryError('298 GiB')", {}, b"-c: there is not enough memory for this (298 GiB)\n"),
        (
            "raise RuntimeError('cannot allocate 9 bytes\\nmore')",
            {},
            b"-c: there is not enough memory for this (cannot allocate 9 bytes)\n",
        ),
        (
            "raise ImportError('libx.so: failed to map segment')",
            {},
            b"-c: there is not enough memory for this (libx.so: failed to map segment)\n",
        ),
    ],
)
def test_what_a_terminal_cannot_show_and_what_no_memory_holds_ends_in_no_traceback(body, environment, shown):
    code = f"from utils import cli\ndef main():\n    {body}\ncli.run(main)"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, env=os.environ | environment)
    assert done.stdout + done.stderr == shown and done.returncode == ("raise" in body)


def test_output_that_cannot_be_written_is_one_line(tmp_path):
    script = tmp_path / "say.py"
    script.write_text("from utils import cli\ncli.run(lambda: print('x'))\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, script], env=environment | {"PYTHONPATH": str(ROOT)}, stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1 and done.stderr == b"say.py: No space left on device\n"


def test_a_current_folder_that_is_gone_is_named(tmp_path):
    (tmp_path / "here").mkdir()
    words = [sys.executable, str(ROOT / "utils/copy_data_dir.py"), "a", "b"]
    code = f"import os; os.rmdir(os.getcwd()); os.execv({words[0]!r}, {words})"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "here", capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        "copy_data_dir.py: the current folder is no longer there: change to another\n",
    )


@pytest.mark.parametrize(
    "words",
    [
        ["steps/score.py", ""],
        ["steps/export.py", ""],
        ["steps/predict.py", "--by", "turns", "--draw", "", "x.wav"],
        ["steps/finetune.py", "", "exp"],
        ["utils/fix_data_dir.py", ""],
    ],
)
def test_a_variable_that_is_not_set_is_not_the_folder_here(words):
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode and "expected a path, found ''" in done.stderr.splitlines()[-1]
