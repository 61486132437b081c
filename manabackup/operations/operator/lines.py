"""Changes out of a database as lines that a sorter takes: their keys order them as the sync server would.

By collection, in it by the time that they were stored, and of one time by their place in the table: a server's job may
write several in one transaction, the later ones behind the earlier ones.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ...errors import SourceError
from ...model.rawchange import RawChange, UnreadableChange, text_digest
from ...sources.mana_change import ChangeRow, change_of, name_of

_HEAD = struct.Struct("<16sI?")
_SHIFT = 1 << 62
"""Times before 1970 order as well."""


class SortedChange(NamedTuple):
    """A change as a sorter gives it back."""

    app: str
    collection: str
    change: RawChange | UnreadableChange


def line_of(row: ChangeRow, place: int, owner: str) -> tuple[str, bytes]:
    """Key and line of a row for the account of ``owner``; ``place`` is its place in the table.

    Raises :class:`SourceError` for a row that makes no sense as one.
    """
    try:
        change = change_of(row, owner)
        at = row.stored_at + _SHIFT
        key = f"{name_of(row.app)}\0{name_of(row.collection)}\0{at:020}{place:020}"
    except (ValueError, OverflowError):
        raise SourceError("a row of sync_changes is none: its id, time or text cannot be read") from None
    record = (change.id or "").encode("utf-8", "surrogatepass")
    is_readable = isinstance(change, RawChange)
    text = change.text if isinstance(change, RawChange) else b""
    return key, b"".join((_HEAD.pack(change.key, len(record), is_readable), record, text))


def place_of(ctid: str) -> int:
    """``(block,line)`` as one number that orders as the table does."""
    block, _, line = ctid.strip("()").partition(",")
    return int(block) << 16 | int(line)


def read_back(pairs: Iterable[tuple[str, bytes]]) -> Iterator[SortedChange]:
    """The changes of sorted lines; keys may have more in front, up to the last three parts."""
    for key, line in pairs:
        app, collection, _ = key.rsplit("\0", 2)
        event, size, is_readable = _HEAD.unpack_from(line)
        record = line[_HEAD.size : _HEAD.size + size].decode("utf-8", "surrogatepass")
        text = line[_HEAD.size + size :]
        if is_readable:
            yield SortedChange(app, collection, RawChange(event, record, text, text_digest(text), collection))
        else:
            yield SortedChange(app, collection, UnreadableChange(event, record, collection))
