"""Reading the mirror: one state of it, whatever a pull does meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from . import losses
from .changes import MirrorPage, unpack
from .losses import Loss, decoded, encoded
from .schema import open_reader, storage_errors


@dataclass(frozen=True, slots=True)
class HeldCollection:
    """What the mirror holds of one collection."""

    app: str
    name: str
    """Empty for changes that name no collection."""
    changes: int
    bytes: int
    """Of the changes' texts, uncompressed."""
    cursor: int | None
    """Everything up to here is held, as far as the server told; microseconds since 1970, None before the first pull."""


class Snapshot:
    """One state of the mirror, until it is closed. For one thread at a time; there may be several.

    Reading raises :class:`MirrorError` when the file turns out to be damaged.
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
            rows = self._connection.execute(
                "SELECT collection.app, collection.name, coalesce(sum(changes), 0), coalesce(sum(bytes), 0),"
                " max(coalesce(collection.cursor, app.cursor), coalesce(app.cursor, collection.cursor))"
                " FROM collection LEFT JOIN page ON page.collection = collection.id"
                " LEFT JOIN app ON app.name = collection.app"
                " GROUP BY collection.id ORDER BY collection.app, collection.name"
            ).fetchall()
        return [HeldCollection(decoded(app), decoded(name), *rest) for app, name, *rest in rows]

    def read(self, app: str, collection: str) -> Iterator[MirrorPage]:
        """The changes of one collection in the server's order; nothing for one that is not held."""
        with storage_errors(self._path):
            pages = self._connection.execute(
                "SELECT ids, body FROM page JOIN collection ON collection.id = page.collection"
                " WHERE collection.app = ? AND collection.name = ? ORDER BY position",
                (encoded(app), encoded(collection)),
            )
        while True:
            with storage_errors(self._path):
                row = pages.fetchone()
                page = unpack(*row) if row is not None else None
            if page is None:
                return
            yield page

    def losses(self) -> list[Loss]:
        """What pulls could not read or found changed, by app and collection."""
        with storage_errors(self._path):
            return losses.read(self._connection)
