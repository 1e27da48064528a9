"""path.sh in a copy of its own: what it makes, what it accepts, what it says. Nothing is fetched: the one requirement
is a wheel that lies beside it. The Python in PATH has no ensurepip, as on Debian; where pip is not the point, it has no
pip either, and what poses as uv installs nothing."""

import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("bash", "cat", "dirname", "env", "sh", "sleep", "touch")
pytestmark = pytest.mark.skipif(not importlib.util.find_spec("pip"), reason="this Python has no pip to test with")


def make_wheel(path, version):
    """A distribution `tiny` of one empty module."""
    info = f"tiny-{version}.dist-info"
    files = {
        "tiny.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in (files | {f"{info}/RECORD": record}).items():
            wheel.writestr(name, text)


def make_python(folder, *, pip=True):
    """An environment whose Python has no ensurepip, and pip only if asked for."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    site.joinpath("sitecustomize.py").write_text("import sys\nsys.modules['ensurepip'] = None\n")
    if pip:
        site.joinpath("pip").symlink_to(Path(importlib.util.find_spec("pip").origin).parent)
    return folder


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    """A folder of the few programs that path.sh needs, and no Python."""
    folder = tmp_path_factory.mktemp("tools")
    for name in TOOLS:
        folder.joinpath(name).symlink_to(shutil.which(name))
    return folder


@pytest.fixture(scope="module")
def python_with_pip(tmp_path_factory):
    return make_python(tmp_path_factory.mktemp("python") / "with-pip") / "bin"


@pytest.fixture(scope="module")
def python_without_pip(tmp_path_factory):
    return make_python(tmp_path_factory.mktemp("python") / "without-pip", pip=False) / "bin"


class Copy:
    """A clean clone, as far as path.sh goes."""

    def __init__(self, root, path):
        self.root, self.venv, self.wheel = root, root / ".venv", root / "tiny-1.0-py3-none-any.whl"
        self.environment = {"PATH": f"{root / 'bin'}:{path}", "HOME": str(root)}
        (root / "bin").mkdir()
        self.program("uv", 'echo "$@" >> "$HOME/uv.said"')
        (root / "utils").mkdir()
        for name in ("path.sh", "utils/cli.py", "utils/environment.py", "utils/hold.py"):
            shutil.copy(ROOT / name, root / name)
        (root / "egs/mini").mkdir(parents=True)
        for name in ("path.sh", "utils"):
            (root / "egs/mini" / name).symlink_to(f"../../{name}")
        make_wheel(self.wheel, "1.0")
        self.require(self.wheel)

    def require(self, wheel):
        (self.root / "requirements.txt").write_text(f"# What it runs on.\ntiny @ {wheel.as_uri()}\n")

    def program(self, name, script):
        """Put a program of that name first in PATH."""
        (self.root / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.root / "bin" / name).chmod(0o755)

    def bash(self, script="", *, path="./path.sh", cwd=None, code=0, options="-euo pipefail", **environment):
        command = ["bash", *options.split(), "-c", f". {shlex.quote(str(path))}\n{script}"]
        done = subprocess.run(
            command,
            cwd=cwd or self.root,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert "Traceback" not in done.stderr
        assert done.returncode == code, done.stderr
        return done

    def stamped(self):
        """Put an environment there that seems to be ready."""
        (self.venv / "bin").mkdir(parents=True)
        (self.venv / "bin/python").symlink_to(sys.executable)
        shutil.copy(self.root / "requirements.txt", self.venv)

    def refused(self, *words, **options):
        """One line on stderr which contains `words`, and a shell that lives on."""
        lines = self.bash("echo $? and on", options="", **options)
        assert lines.stdout == "1 and on\n"
        errors = [line for line in lines.stderr.splitlines() if " making " not in line]
        assert len(errors) == 1, errors
        assert errors[0].startswith("path.sh: ")
        assert all(word in errors[0] for word in words), errors


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "a clone"  # a name with a space in it
    folder.mkdir()
    return folder


@pytest.fixture
def copy(root, python_without_pip, tools):
    return Copy(root, f"{python_without_pip}:{tools}")


@pytest.fixture
def copy_with_pip(root, python_with_pip, tools):
    return Copy(root, f"{python_with_pip}:{tools}")


def test_the_first_call_makes_the_environment_and_the_next_starts_no_python(copy_with_pip):
    copy = copy_with_pip
    first = copy.bash('python -c "import tiny, sys; print(sys.prefix)"')
    assert first.stdout == f"{copy.venv}\n"
    said = first.stderr.splitlines()
    assert said[0].startswith(f"path.sh: making {copy.venv} with Python 3.")
    assert str(copy.venv / "install.log") in said[0]
    assert said[1:] == ["path.sh: the environment is ready"]
    assert (copy.venv / "requirements.txt").read_bytes() == (copy.root / "requirements.txt").read_bytes()

    (copy.venv / "bin/python").unlink()
    for name in ("python3", "../.venv/bin/python"):
        copy.program(name, 'touch "$HOME/started"')
    second = copy.bash()
    assert second.stdout + second.stderr == ""
    assert not (copy.root / "started").exists()


def test_a_changed_requirements_file_brings_it_up_to_date(copy):
    copy.bash()
    (copy.venv / "lib/kept").touch()
    copy.require(copy.root / "tiny-2.0-py3-none-any.whl")
    assert "path.sh: requirements.txt has changed: updating " in copy.bash().stderr
    assert (copy.venv / "lib/kept").exists()
    assert (copy.root / "uv.said").read_text().count(f"pip install --python {copy.venv}/bin/python -r ") == 2
    assert copy.bash().stderr == ""


def test_killed_half_way_it_begins_anew(copy_with_pip):
    copy = copy_with_pip
    copy.wheel.unlink()
    os.mkfifo(copy.wheel)  # pip waits for ever for its other end
    first = subprocess.Popen(
        ["bash", "-c", ". ./path.sh"],
        cwd=copy.root,
        env=copy.environment,
        start_new_session=True,
        stderr=subprocess.PIPE,
    )
    log, deadline = copy.venv / "install.log", time.monotonic() + 120
    while not log.exists() or "Processing" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert not (copy.venv / "requirements.txt").exists()
    (copy.venv / "lib/half-written").touch()

    copy.wheel.unlink()
    make_wheel(copy.wheel, "1.0")
    second = copy.bash("python -c 'import tiny'")
    assert "path.sh: making " in second.stderr
    assert not (copy.venv / "lib/half-written").exists()


def test_two_shells_at_once_make_it_once(copy):
    copy.program("uv", 'echo "$@" >> "$HOME/uv.said"; sleep 0.3')
    command = ["bash", "-euc", ". ./path.sh; command -v python"]
    shells = [
        subprocess.Popen(
            command, cwd=copy.root, env=copy.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [shell.communicate(timeout=120) for shell in shells]
    assert [out for out, _ in said] == [f"{copy.venv}/bin/python\n"] * 2, said
    assert "".join(errors for _, errors in said).count("path.sh: making ") == 1
    assert (copy.root / "uv.said").read_text().count("pip install") == 1


def test_it_works_from_anywhere_and_through_a_link(copy, tmp_path):
    copy.stamped()
    script = 'echo "$PYTHONPATH|$PATH|$LC_ALL|$PYTHONUNBUFFERED|$PWD"'
    path = copy.environment["PATH"]
    expected = f"{copy.root}|{copy.venv}/bin:{path}|C|1|"
    assert copy.bash(script).stdout == f"{expected}{copy.root}\n"
    assert copy.bash(script, cwd=copy.root / "egs/mini").stdout == f"{expected}{copy.root}/egs/mini\n"
    for where in ("path.sh", "egs/mini/path.sh"):
        assert copy.bash(script, path=copy.root / where, cwd=tmp_path, CDPATH="/:.").stdout == f"{expected}{tmp_path}\n"
    twice = copy.bash(f". ./path.sh; {script}", PYTHONPATH="/mine")
    assert twice.stdout == f"{copy.root}:/mine|{copy.venv}/bin:{path}|C|1|{copy.root}\n"


@pytest.mark.parametrize("options", ["", "-euo pipefail", "--norc -i", "-C"])
def test_it_leaves_the_shell_as_it_was(copy, options):
    copy.stamped()
    state = "set +o; shopt; declare -F; compgen -v"
    script = f'before=$({state}); . {copy.root}/path.sh; echo; diff=$({state}); [ "$before" = "$diff" ] && echo same'
    new = "before= diff= LC_ALL= PYTHONUNBUFFERED= PYTHONPATH="  # the variables that are meant to appear
    script = f"{new}; cd {shlex.quote(str(copy.root))}; {script.replace(str(copy.root), '.')}"
    done = subprocess.run(
        ["bash", *options.split(), "-c", script], env=copy.environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["same"], done.stderr


def test_an_activated_environment_is_used_if_it_holds_everything(copy, tmp_path):
    own = make_python(tmp_path / "own", pip=False)
    copy.refused("lacks tiny @ file", f"'{own}/bin/python -m pip install -r ", "deactivate", VIRTUAL_ENV=str(own))
    site = next(own.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(copy.wheel) as wheel:
        wheel.extractall(site)
    for environment in (
        {"VIRTUAL_ENV": str(own)},
        {"CONDA_PREFIX": str(own), "CONDA_DEFAULT_ENV": "speech"},
    ):
        done = copy.bash("python -c 'import sys, tiny; print(sys.prefix)'", **environment)
        assert done.stdout == f"{own}\n"
        assert done.stderr == ""
    assert not copy.venv.exists()


def test_what_changes_pythons_own_ways_is_taken_back(copy):
    """Docstrings are messages, and no Python starts with the library of another."""
    strange = {"PYTHONOPTIMIZE": "2", "PYTHONHOME": "/nowhere", "PYTHONINSPECT": "1"}
    assert copy.bash("echo ${PYTHONOPTIMIZE-gone} ${PYTHONHOME-gone} ${PYTHONINSPECT-gone}", **strange).stdout == (
        "gone gone gone\n"
    )


def test_an_activated_environment_that_is_gone_is_refused(copy):
    copy.refused("/nowhere", "deactivate", VIRTUAL_ENV="/nowhere")


def test_condas_base_and_path_shs_own_do_not_count_as_the_users(copy):
    copy.stamped()
    for environment in ({"CONDA_PREFIX": "/nowhere", "CONDA_DEFAULT_ENV": "base"}, {"VIRTUAL_ENV": str(copy.venv)}):
        assert copy.bash("command -v python", **environment).stdout == f"{copy.venv}/bin/python\n"


def test_versions_are_compared_where_packaging_is_there(monkeypatch):
    pytest.importorskip("packaging")
    monkeypatch.syspath_prepend(str(ROOT))
    from utils.environment import unmet

    fine = "# a comment\npytest>=1  # why\n\npip\n-r other.txt\npytest @ file:///x.whl\n"
    assert unmet(fine) == []
    lacking = unmet("pytest>=999\nno.such-thing==1.0 ; python_version > '3'\n")
    assert lacking[0].startswith("pytest>=999 (there is ")
    assert lacking[1:] == ["no.such-thing==1.0"]


def test_an_environment_that_path_sh_did_not_make_is_not_touched(copy):
    make_python(copy.venv)
    copy.refused("was not made by path.sh", "activate it")
    assert (copy.venv / "bin/python").exists()


def test_a_python_that_is_gone_is_replaced(copy):
    copy.stamped()
    (copy.venv / "bin/python").unlink()
    (copy.venv / "bin/python").symlink_to("/nowhere/python")
    assert "path.sh: making " in copy.bash("python -c ''").stderr


def test_no_python_is_one_line_and_ends_a_careful_script(copy, tools):
    copy.refused("no Python 3.10 or newer", PATH=str(tools))
    assert copy.bash("echo and on", code=1, PATH=str(tools)).stdout == ""


def test_a_failing_installation_is_one_line_with_its_reason(copy_with_pip):
    (copy_with_pip.root / "requirements.txt").write_text("tiny @ file:///nowhere/tiny-1.0-py3-none-any.whl\n")
    copy_with_pip.refused("could not be installed", "/nowhere/tiny-1.0", str(copy_with_pip.venv / "install.log"))


def test_from_a_folder_of_wheels_nothing_is_fetched(copy_with_pip):
    copy = copy_with_pip
    (copy.root / "wheels").mkdir()
    copy.wheel.rename(copy.root / "wheels" / copy.wheel.name)
    (copy.root / "requirements.txt").write_text("tiny==1.0\n")
    assert copy.bash('python -c "import tiny; print(1)"', PIP_INDEX_URL="http://127.0.0.1:9/").stdout == "1\n"
    (copy.root / "requirements.txt").write_text("tiny==1.0\nlarge\n")
    assert "could not be installed" in (said := copy.bash("true", options="", code=0).stderr) and "large" in said


def test_without_pip_and_uv_it_says_what_would_do(copy):
    (copy.root / "bin/uv").unlink()
    copy.refused("neither ensurepip nor pip", "python3-venv, pip, virtualenv, uv")


def test_in_another_shell_it_says_so(copy):
    done = subprocess.run(["sh", "-c", ". ./path.sh; echo $? and on"], cwd=copy.root, capture_output=True, text=True)
    assert done.stdout == "1 and on\n" and done.stderr.startswith("path.sh: type 'bash' first")


def test_an_environment_that_is_a_link_to_anothers_is_left_as_it_is(copy, tmp_path):
    copy.stamped()
    (copy.venv / "place").write_text(f"{copy.venv}\n")
    copy.venv.rename(tmp_path / "shared")
    (tmp_path / "shared/place").write_text(f"{tmp_path}/shared\n")
    copy.venv.symlink_to(tmp_path / "shared")
    assert copy.bash().stderr == ""
    assert (tmp_path / "shared/place").read_text() == f"{tmp_path}/shared\n"
