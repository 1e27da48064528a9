"""One run of a system with one seed, from a corpus to the files that results are made of."""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from steps.evaluation.metrics import classification_metrics
from steps.frontend.functionals import functionals
from steps.frontend.utterances import Corpus
from steps.nnet.architecture import Precision
from steps.nnet.inference import infer
from steps.systems.backend import Decisions, classify
from steps.systems.cost import cost
from steps.systems.fine_tuning import Selection, posteriors, train_network
from steps.systems.partition import Partition
from steps.systems.system import Config
from steps.training.checkpoint import save_model
from steps.training.device import uses_bfloat16
from utils import config, runs
from utils.archive import ArkWriter
from utils.cli import ROOT
from utils.files import whole
from utils.job_log import revision
from utils.scores import format_scores, sums, write_all


def train_run(
    corpus: Corpus, parts: dict[str, list[str]], out: Path, seed: int, settings: Config, pretrained: Path
) -> None:
    """Train on the training speakers of `parts`, select on the validation speakers, score the test speakers; leave in
    `out` what steps/finetune.py says. `scores` is the last of the files: where it is, the run is finished."""
    run, began, selection = Partition(corpus, parts), time.monotonic(), Selection()
    scores: dict[str, np.ndarray] = {}
    if settings.has_network and not settings.training.epochs and not settings.network.AD:
        embeddings = of_fixed_network(run, out, seed, settings, pretrained)
        decisions = Decisions({}, {part: embeddings[run.index[part].numpy()] for part in parts})
    elif settings.has_network:
        model, selection = train_network(run, out, seed, settings, pretrained)
        scores[runs.LAST] = posteriors(model, run.inputs("test"))
        if selection.oracle is not None:
            scores[runs.ORACLE] = selection.oracle.numpy()
        if selection.weights:
            model.load_state_dict(selection.weights)
        save_model(model, out / runs.MODEL)
        outputs = {part: infer(model, run.inputs(part)) for part in parts}
        spaces = {part: output.spaces[-1] for part, output in outputs.items() if output.spaces}
        decisions = Decisions(
            {part: output.logits.softmax(dim=1).numpy() for part, output in outputs.items()},
            {part: output.embedding.numpy() for part, output in outputs.items()},
            {part: minus.numpy() for part, (_, minus) in spaces.items()} or None,
        )
    else:
        see = functionals if settings.reads_features else np.asarray
        decisions = Decisions({}, {part: np.stack([see(x) for x in run.inputs(part)]) for part in parts})
    if settings.backend.kind != "network":
        decisions = classify(decisions.embedding, run, settings, seed)
        scores = {} if decisions.last is None else {runs.LAST: decisions.last}
    scores |= {runs.VALID: decisions.posteriors["valid"], runs.SCORES: decisions.posteriors["test"]}
    seconds = time.monotonic() - began

    contents = {}
    for name, values in scores.items():  # runs.SCORES is the last
        rows = dict(zip(run.names("valid" if name == runs.VALID else "test"), values))
        contents[name] = format_scores(out / name, corpus.classes, rows, corpus.speakers, corpus.emotions)
    config.save(settings, out / runs.CONFIG)
    save_vectors(out / runs.EMBEDDING, run, decisions.embedding)
    if decisions.minus is not None:
        save_vectors(out / runs.MINUS, run, decisions.minus)
    save_environment(
        out / runs.ENVIRONMENT,
        run.device,
        settings.training.precision,
        seconds,
        pretrained if settings.training.pretrained else None,
        cost=cost(settings, len(corpus.classes), corpus.inputs[0].shape[-1]),
        sums=sums(contents | {runs.CONFIG: (out / runs.CONFIG).read_text(encoding="utf-8")}),
    )
    write_all(out, contents)
    (out / runs.CHECKPOINT).unlink(missing_ok=True)
    selected = f"epoch {selection.selected} of {settings.training.epochs} selected, " if selection.selected else ""
    valid = classification_metrics(run.labels("valid"), decisions.posteriors["valid"].argmax(axis=1))
    print(f"{out}: {selected}valid wF1 {valid.wf1:.2f}", flush=True)


def of_fixed_network(run: Partition, out: Path, seed: int, settings: Config, pretrained: Path) -> np.ndarray:
    """The embeddings of all utterances by a network that is not trained, computed once for all runs and seeds in which
    it is the same; the network goes to `out`."""
    model, _ = train_network(run, out, seed, settings, pretrained)
    save_model(model, out / runs.MODEL)
    known, digest = run.corpus.embeddings, hashlib.sha256(str(settings.network).encode())
    for name, tensor in model.state_dict().items():
        if not name.startswith("classifier."):
            digest.update(tensor.cpu().numpy().tobytes())
    if (key := digest.hexdigest()) not in known:
        known[key] = infer(model, run.corpus.inputs).embedding.numpy()
    return known[key]


def save_vectors(stem: Path, run: Partition, vectors: Mapping[str, np.ndarray]) -> None:
    """Write `vectors` ((N, size) of each part) as <stem>.ark and <stem>.scp, sorted by utterance."""
    rows = {name: row for part, values in vectors.items() for name, row in zip(run.names(part), values)}
    with ArkWriter(stem.with_suffix(".ark"), stem.with_suffix(".scp")) as archive:
        for name in sorted(rows):
            archive.write(name, rows[name])


def save_environment(
    path: Path, device: torch.device, precision: Precision, seconds: float, pretrained: Path | None, **others: Any
) -> None:
    """Write date, code, versions, device, time taken, and what is known of the model in the folder `pretrained`; then
    `others`."""
    on_cpu = f"threads: {torch.get_num_threads()}, {platform.machine()}"
    conditions: dict[str, Any] = {
        "date": str(datetime.date.today()),
        "revision": revision(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "device": f"{device.type}, {torch.cuda.get_device_name(device) if device.type == 'cuda' else on_cpu}",
        "precision": "bfloat16" if uses_bfloat16(device, precision) else "float32",
        "seconds": round(seconds),
        "command": shlex.join(
            [os.path.relpath(sys.argv[0], ROOT) if os.path.isabs(sys.argv[0]) else sys.argv[0], *sys.argv[1:]]
        ),
    }
    if pretrained:
        results = [pretrained / "result", pretrained / "trials/result"]
        said = [path.read_text(errors="replace") for path in results if path.is_file()]
        conditions["pretrained"] = [text.partition("]")[0] + "]" for text in said]
    with whole(path) as temporary:
        temporary.write_text(yaml.safe_dump(conditions | others, sort_keys=False))
