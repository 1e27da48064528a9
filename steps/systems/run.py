"""One run of a system with one seed, from a corpus to the files that results are made of."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from steps.evaluation.metrics import classification_metrics
from steps.evaluation.scores import write_scores
from steps.frontend.functionals import functionals
from steps.frontend.utterances import Corpus
from steps.nnet.inference import infer
from steps.systems.backend import Verdict, classify
from steps.systems.network import posteriors, train_network
from steps.systems.partition import Partition
from steps.systems.settings import Config
from steps.training.checkpoint import save_model
from steps.training.provenance import save_environment
from utils import config
from utils.archive import ArkWriter


def train_run(
    corpus: Corpus, parts: dict[str, list[str]], out: Path, seed: int, settings: Config, pretrained: str
) -> None:
    """Train on the training speakers of `parts`, select on the validation speakers, score the test speakers; leave in
    `out` what steps/finetune.py says. `scores` is the last of the files: where it is, the run is finished."""
    run, began, scores = Partition(corpus, parts), time.monotonic(), {}
    if settings.has_network:
        model, memory = train_network(run, out, seed, settings, pretrained)
        scores["scores.last"] = posteriors(model, run.inputs("test"))
        if "oracle" in memory:
            scores["scores.oracle"] = memory["oracle"].numpy()
        if "weights" in memory:
            model.load_state_dict(memory["weights"])
        save_model(model, out / "model.safetensors")
        said = {part: infer(model, run.inputs(part)) for part in parts}
        verdict = Verdict(
            {part: one.logits.softmax(dim=1).numpy() for part, one in said.items()},
            {part: one.embedding.numpy() for part, one in said.items()},
            {part: one.embedding_minus.numpy() for part, one in said.items()} if said["test"].spaces else None,
        )
    else:
        memory = {}
        vectors = {part: np.stack([functionals(x) for x in run.inputs(part)]) for part in parts}
        verdict = Verdict({}, vectors)
    if settings.backend.kind != "network":
        verdict = classify(verdict.embedding, run, settings.backend, seed)
        scores = {} if verdict.last is None else {"scores.last": verdict.last}
    scores |= {"scores.valid": verdict.posteriors["valid"], "scores": verdict.posteriors["test"]}

    config.save(settings, out / "config.yaml")
    save_vectors(out / "embedding", run, verdict.embedding)
    if verdict.minus is not None:
        save_vectors(out / "embedding_minus", run, verdict.minus)
    source = Path(pretrained) if settings.training.pretrained else None
    save_environment(
        out / "environment.yaml", run.device, settings.training.precision, time.monotonic() - began, source
    )
    for name, values in scores.items():
        rows = dict(zip(run.names("valid" if name == "scores.valid" else "test"), values))
        write_scores(out / name, corpus.classes, rows, corpus.speakers, corpus.emotions)
    (out / "checkpoint.pt").unlink(missing_ok=True)
    chosen = f"epoch {memory['epoch']} of {settings.training.epochs} selected, " if memory else ""
    valid = classification_metrics(run.labels("valid"), verdict.posteriors["valid"].argmax(axis=1))
    print(f"{out}: {chosen}valid wF1 {valid.wf1:.2f}", flush=True)


def save_vectors(stem: Path, run: Partition, vectors: Mapping[str, np.ndarray]) -> None:
    """Write `vectors` ((N, size) of each part) as <stem>.ark and <stem>.scp, sorted by utterance."""
    rows = {name: row for part, values in vectors.items() for name, row in zip(run.names(part), values)}
    with ArkWriter(stem.with_suffix(".ark"), stem.with_suffix(".scp")) as archive:
        for name in sorted(rows):
            archive.write(name, rows[name])
