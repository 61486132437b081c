"""The changes of a table, brought together by record."""

from __future__ import annotations

from collections.abc import Callable

from ...crypto.spools import SpoolFile
from ...host.sorting import LineSorter
from ...limits import MIB
from ...model.detached import DetachedChange
from ...model.projection import accept
from ...text import jsontext
from ..account.source import Changes
from .terms import Stream

_SORT_BYTES = 14 * MIB
"""Changes of a table that are brought together in memory; there may be two tables at a time."""


class Gathering:
    """The changes of one table on their way to being together by record."""

    def __init__(self, mirror: Changes, stream: Stream, make_file: Callable[[], SpoolFile]) -> None:
        self.sorter = LineSorter(make_file, budget=_SORT_BYTES)
        self.nameless: list[str] = []
        """What is wrong with each change that has no record id."""
        self.changes = 0
        self._pages = (page for collection in stream.collections for page in mirror.read(stream.app, collection))

    def step(self) -> int | None:
        """Reads a page; gives the number of changes in it, ``None`` behind the last one."""
        page = next(self._pages, None)
        if page is None:
            return None
        named = [(record, change) for record, change in zip(page.ids, page.changes, strict=True) if record is not None]
        self.sorter.add(named)
        if len(named) < len(page.changes):
            self.nameless += [
                accept(jsontext.parse_canonical(DetachedChange.read(change).whole())) or "id is missing"
                for record, change in zip(page.ids, page.changes, strict=True)
                if record is None
            ]
        self.changes += len(page.changes)
        return len(page.changes)
