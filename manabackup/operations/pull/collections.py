"""Reading one collection page by page, past ties and late commits, to its end."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from ...errors import ServerError
from ...mirror import Batch, LossKind, Stored, UnreadableChange
from ...model.rawchange import RawChange
from ...remote.answers import UnusableAnswerError
from ...remote.sync import FailingPageError, Page, Part
from ...text.printable import one_line
from ...text.timestamps import FAR_FUTURE, format_timestamp
from .failing import ask_past_failures
from .reading import PullAccess


class CollectionReader:
    """Reads one collection from an instant to its end and stores it.

    Each page after the first is asked for from a microsecond before the end of the last one, so that changes of the
    same instant on both sides of the boundary are seen. ``from_start`` is that of :class:`~manabackup.mirror.Batch`.
    """

    def __init__(self, reading: PullAccess, app: str, collection: str, *, from_start: bool = False) -> None:
        self._reading = reading
        self._app = app
        self._collection = collection
        self._from_start = from_start
        self.brought = False
        """Whether anything came, held before or not."""
        self.read_at = 0
        """The server's clock at the end; microseconds since 1970. 0 where it was not reached."""
        self._after: bytes | None = None
        self._after_page: bytes | None = None
        self._stored: Future[Stored] | None = None
        self._new_in_parts = self._held_in_parts = 0
        self._previous: set[bytes] = set()
        self._overlap = 0
        self._repeated = 0

    def read(self, since: int) -> None:
        """What cannot be read, while the server answers other questions, is noted as a loss: the collection is given up
        for this run, and the next one begins there again.

        Raises :class:`ServerError` for answers that lead nowhere. What came before them is stored.
        """
        if self._reading.has_given_up(self._app, self._collection):
            return
        begun = since
        while True:
            try:
                answered_from, page = ask_past_failures(self._pull, since)
            except UnusableAnswerError:
                self._settle()
                # If not even that is answered, it is not this page's fault.
                self._reading.pull(self._app, self._collection, FAR_FUTURE, take=_discard)
                self._reading.give_up(self._app, self._collection, since)
                return
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
        self._reading.mirror.read_through(self._app, self._collection, begun)

    def _pull(self, since: int, tentative: bool = False) -> Page:
        take = _discard if tentative else self._take
        return self._reading.pull(self._app, self._collection, since, take=take, tentative=tentative)

    def _take(self, part: Part) -> None:
        """Stores a part of a page. It is all that there is in memory of it, so the next one has to wait."""
        self._settle()
        if not part.first:  # perhaps not for the first time
            self._after = self._after_page
        stored = self._hand_over(part.raw, part.unreadable, None).result()
        self._new_in_parts += stored.new
        self._held_in_parts += stored.held

    def _hand_over(
        self, changes: Sequence[RawChange], unreadable: Sequence[UnreadableChange], cursor: int | None
    ) -> Future[Stored]:
        batch = Batch(changes, self._after, self._from_start, cursor, unreadable)
        if changes:
            self._after = changes[-1].key
        return self._reading.store(self._app, {self._collection: batch})

    def _store(self, page: Page, since: int) -> None:
        keys = page.keys
        if not keys and not page.has_more:
            self._reading.move_cursor(self._app, self._collection, page.until)
            return
        self.brought = True
        distinct = set(keys)
        if page.has_more:
            self._check_advance(page, since, distinct)
            self._reading.note_page_end(self._app, page.until, keys[-1])
        self._settle()
        self._overlap = len(distinct & self._previous)
        self._stored = self._hand_over(page.raw, page.unreadable, page.until)
        self._previous = distinct
        self._after_page = self._after

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
        new, held = stored.new + self._new_in_parts, stored.held + self._held_in_parts
        self._stored = None
        self._new_in_parts = self._held_in_parts = 0
        if not new:
            self._repeated += held - self._overlap
            if self._repeated > self._reading.mirror.changes(self._app, self._collection):
                raise self._error("gives the same changes over and over")

    def _read_tie(self, instant: int) -> None:
        """Reads the changes of one instant of which there are more than fit a page."""
        reading = self._reading
        self._settle()
        try:
            answer = reading.read_app(self._app, instant - 1, take=self._take_tied)
        except (FailingPageError, UnusableAnswerError):
            self._lose(LossKind.UNREADABLE_TIE, instant - 1, instant)
            return
        self._take_tied(Part(len(answer.handed_over), answer.raw, answer.unreadable))
        self._after_page = self._after
        if reading.may_be_cut(answer) and not self._covers(answer, instant):
            self._lose(LossKind.UNREADABLE_TIE, instant - 1, instant)

    def _take_tied(self, part: Part) -> None:
        """Stores what is of this collection in a part of an answer for the whole app."""
        if not part.first:
            self._after = self._after_page
        tied = [change for change in part.raw if change.collection == self._collection]
        unreadable = [change for change in part.unreadable if change.collection == self._collection]
        self._hand_over(tied, unreadable, None).result()

    def _covers(self, answer: Page, instant: int) -> bool:
        """Whether an answer, cut as it may be, holds something that comes after ``instant``."""
        try:
            following = self._reading.pull(self._app, self._collection, instant, take=_discard).keys
            if not following:
                following = self._reading.read_app(self._app, instant, take=_discard).keys
        except (FailingPageError, UnusableAnswerError):
            return False
        return bool(following) and following[0] in set(answer.keys)

    def _lose(self, kind: LossKind, since: int, until: int) -> None:
        self._reading.add_loss(kind, self._app, self._collection, since=since, until=until)

    def _error(self, what: str) -> ServerError:
        return ServerError(
            f"the sync server's answer for {one_line(f'{self._app}/{self._collection}')} {what}",
            hint="nothing that was pulled before is lost; the server must be repaired before a pull can go on",
        )


def _discard(_: Part) -> None:
    """For answers of which only the keys are of interest."""
