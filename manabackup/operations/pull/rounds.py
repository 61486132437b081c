"""A run of pulling: who reads what, in which order, on how many connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, TypeVar

from ...errors import ServerError, UsageError
from ...limits import DEFAULT_LIMITS, Limits
from ...mirror import Loss, Mirror
from ...printable import printable
from ...registry import Registry
from ...remote.sync import SyncClient
from ...timestamps import EPOCH, FAR_FUTURE, SECOND, format_timestamp
from .apps import AppReader
from .collections import CollectionReader
from .reading import Progress, Reached, Reading

OVERLAP_SECONDS = 120.0
"""A change is stamped when its transaction begins and seen when it ends; so long a transaction may take."""
_LARGE_ANSWERS = 3
"""So many apps are read at once whose answers may be as large as they get, which is what bounds memory."""

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
    rounds = _Rounds(reading, registry, apps, full, int(overlap_seconds * SECOND))
    few = min(connections, _LARGE_ANSWERS)
    with ThreadPoolExecutor(connections, "pull") as pool, ThreadPoolExecutor(few, "pull-large") as large_pool:
        try:
            started_at = rounds.run(pool, large_pool)
        except BaseException:
            reading.stop()
            pool.shutdown(cancel_futures=True)
            large_pool.shutdown(cancel_futures=True)
            raise
        finally:
            reading.close()
    mirror.end_pull(started_at)
    return _result(mirror, registry, reading.new, full, started_at)


class _Rounds:
    def __init__(self, reading: Reading, registry: Registry, apps: Sequence[str], full: bool, overlap: int) -> None:
        self._reading = reading
        self._mirror = reading.mirror
        self._registry = registry
        self._apps = apps
        self._full = full
        self._overlap = overlap

    def run(self, pool: ThreadPoolExecutor, large_pool: ThreadPoolExecutor) -> int:
        """Everything; the server's clock at the beginning. ``large_pool`` takes what has the largest answers."""
        started_at = self._server_clock()
        self._mirror.begin_pull(compare=self._full)
        self._reading.expect(len(self._apps))
        whole = [app for app in self._apps if self._since(app) == EPOCH]
        since = [app for app in self._apps if self._since(app) != EPOCH]
        quick = [*_all(large_pool, self._read_app, whole), *_all(pool, self._read_app, since)]
        late = [(app, reached) for app, reached in zip([*whole, *since], quick, strict=True) if reached is not None]
        _all(pool, self._read_collection, [(app, name, to) for app, to in late for name in self._collections(app)])
        _all(large_pool, self._read_rest, late)
        again = [(app, name) for app in self._apps for name in self._collections(app)]
        self._reading.expect(len(again))
        _all(pool, lambda task: self._read_again(*task, max(EPOCH, started_at - self._overlap)), again)
        return started_at

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

    def _read_app(self, app: str) -> Reached | None:
        """None when the app was read to its end, else how far."""
        since = self._since(app)
        reached = Reached(since, from_start=since == EPOCH)
        if not AppReader(self._reading, app, reached).read_quickly():
            return reached
        self._reading.step()
        return None

    def _read_collection(self, task: tuple[str, str, Reached]) -> None:
        app, name, reached = task
        cursor = None if self._full else self._mirror.cursor(app, name)
        if cursor is not None and cursor - self._overlap > reached.since:
            # Read further by itself in an earlier run; what lies between is held, and no anchor.
            CollectionReader(self._reading, app, name).read(cursor - self._overlap)
        else:
            CollectionReader(
                self._reading, app, name, after=reached.after.get(name), from_start=reached.from_start
            ).read(reached.since)

    def _read_rest(self, task: tuple[str, Reached]) -> None:
        AppReader(self._reading, *task).read_thoroughly()
        self._reading.step()

    def _read_again(self, app: str, name: str, since: int) -> None:
        CollectionReader(self._reading, app, name, from_start=since == EPOCH).read(since)
        self._reading.step()

    def _collections(self, app: str) -> list[str]:
        """The registered collections of an app, and those that came to light and have a name that can be asked for."""
        registered = [table.collection for table in self._registry.of_app(app)]
        held = [name for name in self._mirror.collections(app) if name and name.isprintable()]
        return list(dict.fromkeys([*registered, *held]))


def _all(pool: ThreadPoolExecutor, work: Callable[[_Argument], _Result], tasks: Iterable[_Argument]) -> list[_Result]:
    """The results in the tasks' order; the error of the first task that fails."""
    futures = [pool.submit(work, task) for task in tasks]
    for future in as_completed(futures):
        future.result()
    return [future.result() for future in futures]


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
