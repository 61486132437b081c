"""Reading one collection page by page, past ties and late commits, to its end."""

from __future__ import annotations

from concurrent.futures import Future

from ...errors import ServerError
from ...mirror import Batch, LossKind, Stored
from ...printable import one_line
from ...remote.sync import FailingPageError, Page
from ...timestamps import SECOND, format_timestamp
from .failing import ask_past_failures
from .reading import Reading

_WORTH_MOVING = 3_600 * SECOND
"""A cursor that moves past nothing need not be stored for less."""


class CollectionReader:
    """Reads one collection from an instant to its end and stores it.

    Each page after the first is asked for from a microsecond before the end of the last one, so that changes of the
    same instant on both sides of the boundary are seen. ``from_start`` is that of :class:`~manabackup.mirror.Batch`.
    """

    def __init__(self, reading: Reading, app: str, collection: str, *, from_start: bool = False) -> None:
        self._reading = reading
        self._app = app
        self._collection = collection
        self._from_start = from_start
        self._room = reading.room()
        self.brought = False
        """Whether anything came, held before or not."""
        self.read_at = 0
        """The server's clock at the end; microseconds since 1970."""
        self._after: bytes | None = None
        self._stored: Future[Stored] | None = None
        self._previous: set[bytes] = set()
        self._overlap = 0
        self._repeated = 0

    def read(self, since: int) -> None:
        """Raises :class:`ServerError` for answers that lead nowhere; what came before them is stored.

        Also :class:`UnwieldyAnswerError` for one that is too large, or does not come in time.
        """
        try:
            self._read(since)
        finally:
            self._room.leave()

    def _read(self, since: int) -> None:
        while True:
            answered_from, page = ask_past_failures(self._pull, since)
            if answered_from != since:
                self._lose(LossKind.UNREADABLE_PAGE, since, answered_from)
                since = answered_from
            until = page.until
            self._store(page, since)
            if not page.has_more:
                break
            if until == since + 1:
                self._read_tie(until)
                since = until
            else:
                since = until - 1
        self._settle()
        self.read_at = until

    def _pull(self, since: int, attempts: int | None) -> Page:
        return self._reading.pull(self._app, self._collection, since, attempts=attempts, room=self._room)

    def _store(self, page: Page, since: int) -> None:
        if not page.raw and not page.has_more:
            if page.until - since > _WORTH_MOVING:
                self._reading.move_cursor(self._app, self._collection, page.until)
            return
        self.brought = True
        keys = [change.key for change in page.raw]
        distinct = set(keys)
        if page.has_more:
            self._check_advance(page, since, distinct)
            self._reading.note_page_end(self._app, page.until, keys[-1])
        self._settle()
        batch = Batch(page.raw, self._after, self._from_start, page.until)
        self._overlap = len(distinct & self._previous)
        self._stored = self._reading.store(self._app, {self._collection: batch})
        self._previous = distinct
        self._after = keys[-1]
        if self._room.is_scarce:
            self._settle()
            self._room.leave()

    def _check_advance(self, page: Page, since: int, keys: set[bytes]) -> None:
        if not keys:
            raise self._error("says that there is more, and gives nothing")
        if page.until <= since:
            raise self._error(f"goes back from {format_timestamp(since)} to {format_timestamp(page.until)}")
        if keys <= self._previous and page.until > since + 1:
            raise self._error("gives the same page again")

    def _settle(self) -> None:
        """Waits for the last page to be stored, and sees to it that pages without anything new come to an end.

        Beyond the overlap with the page before it, a page repeats what was held before this reading, each event once.
        """
        if self._stored is None:
            return
        stored = self._stored.result()
        self._stored = None
        if stored.new == 0:
            self._repeated += stored.held - self._overlap
            if self._repeated > self._reading.mirror.changes(self._app, self._collection):
                raise self._error("gives the same changes over and over")

    def _read_tie(self, instant: int) -> None:
        """Reads the changes of one instant of which there are more than fit a page."""
        reading = self._reading
        try:
            answer = reading.read_app(self._app, instant - 1)
        except FailingPageError:
            self._lose(LossKind.UNREADABLE_TIE, instant - 1, instant)
            return
        tied = [change for change in answer.raw if change.collection == self._collection]
        self._settle()
        reading.store(self._app, {self._collection: Batch(tied, self._after, self._from_start)}).result()
        if tied:
            self._after = tied[-1].key
        if reading.may_be_cut(answer) and not self._covers(answer, instant):
            self._lose(LossKind.UNREADABLE_TIE, instant - 1, instant)

    def _covers(self, answer: Page, instant: int) -> bool:
        """Whether an answer, cut as it may be, holds something that comes after ``instant``."""
        keys = {change.key for change in answer.raw}
        try:
            following = self._reading.pull(self._app, self._collection, instant).raw
            if not following:
                following = self._reading.read_app(self._app, instant).raw
        except FailingPageError:
            return False
        return bool(following) and following[0].key in keys

    def _lose(self, kind: LossKind, since: int, until: int) -> None:
        self._reading.add_loss(kind, self._app, self._collection, since=since, until=until)

    def _error(self, what: str) -> ServerError:
        return ServerError(
            f"the sync server's answer for {one_line(f'{self._app}/{self._collection}')} {what}",
            hint="nothing that was pulled before is lost; the server must be repaired before a pull can go on",
        )
