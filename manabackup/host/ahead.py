"""Reading that is done ahead of its caller, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from queue import SimpleQueue
from typing import Generic, TypeVar

from .interrupts import uninterrupted

_T = TypeVar("_T")


def ahead(items: Iterator[_T], *, most: int) -> Generator[_T, None, None]:
    """The same items, of which up to ``most`` are made before they are asked for.

    Reading, decrypting, inflating and hashing let go of the interpreter, so that they take the time of another core.
    What goes wrong while an item is made is raised in its place. The thread ends with the iterator: at its last item,
    or when it is closed.
    """
    reading = _Reading(items, most)
    try:
        yield from reading.made()
    finally:
        reading.close()


class _Reading(Generic[_T]):
    # Queues of the interpreter's own and not conditions: an interrupt in the middle of one may leave its lock taken.

    def __init__(self, items: Iterator[_T], most: int) -> None:
        self._items = items
        self._made: SimpleQueue[tuple[_T] | BaseException | None] = SimpleQueue()
        self._wanted: SimpleQueue[None] = SimpleQueue()
        self._closed = False
        for _ in range(most):
            self._wanted.put(None)
        self._thread = threading.Thread(target=self._work, name="read-ahead", daemon=True)

    def made(self) -> Iterator[_T]:
        with uninterrupted():
            self._thread.start()
        while (made := self._made.get()) is not None:
            if isinstance(made, BaseException):
                try:
                    raise made
                finally:
                    del made  # or the error would hold this frame, and this frame the error
            yield made[0]
            del made
            self._wanted.put(None)

    def close(self) -> None:
        """End the thread; it makes no item that it has not begun."""
        self._closed = True
        self._wanted.put(None)
        if self._thread.ident is not None:
            self._thread.join()
        if isinstance(self._items, Generator):
            self._items.close()

    def _work(self) -> None:
        try:
            for item in self._items:
                self._made.put((item,))
                del item
                self._wanted.get()
                if self._closed:
                    return
            self._made.put(None)
        except BaseException as error:  # noqa: BLE001 # raised in the caller's thread
            self._made.put(error)
