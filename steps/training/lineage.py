"""What a trained network was made from, kept beside it, so that what was made from other things is not taken for it."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from utils import config, made_from
from utils.cli import warn
from utils.files import set_aside, whole

RECORD = ".made_from"
FEATURES = ["fbank.yaml", "wav.scp", "utt2num_frames"]  # how the features of a data dir were made, from what


def lineage(settings: Any, data: Path, **others: Any) -> made_from.Record:
    """The record of a training under the dataclass instance `settings` on the data dir `data`. `others`: what else
    counts, such as hashes."""
    record = config.flatten(asdict(settings))
    record[f"features of {data.name}, content"] = made_from.digest(*(data / name for name in FEATURES))
    record[f"labels of {data.name}, content"] = made_from.digest(data / "utt2spk", data / "utt2emo")
    return json.loads(json.dumps(record | others))


def outdated(folder: Path, now: made_from.Record) -> str:
    """What has changed since the training in `folder` began, in words; "" where nothing has, or none has begun."""
    before = made_from.read(folder / RECORD)
    if before is None and (folder / "config.yaml").is_file():  # trained by other means
        before = config.flatten(config.read_yaml(folder / "config.yaml"))
        now = {key: value for key, value in now.items() if key in before}
    return made_from.changes(before, now) if before is not None else ""


def begin(folder: Path, now: made_from.Record, keep: Collection[str] = ()) -> None:
    """Leave the record in `folder`, before anything that is made from it; what is there from other things is set aside,
    but for the names in `keep`, and that is said."""
    if changes := outdated(folder, now):
        warn(f"{folder}: is out of date ({changes}): moved to {set_aside(folder, keep)}, and made anew")
    with whole(folder / RECORD) as temporary:
        temporary.write_text(made_from.text(now), encoding="utf-8")
