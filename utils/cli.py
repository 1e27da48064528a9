"""What a program owes whoever types it: one clear line when it cannot go on, and an exit status."""

from __future__ import annotations

import io
import os
import signal
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent


class UserError(Exception):
    """Something the user can mend: the message says what is wrong, where, and what to do."""


def boolean(text: str) -> bool:
    """`true` or `false`, the way Kaldi's options say it (an argparse `type=`)."""
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def path_of(text: str) -> Path:
    """Where something is (an argparse `type=`); "", as a variable that is not set leaves it, is not the folder here."""
    if not text:
        raise ArgumentTypeError("expected a path, found ''")
    return Path(text)


def natural(text: str) -> int:
    """A whole number from 0 to 2147483647 (an argparse `type=`)."""
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) >= 1 << 31:
        raise ValueError(text)
    return int(text)


def positive(text: str) -> int:
    """The same, from 1 on."""
    if not (number := natural(text)):
        raise ValueError(text)
    return number


def numbers(option: str, text: str) -> list[int]:
    """The whole numbers between spaces that are an option's value, each once. Raises UserError for anything else."""
    if not all(word.isascii() and word.isdecimal() for word in text.split()):
        raise UserError(f"{option} '{text}': expected whole numbers separated by spaces")
    words = [word.lstrip("0") or "0" for word in text.split()]
    if any(len(word) > 10 or int(word) >= 1 << 31 for word in words):
        raise UserError(f"{option} '{text}': a number is too large; 2147483647 is the largest")
    return list(dict.fromkeys(map(int, words)))


def duration(seconds: float) -> str:
    """`50 s`, `12 min`, `3 h 20 min`, `2 d 4 h`: two units at most, as a time to wait for is said."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def warn(message: str) -> None:
    """A line on standard error, under the program's name: something was lost or changed, and the work goes on."""
    print(f"{Path(sys.argv[0]).name}: {printable(message)}", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """What a terminal would take for a command, or a picture cannot show, escaped."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def _without_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        warn("interrupted")
    elif isinstance(error, ModuleNotFoundError):
        warn(f"{error.name} is not installed in {sys.prefix}; type '. {ROOT}/path.sh' first, which installs it")
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _without_traceback  # for Ctrl-C while a program still imports what it needs, which takes seconds


def _flush() -> None:
    """Write out what was printed, while what cannot be written still ends in a line: Python tries again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def run(main: Callable[[], object]) -> NoReturn:
    """Call `main()` and exit: 0 when it returns, 1 with one line when the user can mend it, 130 on Ctrl-C, 143 when
    told to end by SIGTERM, 129 by SIGHUP. Temporary files are cleaned up on the way out."""
    # nohup leaves SIGHUP ignored
    heard = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    for name, mode in {"stdin": "r", "stdout": "w", "stderr": "w"}.items():
        if getattr(sys, name) is None:  # closed by whoever called
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
        elif isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            # Names that are not UTF-8 come in and go out as they are; what the encoding does not have is escaped.
            own = stream.encoding.replace("-", "").lower() == "utf8"
            stream.reconfigure(errors="surrogateescape" if own else "backslashreplace")
    try:
        with suppress(PermissionError):
            os.getcwd()  # of a folder that is gone, this says so
        main()
        _flush()
    except BrokenPipeError:  # `… | head` closed the other end: nobody is reading
        sys.stderr.close()
        sys.exit(141)
    except (UserError, OSError) as error:
        said = [error.filename, error.strerror] if isinstance(error, OSError) and error.strerror else [error]
        if isinstance(error, FileNotFoundError) and not error.filename:
            said = ["the current folder is no longer there: change to another"]
        warn(": ".join(str(word) for word in said if word))
        sys.exit(1)
    except MemoryError as error:
        warn(f"there is not enough memory for this ({error})" if str(error) else "there is not enough memory for this")
        sys.exit(1)
    except (RuntimeError, ImportError) as error:
        if not any(word in str(error) for word in ("allocate", "failed to map")):  # as torch and the loader say
            raise
        warn(f"there is not enough memory for this ({str(error).splitlines()[0]})")
        sys.exit(1)
    except KeyboardInterrupt:
        warn("interrupted")
        sys.exit(130)
    finally:
        for number in heard:  # all is cleaned up: told again while Python itself ends, it has nothing to say
            signal.signal(number, signal.SIG_DFL)
    sys.exit(0)
