"""A server's clock that does not follow the computer's: however slow the machine, a test takes as long as it asks."""

from __future__ import annotations

import itertools
import time
from datetime import timedelta

_TICK = 1_000_000


class Clock:
    """Gives nanoseconds since 1970, a millisecond later each time. Safe to share between threads.

    It starts a day ahead, so that what a server lends for minutes from its own clock on is good for its clients too.
    """

    def __init__(self) -> None:
        self._begin = time.time_ns() + 86_400 * 1_000_000_000
        self._ticks = itertools.count()

    def __call__(self) -> int:
        return self._begin + next(self._ticks) * _TICK

    def skip(self, time: timedelta) -> None:
        """So much time passes."""
        self.go_to(self() + time // timedelta(microseconds=1) * 1_000)

    def go_to(self, moment: int) -> None:
        """It is that moment, in nanoseconds."""
        self._begin, self._ticks = moment, itertools.count()
