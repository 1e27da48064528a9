"""A trained network up to its embedding, and the embeddings of a data dir.

torch is loaded where there is something to compute: whether embeddings are up to date is known without."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from steps.frontend.options import Input
from steps.nnet.architecture import Network
from utils import config
from utils.archive import ArkWriter, scp_content
from utils.cli import UserError
from utils.hold import hold
from utils.record import Origin, content, outdated
from utils.runs import CONFIG, EMBEDDING, MODEL
from utils.table import keys

if TYPE_CHECKING:
    from steps.nnet.networks import Classifier

VERSION = 1  # raised when other embeddings come of the same model and features


@dataclass
class Model:
    """What embedding needs of a model's config.yaml."""

    network: Network = field(default_factory=Network)
    """What the network is made of."""
    input: Input = field(default_factory=Input)
    """How stored filter-banks become the network's input."""


def load_network(model_dir: Path) -> tuple[Classifier, Input]:
    """The network in `model_dir` (of steps/pretrain.py, or a run of steps/finetune.py) up to its embedding, on the
    job's device, and how its input is made. Its logits are the embedding."""
    from torch.nn import Identity

    from steps.nnet.networks import Classifier
    from steps.training.checkpoint import load_model
    from steps.training.device import on_device, pick_device

    model = config.load(Model, model_dir / CONFIG)
    network = Classifier(model.network, classes=1)
    network.add_module("classifier", Identity())  # its size belongs to the training set
    for name, _ in network.named_children():
        if name != "classifier":
            load_model(network, model_dir / MODEL, name)
    return on_device(network, pick_device()).eval(), model.input


def embed(model_dir: Path, data: Path, out: Path) -> int:
    """Write the embedding (what the classifier sees, (C,)) of every whole utterance to <out>/embedding.{ark,scp}; what
    is there and up to date is kept. Returns how many were written."""
    read = {"model": content(model_dir / MODEL), "configuration": content(model_dir / CONFIG)}
    read |= {name: scp_content(data / name) for name in ("feats.scp", "vad.scp") if (data / name).is_file()}
    ark, scp = out / f"{EMBEDDING}.ark", out / f"{EMBEDDING}.scp"
    if out.resolve() == data.resolve():
        raise UserError(f"{out}: is the data dir; embeddings go to a folder of their own")

    def origin() -> Origin:
        """With a sum of the embeddings themselves: what was cut or exchanged since is made again."""
        own = {}
        with suppress(UserError):  # of a table that is damaged, or not there
            own = {"embeddings": scp_content(scp)}
        return Origin("embed", VERSION, content=read | own)

    with hold(data, shared=True), hold(out):
        if not outdated(out, origin(), ark, scp):
            return 0
        from steps.frontend.packed import pack
        from steps.nnet.inference import infer

        network, options = load_network(model_dir)
        utterances = list(keys(data / "feats.scp"))
        vectors = infer(network, pack(data, options, out)).embedding.numpy()
        if wild := [name for name, row in zip(utterances, vectors) if not np.isfinite(row).all()]:
            raise UserError(
                f"{model_dir}: {len(wild)} of {len(vectors)} embeddings are not finite, the first that of '{wild[0]}': "
                "the model is damaged, or the features are not of its kind"
            )
        Origin("embed", VERSION).path(out).unlink(missing_ok=True)  # no embeddings ever lie beside another record
        with ArkWriter(ark, scp) as archive:
            for name, row in zip(utterances, vectors):
                archive.write(name, row)
        origin().write(out)
        return len(utterances)
