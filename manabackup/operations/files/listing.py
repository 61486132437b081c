"""What the media service's list tells of an account's files: many at once, where asking about each costs a request.

The list holds an account's files as far as the service noted whose they are, which it does for some apps only, and
those that are ready. So what it does not tell means nothing, and what it tells was true when it was asked: it is held
against what comes, and where that differs the service is asked about the one file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from ...crypto.spools import SpoolFile
from ...errors import JSONTextError, ServerError
from ...host.sorting import LineSorter
from ...limits import DEFAULT_LIMITS, MIB, Limits
from ...remote.media import MediaClient
from .records import FileRecord

LIST_AFTER = 20
"""Files that are asked about one by one first: for a few new ones nobody reads the list of all."""
_PAGE = 500
"""Files in a page. Each takes the service some 600 bytes."""
_SORTED_IN_MEMORY = 4 * MIB

_log = logging.getLogger(__name__)


class Listing:
    """The list of a user, asked for when it is worth it, and given in the order of ids. For one thread.

    ``after``: files that are looked for in vain before it is asked for.
    """

    def __init__(
        self,
        media: MediaClient,
        user_id: str,
        make_file: Callable[[], SpoolFile],
        *,
        after: int = LIST_AFTER,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._media = media
        self._user_id = user_id
        self._make_file = make_file
        self._after = after
        self._limits = limits
        self._ids: Iterator[tuple[str, list[bytes]]] | None = None
        self._next: tuple[str, list[bytes]] | None = None

    def find(self, identifier: str) -> FileRecord | None:
        """What the list tells of a file; None where it tells nothing. Ids have to ascend from call to call."""
        if self._after > 0:
            self._after -= 1
            return None
        if self._ids is None:
            self._ids = self._sorted().groups()
            self._next = next(self._ids, None)
        while self._next is not None and self._next[0] < identifier:
            self._next = next(self._ids, None)
        if self._next is None or self._next[0] != identifier:
            return None
        try:
            return FileRecord.parse(self._next[1][-1])  # the latest: pages move while they are read
        except JSONTextError:
            return None

    def _sorted(self) -> LineSorter:
        """All of the list that can be had."""
        sorter = LineSorter(self._make_file, budget=_SORTED_IN_MEMORY)
        offset = 0
        for _ in range(self._limits.blobs // _PAGE):
            try:
                page = self._media.listed(self._user_id, offset, _PAGE)
            except ServerError as error:
                _log.info("the list of files is left at %d, others are asked about by themselves: %s", offset, error)
                break
            sorter.add((medium.id, FileRecord.of(medium).text()) for medium in page.media)
            offset += page.items
            if page.is_last:
                break
        return sorter
