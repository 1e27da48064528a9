#!/usr/bin/env python3
"""A page to try a model on: drop a recording, or speak. All is computed in the browser; no sound leaves the machine.

  steps/demo.py [options] <out-dir> [RECORDING…]
  steps/demo.py demo call.wav

Writes the page into <out-dir> and serves it on this machine alone until Ctrl-C. RECORDINGs are offered on it as
examples. It runs ONNX Runtime's own build for browsers, the npm package onnxruntime-web: taken from --runtime, the
folder of an unpacked one, or fetched by npm. It answers as steps/predict.py does, but for what the graph rounds
(steps/export.py) and for the browser's own way to bring a recording to the model's sampling rate.
"""

from __future__ import annotations

import argparse
import http.server
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import BinaryIO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from steps.prediction.model import OWN, read
from steps.prediction.stretches import LONGEST
from utils import cli
from utils.files import copy, whole

PACKAGE = "onnxruntime-web@1.30.0"
PAGE, TITLE = "index.html", "<title>Emotions in speech</title>"  # by which a page of this program is known
RUNTIME = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def is_there(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def fetch(out: Path) -> None:
    """Have npm fetch the runtime into `out`. Raises UserError where it cannot."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, text=True)
        except FileNotFoundError:
            raise cli.UserError(f"npm is not installed: unpack {PACKAGE} and name it with --runtime") from None
        if done.returncode:
            raise cli.UserError(
                f"npm cannot fetch {PACKAGE}: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}"
            )
        with tarfile.open(Path(folder) / done.stdout.split()[-1]) as archive:
            for name in RUNTIME:
                file = archive.extractfile(f"package/dist/{name}")
                assert file is not None
                with whole(out / name) as temporary:
                    temporary.write_bytes(file.read())


def build(model: Path, out: Path, runtime: Path | None, recordings: list[Path]) -> None:
    """The page and all that it needs. Raises UserError for what is missing."""
    from steps.frontend.descriptors import GATE, LOUD
    from steps.prediction.answering import Options
    from steps.prediction.graphs import WAVEFORM, export

    if missing := [path for path in recordings if not path.is_file()]:
        raise cli.UserError(f"{missing[0]}: no such recording")
    template, page = (Path(__file__).parent / "prediction/demo.html").read_text(encoding="utf-8"), out / PAGE
    if page.exists() and not (page.is_file() and TITLE.encode() in page.read_bytes()):
        raise cli.UserError(f"{page}: is no page of this program and would be lost: name a folder of its own")
    names = [path.name for path in recordings]
    for path in recordings:
        if path.name in (*RUNTIME, WAVEFORM, PAGE) or names.count(path.name) > 1:
            raise cli.UserError(f"{path}: another recording, or a file of the page, is called so, too: rename it")
    if runtime:
        folder = runtime / "dist" if (runtime / "dist").is_dir() else runtime
        if lacking := [name for name in RUNTIME if not is_there(folder / name)]:
            raise cli.UserError(f"{folder}: holds no {lacking[0]}, so it is not {PACKAGE}")
        out.mkdir(parents=True, exist_ok=True)
        for name in RUNTIME:
            copy(folder / name, out / name)
    elif not all(is_there(out / name) for name in RUNTIME):
        fetch(out)

    list(export(model, out, (WAVEFORM,)))
    settings, calibration = read(model)
    known = asdict(settings) | asdict(calibration) | {"longest": LONGEST, "window": Options().window}
    known |= {"examples": names, "gate": GATE, "loud": LOUD / 100}
    for path in recordings:
        if not (out / path.name).exists() or not (out / path.name).samefile(path):
            copy(path, out / path.name)
    text = json.dumps(known).replace("<", "\\u003c")  # in a name, it could end the script
    with whole(page) as temporary:
        temporary.write_text(template.replace("{{known}}", text), encoding="utf-8")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves one folder, and says nothing of each file."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html"
    }  # fmt: skip

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError):  # a browser that goes away
            super().handle()

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        try:
            return super().send_head()
        except ValueError:  # of what is no address, or no file's name
            self.send_error(404)
            return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=cli.path_of, help="folder for the page")
    parser.add_argument("recordings", type=cli.path_of, nargs="*", metavar="RECORDING", help="an example")
    parser.add_argument("--model", type=cli.path_of, default=OWN, help="folder of a model [the recipe's own]")
    parser.add_argument("--runtime", type=cli.path_of, help=f"folder of {PACKAGE} [npm fetches it]")
    parser.add_argument("--port", type=int, default=8000, help="port to serve on; 0: any that is free [8000]")
    parser.add_argument("--serve", type=cli.boolean, default=True, help="false: write the page alone [true]")
    options = parser.parse_intermixed_args()
    if not 0 <= options.port < 1 << 16:
        raise cli.UserError(f"--port {options.port}: from 0 to 65535")
    build(options.model, options.out, options.runtime, options.recordings)
    if not options.serve:
        print(f"{options.out}/{PAGE}: serve this folder; a browser runs it from no file")
        return
    handler = partial(Handler, directory=str(options.out))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), handler)
    except OSError as error:
        raise cli.UserError(f"--port {options.port}: {error.strerror}; --port 0 takes one that is free") from None
    with server:
        print(f"http://127.0.0.1:{server.server_port}/  (Ctrl-C ends it)", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    cli.run(main)
