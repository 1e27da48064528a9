"""How far the training of many runs is, wherever they are trained, by what lies in their folders. Loads no torch."""

from __future__ import annotations

import time
from threading import Event, Thread
from types import TracebackType

from steps.systems.plan import Plan
from utils import runs
from utils.cli import duration
from utils.runs import Run

LOOK = 20.0  # seconds between two looks


def epochs_done(plan: Plan, run: Run) -> int:
    """The epochs behind a run, by its history; all of them where it is finished."""
    folder, epochs = plan.folder(run), plan.settings[run.system].training.epochs
    if (folder / runs.SCORES).exists():
        return epochs
    try:
        return min(epochs, (folder / runs.HISTORY).read_text().count("\n") - 1)
    except OSError:
        return 0


class Watch:
    """`with Watch(plan, todo):` — while the block trains these runs, says from time to time how many are done, and
    about how long the others will take, by crops."""

    def __init__(self, plan: Plan, todo: list[Run]) -> None:
        self.plan, self.todo, self.ended = plan, todo, Event()
        self.total, self.began = plan.crops(todo), time.monotonic()
        self.before, self.runs, self.tenths = self.crops(), 0, -1

    def __enter__(self) -> Watch:
        Thread(target=self.look, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.ended.set()

    def crops(self) -> int:
        """How many the runs have behind them."""
        return sum(self.plan.crops([run], epochs_done(self.plan, run)) for run in self.todo)

    def look(self) -> None:
        """Say it where there is something new: a run is done, or a further tenth of the crops, or a first few."""
        while not self.ended.wait(LOOK):
            if words := self.news():
                print(f"{self.plan.options.out}: {words}", flush=True)

    def news(self) -> str:
        """What has been done since the last call; "" if too little."""
        crops, done = self.crops(), sum((self.plan.folder(run) / runs.SCORES).exists() for run in self.todo)
        tenths = 10 * crops // self.total if self.total else 0
        if crops <= self.before or (done, tenths) == (self.runs, self.tenths):
            return ""
        self.runs, self.tenths = done, tenths
        rate = (crops - self.before) / (time.monotonic() - self.began)
        words = f"{done} of {len(self.todo)} runs done, {crops:,} of {self.total:,} crops"
        return f"{words}, at {rate:.0f} crops/s about {duration((self.total - crops) / rate)} to go"
