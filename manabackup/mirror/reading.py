"""Reading the mirror: one state of it, whatever a pull does meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..crypto import checksums
from ..crypto.checksums import ChecksumError
from . import losses
from .changes import MirrorPage
from .ledger import Holding, Ledger
from .losses import Loss, decoded, encoded
from .pages import PAGE, PageRow, checked_page
from .schema import open_reader, storage_errors


@dataclass(frozen=True, slots=True)
class HeldCollection:
    """What the mirror holds of one collection."""

    app: str
    name: str
    """Empty for changes that name no collection."""
    changes: int
    bytes: int
    """Size of the changes' texts, uncompressed."""
    cursor: int | None
    """Everything up to here is held, as far as the server told; microseconds since 1970, None before the first pull."""


class Snapshot:
    """One state of the mirror, until it is closed. For one thread at a time; there may be several.

    Reading raises :class:`MirrorError` when the file turns out to be damaged; that pages are missing, or are there that
    do not belong there, only behind the last one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = open_reader(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the state; reading ends."""
        self._connection.close()

    def collections(self) -> list[HeldCollection]:
        """Every collection that a pull has seen, empty ones included, by app and name."""
        with storage_errors(self._path):
            ledger = Ledger(self._connection)
            apps: dict[bytes, int] = dict(ledger.rows("app"))
            rows = [Holding(*row) for row in ledger.rows("collection", "1 ORDER BY app, name")]
        return [
            HeldCollection(
                decoded(row.app),
                decoded(row.name),
                row.changes,
                row.size,
                max((one for one in (row.cursor, apps.get(row.app)) if one is not None), default=None),
            )
            for row in rows
        ]

    def read(self, app: str, collection: str) -> Iterator[MirrorPage]:
        """The changes of one collection in the server's order; nothing for one that is not held."""
        with storage_errors(self._path):
            held = Ledger(self._connection).holding(encoded(app), encoded(collection))
            if held is None:
                return
            rows = self._connection.execute(
                f"SELECT {PAGE} FROM page WHERE collection = ? ORDER BY position",  # noqa: S608 - a constant
                (held.id,),
            )
        pages, total = 0, checksums.NOTHING
        while True:
            with storage_errors(self._path):
                columns = rows.fetchone()
                if columns is None and (pages, total) != (held.pages, held.total):
                    raise ChecksumError(held.place)
                if columns is None:
                    return
                row = PageRow(*columns)
                page = checked_page(held, row)
            pages, total = pages + 1, checksums.added(total, row.sum)
            yield page

    def losses(self) -> list[Loss]:
        """What pulls could not read or found changed, by app and collection."""
        with storage_errors(self._path):
            return losses.read(Ledger(self._connection).rows("loss"))
