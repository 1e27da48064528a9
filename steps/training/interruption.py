"""SIGTERM (a queue's warning) and Ctrl-C, put off until what is trained can be saved."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PUT_OFF = (signal.SIGTERM, signal.SIGINT)


class Interruption:
    """`with Interruption() as interruption:` — in this block a signal only leaves its number in `wanted`, which is 0
    until then. It acts when it is obeyed, within `allowed()`, or at the latest behind the block."""

    def __enter__(self) -> Interruption:
        self.wanted = 0
        self.handlers = {number: signal.signal(number, self._note) for number in PUT_OFF}
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._restore()
        if kind is None:
            self.obey(self.wanted)

    def _restore(self) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.wanted = number

    def obey(self, number: int) -> None:
        """Raise what the program raises for this signal; nothing for 0."""
        if number:
            self.handlers[number](number, None)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Work that may be broken off anywhere."""
        self.obey(self.wanted)
        self._restore()
        try:
            yield
        finally:
            for number in PUT_OFF:
                signal.signal(number, self._note)
