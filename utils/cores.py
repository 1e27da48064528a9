"""Work on several things at once, in a process for each core."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is for all: a process that waits for work says nothing


def on_all_cores(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """`function` of each of `items`, in their order; here where there is one core, or one item. Processes do not
    outlive this generator. Raises MemoryError where one was killed, which a system does that has no memory left."""
    cores = min(len(items), len(os.sched_getaffinity(0)))
    if cores < 2:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(cores, get_context("spawn"), _begin) as pool:
        # One by one: pool.map gives up what is left when it is interrupted, and the pool's own thread then complains.
        waiting = deque(pool.submit(function, item) for item in items)
        try:
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise MemoryError("a process was killed") from None
        finally:
            for process in active_children():
                process.terminate()
