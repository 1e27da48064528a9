"""Answers as lines: what a user of steps/predict.py reads."""

from __future__ import annotations

import json
import re
from typing import Any

from steps.prediction.answering import Answer

CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # in names: shown as \t, \n, \x1b


class Printer:
    """Answers as lines on standard output, each written as it comes."""

    def __init__(self, kind: str, classes: list[str], each: bool) -> None:
        self.kind, self.classes, self.each = kind, classes, each
        if kind == "tsv":
            self.line(["path", "begin", "end", *["channel"] * each, "class", *classes, "unlike", "flags"])

    def line(self, cells: list[str]) -> None:
        print("\t".join(CONTROL.sub(lambda match: repr(match[0])[1:-1], cell) for cell in cells), flush=True)

    def show(self, answer: Answer) -> Answer:
        """Print it."""
        posteriors = [round(float(value), 4) for value in answer.posteriors]
        if self.kind == "tsv":
            channel = [str(answer.channel or "mix")] if self.each else []
            times = [f"{answer.begin:.2f}", f"{answer.end:.2f}"]
            numbers = [f"{value:.4f}" for value in posteriors]
            flags = ",".join(answer.flags) or "-"
            self.line([answer.name, *times, *channel, answer.label, *numbers, f"{answer.unlike:.2f}", flags])
            return answer
        said: dict[str, Any] = {"path": answer.name, "begin": round(answer.begin, 2), "end": round(answer.end, 2)}
        said |= {"channel": answer.channel} if self.each else {}
        said |= {"class": answer.label, "posteriors": dict(zip(self.classes, posteriors))}
        said |= {"unlike": round(answer.unlike, 3), "flags": answer.flags}
        text = json.dumps(said, ensure_ascii=False)
        print(text if text.isprintable() else json.dumps(said), flush=True)  # a name need not be UTF-8
        return answer
