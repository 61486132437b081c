"""What all readings of one run share: the server, the mirror, and a way to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from ...errors import ServerError
from ...limits import Limits
from ...mirror import Batch, LossKind, Mirror, Stored
from ...remote.sync import Page, SyncClient
from ...timestamps import FAR_FUTURE, format_timestamp
from .room import Room, Rooms

Progress = Callable[[int, int, int], None]
"""(steps done, steps in all, new changes); called from any thread, one call at a time."""


@dataclass(slots=True)
class Reached:
    """How far an app was read as a whole in this run."""

    since: int
    """Every change up to here was seen, or was held before the run; microseconds since 1970."""
    from_start: bool
    """The reading began at the server's first change."""
    after: dict[str, bytes] = field(default_factory=dict)
    """The last event that the reading saw of each collection."""


class Reading:
    """One run's access to server and mirror. Safe to share between threads.

    Answers are stored by a thread of their own, so that the next question is under way meanwhile.
    """

    def __init__(self, mirror: Mirror, client: SyncClient, limits: Limits, progress: Progress | None) -> None:
        self.mirror = mirror
        self.client = client
        self.limits = limits
        self._progress = progress
        self._writer = ThreadPoolExecutor(1, "mirror")
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._done = self._steps = self.new = 0
        self._rooms = Rooms()
        self._cursors: dict[str, int] = {}
        self._losses: dict[str, list[int]] = {}
        self._page_ends: dict[str, list[tuple[int, bytes]]] = {}
        self.latest = FAR_FUTURE
        """No cursor goes beyond this instant: one answer whose clock is ahead would hide what comes before it."""

    def room(self, largest: int) -> Room:
        """Where one answer at a time finds room in memory, of at most ``largest`` bytes."""
        return self._rooms.one(min(largest, self.limits.answer_bytes))

    def pull(
        self, app: str, collection: str, since: int, *, attempts: int | None = None, answer_bytes: int | None = None
    ) -> Page:
        """One page of a collection."""
        self._go_on()
        room = None if answer_bytes is None else lambda _: answer_bytes
        return self.client.pull(app, collection, format_timestamp(since), attempts=attempts, room=room)

    def read_app(self, app: str, since: int, *, attempts: int | None = None, room: Room | None = None) -> Page:
        """What an app has since an instant, perhaps cut."""
        self._go_on()
        grow = None if room is None else room.grow
        return self.client.read_app(app, format_timestamp(since), attempts=attempts, room=grow)

    def may_be_cut(self, page: Page) -> bool:
        """Whether an answer to :meth:`read_app` has as many changes as fit into one, or says itself that it is cut."""
        return len(page.raw) >= self.limits.post_changes or page.has_more

    def store(self, app: str, batches: Mapping[str, Batch], *, cursor: int | None = None) -> Future[Stored]:
        """Has an answer stored. The caller waits for it at the latest before it counts on what was stored."""
        return self._writer.submit(self._store, app, batches, cursor)

    def move_cursor(self, app: str, cursor: int) -> None:
        """Notes that nothing new lies before an instant; :meth:`move_cursors` stores it, with others."""
        self._cursors[app] = min(cursor, self.latest)

    def move_cursors(self) -> None:
        """Stores the cursors that moved past nothing."""
        cursors, self._cursors = self._cursors, {}
        if cursors:
            self.mirror.move_cursors(cursors)

    def add_loss(self, kind: LossKind, app: str, collection: str | None, *, since: int, until: int) -> None:
        """Notes a stretch of time that cannot be read."""
        self._losses.setdefault(app, []).append(until)
        self.mirror.add_loss(kind, app, collection, since=since, until=until)

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

    def stop(self) -> None:
        """Makes every reading end at its next question, or at once when it waits for an answer."""
        self._stopping.set()
        self.client.close()

    def close(self) -> None:
        """Waits until everything handed over is stored."""
        self._writer.shutdown()

    def _store(self, app: str, batches: Mapping[str, Batch], cursor: int | None) -> Stored:
        sound = {name: replace(batch, cursor=self._sound(batch.cursor)) for name, batch in batches.items()}
        stored = self.mirror.store(app, sound, cursor=self._sound(cursor))
        self._advance(0, 0, stored.new)
        return stored

    def _sound(self, cursor: int | None) -> int | None:
        return None if cursor is None else min(cursor, self.latest)

    def _advance(self, done: int, steps: int, new: int) -> None:
        with self._lock:
            self._done += done
            self._steps += steps
            self.new += new
            if self._progress is not None:
                self._progress(self._done, self._steps, self.new)

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise ServerError("the pull was stopped")
