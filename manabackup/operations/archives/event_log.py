"""A v1 archive in the place of the mirror: its events, by collection, for an export to fold.

The events of all collections lie mixed in one stream. They are brought apart in constant memory: pages wait in an
encrypted anonymous file until their collection is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

from ...archive.v1 import EventArchive
from ...crypto.scratch import Extent, ScratchFile
from ...crypto.spools import SpoolFile
from ...errors import DamagedArchiveError
from ...limits import DEFAULT_LIMITS, MIB, Limits
from ...mirror import HeldCollection, Loss, MirrorPage, RawChange
from ...mirror.changes import pack, unpack
from ...text import jsontext

_PAGE_CHANGES = 1_000
_BUDGET = 24 * MIB
_OVERHEAD = 250
"""Bytes that a change in memory costs besides its text."""


@dataclass(slots=True)
class _Pages:
    """One collection: what is counted, what waits in memory, and where the rest lies (ids, texts)."""

    changes: int = 0
    bytes: int = 0
    waiting: list[RawChange] = field(default_factory=list)
    places: list[tuple[Extent, Extent]] = field(default_factory=list)


class EventLog:
    """The events of an open v1 archive, to be read as a :class:`~manabackup.mirror.Snapshot` is.

    Making one reads the whole archive and checks it; raises :class:`DamagedArchiveError`. Use as a context manager.
    """

    def __init__(
        self, archive: EventArchive, make_file: Callable[[], SpoolFile], *, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._scratch = ScratchFile(make_file)
        self._collections: dict[tuple[str, str], _Pages] = {}
        self._waiting_bytes = 0
        try:
            for event in archive.events():
                key = event.app, event.collection
                pages = self._collections.get(key)
                if pages is None:
                    if len(self._collections) >= limits.entries:
                        raise DamagedArchiveError(f"has more than {limits.entries:,} collections", code="limit")
                    pages = self._collections[key] = _Pages()
                self._add(pages, event.change)
            self._set_aside(*self._collections.values())
        except BaseException:
            self._scratch.close()
            raise

    def collections(self) -> list[HeldCollection]:
        """Every collection that has events, by app and name."""
        return [
            HeldCollection(app, name, pages.changes, pages.bytes, None)
            for (app, name), pages in sorted(self._collections.items())
        ]

    def read(self, app: str, collection: str) -> Iterator[MirrorPage]:
        """The changes of one collection in the server's order; nothing for one that has none."""
        pages = self._collections.get((app, collection))
        for ids, texts in pages.places if pages is not None else ():
            yield unpack(self._scratch.read(ids), self._scratch.read(texts))

    def losses(self) -> list[Loss]:
        """Nothing: what an archive lost, its hash would tell."""
        return []

    def close(self) -> None:
        """Forget everything; the archive stays open."""
        self._scratch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(self, pages: _Pages, change: dict[str, jsontext.JSON]) -> None:
        text = jsontext.dumps(change)
        record = change.get("id")
        # Key and digest serve the comparison with what is held already, which nobody makes here.
        pages.waiting.append(RawChange(b"", record if type(record) is str else None, text, b""))
        pages.changes += 1
        pages.bytes += len(text) + 1
        self._waiting_bytes += len(text) + _OVERHEAD
        if len(pages.waiting) >= _PAGE_CHANGES:
            self._set_aside(pages)
        if self._waiting_bytes >= _BUDGET:
            self._set_aside(*self._collections.values())

    def _set_aside(self, *collections: _Pages) -> None:
        for pages in collections:
            if not pages.waiting:
                continue
            ids, texts, _ = pack(pages.waiting)
            pages.places.append((self._scratch.append(ids), self._scratch.append(texts)))
            self._waiting_bytes -= sum(len(change.text) + _OVERHEAD for change in pages.waiting)
            pages.waiting.clear()
