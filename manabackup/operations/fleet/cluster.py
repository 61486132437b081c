"""The engine of a cluster that exists: Dask's scheduler hands batches of items to its workers.

Whoever reaches a scheduler or a worker of Dask runs code there. So nothing is sent to one that is not on this computer,
but under mutual TLS. What goes there are names and command lines without secrets, what comes back are numbers, names
and sums: nothing else is in the scheduler's memory, on its dashboard, or in a worker's spill folder. Of what the
scheduler believes, only results count.
"""

from __future__ import annotations

import ipaddress
import logging
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ...errors import NotFoundError, ServerError, UsageError
from ...host.workers import Reply
from ...text.printable import one_line, printable
from .on_cluster import do_batch
from .running import Task

BATCH: Final = 20
"""Items that go to a worker at once."""
LARGE: Final = 32 << 20
"""Bytes of archives that are enough for a batch."""
_AHEAD: Final = 2
"""Batches for each thread of the cluster that the scheduler has at the same time."""
_PATIENCE: Final = 60.0
"""Seconds for which a scheduler, and its first worker, is waited for, and how long it may be away meanwhile."""
_AGAIN: Final = 1.0
_LOOK: Final = 5.0
"""Seconds between two looks at what the cluster has."""
_LOST_TOO_OFTEN: Final = 3
"""Times that an item comes back from the cluster without any word until it is taken for the item's own fault."""
_LOST: Final = "the cluster's worker that did it is gone"


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Where a cluster's scheduler is, and by what this computer and that one know each other."""

    address: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def check(self) -> None:
        """Raises :class:`UsageError` for an address that is none, or where nobody would know who is there."""
        shown = one_line(self.address)
        parts = urlsplit(self.address)
        try:
            found = parts.scheme in ("tcp", "tls") and parts.hostname and parts.port
        except ValueError:
            found = False
        if not found:
            raise UsageError(f"{shown} is no scheduler's address", hint="such as tls://scheduler.example.org:8786")
        given = [self.ca, self.cert, self.key]
        if parts.scheme == "tls" and None in given:
            raise UsageError("a scheduler at tls:// needs --tls-ca, --tls-cert and --tls-key")
        if parts.scheme == "tcp" and any(given):
            raise UsageError("--tls-ca, --tls-cert and --tls-key go with tls://, not with tcp://")
        if parts.scheme == "tcp" and not _is_loopback(parts.hostname or ""):
            hint = "whoever reaches a scheduler without TLS runs code on its workers"
            raise UsageError(f"{shown} is another computer: it needs tls://", hint=hint)
        for path in given:
            if path is not None and not path.exists():
                raise NotFoundError(f"{printable(str(path))} does not exist")


class ClusterEngine:
    """Batches through a sliding window. A context manager; of one thread.

    ``program`` is the module whose worker does the work (:func:`.on_cluster.do_batch`). Raises :class:`ServerError`
    where the scheduler, or a first worker of it, is not there.
    """

    name = "dask"
    may_repeat = True
    """A worker's batch may be done again, from its beginning, by another one."""

    def __init__(
        self,
        scheduler: Scheduler,
        program: str,
        *,
        memory: int | None = None,
        deadline: float | None = None,
        patience: float = _PATIENCE,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        scheduler.check()
        self._distributed = _imported()
        # At the end of the process, one that could not be closed would wait two minutes for a thread that is gone.
        self._client_type = type("Client", (self._distributed.Client,), {"__del__": lambda _: None})
        self._loop = self._distributed.utils.LoopRunner()
        self._loop.start()
        self._scheduler = scheduler
        self._program = program
        self._memory = memory
        self._deadline = deadline
        self._patience = patience
        self._say = say
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._away: dict[Any, list[Task]] = {}
        """Future → its items."""
        self._lost: dict[int, int] = {}
        self._number = 0
        self._client = self._connected()

    def __enter__(self) -> ClusterEngine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client.status == "running":
            with suppress(Exception):
                self._client.cancel(list(self._away), force=True)
        with suppress(Exception):
            self._client.close(timeout=5)
        with suppress(Exception):
            self._loop.stop(timeout=5)

    @property
    def workers(self) -> int:
        """Threads of the cluster, as far as is known."""
        with suppress(Exception):
            return max(1, int(sum(self._client.nthreads().values())))
        return 1

    def room(self) -> int:
        """How many more items it takes now."""
        window = self._threads * _AHEAD
        return max(0, window - len(self._away)) * BATCH

    def give(self, tasks: Sequence[Task]) -> None:
        """Hands items over, in batches."""
        for batch in _batches(tasks):
            self._number += 1
            future = self._client.submit(
                do_batch,
                self._program,
                [(task.item, task.order) for task in batch],
                self._deadline,
                self._memory,
                key=f"manabackup-fleet-{self._session}-{self._number}",
                pure=False,
            )
            self._away[future] = list(batch)
            future.add_done_callback(self._ended.put)

    def wait(self, seconds: float) -> list[Reply]:
        """What has come of items, after at most so many seconds."""
        found: list[Reply] = []
        until = time.monotonic() + seconds
        while True:
            try:
                future = self._ended.get(timeout=0 if found else max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if (batch := self._away.pop(future, None)) is not None:
                found += self._replies(future, batch)
        if not seconds:
            return found  # whoever asks like this is about to end, and waits for no scheduler
        if self._client.status != "running":
            found += self._reconnect()
        elif time.monotonic() - self._looked > _LOOK:
            self._look()
        return found

    # ---

    def _look(self) -> None:
        """How many threads there are now. Raises :class:`ServerError` where there was none for long."""
        self._looked = time.monotonic()
        try:
            threads = int(sum(self._client.nthreads().values()))
        except (OSError, TimeoutError):
            return  # which its status will tell
        if threads:
            self._threads, self._alive = threads, self._looked
        elif self._looked - self._alive > self._patience:
            raise ServerError(f"the scheduler at {one_line(self._scheduler.address)} has no worker any more")

    def _replies(self, future: Any, batch: Sequence[Task]) -> Iterator[Reply]:
        told: dict[int, Reply] = {}
        if future.status == "finished":
            with suppress(Exception):  # of a worker that went with the result
                told = {reply["number"]: Reply(**reply) for reply in future.result(timeout=self._patience)}
        for task in batch:
            if (reply := told.get(task.item)) is not None:
                yield reply
                continue
            # Its error names whoever was there when a worker went: none of them is guilty of that.
            times = self._lost[task.item] = self._lost.get(task.item, 0) + 1
            guilty = future.status == "error" or times >= _LOST_TOO_OFTEN
            yield Reply(task.item, died=_LOST, begun=guilty)
        future.release()

    def _reconnect(self) -> list[Reply]:
        """All that was with a scheduler that is gone is not done. Raises :class:`ServerError` where it stays away.

        Dask's own attempts to come back are not waited for: it gives them up, and tells nobody, where something in
        front of the scheduler takes a connection and ends it at once.
        """
        lost = [Reply(task.item, died=_LOST, begun=False) for batch in self._away.values() for task in batch]
        self._say("the scheduler was lost; what it had is handed out again")
        self._away.clear()
        with suppress(Exception):
            self._client.close(timeout=1)
        self._client = self._connected()
        return lost

    def _connected(self) -> Any:
        distributed, scheduler = self._distributed, self._scheduler
        security = None
        if scheduler.cert is not None:
            security = distributed.Security(
                require_encryption=True,
                tls_ca_file=str(scheduler.ca),
                tls_client_cert=str(scheduler.cert),
                tls_client_key=str(scheduler.key),
            )
        until = time.monotonic() + self._patience
        while True:
            client = None
            try:
                left = max(1.0, until - time.monotonic())
                client = self._client_type(
                    scheduler.address,
                    security=security,
                    loop=self._loop.loop,
                    set_as_default=False,
                    timeout=left,
                )
                client.wait_for_workers(1, timeout=max(1.0, until - time.monotonic()))
            except (OSError, TimeoutError, ValueError, RuntimeError) as error:
                there = client is not None
                if client is not None:
                    with suppress(Exception):
                        client.close(timeout=1)
                if time.monotonic() < until:
                    time.sleep(_AGAIN)
                    continue
                what = "has no worker" if there else "cannot be reached"
                shown = one_line(scheduler.address)
                took = f"within {self._patience:.0f} seconds"
                why = took if isinstance(error, TimeoutError) else one_line(str(error)) or type(error).__name__
                raise ServerError(f"the scheduler at {shown} {what}: {why}") from None
            self._threads = max(1, int(sum(client.nthreads().values())))
            self._looked = self._alive = time.monotonic()
            self._session = client.id.rpartition("-")[2]
            return client


def _batches(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    batch: list[Task] = []
    size = 0
    for task in tasks:
        if batch and (len(batch) == BATCH or size + task.size > LARGE):
            yield batch
            batch, size = [], 0
        batch.append(task)
        size += task.size
    if batch:
        yield batch


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _imported() -> Any:
    try:
        import distributed
    except ImportError:
        hint = "install manabackup with the extra [fleet]: guide, Installed how"
        raise UsageError("--scheduler needs Dask's library", hint=hint) from None
    for name in ("distributed", "distributed.client"):  # what matters of a scheduler that goes is told in one line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return distributed
