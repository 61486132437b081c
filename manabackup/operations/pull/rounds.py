"""A run of pulling: who reads what, in which order, on how many connections."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, TypeVar

from ...errors import ServerError, UsageError
from ...limits import DEFAULT_LIMITS, Limits
from ...mirror import UNREADABLE, HeldCollection, Loss, LossKind, Mirror
from ...model.registry import Registry
from ...remote.sync import SyncClient
from ...text.printable import printable
from ...text.timestamps import EPOCH, FAR_FUTURE, SECOND, format_timestamp
from .apps import can_be_asked_for
from .collections import CollectionReader
from .reading import PullAccess, TellSteps
from .searching import Searching, unsearched_apps

OVERLAP_SECONDS = 120.0
"""A change is stamped when its transaction begins and seen when it ends; so long a transaction may take."""

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


class ClockWentBackError(ServerError):
    """What the server stores now may lie before what was read: only a pull of everything finds it."""


@dataclass(frozen=True, slots=True)
class PullResult:
    """What a pull amounted to."""

    changes_new: int
    changes_held: int
    """All that the mirror holds now."""
    collections: int
    """The collections in it that are not empty."""
    unknown_collections: tuple[tuple[str, str], ...]
    """(app, collection) of those outside the registry that are not empty."""
    losses: tuple[Loss, ...]
    """What could not be read, is gone or changed, now and in earlier pulls."""
    full: bool
    started_at: str
    """RFC 3339, by the server's clock."""
    searched_at: str | None
    """When the server was last searched for collections that nobody told of, RFC 3339; None before the first time."""
    unsearched_apps: tuple[str, ...]
    """Apps that were given up on then, or that were searched in parts only."""

    @property
    def read_losses(self) -> list[Loss]:
        """The losses but for those that :attr:`unsearched_apps` tells of."""
        return [loss for loss in self.losses if loss.kind is not LossKind.UNSEARCHED]

    @property
    def unreadable(self) -> int:
        """How many of the losses are of something that could not be read, or was not searched."""
        return sum(loss.kind in UNREADABLE for loss in self.losses)

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
                    **({"records": list(loss.records)} if loss.records else {}),
                }
                for loss in self.losses
            ],
            "full": self.full,
            "startedAt": self.started_at,
            "searchedAt": self.searched_at,
            "unsearchedApps": list(self.unsearched_apps),
        }


def run(
    mirror: Mirror,
    client: SyncClient,
    registry: Registry,
    *,
    full: bool = False,
    search: bool = True,
    extra_apps: Sequence[str] = (),
    connections: int = 8,
    overlap_seconds: float = OVERLAP_SECONDS,
    progress: TellSteps | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> PullResult:
    """Brings the mirror up to date; ``full`` reads everything again and compares it with what is held.

    A mirror of which nobody can tell what was lost is always read in full. Without ``search`` nothing is looked for but
    the collections of the registry and those that the mirror has seen. ``extra_apps`` are read besides those of the
    registry and those that were named in earlier runs. What was stored before an error or an interruption stays, and
    the next run goes on from there; ``client`` is closed then.

    Raises :class:`ServerError`, :class:`SignInError`, :class:`SubscriptionError`, :class:`OutputError`, and
    :class:`UsageError` for a name that no app can have.
    """
    for app in extra_apps:
        if not app or not app.isprintable():
            raise UsageError(f"not the name of an app: {printable(app) or 'the empty name'}")
    full = full or mirror.is_in_doubt
    apps = list(dict.fromkeys([*registry.apps, *extra_apps, *mirror.discovered_apps]))
    reading = PullAccess(mirror, client, limits, progress)
    overlap = int(overlap_seconds * SECOND)
    rounds = _Rounds(reading, registry, full, overlap, connections)
    searching = Searching(reading, overlap, apps if search else (), full=full)
    try:
        started_at = rounds.run(apps, searching.choose)
        mirror.end_pull(started_at)
        if search:
            searching.run(rounds.read_found)
            mirror.end_search()
    except BaseException:
        reading.stop()
        raise
    finally:
        reading.close()
    return _result(mirror, registry, reading.new, full, started_at)


def refresh(
    mirror: Mirror,
    client: SyncClient,
    registry: Registry,
    named: Mapping[str, Collection[str]],
    *,
    connections: int = 4,
    overlap_seconds: float = OVERLAP_SECONDS,
    limits: Limits = DEFAULT_LIMITS,
) -> int:
    """Brings some apps up to date, and no others; gives the number of new changes.

    ``named`` are apps, each with collections that nobody may know of yet. Nothing is searched for, and
    :attr:`Mirror.pulled_at` stays: that is for whole pulls. Otherwise as :func:`run`, which a mirror needs that was
    damaged.
    """
    reading = PullAccess(mirror, client, limits, None)
    rounds = _Rounds(reading, registry, False, int(overlap_seconds * SECOND), connections)
    try:
        rounds.run_some(named)
    except BaseException:
        reading.stop()
        raise
    finally:
        reading.close()
    return reading.new


@dataclass(slots=True)
class _Look:
    """A collection, and what became of looking at it."""

    app: str
    collection: str
    since: int
    """Where the reading begins; microseconds since 1970."""
    brought: bool = False
    """Whether anything came, held before or not."""
    read_at: int = EPOCH
    """The server's clock then."""


class _Rounds:
    """Who reads what.

    A change is stamped when its transaction begins and seen when it ends, at most the overlap later. So what a reading
    at an instant could not see yet is stamped after that instant less the overlap, and no cursor goes beyond the
    beginning of its run: the next run, which begins the overlap before the cursor, gets it. That alone loses nothing.

    The second look at the end of a run is for what a run shows together. It asks, from the overlap before the run
    began, the collections that somebody may be writing to, which are those that brought anything, and those whose
    reading is longer ago than the overlap. So an archive's tables are of about one time, however long the run was, and
    a run that finds nothing asks each collection once.
    """

    def __init__(self, reading: PullAccess, registry: Registry, full: bool, overlap: int, connections: int) -> None:
        self._reading = reading
        self._mirror = reading.mirror
        self._registry = registry
        self._full = full
        self._overlap = overlap
        self._connections = connections

    def run(self, apps: Sequence[str], choose: Callable[[], int]) -> int:
        """Reads all collections of ``apps`` that are known; gives the server's clock at the beginning.

        ``choose`` says how many steps will follow.
        """
        started_at, held = self._begin()
        looks = self._known(apps, held)
        self._reading.expect(len(looks) + choose())
        self.read(looks, step=self._reading.step)
        return started_at

    def run_some(self, named: Mapping[str, Collection[str]]) -> None:
        """Reads the collections of some apps that are known or named."""
        _, held = self._begin()
        looks = [look for look in self._known(list(named), held) if look.app in named]
        known = {(look.app, look.collection) for look in looks}
        unheard_of = {(app, name) for app, names in named.items() for name in names if can_be_asked_for(name)}
        self.read([*looks, *(_Look(app, name, EPOCH) for app, name in sorted(unheard_of - known))])

    def _begin(self) -> tuple[int, list[HeldCollection]]:
        """The server's clock, and what is held at the beginning."""
        started_at = self._reading.latest = self._server_clock()
        with self._mirror.snapshot() as snapshot:
            held = snapshot.collections()
        self._check_clock(started_at, held)
        self._mirror.begin_pull(compare=self._full)
        return started_at, held

    def read(self, looks: Sequence[_Look], *, step: Callable[[], object] = lambda: None) -> None:
        """Reads collections to their end, and those once more that may have something new already.

        ``step`` is called after each first look: how many second ones there will be nobody knows before.
        """
        self._read_all(looks, step)
        late = max(EPOCH, self._reading.latest - self._overlap)
        end = max((look.read_at for look in looks), default=EPOCH)
        again = [look for look in looks if look.brought or look.read_at < end - self._overlap]
        self._read_all([_Look(look.app, look.collection, late) for look in again], lambda: None)
        self._reading.move_cursors()

    def read_found(self, found: Sequence[tuple[str, str]]) -> None:
        """Reads collections that nobody knew of, from their beginning."""
        self.read([_Look(app, name, EPOCH) for app, name in found])

    def _read_all(self, looks: Sequence[_Look], step: Callable[[], object]) -> None:
        def read(look: _Look) -> None:
            self._read(look)
            step()

        self._all(read, looks, self._connections)

    def _read(self, look: _Look) -> None:
        reader = CollectionReader(self._reading, look.app, look.collection, from_start=look.since == EPOCH)
        reader.read(look.since)
        look.brought, look.read_at = reader.brought, reader.read_at

    def _all(self, work: Callable[[_Argument], _Result], tasks: Sequence[_Argument], at_once: int) -> list[_Result]:
        """The results in the tasks' order; the error of the first task that fails, when the others have stopped."""
        with ThreadPoolExecutor(at_once, "pull") as pool:
            try:
                futures = [pool.submit(work, task) for task in tasks]
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                self._reading.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [future.result() for future in futures]

    def _server_clock(self) -> int:
        """Also the question whether this user may read at all."""
        table = self._registry.tables[0]
        return self._reading.pull(table.app, table.collection, FAR_FUTURE).until

    def _check_clock(self, now: int, held: Sequence[HeldCollection]) -> None:
        newest = max((one.cursor for one in held if one.cursor is not None), default=EPOCH)
        if not self._full and now < newest - self._overlap:
            raise ClockWentBackError(
                f"the server's clock went back: it says {format_timestamp(now)}, and said {format_timestamp(newest)}",
                hint="changes may have been stored under times that were read before; `pull --full` finds them",
            )

    def _known(self, apps: Sequence[str], held: Sequence[HeldCollection]) -> list[_Look]:
        """The registered collections, and those of ``apps`` that came to light and can be asked for."""
        since = {(table.app, table.collection): EPOCH for table in self._registry.tables}
        for one in held:
            if one.app in apps and can_be_asked_for(one.name):
                cursor = EPOCH if self._full or one.cursor is None else one.cursor
                since[one.app, one.name] = max(EPOCH, cursor - self._overlap)
        return [_Look(app, name, begin) for (app, name), begin in since.items()]


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
        searched_at=mirror.searched_at,
        unsearched_apps=unsearched_apps(losses),
    )
