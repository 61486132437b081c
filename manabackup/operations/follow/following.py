"""Following: when is pulled, and what comes of what goes wrong.

All waiting is by a clock that only goes forward; what the computer's clock says is for people alone.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ...errors import LockedError, ManabackupError, OutputError, ServerError, SignInError
from ...mirror import Mirror
from ...model.registry import Registry, load
from ...remote.connection import Connection
from ...remote.sync import STREAM_SILENCE, SyncClient
from ...remote.transport import Transport
from ...text.jsontext import JSON
from ...text.timestamps import SECOND, format_timestamp
from ..account.account_data import remember_account
from ..account.key import check_same_account
from ..progress import Step, Watch, pull_teller
from ..pull import OVERLAP_SECONDS, ClockWentBackError, refresh
from ..pull import run as pull_everything
from .events import FollowEvent, Happening
from .exports import Export, Exported
from .listening import Board, Jitter, Said, Streams
from .record import FollowRecord

LOOK_SECONDS = 15 * 60.0
"""Between whole pulls: of what others write into shared spaces, and what was written late, no stream tells."""
MOST_STREAMS = 64
DEBOUNCE_SECONDS = 1.0
"""From the first word of something new to the pull: what is written at once is pulled at once."""
_REST = 10.0
"""Between pulls lies so many times what the last one took, so that a large mirror is not read all day …"""
LONGEST_REST = 30.0
"""… and no more than so many seconds."""
_FIRST_RETRY, _LONGEST_RETRY = 2.0, 300.0
_LOCKED_RETRY = 5.0
REFUSED_SECONDS = 600.0
"""For so long the server may refuse tokens that it took before: it does while it cannot reach its own keys."""
_ALIVE_SECONDS = 60.0
"""Between two signs of life."""
_random = random.SystemRandom().random

OpenMirror = Callable[[], AbstractContextManager[Mirror]]
"""Opens the account's mirror for one pull, under whatever lock it has."""


@dataclass(frozen=True, slots=True)
class FollowSettings:
    """How an account is followed. Times are in seconds."""

    look_every: float = LOOK_SECONDS
    duration: float | None = None
    """How long; None: until somebody ends it."""
    export_every: float | None = None
    extra_apps: tuple[str, ...] = ()
    debounce: float = DEBOUNCE_SECONDS
    longest_rest: float = LONGEST_REST
    """Between two pulls because of streams, at most, however long a pull takes."""
    silence: float = STREAM_SILENCE
    """A stream that says nothing for so long is dead."""
    most_streams: int = MOST_STREAMS
    """Of the apps with the most changes; the others are pulled with everything."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a follower depends on besides the server."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    jitter: Jitter = _random
    registry: Registry = field(default_factory=load)
    keep: Callable[[FollowRecord], object] = lambda _: None
    """Is given how far the follower is, whenever that changes."""
    export: Export | None = None
    progress: Watch | None = None
    """Is told of whole pulls."""


class Follower:
    """One account that is followed. ``for happened in follower.run(): …`` tells what happens, until it is closed.

    ``connection`` is used by streams alone, and is of no use afterwards. For one thread.
    """

    def __init__(
        self,
        connection: Connection,
        open_mirror: OpenMirror,
        settings: FollowSettings | None = None,
        around: Surroundings | None = None,
    ) -> None:
        self._connection = connection
        self._open_mirror = open_mirror
        self._settings = settings or FollowSettings()
        self._around = around or Surroundings()
        self._clock = self._around.clock
        self._board = Board()
        self._streams: Streams | None = None
        self._speaking: set[str] = set()
        self._pending: dict[str, set[str]] = {}
        self._full = self._stopped = False
        self._pull_at = self._look_at = self._retry_at = self._alive_at = 0.0
        self._export_at = float("inf")
        self._retry = _FIRST_RETRY
        self._refused_since: float | None = None
        self._is_new = True
        """Whether there is something that no archive has."""
        self._has_exported = False
        self.record = FollowRecord(started_at=self._around.now())
        self.events = self.breaks = self.pulls = self.looks = self.exports = 0
        self.unreadable = 0
        """Losses at the last whole pull."""
        self.lacking = 0
        """Losses of the last archive."""

    def run(self) -> Generator[FollowEvent, None, None]:
        """Follows the account until it is closed, or stopped, or for as long as the settings say.

        Raises at the beginning what a pull raises, and later what no waiting helps against: :class:`SubscriptionError`,
        :class:`SignInError` after ten minutes, :class:`OutputError`, :class:`MirrorError`. No server in reach is waited
        for without end. An export that fails at the first time is raised as well.
        """
        end = float("inf") if self._settings.duration is None else self._clock() + self._settings.duration
        try:
            yield from self._begin()
            while not self._stopped and (now := self._clock()) < end:
                # What is rarer goes first, and does the work of what is behind it.
                if now >= self._export_at:
                    yield from self._export()
                elif self._is_due(self._look_at, now):
                    yield from self._attempt(Happening.LOOKED, self._look)
                elif self._pending and self._is_due(self._pull_at, now):
                    yield from self._attempt(Happening.PULLED, self._refresh)
                else:
                    yield from self._heard(self._board.take(min(self._next(now), end) - now))
            yield from self._heard(self._board.take(0.0))
            if self._pending:
                yield from self._attempt(Happening.PULLED, self._refresh)
        finally:
            self._end()

    def _begin(self) -> Iterator[FollowEvent]:
        """The first whole pull, of which nothing is tried again but what another run holds up."""
        while not self._stopped:
            try:
                facts = self._timed(self._look)
            except LockedError as error:
                yield self._delayed(error, _LOCKED_RETRY)
                yield from self._heard(self._board.take(self._retry_at - self._clock()))
            else:
                self._export_at = float("inf") if self._settings.export_every is None else self._clock()
                yield self._happened(Happening.STARTED, **facts, streams=self.record.streams_wanted)
                return

    def stop(self) -> None:
        """Lets :meth:`run` end soon, up to date; from any thread."""
        self._board.end()

    def summary(self) -> FollowEvent:
        """What it amounted to."""
        return FollowEvent(
            Happening.ENDED,
            self._around.now(),
            {
                "startedAt": self.record.to_json()["startedAt"],
                "new": self.record.new_changes,
                "events": self.events,
                "pulls": self.pulls,
                "looks": self.looks,
                "breaks": self.breaks,
                "exports": self.exports,
                "pending": bool(self._pending),
            },
        )

    # --- when

    def _is_due(self, at: float, now: float) -> bool:
        return now >= max(at, self._retry_at)

    def _next(self, now: float) -> float:
        pull_at = self._pull_at if self._pending else float("inf")
        if now >= self._alive_at:
            self._alive_at = now + _ALIVE_SECONDS
            self._keep()
        return min(max(min(pull_at, self._look_at), self._retry_at), self._export_at, self._alive_at)

    # --- what streams say

    def _heard(self, said: Said) -> Iterator[FollowEvent]:
        if said.error is not None:
            raise said.error
        self._stopped = self._stopped or said.is_over
        for app, reason in said.broken.items():
            if app in self._speaking:
                self._speaking.discard(app)
                self.breaks += 1
                yield self._happened(Happening.DISCONNECTED, app=app, reason=reason, streams=len(self._speaking))
        for app in said.connected:
            self._speaking.add(app)
            yield self._happened(Happening.CONNECTED, app=app, streams=len(self._speaking))
        if said.changes:
            self.events += said.changes
            self.record.last_event_at = self._around.now()
        if not said.named:
            return
        if not self._pending:
            self._pull_at = max(self._pull_at, self._clock() + self._settings.debounce)
            self.record.pending_since = self._around.now()
            self._keep()
        for app, names in said.named.items():
            self._pending.setdefault(app, set()).update(names)

    # --- what is pulled

    def _attempt(self, what: Happening, work: Callable[[], dict[str, JSON]]) -> Iterator[FollowEvent]:
        """Pulls; what waiting may help against is tried again after a pause."""
        try:
            facts = self._timed(work)
        except LockedError as error:
            yield self._delayed(error, _LOCKED_RETRY)
        except ClockWentBackError as error:
            self._full, self._look_at = True, self._clock()
            yield self._delayed(error, self._backed_off())
        except SignInError as error:
            now = self._clock()
            self._refused_since = now if self._refused_since is None else self._refused_since
            if now - self._refused_since >= REFUSED_SECONDS:
                raise
            yield self._delayed(error, self._backed_off())
        except ServerError as error:
            yield self._delayed(error, self._backed_off())
        else:
            yield self._happened(what, **facts)

    def _backed_off(self) -> float:
        pause = self._retry
        self._retry = min(_LONGEST_RETRY, pause * 2)
        return pause * (1 + self._around.jitter()) / 2

    def _delayed(self, error: ManabackupError, pause: float) -> FollowEvent:
        self._retry_at = self._clock() + pause
        self.record.problem = error.message
        return self._happened(Happening.DELAYED, reason=error.message, retryIn=round(pause, 1))

    def _timed(self, work: Callable[[], dict[str, JSON]]) -> dict[str, JSON]:
        begun = self._clock()
        facts = work()
        took = self._clock() - begun
        self._pull_at = self._clock() + min(took * _REST, self._settings.longest_rest)
        self._retry, self._retry_at, self._refused_since = _FIRST_RETRY, 0.0, None
        self.record.last_pull_at = self._around.now()
        self.record.problem = None
        return facts

    def _refresh(self) -> dict[str, JSON]:
        """Pulls the apps that streams named."""
        named = self._pending
        with self._open_mirror() as mirror, self._client(mirror) as (client, _):
            if mirror.damage:  # only a whole pull heals it
                return self._looked(mirror, client)
            new = refresh(mirror, client, self._around.registry, named)
            self._note(mirror, new)
        self._pulled(new)
        self.pulls += 1
        return {"new": new, "apps": sorted(named)}

    def _look(self) -> dict[str, JSON]:
        """Pulls everything, and listens to apps that are new."""
        with self._open_mirror() as mirror, self._client(mirror) as (client, connection):
            facts = self._looked(mirror, client)
            with suppress(ServerError, SignInError):  # what an export without the servers needs is there from before
                remember_account(mirror, connection)
        return facts

    def _looked(self, mirror: Mirror, client: SyncClient) -> dict[str, JSON]:
        result = pull_everything(
            mirror,
            client,
            self._around.registry,
            full=self._full,
            extra_apps=self._settings.extra_apps,
            progress=pull_teller(self._around.progress, Step.PULL),
        )
        self._full = False
        self._look_at = self._clock() + self._settings.look_every
        self.record.last_look_at = self._around.now()
        self.unreadable = result.unreadable
        self.looks += 1
        self._note(mirror, result.changes_new)
        self._pulled(result.changes_new)
        return {"new": result.changes_new, "held": result.changes_held, "unreadable": result.unreadable}

    def _client(self, mirror: Mirror) -> AbstractContextManager[tuple[SyncClient, Connection]]:
        return _Asking(mirror, self._connection)

    def _pulled(self, new: int) -> None:
        self._pending = {}
        self.record.pending_since = None
        self.record.new_changes += new
        self._is_new = self._is_new or new > 0

    def _note(self, mirror: Mirror, new: int) -> None:
        """Listens to the apps that the mirror holds something of."""
        is_first = self._streams is None
        if self._streams is None:
            client = SyncClient(self._connection.sync, self._connection.tokens, mirror.client_id)
            self._streams = Streams(client, self._board, jitter=self._around.jitter, silence=self._settings.silence)
        if mirror.pulled_at is not None:
            since = max(0, mirror.pulled_at - int(OVERLAP_SECONDS * SECOND))
            self._streams.since = format_timestamp(since)
        if not (new or is_first):
            return
        with mirror.snapshot() as snapshot:
            held = [one for one in snapshot.collections() if one.changes]
        changes: dict[str, int] = {}
        for one in held:
            changes[one.app] = changes.get(one.app, 0) + one.changes
        for app in sorted(changes, key=lambda app: -changes[app]):
            if len(self._streams.apps) >= self._settings.most_streams:
                break
            self._streams.open(app, [one.name for one in held if one.app == app])
        self.record.streams_wanted = len(self._streams.apps)

    # --- archives

    def _export(self) -> Iterator[FollowEvent]:
        """Writes an archive, if there is anything that the last one has not."""
        assert self._around.export is not None
        assert self._settings.export_every is not None
        self._export_at = self._clock() + self._settings.export_every
        if not self._is_new:
            return
        self._is_new = False
        done = self._around.export(self._around.now())
        if isinstance(done, Exported):
            self._has_exported = True
            self.exports += 1
            self.lacking = sum(done.losses.values())
            self.record.last_export_at, self.record.archive = self._around.now(), done.archive
            self.record.archive_problem = None
            yield self._happened(Happening.EXPORTED, **done.to_json())
            return
        self._is_new = True
        if done.may_pass:
            self._export_at = min(self._export_at, self._clock() + _LONGEST_RETRY)
        elif not self._has_exported:
            raise done.error
        self.record.archive_problem = done.error.message
        yield self._happened(
            Happening.EXPORT_FAILED, exitCode=done.error.exit_code, message=done.error.message, hint=done.error.hint
        )

    # --- below

    def _happened(self, what: Happening, **facts: JSON) -> FollowEvent:
        self._keep()
        return FollowEvent(what, self._around.now(), facts)

    def _keep(self) -> None:
        self.record.streams = len(self._speaking)
        self.record.alive_at = self._around.now()
        self._around.keep(self.record)

    def _end(self) -> None:
        self._connection.auth.close()  # a stream's thread may wait for a token
        if self._streams is not None:
            self._streams.close()
        self._speaking.clear()
        self.record.ended_at = self._around.now()
        with suppress(OutputError):  # what is raised, if anything, is what ended it
            self._keep()


class _Asking:
    """A client for one pull, whose connections are its own: a pull that fails closes them."""

    def __init__(self, mirror: Mirror, connection: Connection) -> None:
        self._mirror = mirror
        self._sync = Transport(connection.sync.base_url, limits=connection.sync.limits)
        self._connection = Connection(
            connection.user_id, connection.tokens, connection.session, connection.auth, self._sync
        )

    def __enter__(self) -> tuple[SyncClient, Connection]:
        check_same_account(self._mirror, self._connection)
        return SyncClient(self._sync, self._connection.tokens, self._mirror.client_id), self._connection

    def __exit__(self, *_: object) -> None:
        self._sync.close()
