"""The command line in this process, and what holds however a command ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Ended(NamedTuple):
    """How a command ended in this process."""

    code: int
    out: bytes
    err: str


Command = Callable[..., Ended]


def check(ended: Ended, arguments: tuple[object, ...]) -> None:
    """What holds however a command ends: one error in one line, without content and without what a screen obeys."""
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == (ended.code != 0), (arguments, ended)
    assert "error in this program" not in ended.err, (arguments, ended)
    assert "Traceback" not in ended.err
    assert "Liebes" not in ended.err
    assert all(line.isprintable() for line in ended.err.splitlines()), (arguments, ended)
