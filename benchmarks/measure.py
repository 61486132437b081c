"""Runs a job in a process of its own and tells what it took.

A job is a function of a module of this package. It prepares, enters the meter it is given, works, leaves the meter, and
returns values for the report; what is outside the meter counts towards memory alone. It raises when what it made is not
what it should be.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from .memory import FamilyWatch

MIB = 1 << 20
_ROOT = Path(__file__).resolve().parent.parent


class BrokenOutputError(Exception):
    """What was measured did not do its work."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run of a job took; times in seconds."""

    wall: float
    user: float
    system: float
    peak: int
    """Bytes: the most that the process held; where it had children, the most that all together were seen to hold."""
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def cpu(self) -> float:
        """Of the process and its children, on all cores."""
        return self.user + self.system

    def plus(self, other: Measurement) -> Measurement:
        """One after the other."""
        return Measurement(
            self.wall + other.wall, self.user + other.user, self.system + other.system, max(self.peak, other.peak)
        )


@dataclass(slots=True)
class Meter:
    """A block whose wall and CPU time count."""

    wall: float = 0.0
    user: float = 0.0
    system: float = 0.0
    _begun: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __enter__(self) -> Meter:
        self._begun = _now()
        return self

    def __exit__(self, *_: object) -> None:
        wall, user, system = (now - then for now, then in zip(_now(), self._begun, strict=True))
        self.wall += wall
        self.user += user
        self.system += system


Job = Callable[..., dict[str, Any]]


def run(job: Job, *, cores: int | None = None, **arguments: Any) -> Measurement:
    """``job(meter, **arguments)`` in a process of its own, on ``cores`` cores. ``arguments`` are what JSON can hold."""
    argv = [sys.executable, "-m", "benchmarks.child", job.__module__, job.__name__]
    request = json.dumps({"cores": cores, "arguments": arguments})
    with (
        subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env=environment(),
        ) as process,
        FamilyWatch(process.pid) as watch,
    ):
        output, errors = process.communicate(request)
    if process.returncode:
        raise BrokenOutputError(f"{job.__module__}.{job.__name__} failed:\n{errors.strip()}")
    report = json.loads(output.splitlines()[-1])
    if watch.had_children:
        report["peak"] = watch.peak
    return Measurement(**report)


def run_command(argv: Sequence[str]) -> Measurement:
    """A program from its start to its end. Raises :class:`BrokenOutputError` when it fails."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
        env=environment(),
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BrokenOutputError(f"{argv[0]} failed with code {process.returncode}")
    return Measurement(wall, usage.ru_utime, usage.ru_stime, usage.ru_maxrss * 1024)


def interleaved(rounds: int, jobs: Mapping[str, Callable[[], Measurement]]) -> dict[str, list[Measurement]]:
    """Each job once a round, so that what disturbs the machine disturbs all of them."""
    results: dict[str, list[Measurement]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            results[name].append(job())
    return results


def typical(measurements: Sequence[Measurement]) -> Measurement:
    """The medians."""
    return Measurement(
        median(one.wall for one in measurements),
        median(one.user for one in measurements),
        median(one.system for one in measurements),
        max(one.peak for one in measurements),
        measurements[-1].values,
    )


def ratio(of: Sequence[Measurement], to: Sequence[Measurement]) -> tuple[float, float]:
    """(by wall time, by CPU time) of two jobs that ran in the same rounds: the median of the rounds' ratios."""
    pairs = list(zip(of, to, strict=True))
    return median(a.wall / b.wall for a, b in pairs), median(a.cpu / b.cpu for a, b in pairs if b.cpu)


def environment() -> dict[str, str]:
    """For child processes: no keyring of the user's, and no settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MANABACKUP_")}
    return {**kept, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}


def pin(cores: int) -> None:
    """Binds this process to its first ``cores`` cores, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def peak() -> int:
    """The most memory that this process held, in bytes.

    ``ru_maxrss`` of a process that was started by a larger one tells of its parent, so Linux's own count comes first.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _now() -> tuple[float, float, float]:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(usage.ru_utime for usage in usages), sum(usage.ru_stime for usage in usages)
