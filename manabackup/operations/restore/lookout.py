"""Looks once more at the rows that are about to be written: what others did to them since the plan.

The questions bear the client id that pushes: the server leaves out what the same client has pushed, so that an answer
holds what others did and nothing else, however much was sent by then. They go to single collections, which the server
finds by an index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ...errors import ServerError
from ...model.rawchange import RawChange, event_name
from ...model.registry import Registry, Table
from ...remote.sync import FailingPageError, SyncClient
from ...text.printable import one_line
from ...text.timestamps import SECOND, format_timestamp
from .archive_rows import ONE_PER_SPACE
from .outbox import Item, Outbox

OVERLAP = 120 * SECOND
"""A change is stamped when its transaction begins and seen when it ends; so long a transaction may take."""
_NEXT_OVERLAP = 10 * SECOND
"""The same between two looks of one run. One that takes longer is found by the verification."""
_AT_ONCE = 8

_Answer = tuple[list[RawChange], int]


class Lookout:
    """Notices what came for rows of an outbox after the plan, whose reading began at ``since`` (microseconds).

    ``client`` has the client id that pushes.
    """

    def __init__(self, outbox: Outbox, client: SyncClient, registry: Registry, since: int) -> None:
        self._outbox = outbox
        self._client = client
        self._registry = registry
        self._begin = since - OVERLAP
        self._since: dict[tuple[str, str], int] = {}
        self._seen: set[bytes] = set()

    def look(self, items: Sequence[Item]) -> set[int]:
        """The ids of items that others have touched since they were planned, now marked as such in the outbox.

        All that are still to be sent of the same tables are looked at, as it costs no more.

        Raises :class:`ServerError`, :class:`SignInError`, :class:`SubscriptionError`.
        """
        tables = [self._registry.by_name[name] for name in dict.fromkeys(item.table for item in items)]
        places = [(table, collection) for table in tables for collection in table.collections]
        stale: set[int] = set()
        for (table, collection), answer in zip(places, self._ask(places), strict=True):
            found = self._outbox.unsent(table.name) if answer is None else self._touched(table, answer[0])
            self._outbox.overtake(found)
            stale.update(item.id for item in found)
            if answer is not None:
                self._seen.update(change.key for change in answer[0])
                self._since[table.app, collection] = answer[1] - _NEXT_OVERLAP
        return stale

    def _ask(self, places: Sequence[tuple[Table, str]]) -> list[_Answer | None]:
        if len(places) == 1:
            return [self._read(*places[0])]
        with ThreadPoolExecutor(min(_AT_ONCE, len(places)), "look") as pool:
            return list(pool.map(lambda place: self._read(*place), places))

    def _read(self, table: Table, collection: str) -> _Answer | None:
        """What came, and the server's clock; None where the server cannot tell."""
        since = self._since.get((table.app, collection), self._begin)
        changes: list[RawChange] = []
        until = since
        try:
            for page, end in pages_since(self._client, table.app, collection, since):
                until = end
                changes += [change for change in page if change.key not in self._seen]
        except FailingPageError:
            return None
        return changes, until

    def _touched(self, table: Table, changes: Sequence[RawChange]) -> list[Item]:
        events: dict[str, set[str]] = {}
        for change in changes:
            if change.id is not None:
                events.setdefault(change.id, set()).add(event_name(change.key))
        if not events:
            return []
        if table.name == ONE_PER_SPACE:  # which row is written depends on the others
            unsent = self._outbox.unsent(table.name)
            known = {event for item in unsent for event in item.earlier}
            return unsent if any(not found <= known for found in events.values()) else []
        return [
            item for item in self._outbox.unsent(table.name, list(events)) if not events[item.record] <= {*item.earlier}
        ]


def pages_since(client: SyncClient, app: str, collection: str, since: int) -> Iterator[tuple[list[RawChange], int]]:
    """The changes of a collection that were stored after an instant, and the end of each page (microseconds).

    Raises what :meth:`SyncClient.pull` raises, :class:`ServerError` also for answers that lead nowhere, and
    :class:`FailingPageError` for more changes of one instant than fit a page.
    """
    seen: set[bytes] = set()
    ask = partial(client.pull, app, collection)
    while True:
        page = ask(format_timestamp(since))
        until = page.until
        fresh = [change for change in page.raw if change.key not in seen]
        seen.update(change.key for change in fresh)
        yield fresh, until
        if not page.has_more:
            return
        if until <= since:
            raise ServerError(f"the sync server gives the same changes of {one_line(app)} over and over")
        if until - 1 == since:
            raise FailingPageError(f"more changes of {one_line(app)} are of one instant than fit a page")
        since = until - 1
