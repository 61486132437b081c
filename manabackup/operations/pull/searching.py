"""When the server is searched for collections that nobody told of, and what becomes of it.

Each question of a search costs the server a look at the changes of all its users (:mod:`.apps`), and brings the
account's changes once more. So the apps are searched when everything that is known has been read, at the first pull of
a mirror, then once a week, and whenever everything is read again; one question at a time, and no longer than
``Limits.search_seconds``. An app that is given up on has its turn first the next time.

An app's cursor in the mirror says how far it was searched: everything up to there is held, in whatever collection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from ...errors import ServerError
from ...mirror import Loss, LossKind
from ...text.timestamps import EPOCH, SECOND, format_timestamp, parse_timestamp
from .apps import AppSearch
from .reading import PullAccess

SEARCH_DAYS = 7
"""Between two searches."""

ReadFound = Callable[[Sequence[tuple[str, str]]], None]
"""Reads collections, (app, collection), from their beginning to their end."""


def unsearched_apps(losses: Iterable[Loss]) -> tuple[str, ...]:
    """The apps of which something was not searched, by name."""
    return tuple(sorted({loss.app for loss in losses if loss.kind is LossKind.UNSEARCHED}))


class Searching:
    """The search at the end of a run, in those of ``apps`` that it is time for."""

    def __init__(self, reading: PullAccess, overlap: int, apps: Sequence[str], *, full: bool) -> None:
        self._reading = reading
        self._apps = apps
        self._due = False
        self._chosen: Sequence[str] = ()
        self._mirror = reading.mirror
        self._overlap = overlap
        self._full = full

    def choose(self) -> int:
        """Chooses the apps that it is time for, by the server's clock; gives their number, which is that of steps."""
        self._due = self._is_due()
        self._chosen = self._apps if self._due else sorted(set(self._apps).difference(self._mirror.discovered_apps))
        return len(self._chosen)

    def run(self, read_found: ReadFound) -> None:
        """Searches the apps that were chosen, and has read what is found."""
        deadline = time.monotonic() + self._reading.limits.search_seconds
        searches: list[AppSearch] = []
        found: list[tuple[str, str]] = []
        to_read = 0
        for app in sorted(self._chosen, key=lambda app: self._mirror.app_cursor(app) or EPOCH):
            search = self._search(app, deadline)
            searches.append(search)
            unknown = self._unknown(search)
            found += [(app, name) for name in unknown]
            if unknown:
                to_read += 1  # an app is done when what was found of it is read
            else:
                self._reading.step()
        read_found(found)
        for _ in range(to_read):
            self._reading.step()
        for search in searches:
            self._record(search)
        if self._due:
            self._mirror.note_search(format_timestamp(self._reading.latest))

    def _is_due(self) -> bool:
        last = self._mirror.searched_at
        if self._full or last is None:
            return True
        # A time ahead of the clock comes from a clock that was wrong.
        return not 0 <= self._reading.latest - parse_timestamp(last) < SEARCH_DAYS * 86_400 * SECOND

    def _search(self, app: str, deadline: float) -> AppSearch:
        cursor = None if self._full else self._mirror.app_cursor(app)
        search = AppSearch(
            self._reading, app, EPOCH if cursor is None else max(EPOCH, cursor - self._overlap), deadline
        )
        try:
            search.run()
        except ServerError:
            self._reading.go_on()  # stopped, and not given up on
            search.give_up()
        return search

    def _unknown(self, search: AppSearch) -> list[str]:
        return sorted(search.found.difference(self._mirror.collections(search.app)))

    def _record(self, search: AppSearch) -> None:
        """Once everything that was found is held."""
        self._mirror.searched(search.app, search.since)
        for gap in search.gaps:
            self._reading.add_loss(gap.kind, search.app, None, since=gap.since, until=gap.until)
        if not self._reading.has_given_up(search.app):  # there is something before that instant which is not held
            self._mirror.move_cursors({search.app: self._reading.sound(search.reached)})
