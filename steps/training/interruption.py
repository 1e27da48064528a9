"""SIGTERM (a queue's warning), SIGHUP and Ctrl-C, put off until what is trained can be saved."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PUT_OFF = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Interruption:
    """`with Interruption() as interruption:` — in this block a signal only leaves its number in `wanted`, which is 0
    until then. It acts when it is obeyed, at once within `allowed()`, or at the latest behind the block."""

    def __enter__(self) -> Interruption:
        self.wanted = 0
        heard = [number for number in PUT_OFF if signal.getsignal(number) != signal.SIG_IGN]  # as Ctrl-C is behind `&`
        self.handlers = {number: signal.signal(number, self._note) for number in heard}
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
        """Let this signal do to the program what it does without the block; 0: nothing."""
        if number:
            self._restore()
            signal.raise_signal(number)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Work that may be broken off anywhere."""
        self.obey(self.wanted)
        self._restore()
        try:
            yield
        finally:
            for number in self.handlers:
                signal.signal(number, self._note)
