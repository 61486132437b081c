"""What runs on a worker of a cluster: a batch of items, one after the other, each in a process of its own.

A cluster's worker has threads and a life of its own, so it forks nothing itself: it keeps a worker of ours as a program
beside it, which ends when it does.
"""

from __future__ import annotations

import atexit
import select
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from ...host.workers import Reply, Worker

_LOOK: Final = 1_000.0
"""Milliseconds."""
_idle: dict[str, list[Worker]] = {}
_lock: Final = threading.Lock()


def do_batch(
    program: str, batch: Sequence[tuple[int, list[str]]], deadline: float | None, memory: int | None
) -> list[dict[str, Any]]:
    """Replies to all orders of a batch (number, order). ``program`` is the module whose worker does them."""
    key = f"{program} {memory}"
    with _lock:
        idle = _idle.setdefault(key, [])
        worker = idle.pop() if idle else None
    if worker is None:
        worker = Worker.started([sys.executable, "-m", program, *([] if memory is None else [str(memory)])])
    replies: list[Reply] = []
    alive = True
    try:
        for number, order in batch:
            worker.give(number, order, deadline)
        while alive and len(replies) < len(batch):
            select.select([worker.replies], [], [], _LOOK)
            found, alive = worker.receive()
            replies += found
    except BaseException:
        alive = False
        raise
    finally:
        if alive:
            with _lock:
                idle.append(worker)
        else:
            worker.end()
    return [asdict(reply) for reply in replies]


@atexit.register
def _end() -> None:
    for workers in _idle.values():
        while workers:
            workers.pop().end()
