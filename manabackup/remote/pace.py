"""How fast one server is asked, by all connections together.

A server that says "too many requests" (429) means everybody who asks it from here. So its word to one connection holds
back the others: until the moment that it named, and from then on requests begin one after the other, some time apart.
That time grows whenever the server complains of what was sent after it grew last, and shrinks with every answer: it
comes to swing around what the server lets through, and soon nothing is refused that would have to be asked again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_FIRST_INTERVAL = 0.05
_LONGEST_INTERVAL = 2.0
"""Slower than that nobody is asked for the others' sake: a server may refuse now and then whatever the pace, and each
request waits longer by itself each time it is refused."""
_GROWTH = 1.5
_EASED = 0.95
"""By what the time between two requests changes with a complaint, and with an answer: of both it stays the same where
one request in nine is refused."""
_LEAST_INTERVAL = 0.005
"""Less than that is no pace to keep."""


class Pace:
    """When requests to one server may begin. Safe to share between threads; times are the ``clock``'s, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._interval = 0.0
        self._next = 0.0
        """No request begins before it."""
        self._changed = float("-inf")
        """From then on requests keep the interval as it is since it grew last."""
        self.answered = 0
        """How many requests the server has answered, whatever it said but for "too many"."""
        self.held = 0
        """How often the server named a time before which it wants nothing: turns that were taken before are void."""

    def now(self) -> float:
        """The time."""
        return self._clock()

    def turn(self, at_least: float = 0.0) -> float:
        """Takes the next turn, of which no use is made before so many seconds; gives the seconds to wait."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            if self._interval:
                self._next = turn + self._interval
            return max(turn - now, at_least)

    def note_answer(self) -> None:
        """The server answered."""
        with self._lock:
            self.answered += 1
            self._interval *= _EASED
            if self._interval < _LEAST_INTERVAL:
                self._interval = 0.0

    def note_refusal(self, begun: float, retry_after: float) -> None:
        """The server refused a request that was sent at ``begun``, and wants none for so many seconds."""
        with self._lock:
            now = self._clock()
            if begun > self._changed:  # what was on its way, or had its turn, is no news
                self._interval = min(_LONGEST_INTERVAL, max(_FIRST_INTERVAL, self._interval * _GROWTH))
                self._changed = max(now, self._next)
            if retry_after:
                self.held += 1
            self._next = max(self._next, now + max(retry_after, self._interval))
