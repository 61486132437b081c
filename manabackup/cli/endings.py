"""How a command's process takes it that it is told to end: by Ctrl-C, by ``kill``, by a terminal that closes.

First it ends at once, since nothing is begun; then what is begun is undone and told; and when all is told, it ends at
once again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt(KeyboardInterrupt):
    """An interrupt of our own: after a plain one in the middle of an import Python ends by SIGINT, not by exit code."""


def end_at_once() -> None:
    """For the time in which nothing is begun that would have to be undone."""

    def end(number: int, frame: FrameType | None) -> None:
        os.write(2, b"error: interrupted\n")
        os._exit(INTERRUPTED)

    _handle(end)


def raise_interrupts() -> None:
    """From now on they are interrupts: temporary files go, and the exit code says so."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupt

    _handle(interrupt)


def end_with(code: int) -> None:
    """When everything is said, and Python only tidies up."""

    def end(number: int, frame: FrameType | None) -> None:
        os._exit(code)

    _handle(end)


def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, handler)
