"""What all readings of one run share: the server, the mirror, and a way to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from ...errors import ServerError
from ...limits import Limits
from ...mirror import Batch, LossKind, Mirror, Stored
from ...remote.sync import Page, SyncClient, Take
from ...text.timestamps import FAR_FUTURE, format_timestamp

TellSteps = Callable[[int, int, int], object]
"""(steps done, steps in all, new changes); called from any thread, one call at a time."""


class PullAccess:
    """One run's access to server and mirror. Safe to share between threads.

    Answers are stored by a thread of their own, so that the next question is under way meanwhile.
    """

    def __init__(self, mirror: Mirror, client: SyncClient, limits: Limits, progress: TellSteps | None) -> None:
        self.mirror = mirror
        self.client = client
        self.limits = limits
        self._progress = progress
        self._writer = ThreadPoolExecutor(1, "mirror")
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._done = self._steps = self.new = 0
        self._whole = threading.Lock()
        self._cursors: dict[str, dict[str, int]] = {}
        self._losses: dict[str, list[int]] = {}
        self._given_up: set[tuple[str, str]] = set()
        self._page_ends: dict[str, list[tuple[int, bytes]]] = {}
        self.latest = FAR_FUTURE
        """No cursor goes beyond this instant: one answer whose clock is ahead would hide what comes before it."""

    def pull(self, app: str, collection: str, since: int, *, take: Take | None = None, tentative: bool = False) -> Page:
        """One page of a collection; ``take`` and ``tentative`` as in :class:`~manabackup.remote.sync.SyncClient`."""
        self.go_on()
        return self.client.pull(app, collection, format_timestamp(since), take=take, tentative=tentative)

    def read_app(
        self,
        app: str,
        since: int,
        *,
        take: Take | None = None,
        seconds: float | None = None,
        tentative: bool = False,
    ) -> Page:
        """What an app has since an instant, perhaps cut. One such question at a time: see :mod:`.apps`."""
        with self._whole:
            self.go_on()
            text = format_timestamp(since)
            return self.client.read_app(app, text, take=take, seconds=seconds, tentative=tentative)

    def may_be_cut(self, page: Page) -> bool:
        """Whether an answer to :meth:`read_app` has as many changes as fit into one, or says itself that it is cut."""
        return len(page.keys) >= self.limits.post_changes or page.has_more

    def store(self, app: str, batches: Mapping[str, Batch]) -> Future[Stored]:
        """Has an answer stored. The caller waits for it at the latest before it counts on what was stored."""
        return self._writer.submit(self._store, app, batches)

    def move_cursor(self, app: str, collection: str, cursor: int) -> None:
        """Notes that a collection has nothing new before an instant; :meth:`move_cursors` stores it, with others."""
        with self._lock:
            self._cursors.setdefault(app, {})[collection] = cursor

    def move_cursors(self) -> None:
        """Stores the cursors that moved past nothing."""
        cursors, self._cursors = self._cursors, {}
        for app, moved in cursors.items():
            self._store(app, {name: Batch((), cursor=cursor) for name, cursor in moved.items()})

    def add_loss(self, kind: LossKind, app: str, collection: str | None, *, since: int, until: int) -> None:
        """Notes a stretch of time that cannot be read."""
        self._losses.setdefault(app, []).append(until)
        self.mirror.add_loss(kind, app, collection, since=since, until=until)

    def give_up(self, app: str, collection: str, since: int) -> None:
        """Notes that a collection cannot be read beyond ``since`` in this run. The next one begins there again."""
        self._given_up.add((app, collection))
        self.mirror.add_loss(LossKind.UNREADABLE_PAGE, app, collection, since=since, until=FAR_FUTURE)

    def has_given_up(self, app: str, collection: str | None = None) -> bool:
        """Whether a collection, or any of an app, was given up in this run."""
        return any(one == app and collection in (None, name) for one, name in list(self._given_up))

    def losses_end(self, app: str) -> list[int]:
        """Where the stretches end that could not be read of an app in this run."""
        return self._losses.get(app, [])

    def note_page_end(self, app: str, instant: int, event: bytes) -> None:
        """Remembers when the server stored an event, which it tells of a page's last one."""
        self._page_ends.setdefault(app, []).append((instant, event))

    def page_ends(self, app: str) -> list[tuple[int, bytes]]:
        """The instants that came to light in this run of events of an app."""
        return self._page_ends.get(app, [])

    def expect(self, steps: int) -> None:
        """Tells progress of steps to come."""
        self._advance(0, steps, 0)

    def step(self) -> None:
        """Tells progress of a step that is done."""
        self._advance(1, 0, 0)

    def sound(self, cursor: int) -> int:
        """The cursor, or :attr:`latest` where that is earlier."""
        return min(cursor, self.latest)

    def go_on(self) -> None:
        """Raises :class:`ServerError` when the run is to end."""
        if self._stopping.is_set():
            raise ServerError("the pull was stopped")

    def stop(self) -> None:
        """Makes every reading end at its next question, or at once when it waits for an answer."""
        self._stopping.set()
        self.client.close()

    def close(self) -> None:
        """Waits until everything handed over is stored."""
        self._writer.shutdown()

    def _store(self, app: str, batches: Mapping[str, Batch]) -> Stored:
        stored = self.mirror.store(
            app,
            {
                name: batch if batch.cursor is None else replace(batch, cursor=self.sound(batch.cursor))
                for name, batch in batches.items()
            },
        )
        self._advance(0, 0, stored.new)
        return stored

    def _advance(self, done: int, steps: int, new: int) -> None:
        with self._lock:
            self._done += done
            self._steps += steps
            self.new += new
            if self._progress is not None:
                self._progress(self._done, self._steps, self.new)
