"""Commands in processes whose every file-system step is numbered, and may be the last one or fail.

``steps.c`` numbers them, compiled on the spot; where no compiler is, a hook in Python (``warm.PythonSteps``) numbers
fewer of them. The processes are forked from a warm one, so that there can be many.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Self

from manabackup.text import jsontext
from tests.support.patience import PATIENCE
from tests.support.processes import CommandLine

HERE = Path(__file__).parent
SIGKILL = -9


class Mode(IntEnum):
    """What happens at a step."""

    COUNT = 1
    KILL_BEFORE = 2
    KILL_AFTER = 3
    """Of a write, half is done."""
    FAIL_ONCE = 4
    FAIL_ON = 5
    """From there on: with EIO everything, with any other number what needs room. The first write does half."""
    SIGNAL = 6
    """The process gets the signal ``number``."""
    VANISH = 7
    """The file of the step is removed before it, and the folder that it was alone in."""


@dataclass(frozen=True)
class Trouble:
    """What happens to a run. Steps are numbered from 1."""

    mode: Mode = Mode.COUNT
    at: int = 0
    number: int = 0
    """Of the error, or the signal."""
    reads: bool = False
    """Opening, reading and locking count as well."""
    nameless: bool = True
    """The file system knows files without a name."""
    after: float | None = None
    """Seconds until ``signal`` comes."""
    signal: int = 9

    def __str__(self) -> str:
        if self.after is not None:
            return f"signal {self.signal} after {self.after} s"
        name = self.number if self.mode is Mode.SIGNAL else errno.errorcode.get(self.number, "")
        return f"{self.mode.name} {name} at {self.at}"


@dataclass(frozen=True)
class Step:
    """One step of a run."""

    kind: str
    path: str
    """From the root on; what has no name ends with `` (deleted)``."""

    def __str__(self) -> str:
        return f"{self.kind} {self.path}"


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str
    steps: Sequence[Step]
    sends: Sequence[int] = ()
    """How many steps were done each time that something was sent to a server."""

    @property
    def record(self) -> jsontext.JSON:
        """The one JSON object on the standard output."""
        (line,) = self.out.splitlines()
        return jsontext.parse(line)


def compiled(folder: Path) -> Path | None:
    """The library that numbers steps; None where it cannot be made."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if sys.platform != "linux" or compiler is None:
        return None
    library = folder / "steps.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(HERE / "steps.c"), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return library if done.returncode == 0 else None


class Runner:
    """Runs commands in forks of a warm process. Use as a context manager."""

    def __init__(self, library: Path | None, folder: Path) -> None:
        self.library = library
        self.complete = library is not None
        """Every step is numbered, and not Python's own alone."""
        self._folder = folder
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MANABACKUP_")}
        arguments = [sys.executable, "-m", "tests.crash.warm"]
        if library is not None:
            environ["LD_PRELOAD"] = str(library)
            arguments.append(str(library))
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(arguments, stdin=pipe, stdout=pipe, env=environ, cwd=HERE.parents[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    def __call__(self, computer: CommandLine, *arguments: str, trouble: Trouble = Trouble(), root: Path) -> Ended:
        """Runs a command to its end. ``root`` is the folder in which steps count."""
        out, err, trace = (self._folder / name for name in ("out", "err", "trace"))
        options = trouble.reads | (not trouble.nameless) << 1
        order = {
            "argv": arguments,
            "environ": {name: value for name, value in computer.environ.items() if name != "LD_PRELOAD"},
            "out": str(out),
            "err": str(err),
            "arm": [str(root), trouble.mode, trouble.at, trouble.number, options, str(trace)],
            "after": trouble.after,
            "signal": trouble.signal,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        steps: list[Step] = []
        sends: list[int] = []
        for line in _text(trace).splitlines():
            kind, path = line.split("\t", 1)
            if kind == "send":
                sends.append(len(steps))
            else:
                steps.append(Step(kind, path))
        return Ended(code, _text(out), _text(err), steps, sends)


def _text(path: Path) -> str:
    return path.read_text("utf-8", "surrogateescape")
