"""Room in memory for answers that are being read, taken apart and stored.

What is made of an answer takes some times its size. Small answers are read on all connections at once, middling ones
two at a time, and of large ones there is never more than one: it waits until there is room, in the middle of the answer
if need be, and the server with it. To ask again later lets the server look everything up a second time; it is done when
the others take so long that the server, or what stands before it, may lose patience.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ...limits import MIB

_SMALL_BYTES = 1 * MIB
_MIDDLING_BYTES = 6 * MIB
AT_MOST = (_SMALL_BYTES, _MIDDLING_BYTES)
"""Bytes of a small answer, and of a middling one."""
LARGE = 2
"""The weight of large answers; that of middling ones is 1, that of small ones 0."""
AT_ONCE = (2, 1)
"""So many middling ones, and large ones."""
_PATIENCE_SECONDS = 20.0
"""Common servers and proxies give up a reader who takes nothing for a minute."""


class Rooms:
    """All the room that there is. Safe to share between threads."""

    def __init__(self, *, patience: float = _PATIENCE_SECONDS) -> None:
        self._middling = threading.Semaphore(AT_ONCE[0])
        self._large = threading.Semaphore(AT_ONCE[1])
        self._patience = patience

    def one(self, largest: int) -> Room:
        """Room for one answer at a time, of ``largest`` bytes at most."""
        steps = (
            (min(_SMALL_BYTES, largest), None),
            (min(_MIDDLING_BYTES, largest), self._middling),
            (largest, self._large),
        )
        return Room(steps, self._patience)


class Room:
    """What one answer at a time may take. For one thread.

    Who waits for the room of a large answer has that of a middling one, and never the other way round: so there is
    always somebody who gets on.
    """

    def __init__(self, steps: Sequence[tuple[int, threading.Semaphore | None]], patience: float) -> None:
        self._steps = steps
        self._patience = patience
        self._taken: list[threading.Semaphore] = []
        self.heaviest = 0
        """The largest weight of the answers so far."""

    @property
    def is_scarce(self) -> bool:
        """Whether others may be waiting for what this answer takes."""
        return bool(self._taken)

    def grow(self, size: int) -> int:
        """Waits for room for an answer of more than ``size`` bytes.

        Gives how large it may be then: no more than ``size`` where there is no such room, or not in time.
        """
        weight = next((weight for weight, (largest, _) in enumerate(self._steps) if size < largest), None)
        if weight is None:
            return size
        self.heaviest = max(self.heaviest, weight)
        for _, room in self._steps[: weight + 1]:
            if not self._take(room):
                return size
        return self._steps[weight][0]

    def _take(self, room: threading.Semaphore | None) -> bool:
        if room is None or room in self._taken:
            return True
        if not room.acquire(timeout=self._patience):
            return False
        self._taken.append(room)
        return True

    def leave(self) -> None:
        """Gives everything back."""
        while self._taken:
            self._taken.pop().release()
