"""Changes out of a database as lines that a sorter takes: their keys order them as the sync server would.

By collection, in it by the time that they were stored, and of one time by their place in the table: a server's job may
write several in one transaction, the later ones behind the earlier ones.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ...errors import SourceError
from ...model.rawchange import RawChange, UnreadableChange
from ...sources.mana_change import ChangeRow, change_of

_HEAD = struct.Struct("<16s8sI")
"""Key and digest of a change, the latter empty for one that cannot be read, and the bytes of its record's id."""


class SortedChange(NamedTuple):
    """A change as a sorter gives it back."""

    app: str
    collection: str
    change: RawChange | UnreadableChange


def lines_of(owner: str, copied: Sequence[bytes]) -> list[tuple[str, bytes]]:
    """Key and line of each row that was copied with its place before it, for the account of ``owner``.

    Raises :class:`SourceError` for a row that makes no sense as one.
    """
    lines = []
    for line in copied:
        ctid, _, row = line.partition(b"\t")
        lines.append(_line_of(ChangeRow.of_copied(row), _place_of(ctid), owner))
    return lines


def _line_of(row: ChangeRow, place: int, owner: str) -> tuple[str, bytes]:
    try:
        change = change_of(row, owner)
    except ValueError:
        raise SourceError("a row of sync_changes is none: its id cannot be read") from None
    record = (change.id or "").encode("utf-8", "surrogatepass")
    digest, text = (change.digest, change.text) if isinstance(change, RawChange) else (b"", b"")
    return f"{row.place}\0{place:020}", b"".join((_HEAD.pack(change.key, digest, len(record)), record, text))


def _place_of(ctid: bytes) -> int:
    """``(block,line)`` as one number that orders as the table does."""
    block, _, line = ctid.strip(b"()").partition(b",")
    return int(block) << 16 | int(line)


def read_back(pairs: Iterable[tuple[str, bytes]]) -> Iterator[SortedChange]:
    """The changes of sorted lines."""
    for key, line in pairs:
        app, collection, _, _ = key.split("\0")
        event, digest, size = _HEAD.unpack_from(line)
        record = line[_HEAD.size : _HEAD.size + size].decode("utf-8", "surrogatepass")
        text = line[_HEAD.size + size :]
        if text:
            yield SortedChange(app, collection, RawChange(event, record, text, digest, collection))
        else:
            yield SortedChange(app, collection, UnreadableChange(event, record, collection))
