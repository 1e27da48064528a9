"""Under what conditions a run was made, to be kept beside its scores."""

from __future__ import annotations

import datetime
import platform
import shlex
import sys
from pathlib import Path

import torch
import yaml

from steps.nnet.settings import Precision
from steps.training.device import autocast
from utils.files import whole
from utils.job_log import revision


def save_environment(
    path: Path, device: torch.device, precision: Precision, seconds: float, pretrained: Path | None
) -> None:
    """Write date, code, versions, device, time taken, and what is known of the model in the folder `pretrained`."""
    context = autocast(device, precision)
    names = {
        "cuda": torch.cuda.get_device_name,
        "cpu": lambda _: f"{torch.get_num_threads()} threads of {platform.machine()}",
    }
    conditions = {
        "date": str(datetime.date.today()),
        "revision": revision(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "device": f"{device.type}, {names[device.type](device)}",
        "precision": str(context.fast_dtype if context._enabled else torch.float32).removeprefix("torch."),
        "seconds": round(seconds),
        "command": shlex.join(sys.argv),
    }
    if pretrained:
        results = [pretrained / "result", pretrained / "trials/result"]
        conditions["pretrained"] = [one.read_text().partition("]")[0] + "]" for one in results if one.is_file()]
    with whole(path) as temporary:
        temporary.write_text(yaml.safe_dump(conditions, sort_keys=False))
