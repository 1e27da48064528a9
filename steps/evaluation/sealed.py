"""JSON files for people's own programs that bear a `sum` of all else: one that was changed afterwards is not read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from steps.evaluation.findings import Json
from utils.cli import UserError
from utils.files import whole
from utils.record import sum_of


def plain(value: Any) -> Any:
    """What JSON can hold: nan and infinity are null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write(path: Path, content: Json) -> None:
    """Write `content` with its `sum`."""
    content = json.loads(json.dumps(plain(content), ensure_ascii=False, allow_nan=False, default=str))
    text = json.dumps(content | {"sum": sum_of(content)}, indent=1, ensure_ascii=False)
    text = re.sub(r"\[\s+([-+.\deE,\snul]+?)\s+\]", lambda row: f"[{' '.join(row[1].split())}]", text)  # a line a list
    with whole(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read(path: Path, maker: str, key: str, layout: int) -> Json:
    """What `write` wrote: an object of format `layout` that has `key`. Raises UserError, which names the program
    `maker`, where there is none, or what is there has been changed since."""
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is not a file; remove it, and {maker} makes it")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {maker} makes it") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not JSON ({error}); {maker} makes it anew") from None
    if not isinstance(content, dict) or content.get("format", layout) != layout:
        raise UserError(f"{path}: is not of format {layout}; {maker} makes it anew")
    if content.get("sum") != sum_of(content):
        raise UserError(f"{path}: was changed after {maker} wrote it (its sum differs); {maker} makes it anew")
    if key not in content:
        raise UserError(f"{path}: is another file than its name says; {maker} makes it anew")
    return content
