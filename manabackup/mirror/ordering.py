"""Where new events go among the held ones: the mirror keeps the server's order, not that of arrival.

An answer of the server is an unbroken stretch of its order. So a new event belongs before the first held event that
follows it in the answer; where none follows, it belongs behind the last held event before it, or behind what the same
reading saw last. Pages are blobs: events between two held ones are written into the page that holds their neighbour.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ..crypto.checksums import ChecksumError
from ..model.rawchange import RawChange
from .changes import changes_of
from .ledger import Holding
from .pages import PAGE, NewPage, PageRow, checked_page, index, insert

_STEP = 1 << 32
"""Between the positions of neighbouring pages; halving it makes room for a page 32 times at one place."""
_PAGE_CHANGES = 1_000
_PAGE_BYTES = 512 << 10
"""What is taken apart at once is to fit into the processor's cache; then it takes half as long."""
_LARGEST_PAGE = 5_000
_LARGEST_BYTES = 4 << 20
"""A page that grows beyond either is split where there is room."""
_SMALL_CHANGES = 250
_SMALL_BYTES = 256 << 10
"""A last page below both is filled up rather than followed by another one."""


@dataclass(slots=True)
class Merged:
    """What became of an answer's changes."""

    new: int = 0
    held: int = 0
    """Events of the answer that were held before."""
    changed: list[bytes] = field(default_factory=list)
    """Keys of held events that came with another content."""


def merge(
    connection: sqlite3.Connection,
    collection: Holding,
    changes: Sequence[RawChange],
    *,
    after: bytes | None,
    from_start: bool,
) -> Merged:
    """Stores the new ones of an answer's ``changes`` where they belong, inside the caller's transaction.

    The collection's row is the caller's to keep. Raises :class:`ChecksumError` for damage that comes to light.
    ``after`` is the event that the same reading saw last before; without one, ``from_start`` says that the answer
    begins at the server's first event.
    """
    tail = _tail(connection, collection)
    if tail is None and len({change.key for change in changes}) == len(changes):  # a first pull's: nothing to compare
        _append(connection, collection, None, changes)
        return Merged(len(changes))
    merged = Merged()
    held = held_events(connection, collection.id, (change.key for change in changes))
    edits: dict[int, _Edit] = {}
    digests = {key: digest for key, (_, digest) in held.items()}
    fresh: list[RawChange] = []
    seen: set[bytes] = set()
    previous = after
    for change in changes:
        if change.key not in digests:
            digests[change.key] = change.digest
            fresh.append(change)
            merged.new += 1
        elif digests[change.key] != change.digest:
            merged.changed.append(change.key)
            if change.key in held:
                _check_entry(connection, collection, change.key, *held[change.key])
        if change.key in held and change.key not in seen:  # a second time it says nothing of where others belong
            seen.add(change.key)
            if fresh:
                edits.setdefault(held[change.key][0], _Edit()).before.setdefault(change.key, []).extend(fresh)
                fresh = []
            previous = change.key
    merged.held = len(held)
    if fresh:
        if tail is None or tail.last == previous or tail.last in held:
            _append(connection, collection, tail, fresh)
        elif previous is not None and (page := _page_of(connection, collection, previous)) is not None:
            edits.setdefault(page, _Edit()).after[previous] = fresh
        elif previous is None and from_start:
            _prepend(connection, collection, fresh)
        else:
            _append(connection, collection, tail, fresh)
    for page, edit in edits.items():
        _rewrite(connection, collection, page, edit)
    return merged


@dataclass(slots=True)
class _Edit:
    """Events to go into one page, by the held event that they stand before or after."""

    before: dict[bytes, list[RawChange]] = field(default_factory=dict)
    after: dict[bytes, list[RawChange]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Tail:
    id: int
    position: int
    last: bytes
    small: bool


def _tail(connection: sqlite3.Connection, collection: Holding) -> _Tail | None:
    row = connection.execute(
        "SELECT id, position, last, changes < ? AND bytes < ? FROM page WHERE collection = ?"
        " ORDER BY position DESC LIMIT 1",
        (_SMALL_CHANGES, _SMALL_BYTES, collection.id),
    ).fetchone()
    if (row is None) != (collection.pages == 0):
        raise ChecksumError(collection.place)
    return None if row is None else _Tail(*row)


def held_events(
    connection: sqlite3.Connection, collection: int, events: Iterable[bytes]
) -> dict[bytes, tuple[int, bytes]]:
    """Those of some events that are held: key → page and digest."""
    held: dict[bytes, tuple[int, bytes]] = {}
    keys = iter(set(events))
    while some := list(islice(keys, 500)):
        marks = ",".join("?" * len(some))
        rows = connection.execute(
            f"SELECT key, page, digest FROM event WHERE collection = ? AND key IN ({marks})",  # noqa: S608 - marks only
            (collection, *some),
        )
        held.update((key, (page, digest)) for key, page, digest in rows)
    return held


def _page_of(connection: sqlite3.Connection, collection: Holding, key: bytes) -> int | None:
    row = connection.execute("SELECT page FROM event WHERE collection = ? AND key = ?", (collection.id, key)).fetchone()
    return None if row is None else row[0]


def _append(
    connection: sqlite3.Connection,
    collection: Holding,
    tail: _Tail | None,
    changes: Sequence[RawChange],
) -> None:
    if tail is not None and tail.small and len(changes) < _SMALL_CHANGES:
        _rewrite(connection, collection, tail.id, _Edit(after={tail.last: list(changes)}))
        return
    position = 0 if tail is None else tail.position + _STEP
    for part in _parts(changes):
        insert(connection, collection, position, NewPage.of(part))
        position += _STEP


def _prepend(connection: sqlite3.Connection, collection: Holding, changes: Sequence[RawChange]) -> None:
    (first,) = connection.execute("SELECT min(position) FROM page WHERE collection = ?", (collection.id,)).fetchone()
    for part in reversed(list(_parts(changes))):
        first -= _STEP
        insert(connection, collection, first, NewPage.of(part))


def _rewrite(connection: sqlite3.Connection, collection: Holding, page: int, edit: _Edit) -> None:
    """Writes events into a held page."""
    position, held = _held_page(connection, collection, page)
    lines: list[RawChange] = []
    for change in held:
        lines += edit.before.pop(change.key, ())
        lines.append(change)
        lines += edit.after.pop(change.key, ())
    if edit.before or edit.after:  # the index led to another page than the one that holds them
        raise ChecksumError(collection.place)
    is_too_large = len(lines) > _LARGEST_PAGE or sum([len(line.text) for line in lines]) > _LARGEST_BYTES
    parts = list(_parts(lines)) if is_too_large else [lines]
    gap = _room(connection, collection, position) // len(parts)
    if not gap:
        parts = [lines]
    first = NewPage.of(parts[0])
    before = connection.execute("SELECT changes, bytes, sum FROM page WHERE id = ?", (page,)).fetchone()
    collection.take(*before)
    row = first.row(collection, position)
    connection.execute(
        "UPDATE page SET position = ?, changes = ?, bytes = ?, last = ?, events = ?, sum = ?, ids = ?, body = ?"
        " WHERE id = ?",
        (*row, page),
    )
    index(connection, collection, page, first.entries, moved=True)
    for number, part in enumerate(parts[1:], 1):
        insert(connection, collection, position + number * gap, NewPage.of(part), moved=True)


def _held_page(connection: sqlite3.Connection, collection: Holding, page: int) -> tuple[int, list[RawChange]]:
    """A page's position, and its changes."""
    row = connection.execute(f"SELECT {PAGE} FROM page WHERE id = ?", (page,)).fetchone()  # noqa: S608 - a constant
    if row is None:
        raise ChecksumError(collection.place)
    held = PageRow(*row)
    return held.position, changes_of(checked_page(collection, held))


def _check_entry(connection: sqlite3.Connection, collection: Holding, key: bytes, page: int, digest: bytes) -> None:
    """Before it is said that an event changed: whether the index has the digest of the held one."""
    _, held = _held_page(connection, collection, page)
    if (key, digest) not in [(change.key, change.digest) for change in held]:
        raise ChecksumError(collection.place)


def _room(connection: sqlite3.Connection, collection: Holding, position: int) -> int:
    (following,) = connection.execute(
        "SELECT min(position) FROM page WHERE collection = ? AND position > ?", (collection.id, position)
    ).fetchone()
    return _STEP if following is None else following - position


def _parts(changes: Sequence[RawChange]) -> Iterator[Sequence[RawChange]]:
    """Pages that a reader can hold, at least one."""
    for at in range(0, len(changes), _PAGE_CHANGES):
        part = changes[at : at + _PAGE_CHANGES]
        sizes = [len(change.text) + 1 for change in part]
        if sum(sizes) <= _PAGE_BYTES:
            yield part
        else:
            yield from _by_size(part, sizes)


def _by_size(changes: Sequence[RawChange], sizes: Sequence[int]) -> Iterator[Sequence[RawChange]]:
    begin = size = 0
    for end, another in enumerate(sizes):
        if end > begin and size + another > _PAGE_BYTES:
            yield changes[begin:end]
            begin, size = end, 0
        size += another
    yield changes[begin:]
