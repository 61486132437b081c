"""A run of pulling: who reads what, in which order, on how many connections."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

from ...errors import ServerError, UsageError
from ...limits import DEFAULT_LIMITS, MIB, Limits
from ...mirror import Loss, Mirror
from ...printable import printable
from ...registry import Registry
from ...remote.sync import SyncClient
from ...remote.transport import UnwieldyAnswerError
from ...timestamps import EPOCH, FAR_FUTURE, SECOND, format_timestamp
from .apps import AppReader
from .collections import CollectionReader
from .reading import Progress, Reached, Reading
from .room import AT_MOST, AT_ONCE, LARGE

OVERLAP_SECONDS = 120.0
"""A change is stamped when its transaction begins and seen when it ends; so long a transaction may take."""
_ANSWER_BYTES = 24 * MIB
"""Of an answer for a whole app. An app whose answers are larger is read by its collections one after the other, whose
pages are a fifth as large."""

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class PullResult:
    """What a pull amounted to."""

    changes_new: int
    changes_held: int
    """All that the mirror holds now."""
    collections: int
    """Of these, collections that are not empty."""
    unknown_collections: tuple[tuple[str, str], ...]
    """(app, collection) of those outside the registry that are not empty."""
    losses: tuple[Loss, ...]
    """What could not be read, is gone or changed, now and in earlier pulls."""
    full: bool
    started_at: str
    """RFC 3339, by the server's clock."""

    def to_json(self) -> dict[str, Any]:
        """The object that ``pull --json`` prints."""
        return {
            "new": self.changes_new,
            "held": self.changes_held,
            "collections": self.collections,
            "unknownCollections": [f"{app}/{name}" for app, name in self.unknown_collections],
            "losses": [
                {
                    "kind": loss.kind.value,
                    "app": loss.app,
                    "collection": loss.collection,
                    "count": loss.count,
                    **({"since": format_timestamp(loss.since)} if loss.since is not None else {}),
                    **({"until": format_timestamp(loss.until)} if loss.until is not None else {}),
                    **({"events": list(loss.events)} if loss.events else {}),
                }
                for loss in self.losses
            ],
            "full": self.full,
            "startedAt": self.started_at,
        }


def run(
    mirror: Mirror,
    client: SyncClient,
    registry: Registry,
    *,
    full: bool = False,
    extra_apps: Sequence[str] = (),
    connections: int = 8,
    overlap_seconds: float = OVERLAP_SECONDS,
    progress: Progress | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> PullResult:
    """Brings the mirror up to date; ``full`` reads everything again and compares it with what is held.

    ``extra_apps`` are read besides those of the registry and those that were named in earlier runs. What was stored
    before an error or an interruption stays, and the next run goes on from there; ``client`` is closed then.

    Raises :class:`ServerError`, :class:`SignInError`, :class:`SubscriptionError`, :class:`OutputError`, and
    :class:`UsageError` for a name that no app can have.
    """
    for app in extra_apps:
        if not app or not app.isprintable():
            raise UsageError(f"not the name of an app: {printable(app) or 'the empty name'}")
    apps = list(dict.fromkeys([*registry.apps, *extra_apps, *mirror.discovered_apps]))
    reading = Reading(mirror, client, limits, progress)
    try:
        started_at = _Rounds(reading, registry, apps, full, int(overlap_seconds * SECOND), connections).run()
    except BaseException:
        reading.stop()
        raise
    finally:
        reading.close()
    mirror.end_pull(started_at)
    return _result(mirror, registry, reading.new, full, started_at)


_Task = tuple[str, Reached]
"""An app, and how far it was read as a whole."""


class _End(Enum):
    """How a quick reading of an app ended."""

    WHOLE = auto()
    CUT = auto()
    """There is more, and no cheap way to it."""
    UNWIELDY = auto()
    """An answer was too large."""


class _Rounds:
    def __init__(
        self,
        reading: Reading,
        registry: Registry,
        apps: Sequence[str],
        full: bool,
        overlap: int,
        connections: int,
    ) -> None:
        self._reading = reading
        self._mirror = reading.mirror
        self._registry = registry
        self._apps = apps
        self._full = full
        self._overlap = overlap
        self._connections = connections

    def run(self) -> int:
        """Everything; the server's clock at the beginning."""
        started_at = self._reading.latest = self._server_clock()
        self._mirror.begin_pull(compare=self._full)
        self._reading.expect(len(self._apps))
        cut: list[tuple[_Task, int]] = []
        unwieldy = [self._beginning(app) for app in self._apps]
        for at_once in (self._connections, 1):  # what did not come in time may do so when it has the line for itself
            ends = list(zip(unwieldy, self._all(self._read_app, unwieldy, at_once), strict=True))
            cut += [(task, weight) for task, (end, weight) in ends if end is _End.CUT]
            unwieldy = [task for task, (end, _) in ends if end is _End.UNWIELDY]
        cut += [(task, LARGE) for task in unwieldy]
        self._reading.move_cursors()
        for weight in range(LARGE + 1):
            tasks = [task for task, their_weight in cut if their_weight == weight]
            parts = [(app, name, reached) for app, reached in tasks for name in self._collections(app)]
            self._all_or_alone(self._read_collection, parts, weight)
        self._all(self._read_rest, [task for task, _ in cut], 1)
        self._reading.move_cursors()
        self._read_again(max(EPOCH, started_at - self._overlap))
        return started_at

    def _read_again(self, late: int) -> None:
        """Asks for what was committed late: each app as a whole, and by its collections where that is too much."""
        self._reading.expect(len(self._apps))
        whole = self._all(functools.partial(self._read_late, late), self._apps, self._connections)
        parts = [
            (app, name)
            for app, was_whole in zip(self._apps, whole, strict=True)
            if not was_whole
            for name in self._collections(app)
        ]
        self._reading.expect(len(parts))
        self._all_or_alone(functools.partial(self._read_late_collection, late), parts, 0)

    def _all(self, work: Callable[[_Argument], _Result], tasks: Sequence[_Argument], at_once: int) -> list[_Result]:
        """The results in the tasks' order; the error of the first task that fails, when the others have stopped."""
        with ThreadPoolExecutor(at_once, "pull") as pool:
            futures = [pool.submit(work, task) for task in tasks]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                self._reading.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [future.result() for future in futures]

    def _all_or_alone(
        self, read: Callable[[int | None, _Argument], None], tasks: Sequence[_Argument], weight: int
    ) -> None:
        """Reads collections whose answers weigh so much; those that weigh more, one after the other."""

        def is_done(task: _Argument) -> bool:
            try:
                read(AT_MOST[weight], task)
            except UnwieldyAnswerError:
                return False
            return True

        left = tasks
        if weight < LARGE:
            at_once = min(self._connections, (self._connections, *AT_ONCE)[weight])
            done = self._all(is_done, tasks, at_once)
            left = [task for task, read_whole in zip(tasks, done, strict=True) if not read_whole]
        self._all(functools.partial(read, None), left, 1)

    def _server_clock(self) -> int:
        """Also the question whether this user may read at all."""
        now = self._reading.read_app(self._apps[0], FAR_FUTURE).until
        newest = max((self._mirror.app_cursor(app) or EPOCH for app in self._apps), default=EPOCH)
        if not self._full and now < newest - self._overlap:
            raise ServerError(
                f"the server's clock went back: it says {format_timestamp(now)}, and said {format_timestamp(newest)}",
                hint="changes may have been stored under times that were read before; `pull --full` finds them",
            )
        return now

    def _since(self, app: str) -> int:
        cursor = None if self._full else self._mirror.app_cursor(app)
        return EPOCH if cursor is None else max(EPOCH, cursor - self._overlap)

    def _beginning(self, app: str) -> _Task:
        since = self._since(app)
        return app, Reached(since, from_start=since == EPOCH)

    def _reader(self, app: str, reached: Reached) -> AppReader:
        return AppReader(self._reading, app, reached, answer_bytes=_ANSWER_BYTES)

    def _read_app(self, task: _Task) -> tuple[_End, int]:
        """How it ended, and the weight of the heaviest answer."""
        app, since = task[0], task[1].since
        reader = self._reader(*task)
        try:
            whole = reader.read_quickly()
        except UnwieldyAnswerError:
            return _End.UNWIELDY, LARGE
        if not whole:
            return _End.CUT, reader.heaviest
        self._mirror.searched(app, since)
        self._reading.step()
        return _End.WHOLE, reader.heaviest

    def _read_collection(self, answer_bytes: int | None, task: tuple[str, str, Reached]) -> None:
        app, name, reached = task
        cursor = None if self._full else self._mirror.cursor(app, name)
        if cursor is not None and cursor - self._overlap > reached.since:
            # Read further by itself in an earlier run; what lies between is held, and no anchor.
            CollectionReader(self._reading, app, name, answer_bytes=answer_bytes).read(cursor - self._overlap)
        else:
            CollectionReader(
                self._reading,
                app,
                name,
                after=reached.after.get(name),
                from_start=reached.from_start,
                answer_bytes=answer_bytes,
            ).read(reached.since)

    def _read_rest(self, task: tuple[str, Reached]) -> None:
        AppReader(self._reading, *task).read_thoroughly()
        self._reading.step()

    def _read_late(self, late: int, app: str) -> bool:
        try:
            whole = self._reader(app, Reached(late, late == EPOCH)).read_once_more()
        except UnwieldyAnswerError:
            whole = False
        self._reading.step()
        return whole

    def _read_late_collection(self, late: int, answer_bytes: int | None, task: tuple[str, str]) -> None:
        CollectionReader(self._reading, *task, from_start=late == EPOCH, answer_bytes=answer_bytes).read(late)
        self._reading.step()

    def _collections(self, app: str) -> list[str]:
        """The registered collections of an app, and those that came to light and have a name that can be asked for."""
        registered = [table.collection for table in self._registry.of_app(app)]
        held = [name for name in self._mirror.collections(app) if name and name.isprintable()]
        return list(dict.fromkeys([*registered, *held]))


def _result(mirror: Mirror, registry: Registry, new: int, full: bool, started_at: int) -> PullResult:
    with mirror.snapshot() as snapshot:
        held = [collection for collection in snapshot.collections() if collection.changes]
        losses = tuple(snapshot.losses())
    return PullResult(
        changes_new=new,
        changes_held=sum(collection.changes for collection in held),
        collections=len(held),
        unknown_collections=tuple(
            (collection.app, collection.name)
            for collection in held
            if (collection.app, collection.name) not in registry.by_collection
        ),
        losses=losses,
        full=full,
        started_at=format_timestamp(started_at),
    )
