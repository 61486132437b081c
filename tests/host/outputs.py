"""What lies in a folder, a writing that fails, and a system that lacks something."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from manabackup.host.output import AtomicFile


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_and_raise(target: Path, error: BaseException, *, force: bool = False) -> None:
    with AtomicFile(target, force=force) as file:
        file.write(b"half")
        raise error


def failing(
    monkeypatch: pytest.MonkeyPatch, call: str, number: int, *, when: Callable[..., bool] = lambda *_: True
) -> None:
    """From now on the system's ``call`` fails."""
    real = getattr(os, call)

    def fail(*arguments: object, **options: object) -> object:
        if when(*arguments):
            raise OSError(number, os.strerror(number))
        return real(*arguments, **options)

    monkeypatch.setattr(os, call, fail)
