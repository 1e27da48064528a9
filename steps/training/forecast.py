"""What a training will take, said early: from its first steps, but for those in which all is slow."""

from __future__ import annotations

import time

from utils.cli import duration

WARM_UP = 3  # steps: libraries are loaded, algorithms chosen, memory is asked for
ENOUGH = 20.0  # seconds of steps behind them


class Forecast:
    """Says once how long the crops that are left will take, for a training that takes longer than it is watched."""

    def __init__(self, crops: int) -> None:
        """crops: how many are left."""
        self.left, self.steps, self.seen, self.said = crops, 0, 0, False
        self.began = time.monotonic()

    def step(self, crops: int) -> str:
        """To be called behind each step, with its number of crops; returns what there is to say, "" for nothing."""
        self.steps, self.left = self.steps + 1, self.left - crops
        if self.steps <= WARM_UP:
            self.began = time.monotonic()
            return ""
        self.seen += crops
        seconds = time.monotonic() - self.began
        if self.said or seconds < ENOUGH:
            return ""
        self.said, rate = True, self.seen / seconds
        return f"{self.left:,} crops to go, at {rate:.0f} crops/s about {duration(self.left / rate)}"
