"""Work that is done behind its caller's back, in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from ..limits import MIB

_Task = tuple[int, Callable[..., object], tuple[Any, ...]]


class WriteBehind:
    """Does tasks one after another on a thread of its own, never more than about ``most`` bytes behind its caller.

    Hashing, deflating, encrypting and writing let go of the interpreter, so that they take the time of another core.
    The first error ends the work: it is raised in the caller's thread by whatever it asks for next. For one calling
    thread, which must call :meth:`finish` or :meth:`close` in the end.
    """

    def __init__(self, *, most: int = 4 * MIB) -> None:
        self._most = most
        self._tasks: deque[_Task] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def do(self, size: int, task: Callable[..., object], *arguments: Any) -> None:
        """Have ``task(*arguments)`` done, which holds about ``size`` bytes; waits while too many are held."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="write-behind", daemon=True)
                self._thread.start()
            self._changed.wait_for(lambda: self._bytes + size <= self._most or not self._tasks or self._error)
            self._raise()
            self._tasks.append((size, task, arguments))
            self._bytes += size
            self._changed.notify_all()

    def finish(self) -> None:
        """Wait until everything is done, and end the thread."""
        with self._changed:
            self._changed.wait_for(lambda: not self._tasks or self._error)
            self._raise()
        self.close()

    def close(self) -> None:
        """End the thread, without the tasks that it has not begun."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._tasks or self._closed)
                if self._closed:
                    return
                # It stays in the queue while it is done, so that an empty queue means that all is done.
                size, task, arguments = self._tasks[0]
            try:
                task(*arguments)
            except BaseException as error:  # noqa: BLE001 # raised in the caller's thread
                with self._changed:
                    self._error = error
                    self._tasks.clear()
                    self._changed.notify_all()
                return
            with self._changed:
                self._tasks.popleft()
                self._bytes -= size
                self._changed.notify_all()
            del task, arguments
