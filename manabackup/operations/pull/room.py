"""Room in memory for answers that are being read, taken apart and stored.

What is made of an answer takes some times its size. Small answers are read on all connections at once, middling ones
two at a time, and of large ones there is never more than one: it waits until there is room, in the middle of the answer
if need be, and the server with it. To ask again later would let the server look everything up a second time.
"""

from __future__ import annotations

import threading

from ...limits import MIB

_SMALL_BYTES = 1 * MIB
_MIDDLING_BYTES = 6 * MIB
_MIDDLING = 2


class Rooms:
    """All the room that there is. Safe to share between threads."""

    def __init__(self) -> None:
        self._middling = threading.Semaphore(_MIDDLING)
        self._large = threading.Semaphore()

    def one(self, largest: int) -> Room:
        """Room for one answer at a time, of ``largest`` bytes at most."""
        return Room(largest, self._middling, self._large)


class Room:
    """What one answer at a time may take. For one thread.

    Who waits for the room of a large answer has that of a middling one, and never the other way round: so there is
    always somebody who gets on.
    """

    def __init__(self, largest: int, middling: threading.Semaphore, large: threading.Semaphore) -> None:
        self._steps = [(min(_SMALL_BYTES, largest), None), (min(_MIDDLING_BYTES, largest), middling), (largest, large)]
        self._largest = largest
        self._taken: list[threading.Semaphore] = []

    @property
    def is_scarce(self) -> bool:
        """Whether others may be waiting for what this answer takes."""
        return bool(self._taken)

    def grow(self, size: int) -> int:
        """Takes room for an answer of more than ``size`` bytes; how large it may be now, or ``size`` if no larger."""
        if size >= self._largest:
            return size
        for largest, room in self._steps:
            if room is not None and room not in self._taken:
                room.acquire()
                self._taken.append(room)
            if size < largest:
                break
        return largest

    def leave(self) -> None:
        """Gives everything back."""
        while self._taken:
            self._taken.pop().release()
