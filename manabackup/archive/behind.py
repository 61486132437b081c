"""Work that is done behind its caller's back, in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from queue import SimpleQueue
from typing import Any

from ..host.interrupts import uninterrupted
from ..limits import MIB

_HEARD_BEHIND = 2 * MIB
_Task = tuple[int, Callable[..., object], tuple[Any, ...]]


class WriteBehind:
    """Does tasks one after another on a thread of its own, never more than about ``most`` bytes behind its caller.

    Hashing, deflating, encrypting and writing let go of the interpreter, so that they take the time of another core.
    The first error ends the work: it is raised in the caller's thread by whatever it asks for next. For one calling
    thread, which must call :meth:`finish` or :meth:`close` in the end.
    """

    # Queues of the interpreter's own and not conditions: an interrupt in the middle of one may leave its lock taken.

    def __init__(self, *, most: int = 4 * MIB) -> None:
        self._most = most
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._done: SimpleQueue[int | BaseException] = SimpleQueue()
        self._waiting = 0
        self._bytes = 0
        self._error: BaseException | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def do(self, size: int, task: Callable[..., object], *arguments: Any) -> None:
        """Have ``task(*arguments)`` done, which holds about ``size`` bytes; waits while too many are held."""
        if self._thread is None:
            with uninterrupted():
                self._thread = threading.Thread(target=self._work, name="write-behind", daemon=True)
                self._thread.start()
        while self._waiting and (self._bytes + size > self._most or not self._done.empty()):
            self._take()
        self._raise()
        self._tasks.put((size, task, arguments))
        self._waiting += 1
        self._bytes += size

    def finish(self) -> None:
        """Wait until everything is done, and end the thread."""
        while self._waiting:
            self._take()
        self._raise()
        self.close()

    def close(self) -> None:
        """End the thread, without the tasks that it has not begun."""
        self._closed = True
        self._tasks.put(None)
        if self._thread is not None:
            self._thread.join()

    def _take(self) -> None:
        """Note the next task that is done."""
        self._raise()
        done = self._done.get()
        if isinstance(done, BaseException):
            self._error = done
            raise done
        self._waiting -= 1
        self._bytes -= done

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (waiting := self._tasks.get()) is not None and not self._closed:
            size, task, arguments = waiting
            try:
                task(*arguments)
            except BaseException as error:  # noqa: BLE001 # raised in the caller's thread
                self._done.put(error)
                return
            self._done.put(size)
            del waiting, task, arguments


def told(chunks: Iterable[bytes], hear: Callable[[bytes], object]) -> Iterator[bytes]:
    """The same chunks; ``hear`` is given each before it is given out."""
    for chunk in chunks:
        hear(chunk)
        yield chunk


def told_behind(chunks: Iterable[bytes], hear: Callable[[bytes], object]) -> Generator[bytes, None, None]:
    """The same chunks; ``hear`` is given each on another thread. When the iterator ends it has heard them all."""
    behind = WriteBehind(most=_HEARD_BEHIND)
    try:
        for chunk in chunks:
            behind.do(len(chunk), hear, chunk)
            yield chunk
        behind.finish()
    finally:
        behind.close()
