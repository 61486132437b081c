"""One user's changes in the place of a mirror: in memory while they are few, else in an encrypted anonymous file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

from ...crypto.scratch import Extent, ScratchFile
from ...crypto.spools import SpoolFile
from ...errors import SourceError
from ...limits import MIB
from ...mirror import HeldCollection, Loss, LossKind, MirrorPage
from ...mirror.changes import pack, unpack
from ...model.detached import DetachedChange
from ...model.rawchange import RawChange, UnreadableChange, event_name
from ...sources.mana_change import ChangeRow, change_of, name_of

_IN_MEMORY = 4 * MIB
_PAGE_CHANGES = 1_000
_PAGE_BYTES = 512 << 10

_Stored = tuple[Extent, Extent]


@dataclass(slots=True)
class _Collection:
    """One collection: what is counted, and its pages."""

    changes: int = 0
    bytes: int = 0
    pages: list[MirrorPage | _Stored] = field(default_factory=list)


class UserChanges:
    """What an export reads. ``rows`` are the user's, by collection and in their order; all are read at once.

    Raises :class:`SourceError` for a row that makes no sense as one.
    """

    def __init__(self, rows: Iterable[ChangeRow], owner: str, make_file: Callable[[], SpoolFile]) -> None:
        self._scratch = ScratchFile(make_file)
        self._collections: dict[tuple[str, str], _Collection] = {}
        self._losses: list[Loss] = []
        self._held = 0
        page: list[RawChange] = []
        place, size = ("", ""), 0
        try:
            for row in rows:
                here = name_of(row.app), name_of(row.collection)
                if page and (here != place or len(page) >= _PAGE_CHANGES or size >= _PAGE_BYTES):
                    self._add(place, page, size)
                    page, size = [], 0
                place = here
                change = change_of(row, owner)
                if isinstance(change, UnreadableChange):
                    self._lose(place, change)
                    continue
                page.append(change)
                size += len(change.text) + 1
            if page:
                self._add(place, page, size)
        except ValueError:
            raise SourceError("a row of sync_changes is none: its id or its time cannot be read") from None

    def collections(self) -> list[HeldCollection]:
        """Every collection that has changes, by app and name."""
        return [
            HeldCollection(app, name, held.changes, held.bytes, None)
            for (app, name), held in sorted(self._collections.items())
        ]

    def read(self, app: str, collection: str) -> Iterator[MirrorPage]:
        """The changes of one collection in the server's order."""
        held = self._collections.get((app, collection))
        for page in held.pages if held is not None else ():
            if isinstance(page, MirrorPage):
                yield page
            else:
                yield unpack(*map(self._scratch.read, page))

    def losses(self) -> list[Loss]:
        """Changes beyond the limits of any reader."""
        return self._losses

    def close(self) -> None:
        """Forget everything."""
        self._scratch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(self, place: tuple[str, str], page: list[RawChange], size: int) -> None:
        held = self._collections.setdefault(place, _Collection())
        held.changes += len(page)
        held.bytes += size
        self._held += size
        if self._held <= _IN_MEMORY:
            stored = [DetachedChange.of(change.text).stored for change in page]
            held.pages.append(MirrorPage([change.id for change in page], stored))
            return
        ids, texts, _ = pack(page)
        held.pages.append((self._scratch.append(ids), self._scratch.append(texts)))

    def _lose(self, place: tuple[str, str], change: UnreadableChange) -> None:
        app, collection = place
        self._collections.setdefault(place, _Collection())
        self._losses.append(
            Loss(
                LossKind.UNREADABLE_CHANGE,
                app,
                collection,
                1,
                events=(event_name(change.key),),
                records=(change.id,),
            )
        )
