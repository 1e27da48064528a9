"""Side-by-side measurement: ours, the peers and the machine's ceiling take turns, so that whatever else the machine
does meets all of them alike; what counts are the ratios within each round, and their spread."""

from __future__ import annotations

import gc
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from utils.files import whole
from utils.job_log import revision

RESULTS = Path(__file__).resolve().parent / "results"
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
FLAGS = ["avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "asimd", "sve", "bf16"]


@dataclass
class Row:
    """One line of a results table: a quantity, measured once a round, and what it was to reach."""

    what: str
    values: Sequence[float]
    unit: str = "×"
    reach: float | None = None  # the median is to be at least this, or with `at_most` no more than this
    at_most: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether the median is where it was to be; None where nothing was asked."""
        if self.reach is None:
            return None
        median = statistics.median(self.values)
        return median <= self.reach if self.at_most else median >= self.reach


@dataclass
class Usage:
    """What a command took."""

    wall: float  # s
    cpu: float  # s, its children's included
    memory: int  # bytes, the largest resident set of any of its processes


def interleave(
    work: Mapping[str, Callable[[], object]], rounds: int = 7, clock: str = "wall", warm_up: int = 1
) -> dict[str, list[float]]:
    """The seconds that each of `work` took, a round after the other; the first `warm_up` rounds are not counted.

    `clock`: "wall"; "cpu", this process's time on all cores, which other processes disturb far less and which is fair
    where the work has one thread; or "own", where each callable returns its seconds itself (a subprocess's, say).
    """
    times: dict[str, list[float]] = {name: [] for name in work}
    names = list(work)
    for number in range(-warm_up, rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:  # nobody always comes first
            gc.collect()
            if clock == "own":
                seconds = float(work[name]())  # type: ignore[arg-type]
            else:
                start = CLOCKS[clock]()
                work[name]()
                seconds = CLOCKS[clock]() - start
            if number >= 0:
                times[name].append(seconds)
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return times


def ratios(times: Mapping[str, Sequence[float]], slow: str, fast: str) -> list[float]:
    """How many times as fast `fast` was as `slow`, round by round."""
    return [a / b for a, b in zip(times[slow], times[fast], strict=True)]


def available(
    makers: Mapping[str, Callable[[], Callable[[], object]]],
) -> tuple[dict[str, Callable[[], object]], dict[str, str]]:
    """Call each maker, which imports a peer and returns what to run: those that worked, and why others did not."""
    work, absent = {}, {}
    for name, make in makers.items():
        try:
            work[name] = make()
        except Exception as error:  # whatever a peer's import raises, it is absent
            absent[name] = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            print(f"{name} is absent: {absent[name]}", file=sys.stderr)
    return work, absent


def spawn(command: Sequence[str | Path], **options: Any) -> Usage:
    """Run a command to its end. `options` go to Popen. Raises CalledProcessError where it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), **options)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = code = os.waitstatus_to_exitcode(status)
    if code:
        raise subprocess.CalledProcessError(code, list(map(str, command)))
    scale = 1 if sys.platform == "darwin" else 1024
    return Usage(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale)


def machine(packages: Iterable[str] = ()) -> dict[str, Any]:
    """What the figures depend on besides the code."""
    cpu = {}
    if Path("/proc/cpuinfo").is_file():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            cpu.setdefault(name.strip(), value.strip())
    known = (cpu.get("flags") or cpu.get("Features") or "").split()
    described = {
        "cpu": cpu.get("model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "flags": [flag for flag in FLAGS if flag in known],
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {},
    }
    for package in packages:
        try:
            described["versions"][package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        described["gpu"] = torch.cuda.get_device_name()
    return described


def save(
    name: str,
    title: str,
    rows: Sequence[Row],
    *,
    clock: str,
    times: Mapping[str, Sequence[float]] | None = None,
    absent: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    packages: Sequence[str] = ("torch", "numpy"),
    load: float | None = None,
) -> Path:
    """Write a benchmark's outcome to results/<name>.json, from which report.py makes RESULTS.md. `clock` says in words
    what was measured, `load` the machine's load before it began."""
    described = machine(packages)
    if load is not None:
        described["load"] = round(load, 2)
    outcome = {
        "title": title,
        "command": " ".join(
            ["python", os.path.relpath(sys.argv[0], RESULTS.parent.parent), *map(_typed, sys.argv[1:])]
        ),
        "date": time.strftime("%Y-%m-%d"),
        "revision": revision(),
        "clock": clock,
        "machine": described,
        "rows": [asdict(row) | {"reached": row.reached} for row in rows],
        "times": {key: list(values) for key, values in (times or {}).items()},
        "absent": dict(absent or {}),
        "notes": list(notes),
    }
    path = RESULTS / f"{name}.json"
    with whole(path) as temporary:
        temporary.write_text(json.dumps(outcome, indent=1, ensure_ascii=False, default=_rounded) + "\n")
    for row in rows:
        said = "" if row.reached is None else "  reached" if row.reached else "  MISSED"
        print(f"{row.what}: {statistics.median(row.values):.4g} {row.unit}{said}")
    return path


def _typed(word: str) -> str:
    """A word of the command line; where a corpus lies on this machine is left out."""
    return f"…/{Path(word).name}" if Path(word).is_absolute() else shlex.quote(word)


def _rounded(value: Any) -> Any:
    """What json does not know: numpy's numbers."""
    return value.item()
