"""Pages of a mirror in its file: each with its checksum, and with its events in the index.

A page's checksum covers where it belongs (the collection by its name, and its position), what it says of itself, the
entries of the index that lead to it, which hold a digest of each change, and the checksums of its content, which are in
the frames and hold when the page is taken apart. So a page is sound when both are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self, TypeAlias

import zstandard

from ..crypto import checksums
from ..crypto.checksums import ChecksumError, checksum
from ..model.rawchange import RawChange
from .changes import MirrorPage, content_sums, pack, unpack
from .ledger import Holding

PAGE = "position, changes, bytes, last, events, sum, ids, body"
"""Columns of a page, as a :data:`Columns`."""
Columns: TypeAlias = tuple[int, int, int, bytes, bytes, bytes, bytes, bytes]
Entry: TypeAlias = tuple[bytes, bytes]
"""Of the index: an event's key and the digest of its text."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page on its way into the file."""

    changes: int
    size: int
    """Bytes of the changes' texts."""
    last: bytes
    """The key of the last event."""
    entries: Sequence[Entry]
    """By key."""
    ids: bytes
    body: bytes

    @classmethod
    def of(cls, changes: Sequence[RawChange]) -> Self:
        """The page that these changes make."""
        ids, body, size = pack(changes)
        return cls(len(changes), size, changes[-1].key, entries_of(changes), ids, body)

    def columns(self, collection: Holding, position: int) -> Columns:
        """What is written; the collection has one page more then."""
        events = events_sum(self.entries)
        found = page_sum(collection, position, self.changes, self.size, self.last, events, self.ids, self.body)
        collection.add(self.changes, self.size, found)
        return position, self.changes, self.size, self.last, events, found, self.ids, self.body


def entries_of(changes: Iterable[RawChange]) -> list[Entry]:
    """What the index holds of changes, by key: keys are random, and sorted each part of it is found once."""
    return sorted([(change.key, change.digest) for change in changes])


def events_sum(entries: Iterable[Entry]) -> bytes:
    """Of the entries that lead to a page, by key."""
    joined = b"".join([key + digest for key, digest in entries])
    return blake2b(joined, digest_size=checksums.BYTES, person=b"mana events").digest()


def page_sum(
    collection: Holding, position: int, changes: int, size: int, last: bytes, events: bytes, ids: bytes, body: bytes
) -> bytes:
    """Of a page of a collection."""
    blobs = (len(ids), len(body), *content_sums(ids, body))
    return checksum(b"mana page", collection.app, collection.name, position, changes, size, last, events, *blobs)


def checked_page(collection: Holding, row: Columns) -> MirrorPage:
    """A page of a collection. Raises :class:`ChecksumError` for one that is not as it was written, or of another."""
    position, changes, size, last, events, found, ids, body = row
    blobs = isinstance(ids, bytes) and isinstance(body, bytes)
    if not blobs or page_sum(collection, position, changes, size, last, events, ids, body) != found:
        raise ChecksumError(collection.place)
    try:
        return unpack(ids, body)
    except zstandard.ZstdError:
        raise ChecksumError(collection.place) from None


def insert(
    connection: sqlite3.Connection, collection: Holding, position: int, page: Page, *, moved: bool = False
) -> None:
    """Writes a page behind all others in the file, wherever its place is; ``moved`` as for :func:`index`."""
    number = connection.execute(
        f"INSERT INTO page (collection, {PAGE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        (collection.id, *page.columns(collection, position)),
    ).lastrowid
    assert number is not None
    index(connection, collection, number, page.entries, moved=moved)


def index(
    connection: sqlite3.Connection, collection: Holding, page: int, entries: Iterable[Entry], *, moved: bool
) -> None:
    """Notes which page holds the events; ``moved``: some were in another, or in this one, before."""
    statement = "INSERT INTO event (collection, key, page, digest) VALUES (?, ?, ?, ?)"
    if moved:
        statement += " ON CONFLICT (collection, key) DO UPDATE SET page = excluded.page, digest = excluded.digest"
    of = collection.id
    connection.executemany(statement, [(of, key, page, digest) for key, digest in entries])
