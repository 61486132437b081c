"""Following: what is done next, and what comes of what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from ...errors import LockedError, ManabackupError, ServerError, SignInError
from ...remote.connection import Connection
from ..pull import ClockWentBackError
from .archiving import Archives
from .chronicle import Chronicle
from .events import FollowEvent, Happening
from .listening import Board, Said
from .pulling import Pulled, Puller
from .settings import FollowSettings, OpenMirror, Surroundings
from .timetable import Timetable


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
        settings, around = settings or FollowSettings(), around or Surroundings()
        self._duration = settings.duration
        self._clock = around.clock
        self._board = Board()
        self._puller = Puller(connection, open_mirror, settings, around, board=self._board)
        self._timetable = Timetable(settings, around)
        self._pending: dict[str, set[str]] = {}
        """What streams named and no pull has brought yet: app → collections."""
        self._is_stopped = False
        self.chronicle = Chronicle(around)
        """What has happened so far."""
        self._archives = Archives(settings, around, self.chronicle)

    def run(self) -> Generator[FollowEvent, None, None]:
        """Follows the account until it is closed, or stopped, or for as long as the settings say.

        Raises at the beginning what a pull raises, and later what no waiting helps against: :class:`SubscriptionError`,
        :class:`SignInError` after ten minutes, :class:`OutputError`, :class:`MirrorError`. No server in reach is waited
        for without end. An export that fails at the first time is raised as well, unless it may pass.
        """
        end = float("inf") if self._duration is None else self._clock() + self._duration
        try:
            self.chronicle.keep()  # in place of what one before it has left
            yield from self._begin()
            while not self._is_stopped and self._clock() < end:
                # What is rarer goes first, and does the work of what is behind it.
                if self._clock() >= self._archives.due_at:
                    yield from self._archives.write()
                elif self._timetable.is_look_due():
                    yield from self._attempt(self._puller.look)
                elif self._pending and self._timetable.is_refresh_due():
                    yield from self._attempt(self._refresh)
                else:
                    yield from self._wait(min(end, self._archives.due_at))
            yield from self._heard(self._board.take(0.0))
            if self._pending:
                yield from self._attempt(self._refresh)
        except ManabackupError as error:
            self.chronicle.failed(error)
            raise
        finally:
            self._puller.close()
            self.chronicle.end()

    def stop(self) -> None:
        """Lets :meth:`run` end soon, up to date; from any thread."""
        self._board.end()

    def summary(self) -> FollowEvent:
        """What it amounted to."""
        return self.chronicle.summary(is_pending=bool(self._pending))

    def _begin(self) -> Iterator[FollowEvent]:
        """The first whole pull, of which nothing is tried again but what another run holds up."""
        while not self._is_stopped:
            try:
                pulled = self._timed(self._puller.look)
            except LockedError as error:
                pause = self._timetable.locked()
                yield self.chronicle.delayed(error, pause)
                yield from self._heard(self._board.take(pause))
            else:
                self._archives.begin()
                yield self.chronicle.happened(Happening.STARTED, **pulled.to_json(), streams=pulled.streams)
                return

    def _wait(self, end: float) -> Iterator[FollowEvent]:
        """Until streams say something, or something is due."""
        if self._timetable.is_sign_due():
            self.chronicle.keep()
        end = min(end, self._timetable.next(is_pending=bool(self._pending)))
        yield from self._heard(self._board.take(end - self._clock()))

    def _heard(self, said: Said) -> Iterator[FollowEvent]:
        if said.error is not None:
            raise said.error
        self._is_stopped = self._is_stopped or said.is_over
        for app, reason in said.broken.items():
            if (told := self.chronicle.disconnected(app, reason)) is not None:
                yield told
        for app in said.connected:
            yield self.chronicle.connected(app)
        if said.changes:
            self.chronicle.told(said.changes)
        if said.named and not self._pending:
            self._timetable.named()
            self.chronicle.pending()
        for app, names in said.named.items():
            self._pending.setdefault(app, set()).update(names)

    def _attempt(self, pull: Callable[[], Pulled]) -> Iterator[FollowEvent]:
        """Pulls; what waiting may help against is tried again after a pause."""
        try:
            pulled = self._timed(pull)
        except LockedError as error:
            yield self.chronicle.delayed(error, self._timetable.locked())
        except SignInError as error:
            if self._timetable.is_refused_for_good():
                raise
            yield self.chronicle.delayed(error, self._timetable.refused())
        except ServerError as error:
            if isinstance(error, ClockWentBackError):
                self._timetable.look_again()
            yield self.chronicle.delayed(error, self._timetable.failed())
        else:
            what = Happening.PULLED if pulled.whole is None else Happening.LOOKED
            yield self.chronicle.happened(what, **pulled.to_json())

    def _refresh(self) -> Pulled:
        return self._puller.refresh(self._pending)

    def _timed(self, pull: Callable[[], Pulled]) -> Pulled:
        begun = self._clock()
        pulled = pull()
        self._pending = {}
        self._timetable.pulled(self._clock() - begun)
        if pulled.whole is not None:
            self._timetable.looked()
        self._archives.note(pulled.new)
        self.chronicle.pulled(pulled)
        return pulled
