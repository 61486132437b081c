"""Reading an app as a whole, in whatever collections.

A push of no changes answers with the first 5,000 changes since an instant, and neither says whether there are more nor
when they were stored. To read on, an instant is needed whose next change is among those that came: from there nothing
lies between the two answers. Such instants are known from pages of collections, can be guessed from the times that the
changes themselves tell, or are found by bisection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from statistics import median_low

from ... import jsontext
from ...errors import ServerError
from ...mirror import LossKind, Stored, event_key
from ...printable import one_line
from ...remote.sync import FailingPageError, Page
from ...timestamps import EPOCH, FAR_FUTURE, parse_timestamp
from .failing import ask_past_failures
from .reading import Part, Reached, Reading

_TELLING = 200
"""So many of the last changes of an answer are asked for their own times."""
_ATTEMPTS = 2


class AppReader:
    """Reads one app from where ``reached`` stands and stores it; ``reached`` moves along."""

    def __init__(self, reading: Reading, app: str, reached: Reached) -> None:
        self._reading = reading
        self._app = app
        self._reached = reached
        self._stored: Future[Stored] | None = None

    def read_quickly(self) -> bool:
        """Reads on as long as it costs no more than the changes themselves; whether that was to the end."""
        try:
            page = self._ask(self._reached.since, _ATTEMPTS)
            keys = self._store(self._reached.since, page)
            while self._reading.may_be_cut(page):
                found = self._read_on(keys, self._told(page))
                if found is None:
                    return False
                page, keys = found
        except FailingPageError:
            return False  # the collections are read one by one, which tells whose fault it is
        finally:
            self._settle()
        return True

    def read_thoroughly(self) -> None:
        """Reads to the end, whatever it takes, and notes what cannot be read."""
        page, keys = self._read_from(self._reached.since)
        while self._reading.may_be_cut(page):
            known = [*self._known(keys), *self._told(page)]
            page, keys = self._read_on(keys, known) or self._bisect(page, keys)
        self._settle()

    def _ask(self, since: int, attempts: int | None = None) -> Page:
        return self._reading.read_app(self._app, since, attempts=attempts)

    def _read_from(self, since: int) -> tuple[Page, set[bytes]]:
        ends = self._reading.losses_end(self._app)
        likely = [instant for end in ends for instant in (end - 1, end)]
        answered_from, page = ask_past_failures(self._ask, since, likely)
        if answered_from != since:
            self._lose(LossKind.UNREADABLE_PAGE, since, answered_from)
        return page, self._store(answered_from, page)

    def _store(self, since: int, page: Page) -> set[bytes]:
        """Stores an answer that nothing is missing before; the keys of its events."""
        reached = self._reached
        keys = [event_key(change) for change in page.changes]
        groups: dict[str, tuple[list[jsontext.JSON], list[bytes]]] = {}
        for change, key in zip(page.changes, keys, strict=True):
            changes, their_keys = groups.setdefault(_collection(change), ([], []))
            changes.append(change)
            their_keys.append(key)
        parts = {name: Part(*group, reached.after.get(name), reached.from_start) for name, group in groups.items()}
        self._settle()
        cursor = since if self._reading.may_be_cut(page) else page.until
        self._stored = self._reading.store(self._app, parts, cursor=cursor)
        reached.since = max(reached.since, since)
        reached.after.update((name, group[1][-1]) for name, group in groups.items())
        return set(keys)

    def _settle(self) -> None:
        stored, self._stored = self._stored, None
        if stored is not None:
            stored.result()

    def _read_on(self, keys: set[bytes], instants: Iterable[int]) -> tuple[Page, set[bytes]] | None:
        """The next answer, from the first of ``instants`` that leaves no gap and brings much that is new."""
        for instant in instants:
            if not self._reached.since < instant < FAR_FUTURE:
                continue
            following = self._ask(instant)
            if self._adjoins(following, keys) and self._is_worth(following, keys):
                return following, self._store(instant, following)
        return None

    def _bisect(self, page: Page, keys: set[bytes]) -> tuple[Page, set[bytes]]:
        """The next answer, from the latest instant that leaves no gap, or one that brings much that is new."""
        low, high = self._reached.since, FAR_FUTURE
        last: Page | None = None
        while high - low > 1:
            middle = (low + high) // 2
            following = self._ask(middle)
            if not self._adjoins(following, keys):
                high = middle
                continue
            low, last = middle, following
            if self._is_worth(following, keys):
                break
        if last is not None and any(event_key(change) not in keys for change in last.changes):
            return last, self._store(low, last)
        if high == FAR_FUTURE:
            raise ServerError(f"the sync server gives the same changes of {one_line(self._app)} over and over")
        # Everything that came is of one instant, and there may be more of it than any answer holds.
        tied = {_collection(change) for change in page.changes}
        self._lose(LossKind.UNREADABLE_TIE, high - 1, high, tied.pop() if len(tied) == 1 else None)
        return self._read_from(high)

    def _adjoins(self, following: Page, keys: set[bytes]) -> bool:
        """Whether nothing lies between the changes with ``keys`` and a later answer."""
        return bool(following.changes) and event_key(following.changes[0]) in keys

    def _is_worth(self, following: Page, keys: set[bytes]) -> bool:
        """Whether an answer ends the reading, or at least half of it is new."""
        if not self._reading.may_be_cut(following):
            return True
        return event_key(following.changes[len(following.changes) // 2]) not in keys

    def _known(self, keys: set[bytes]) -> Iterator[int]:
        """The latest instant just before a change that came, from the pages of collections."""
        ends = self._reading.page_ends(self._app)
        yield max((instant - 1 for instant, last in ends if last in keys), default=EPOCH)

    def _told(self, page: Page) -> Iterator[int]:
        """An instant near the answer's end as its changes tell it: people's clocks, ahead or behind."""
        times = [time for change in page.changes[-_TELLING:] if (time := _own_time(change)) is not None]
        if times:
            yield median_low(times)

    def _lose(self, kind: LossKind, since: int, until: int, collection: str | None = None) -> None:
        self._reading.add_loss(kind, self._app, collection, since=since, until=until)


def _collection(change: jsontext.JSON) -> str:
    """The collection that a change names; empty for one that names none."""
    name = change.get("table") if isinstance(change, dict) else None
    return name if isinstance(name, str) else ""


def _own_time(change: jsontext.JSON) -> int | None:
    """The latest time that a change tells of itself."""
    if not isinstance(change, dict):
        return None
    told = [change.get("deletedAt")]
    fields, data = change.get("fields"), change.get("data")
    if isinstance(fields, dict):
        told += [member.get("at") for member in fields.values() if isinstance(member, dict)]
    if isinstance(data, dict):
        told += [data.get("updatedAt"), data.get("createdAt")]
    times = []
    for text in told:
        if isinstance(text, str):
            try:
                times.append(parse_timestamp(text))
            except ValueError:
                continue  # whatever else it is, it tells no time
    return max(times, default=None)
