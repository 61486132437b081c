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
from typing import NamedTuple, Self, TypeAlias

import zstandard

from ..crypto import checksums
from ..crypto.checksums import ChecksumError, checksum
from ..model.rawchange import RawChange
from .changes import MirrorPage, content_sums, pack, unpack
from .ledger import Holding

PAGE = "position, changes, bytes, last, events, sum, ids, body"
"""Columns of a page, as a :class:`PageRow`."""
IndexEntry: TypeAlias = tuple[bytes, bytes]
"""An entry of the index: an event's key and the digest of its text."""


class PageRow(NamedTuple):
    """A page as it stands in the file."""

    position: int
    changes: int
    size: int
    """Bytes of the changes' texts."""
    last: bytes
    """The key of the last event."""
    events: bytes
    """The sum of the entries that lead to the page."""
    sum: bytes
    """The checksum of all of this."""
    ids: bytes
    body: bytes

    def proper_sum(self, collection: Holding) -> bytes:
        """The checksum that such a page of a collection has."""
        said = (self.position, self.changes, self.size, self.last, self.events)
        blobs = (len(self.ids), len(self.body), *content_sums(self.ids, self.body))
        return checksum(b"mana page", collection.app, collection.name, *said, *blobs)


@dataclass(frozen=True, slots=True)
class NewPage:
    """A page on its way into the file."""

    changes: int
    size: int
    """Bytes of the changes' texts."""
    last: bytes
    """The key of the last event."""
    entries: Sequence[IndexEntry]
    """By key."""
    ids: bytes
    body: bytes

    @classmethod
    def of(cls, changes: Sequence[RawChange]) -> Self:
        """The page that these changes make."""
        ids, body, size = pack(changes)
        return cls(len(changes), size, changes[-1].key, entries_of(changes), ids, body)

    def row(self, collection: Holding, position: int) -> PageRow:
        """What is written; the collection has one page more then."""
        events = events_sum(self.entries)
        row = PageRow(position, self.changes, self.size, self.last, events, b"", self.ids, self.body)
        row = row._replace(sum=row.proper_sum(collection))
        collection.add(row.changes, row.size, row.sum)
        return row


def entries_of(changes: Iterable[RawChange]) -> list[IndexEntry]:
    """What the index holds of changes, by key: keys are random, and sorted each part of it is found once."""
    return sorted([(change.key, change.digest) for change in changes])


def events_sum(entries: Iterable[IndexEntry]) -> bytes:
    """The sum of the entries that lead to a page, given by key."""
    joined = b"".join([key + digest for key, digest in entries])
    return blake2b(joined, digest_size=checksums.BYTES, person=b"mana events").digest()


def checked_page(collection: Holding, row: PageRow) -> MirrorPage:
    """A page of a collection. Raises :class:`ChecksumError` for one that is not as it was written, or of another."""
    are_blobs = isinstance(row.ids, bytes) and isinstance(row.body, bytes)
    if not are_blobs or row.proper_sum(collection) != row.sum:
        raise ChecksumError(collection.place)
    try:
        return unpack(row.ids, row.body)
    except zstandard.ZstdError:
        raise ChecksumError(collection.place) from None


def insert(
    connection: sqlite3.Connection, collection: Holding, position: int, page: NewPage, *, moved: bool = False
) -> None:
    """Writes a page behind all others in the file, wherever its place is; ``moved`` as for :func:`index`."""
    number = connection.execute(
        f"INSERT INTO page (collection, {PAGE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        (collection.id, *page.row(collection, position)),
    ).lastrowid
    assert number is not None
    index(connection, collection, number, page.entries, moved=moved)


def index(
    connection: sqlite3.Connection, collection: Holding, page: int, entries: Iterable[IndexEntry], *, moved: bool
) -> None:
    """Notes which page holds the events; ``moved``: some were in another, or in this one, before."""
    statement = "INSERT INTO event (collection, key, page, digest) VALUES (?, ?, ?, ?)"
    if moved:
        statement += " ON CONFLICT (collection, key) DO UPDATE SET page = excluded.page, digest = excluded.digest"
    of = collection.id
    connection.executemany(statement, [(of, key, page, digest) for key, digest in entries])
