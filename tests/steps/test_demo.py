"""The page to try a model on: what is written, who may see it, and what it answers in a real browser."""

import json
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import numpy as np
import pytest
import soundfile

from steps.demo import Handler
from tests.steps.prediction.test_waveform import voice

ROOT = Path(__file__).resolve().parents[2]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-dev-shm-usage", "--remote-debugging-port=0"]


@pytest.fixture
def runtime(tmp_path):
    """Files of the runtime's names."""
    (tmp_path / "runtime").mkdir()
    for name in ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"):
        (tmp_path / "runtime" / name).write_text("// nothing\n")
    return tmp_path / "runtime"


@pytest.fixture
def recording(tmp_path):
    soundfile.write(tmp_path / "a voice.wav", voice(3, 1).astype(np.int16), 16000)
    return tmp_path / "a voice.wav"


def test_the_page_knows_the_model_and_its_examples_and_loads_nothing_from_elsewhere(
    runtime, recording, tmp_path, type_in
):
    strange = recording.with_name("</script><b>.wav".replace("/", "_"))
    shutil.copy(recording, strange)
    type_in("steps/demo.py", "--serve", "false", "--runtime", runtime, tmp_path / "page", recording, strange)
    text = (tmp_path / "page/index.html").read_text()
    known = json.loads(re.search(r'id="known">(.*?)</script>', text)[1])
    assert known["classes"] == ["ang", "hap", "neu", "sad"] and known["examples"] == [recording.name, strange.name]
    assert (tmp_path / "page" / recording.name).read_bytes() == recording.read_bytes()
    assert not re.findall(r'(?:src|href)="https?:', text) and "connect-src 'self'" in text


def test_examples_of_one_name_and_of_the_pages_own_are_refused(runtime, recording, tmp_path, type_in):
    (tmp_path / "b").mkdir()
    other = shutil.copy(recording, tmp_path / "b" / recording.name)
    own = shutil.copy(recording, tmp_path / "b/index.html")
    for words in ([recording, other], [own]):
        words = ["--serve", "false", "--runtime", runtime, tmp_path / "page", *words]
        assert "is called so, too: rename it" in type_in("steps/demo.py", *words, code=1).stderr
    (tmp_path / "page").mkdir()
    inside = shutil.copy(recording, tmp_path / "page" / recording.name)
    type_in("steps/demo.py", "--serve", "false", "--runtime", runtime, tmp_path / "page", inside)
    assert inside.read_bytes() == recording.read_bytes()


def test_a_page_of_somebody_else_is_not_replaced(runtime, recording, tmp_path, type_in):
    (tmp_path / "page").mkdir()
    (tmp_path / "page/index.html").write_text("hello\n")
    words = ["--serve", "false", "--runtime", runtime, tmp_path / "page", recording]
    assert "page/index.html: is no page of this program" in type_in("steps/demo.py", *words, code=1).stderr
    assert [path.name for path in (tmp_path / "page").iterdir()] == ["index.html"]
    (tmp_path / "page/index.html").unlink()
    for _ in range(2):  # its own it replaces
        type_in("steps/demo.py", *words)
    (runtime / "ort.wasm.min.js").write_text("")
    assert "holds no ort.wasm.min.js" in type_in("steps/demo.py", *words, code=1).stderr


def test_a_browser_that_goes_away_or_asks_nonsense_is_not_told_of(tmp_path, capfd):
    (tmp_path / "waveform.onnx").write_bytes(bytes(1 << 25))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for ask in (
            b"GET /waveform.onnx HTTP/1.0\r\n\r\n",
            b"GET /%00 HTTP/1.0\r\n\r\n",
            b"HEAD /a\0b HTTP/1.0\r\n\r\n",
            b"GET http://[/../.. HTTP/1.0\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", server.server_port)) as caller:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # to reset it
                caller.sendall(ask)
                said = caller.recv(100)
        assert b"404" in said
        time.sleep(0.2)
        server.shutdown()
    assert capfd.readouterr().err == ""


def test_what_is_missing_is_said(runtime, tmp_path, type_in, monkeypatch):
    said = type_in("steps/demo.py", "--runtime", runtime, tmp_path / "page", tmp_path / "no.wav", code=1).stderr
    assert "no.wav: no such recording" in said
    (runtime / "ort.wasm.min.js").unlink()
    assert (
        "holds no ort.wasm.min.js" in type_in("steps/demo.py", "--runtime", runtime, tmp_path / "page", code=1).stderr
    )
    assert not (tmp_path / "page").exists()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "npm is not installed" in type_in("steps/demo.py", tmp_path / "other", code=1).stderr


def title(browser, profile):
    """What the page that a browser shows is called, once it has answered."""
    for _ in range(300):
        time.sleep(0.3)
        assert browser.poll() is None
        with suppress(OSError, IndexError):  # it has not begun
            port = (profile / "DevToolsActivePort").read_text().split()[0]
            shown = json.loads(urlopen(f"http://127.0.0.1:{port}/json/list").read())
            if found := [page["title"] for page in shown if "%" in page["title"]]:
                return found[0]
    raise AssertionError("the page gave no answer")


@pytest.mark.skipif(not (BROWSER and shutil.which("npm")), reason="needs chromium and npm")
def test_a_browser_answers_as_predict_does(recording, tmp_path, type_in):
    words = [sys.executable, ROOT / "steps/demo.py", "--port", "0", tmp_path / "page", recording]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            line = server.stdout.readline()
            if not line:
                pytest.skip(f"the runtime could not be fetched: {server.stderr.read()}")
            address, profile = line.split()[0], tmp_path / "chrome"
            assert address.startswith("http://127.0.0.1:") and b"known" in urlopen(address).read()
            words = [BROWSER, *FLAGS, f"--user-data-dir={profile}", f"{address}#a%20voice.wav"]
            with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
                try:
                    shown = title(browser, profile)
                finally:
                    browser.terminate()
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(20)
    line = type_in("steps/predict.py", recording).stdout.splitlines()[1].split("\t")
    name, percent = re.match(r"(\w+), ([\d.]+) %", shown).groups()
    assert name == line[3] and float(percent) == pytest.approx(100 * max(map(float, line[4:8])), abs=0.5)
    assert server.returncode == 130
