"""Reading an app as a whole, in whatever collections.

A push of no changes answers with the first 5,000 changes since an instant, and neither says whether there are more nor
when they were stored. To read on, an instant is needed whose next change is among those that came: from there nothing
lies between the two answers. Such instants are known from pages of collections, can be guessed from the times that the
changes themselves tell, or are found by bisection.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future
from dataclasses import dataclass
from statistics import median_low

from ... import jsontext
from ...errors import ServerError
from ...mirror import Batch, LossKind, RawChange, Stored
from ...printable import one_line
from ...remote.sync import FailingPageError, Page
from ...remote.transport import UnwieldyAnswerError
from ...timestamps import EPOCH, FAR_FUTURE, parse_timestamp
from .failing import ask_past_failures
from .reading import Reached, Reading

_TELLING = 200
"""So many of the last changes of an answer are asked for their own times."""
_ATTEMPTS = 2


class AppReader:
    """Reads one app from where ``reached`` stands and stores it; ``reached`` moves along.

    ``answer_bytes`` is the size of the largest answer that is wanted.
    """

    def __init__(self, reading: Reading, app: str, reached: Reached, *, answer_bytes: int | None = None) -> None:
        self._reading = reading
        self._app = app
        self._reached = reached
        self._stored: Future[Stored] | None = None
        self._room = reading.room(answer_bytes or reading.limits.answer_bytes)
        self._thoroughly = False
        """The known collections have been read: what they hold need not be made ready to be stored once more."""

    @property
    def heaviest(self) -> int:
        """As :attr:`Room.heaviest`."""
        return self._room.heaviest

    def read_quickly(self) -> bool:
        """Reads on as long as it costs no more than the changes themselves; whether that was to the end.

        Raises :class:`UnwieldyAnswerError` where an answer is too large, or does not come in time.
        """
        since = self._reached.since
        try:
            seen = self._store(since, self._ask(since, _ATTEMPTS))
            while seen.cut:
                found = self._read_on(seen, seen.told)
                if found is None:
                    return False
                seen = found
        except FailingPageError:
            return False  # the collections are read one by one, which tells whose fault it is
        finally:
            self._settle()
        return True

    def read_once_more(self) -> bool:
        """Reads a stretch that was read before; whether one answer holds all of it. The app's cursor does not move.

        Raises :class:`UnwieldyAnswerError` as :meth:`read_quickly` does.
        """
        try:
            page = self._ask(self._reached.since, _ATTEMPTS)
            if self._reading.may_be_cut(page):
                return False
            if page.raw:
                self._stored = self._reading.store(self._app, self._batches(_by_collection(page.raw)))
        except FailingPageError:
            return False
        finally:
            self._settle()
        return True

    def read_thoroughly(self) -> None:
        """Reads to the end, whatever it takes, and notes what cannot be read.

        The collections that are known have been read by themselves: what is missing where an answer is too large to be
        had are others.
        """
        self._thoroughly = True
        begun = self._reached.since
        try:
            seen = self._read_from(begun)
            while seen.cut:
                seen = self._read_on(seen, [*self._known(seen.keys), *seen.told]) or self._bisect(seen)
            self._reading.mirror.searched(self._app, begun)
        except UnwieldyAnswerError:
            self._lose(LossKind.UNSEARCHED, self._reached.since, FAR_FUTURE)
        finally:
            self._settle()

    def _ask(self, since: int, attempts: int | None = None) -> Page:
        return self._reading.read_app(self._app, since, attempts=attempts, room=self._room)

    def _read_from(self, since: int) -> _Seen:
        ends = self._reading.losses_end(self._app)
        likely = [instant for end in ends for instant in (end - 1, end)]
        answered_from, page = ask_past_failures(self._ask, since, likely)
        if answered_from != since:
            self._lose(LossKind.UNREADABLE_PAGE, since, answered_from)
        return self._store(answered_from, page)

    def _store(self, since: int, page: Page) -> _Seen:
        """Stores an answer that nothing is missing before."""
        cut = self._reading.may_be_cut(page)
        if cut and not page.raw:
            raise ServerError(
                f"the sync server's answer for {one_line(self._app)} says that there is more, and gives nothing"
            )
        groups = _by_collection(page.raw)
        batches = self._batches(groups)
        self._wait()
        if batches or cut:
            self._stored = self._reading.store(self._app, batches, cursor=since if cut else page.until)
        else:
            self._reading.move_cursor(self._app, page.until)
        if self._room.is_scarce:
            self._settle()
        reached = self._reached
        reached.since = max(reached.since, since)
        reached.after.update((name, changes[-1].key) for name, changes in groups.items())
        return _Seen.cut_short(page, groups) if cut else _Seen.whole()

    def _batches(self, groups: Mapping[str, Sequence[RawChange]]) -> dict[str, Batch]:
        reached = self._reached
        return {
            name: Batch(changes, reached.after.get(name), reached.from_start)
            for name, changes in groups.items()
            if not (self._thoroughly and self._reading.mirror.holds(self._app, name, [one.key for one in changes]))
        }

    def _settle(self) -> None:
        """Waits until the last answer is stored, and gives its room to others."""
        try:
            self._wait()
        finally:
            self._room.leave()

    def _wait(self) -> None:
        stored, self._stored = self._stored, None
        if stored is not None:
            stored.result()

    def _read_on(self, seen: _Seen, instants: Iterable[int]) -> _Seen | None:
        """The next answer, from the first of ``instants`` that leaves no gap and brings much that is new."""
        for instant in instants:
            if not self._reached.since < instant < FAR_FUTURE:
                continue
            following = self._ask(instant)
            if seen.adjoins(following) and self._is_worth(following, seen):
                return self._store(instant, following)
            self._room.leave()
        return None

    def _bisect(self, seen: _Seen) -> _Seen:
        """The next answer, from the latest instant that leaves no gap, or one that brings much that is new."""
        low, high = self._reached.since, FAR_FUTURE
        last: Page | None = None
        while high - low > 1:
            middle = (low + high) // 2
            following = self._ask(middle)
            if not seen.adjoins(following):
                high = middle
                continue
            low, last = middle, following
            if self._is_worth(following, seen):
                break
        if last is not None and (self._is_worth(last, seen) or any(change.key not in seen.keys for change in last.raw)):
            return self._store(low, last)
        if high == FAR_FUTURE:
            raise ServerError(f"the sync server gives the same changes of {one_line(self._app)} over and over")
        # Everything that came is of one instant, and there may be more of it than any answer holds.
        only = next(iter(seen.collections)) if len(seen.collections) == 1 else None
        self._lose(LossKind.UNREADABLE_TIE, high - 1, high, only)
        return self._read_from(high)

    def _is_worth(self, following: Page, seen: _Seen) -> bool:
        """Whether an answer ends the reading, or at least half of it is new."""
        if not self._reading.may_be_cut(following):
            return True
        return following.raw[len(following.raw) // 2].key not in seen.keys

    def _known(self, keys: Set[bytes]) -> Iterator[int]:
        """The latest instant just before a change that came, from the pages of collections."""
        ends = self._reading.page_ends(self._app)
        yield max((instant - 1 for instant, last in ends if last in keys), default=EPOCH)

    def _lose(self, kind: LossKind, since: int, until: int, collection: str | None = None) -> None:
        self._reading.add_loss(kind, self._app, collection, since=since, until=until)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is kept of an answer whose changes are on their way into the mirror."""

    keys: Set[bytes]
    cut: bool
    """There may be more."""
    told: Sequence[int]
    """An instant near the answer's end as its changes tell it: people's clocks, ahead or behind."""
    collections: Set[str]

    @classmethod
    def whole(cls) -> _Seen:
        """Of an answer that nothing follows."""
        return cls(frozenset(), False, (), frozenset())

    @classmethod
    def cut_short(cls, page: Page, collections: Iterable[str]) -> _Seen:
        """Of an answer that more may follow."""
        return cls(frozenset(change.key for change in page.raw), True, _told(page), frozenset(collections))

    def adjoins(self, following: Page) -> bool:
        """Whether nothing lies between this answer and a later one."""
        return bool(following.raw) and following.raw[0].key in self.keys


def _told(page: Page) -> Sequence[int]:
    last = (jsontext.parse_canonical(change.text) for change in page.raw[-_TELLING:])
    times = [time for change in last if (time := _own_time(change)) is not None]
    return [median_low(times)] if times else []


def _by_collection(changes: Iterable[RawChange]) -> Mapping[str, list[RawChange]]:
    groups: defaultdict[str, list[RawChange]] = defaultdict(list)
    for change in changes:
        groups[change.collection].append(change)
    return groups


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
