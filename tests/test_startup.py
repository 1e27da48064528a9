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
