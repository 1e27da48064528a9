"""What a program's --help loads: a user who asks for it is not kept waiting by packages that the work alone needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "sklearn", "scipy", "statsmodels", "soundfile", "matplotlib"}
NEEDED = {"report.py": {"torch", "matplotlib"}}  # what draws masks and pictures
PROGRAMS = sorted(ROOT.glob("steps/*.py")) + sorted(ROOT.glob("utils/*_data*.py"))
ASK = "import runpy, sys; sys.argv[0] = sys.argv.pop(1)\ntry: runpy.run_path(sys.argv[0], run_name='__main__')\n"
ASK += "finally: print('\\nloaded:', *sys.modules)"


@pytest.mark.parametrize("program", [path for path in PROGRAMS if "__main__" in path.read_text()], ids=lambda p: p.stem)
def test_help_loads_what_it_needs(program):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", ASK, program, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0 and done.stdout.startswith("usage:") and os.access(program, os.X_OK)
    loaded = set(done.stdout.rpartition("loaded:")[2].split())
    assert "argparse" in loaded and loaded & HEAVY <= NEEDED.get(program.name, set())


@pytest.mark.parametrize("program", ["steps/score.py", "steps/report.py", "local/open.py", "utils/make_folds.py"])
def test_without_path_sh_it_runs_or_says_what_to_type(program, tmp_path):
    (tmp_path / "steps").symlink_to(ROOT / "egs/open" / program.split("/")[0])  # as from egs/<corpus>
    called = tmp_path / "steps" / Path(program).name
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, called, "--help"], capture_output=True, text=True, env=plain, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("usage:")
    bare = [sys.executable, "-S", called, "--help"]  # a Python in which nothing is installed
    done = subprocess.run(bare, capture_output=True, text=True, env=plain, cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert " is not installed in " in done.stderr and f"; type '. {ROOT}/path.sh' first" in done.stderr
