"""The engine of one computer: workers that are forked from this process."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from ...errors import LostProcessError
from ...host.orders import serve_standard_streams as serve_standard_streams
from ...host.workers import QUEUED, Reply
from ...host.workers import Worker as Worker
from .running import Task

_AHEAD: Final = 0.2
"""Seconds of work that a worker is given at once, where its items are small."""
_MOST: Final = 20
"""Items that a worker is given at once: what it says of so many has room in a pipe, whatever it is."""
_TOGETHER: Final = 0.4
"""Part of a worker's queue that is done before it is looked at again."""
_WEIGHT: Final = 0.1
"""Of the last item, in what is known of how long one takes."""
_IN_VAIN: Final = 5
"""Workers that are lost in a row, without anything done between, until that is no accident."""


def usable_cores() -> int:
    """How many workers there are unless somebody says another number."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class LocalEngine:
    """As many ``workers`` as ``start`` starts, which are gone at the end of the block. For one thread.

    ``deadline``: seconds that an item may take.
    """

    name = "local"
    may_repeat = False

    def __init__(self, start: Callable[[], Worker], workers: int, *, deadline: float | None = None) -> None:
        self.workers = workers
        self._start = start
        self._deadline = deadline
        self._running: list[Worker] = []
        self._took = _AHEAD
        """Seconds that an item takes, more or less."""
        self._lost_in_a_row = 0

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_: object) -> None:
        while self._running:
            self._running.pop().end()

    def room(self) -> int:
        """How many more items it takes now."""
        return self.workers * self._queue() - sum(worker.load for worker in self._running)

    def give(self, tasks: Sequence[Task]) -> None:
        """Hands items to the workers that have the least to do."""
        for task in tasks:
            self._idlest().give(task.item, task.order, self._deadline)

    def wait(self, seconds: float) -> list[Reply]:
        """What has come of items, after at most so many seconds."""
        if (queue := self._queue()) > QUEUED:  # small ones are noted together, since each note costs a disk's commit
            time.sleep(min(seconds, queue * self._took * _TOGETHER))
        poll = select.poll()
        by_descriptor = {worker.replies: worker for worker in self._running}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLIN)
        found: list[Reply] = []
        for descriptor, _ in poll.poll(seconds * 1_000):
            worker = by_descriptor[descriptor]
            replies, alive = worker.receive()
            found += replies
            for reply in replies:
                if reply.result is not None:
                    self._lost_in_a_row = 0
                    self._took += (reply.seconds - self._took) * _WEIGHT
            if not alive:
                self._running.remove(worker)
                worker.end()
                self._lost_in_a_row += 1
        if self._lost_in_a_row >= _IN_VAIN:
            raise LostProcessError("workers end as soon as they are started")
        return found

    def _queue(self) -> int:
        """Items that a worker has at most, the one that it does included."""
        return min(_MOST, max(QUEUED, int(_AHEAD / max(self._took, _AHEAD / _MOST))))

    def _idlest(self) -> Worker:
        idlest = min(self._running, key=lambda worker: worker.load, default=None)
        if len(self._running) < self.workers and (idlest is None or idlest.load):
            idlest = self._start()
            self._running.append(idlest)
        assert idlest is not None
        return idlest
