"""The Pythons of this machine that the package may be installed with, whoever put them there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST = (3, 11)
_ASK = "import sys, venv; print(*sys.version_info[:3], sys.implementation.name, sys.version_info.releaselevel)"


@dataclass(frozen=True, order=True)
class Interpreter:
    """A CPython that runs."""

    version: tuple[int, ...]
    path: Path

    @property
    def number(self) -> str:
        """``3.11.2``."""
        return ".".join(map(str, self.version))

    def __str__(self) -> str:
        return f"Python {self.number}"


def interpreters() -> list[Interpreter]:
    """From the oldest to the newest, one of each version."""
    found: dict[tuple[int, ...], Path] = {}
    for path in _candidates():
        done = subprocess.run([path, "-c", _ASK], capture_output=True, text=True, check=False)
        if done.returncode:
            continue  # a name that stands for nothing, as pyenv's do
        *version, kind, level = done.stdout.split()
        if kind == "cpython" and level == "final":
            found.setdefault(tuple(int(part) for part in version), path)
    return sorted(Interpreter(version, path) for version, path in found.items() if version >= OLDEST)


def _candidates() -> Iterator[Path]:
    folders = [Path(name) for name in os.environ.get("PATH", "").split(os.pathsep) if name]
    folders += sorted((Path.home() / ".pyenv" / "versions").glob("*/bin"))
    folders += sorted((Path.home() / ".local" / "share" / "uv" / "python").glob("*/bin"))
    for folder in folders:
        for path in sorted(folder.glob("python3.*")):
            if path.name.removeprefix("python3.").isdecimal():
                yield path
