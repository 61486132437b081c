"""A close look at a mirror's file: whether all of it is as it was written.

What is read is held against what was recorded: every page against its checksum, the pages of a collection and the
entries of its events against the collection's row, the small tables against the root, and the file's own structure by
SQLite.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from hashlib import blake2b
from typing import Protocol

from ..crypto import checksums
from ..crypto.checksums import ChecksumError
from ..host.database import schema
from .ledger import Holding, Ledger
from .pages import PAGE, PageRow, checked_page
from .schema import APPLICATION, VERSION, known_schemas, versions


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


def inspect(connection: sqlite3.Connection) -> None:
    """Looks at all of a mirror of this version, in one transaction of the caller's.

    Raises :class:`ChecksumError` or :class:`sqlite3.Error` at the first thing that is not as it was written.
    """
    if schema(connection) != known_schemas()[VERSION] or versions(connection) != (APPLICATION, VERSION):
        raise ChecksumError("its tables")
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise ChecksumError("its structure")
    ledger = Ledger(connection)
    ledger.check()
    holdings = [Holding(*row) for row in ledger.rows("collection")]
    for collection in holdings:
        _inspect_index(connection, collection, _inspect_pages(connection, collection))
    counted = connection.execute("SELECT (SELECT count(*) FROM page), (SELECT count(*) FROM event)").fetchone()
    if counted != (sum(one.pages for one in holdings), sum(one.changes for one in holdings)):
        raise ChecksumError("a page that belongs nowhere")


def _inspect_pages(connection: sqlite3.Connection, collection: Holding) -> Mapping[int, bytes]:
    """Page → the sum of the entries that lead to it."""
    found = Holding(collection.id, collection.app, collection.name, collection.cursor)
    events: dict[int, bytes] = {}
    rows = connection.execute(
        f"SELECT id, {PAGE} FROM page WHERE collection = ? ORDER BY position",  # noqa: S608 - a constant
        (collection.id,),
    )
    for number, *columns in rows:
        row = PageRow(*columns)
        checked_page(collection, row)
        found.add(row.changes, row.size, row.sum)
        events[number] = row.events
    if found != collection:
        raise ChecksumError(collection.place)
    return events


def _inspect_index(connection: sqlite3.Connection, collection: Holding, events: Mapping[int, bytes]) -> None:
    if index_sums(connection, collection.id) != events:
        raise ChecksumError(collection.place)


def index_sums(connection: sqlite3.Connection, collection: int) -> dict[int, bytes]:
    """Page → the sum of the entries of a collection's index that lead to it.

    Raises :class:`ChecksumError` for what is no index: out of order, entries would not be found again.
    """
    hashes: dict[int, _Hash] = {}
    before = b""
    rows = connection.execute("SELECT key, page, digest FROM event WHERE collection = ? ORDER BY key", (collection,))
    for key, page, digest in rows:
        if type(key) is not bytes or type(digest) is not bytes or key <= before:
            raise ChecksumError("its index")
        if page not in hashes:
            hashes[page] = blake2b(digest_size=checksums.BYTES, person=b"mana events")
        hashes[page].update(key + digest)
        before = key
    return {page: found.digest() for page, found in hashes.items()}
