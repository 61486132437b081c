"""Server-sent events of the sync server, as a wake-up call: which collection somebody wrote to, and nothing of what.

Of the format (WHATWG HTML, 9.2) that is a name on one line and data on others. The data of one event may be megabytes,
and none of it is believed: it has no event ids and only the first changes of many. So it is passed over while it comes,
but for its last bytes, in which the server names the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import JSONTextError
from ..text import jsontext

CHANGES = "changes"
HEARTBEAT = "heartbeat"
_TAIL_BYTES = 8 << 10
"""A collection's name is shorter."""
_LINE_END = re.compile(rb"\r\n|\n|\r(?!$)")
_COLLECTION = re.compile(rb'"table":("(?:[^"\\\x00-\x1f]|\\.)*")\}$')
_KNOWN = {b"changes": CHANGES, b"heartbeat": HEARTBEAT}


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event."""

    name: str
    """:data:`CHANGES`, :data:`HEARTBEAT`; empty for any other."""
    collection: str | None = None
    """Of changes; None where the data does not end as the server's does."""


def events(pieces: Iterable[bytes]) -> Iterator[StreamEvent]:
    """The events of a stream, each when its last byte is there; what is cut off at the end is none.

    Memory does not grow with an event, nor with the stream.
    """
    name = tail = b""
    for line in _lines(pieces):
        if not line:
            if name or tail:
                yield StreamEvent(_KNOWN.get(name, ""), _collection(tail) if name == b"changes" else None)
            name = tail = b""
            continue
        field, _, value = line.partition(b":")
        if field == b"data" or len(line) >= _TAIL_BYTES:  # the beginning of a long line may be gone
            tail = line[-_TAIL_BYTES:]
        elif field == b"event":
            name = value.removeprefix(b" ")


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their ends; of long ones the last bytes."""
    rest = b""
    for piece in pieces:
        *whole, rest = _LINE_END.split(rest + piece)
        yield from whole
        if len(rest) > _TAIL_BYTES:
            rest = rest[-_TAIL_BYTES:]


def _collection(tail: bytes) -> str | None:
    found = _COLLECTION.search(tail)
    if found is None:
        return None
    try:
        name = jsontext.parse(found[1])
    except JSONTextError:
        return None
    return name if isinstance(name, str) else None
