"""Whatever stands in a file: what reads it gives a value, or an error that names the file. Never another exception."""

import io
import os
import shutil
import struct
from dataclasses import dataclass, field

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from local import tables
from local.labels import read_map
from steps.evaluation import results
from steps.frontend.audio import read_audio
from steps.frontend.decoding import Unusable
from steps.frontend.given import Given
from steps.prediction.inputs import of_table
from steps.prediction.model import OWN, Model
from steps.score_trials import read_trials
from steps.training.checkpoint import load_checkpoint, load_model
from utils import config, folds, systems
from utils.archive import ArkWriter, read_array, read_scp
from utils.cli import UserError
from utils.columns import records
from utils.copies import read_changes
from utils.record import Origin, outdated
from utils.recordings import read_sounds
from utils.scores import read_scores
from utils.table import read_table
from utils.yaml_file import read_yaml

# Seconds in all; `FUZZ=100000 pytest tests/utils/test_fuzz.py` takes hours.
quick = settings(
    max_examples=int(os.environ.get("FUZZ", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WORDS = st.sampled_from(
    ["a", "run1", "train", "test", "valid", "#", "utt", "spk", "label", "ang", "nan", "0.5", "-1", "inf", "é", "\x00"]
    + ["..", "../x", "key:", "[", "{", "}", "&x", "*x", "!!python", "\t", " ", "\r", "\n", ",", '"', "path", "begin"]
)
LINES = st.lists(WORDS, max_size=30)
TEXTS = st.one_of(
    st.binary(max_size=200), LINES.map(lambda w: " ".join(w).encode()), LINES.map(lambda w: "".join(w).encode())
)


@dataclass
class Inner:
    """Some."""

    size: int = 1
    """A number."""


@dataclass
class Outer:
    """Some."""

    name: str = "x"
    """A text."""
    parts: list[str] = field(default_factory=list)
    """Some."""
    inner: Inner = field(default_factory=Inner)
    """More."""


READERS = {
    "table": read_table,
    "folds": folds.read,
    "scores": read_scores,
    "sounds": read_sounds,
    "people's table, CSV": records,
    "recordings": lambda path: list(of_table(path)),
    "yaml": read_yaml,
    "configuration": lambda path: config.load(Outer, path),
    "scp": read_scp,
    "trials": read_trials,
    "labels": lambda path: read_map(str(path)),
    "corpus": lambda path: list(tables.read(path)),
    "weights": lambda path: load_model(torch.nn.Linear(2, 2), path),
    "checkpoint": lambda path: load_checkpoint(path, {}),
    "published": results.read_published,
    "results.json": results.read,
    "groups.yaml": lambda path: systems.read_groups(path.parent),
    "utt2augment": lambda path: read_changes(path.parent),
    ".made_from.test": lambda path: outdated(path.parent, Origin("test", 1, {}, {})),
    "spk2gender": lambda path: read_table(path),
    "given.npz": lambda path: vectors(path),
    "given.scp": lambda path: vectors(path),
}


def vectors(path):
    data = path.parent / "data"
    data.mkdir(exist_ok=True)
    (data / "utt2spk").write_text("utt spk\n")
    return Given(path, data).read()


@pytest.mark.parametrize("kind", READERS)
@quick
@given(content=TEXTS)
@example(content=b"a: &a [*a]\n")
@example(content=b"inner: {size: }\n")
@example(content=b"\xef\xbb\xbf")
def test_text(tmp_path, kind, content):
    path = tmp_path / (kind if "." in kind or "2" in kind else "file.csv")
    path.write_bytes(content)
    try:
        READERS[kind](path)
    except UserError as error:
        assert path.name in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("name", ["config.yaml", "calibration.yaml", "model.onnx", "model.safetensors"])
@settings(quick, max_examples=-(-quick.max_examples // 5))
@given(content=TEXTS, cut=st.integers(0, 4000), place=st.integers(0, 4000), value=st.integers(0, 255))
@example(content=b"", cut=0, place=10, value=128)  # onnxruntime refuses it without a word
def test_a_model_folder_of_which_a_file_was_damaged(tmp_path, name, content, cut, place, value):
    folder = tmp_path / "model"
    if not folder.exists():
        shutil.copytree(OWN, folder)
    damaged = bytearray((OWN / name).read_bytes())
    damaged[place : place + 1] = bytes([value])
    for change in (content, bytes(damaged), bytes(damaged[:cut])):
        (folder / name).write_bytes(change)
        try:
            model = Model(folder)
            found = model(np.zeros((2, 1851), np.float32))
            assert found.posteriors.shape == (2, len(model.settings.classes)) and model.mean.shape == (1851,)
        except UserError as error:
            assert str(folder) in str(error) and "\n" not in str(error)


@quick
@given(place=st.integers(0, 43), value=st.integers(0, 255), more=st.integers(0, 43), other=st.integers(0, 255))
def test_the_header_of_a_wav(tmp_path, place, value, more, other):
    held = io.BytesIO()
    soundfile.write(held, (1000 * np.sin(np.arange(3000) / 9)).astype(np.int16), 16000, format="WAV", subtype="PCM_16")
    content = bytearray(held.getvalue())
    content[place], content[more] = value, other
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    try:
        recording = read_audio(str(path), 16000, 640)
    except Unusable as reason:
        assert "\n" not in str(reason)
    else:
        assert np.isfinite(recording.signal).all() and recording.signal.nbytes < 1 << 30


@quick
@given(cut=st.integers(0, 200), place=st.integers(0, 30), value=st.integers(0, 255))
def test_an_archive_that_was_cut_or_changed(tmp_path, cut, place, value):
    with ArkWriter(tmp_path / "a.ark", tmp_path / "a.scp", 3) as out:
        out.write("utt", np.arange(60, dtype=np.float32).reshape(10, 6))
    content = bytearray((tmp_path / "a.ark").read_bytes())
    if place < len(content):
        content[place] = value
    (tmp_path / "a.ark").write_bytes(content[:cut])
    try:
        assert isinstance(read_array(read_scp(tmp_path / "a.scp")["utt"]), np.ndarray)
    except UserError as error:
        assert "a.ark" in str(error) and "\n" not in str(error)


def test_an_archive_that_claims_to_be_huge(tmp_path):
    with ArkWriter(tmp_path / "a.ark", tmp_path / "a.scp") as out:
        out.write("utt", np.zeros((2, 3), np.float32))
    content = (tmp_path / "a.ark").read_bytes()
    lying = content.replace(struct.pack("<bibi", 4, 2, 4, 3), struct.pack("<bibi", 4, 1 << 30, 4, 1 << 30))
    assert lying != content
    (tmp_path / "a.ark").write_bytes(lying)
    with pytest.raises(UserError, match="a.ark"):
        read_array(read_scp(tmp_path / "a.scp")["utt"])
