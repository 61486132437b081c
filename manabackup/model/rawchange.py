"""One change of the sync server as text, and what it is known by.

The mirror keeps a change as it came but for its spelling: canonical JSON, one line. What identifies it is taken out
when it is read, so that nobody need parse it to store it, whatever it looks like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import NamedTuple
from uuid import UUID

from ..text import jsontext

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


class RawChange(NamedTuple):
    """A change on its way into the mirror."""

    key: bytes
    """Tells events apart; see :func:`event_key`."""
    id: str | None
    """The record's id; None when the change has none that is a string."""
    text: bytes
    """Canonical JSON (``jsontext.dumps``), one line."""
    digest: bytes
    """The digest of ``text``, to notice an event that changed under its id."""
    collection: str = ""
    """The collection that the change names; empty for one that names none."""


@dataclass(frozen=True, slots=True)
class UnreadableChange:
    """A change that is too large to be taken, by what it tells of its name."""

    key: bytes
    """As :func:`event_key`; where the event's id is not told, the hash of how the text begins."""
    id: str | None
    """The record's id, if it is told."""
    collection: str
    """Empty where that is not told."""


def event_key(change: jsontext.JSON) -> bytes:
    """What identifies an event: its id, or the hash of its text when it has none that is a string.

    The three forms cannot meet: 16 bytes of a UUID, or a mark and a SHA-256.
    """
    event = change.get("eventId") if type(change) is dict else None
    if type(event) is not str:
        return b"\1" + sha256(jsontext.dumps(change)).digest()
    if _UUID.fullmatch(event):
        return bytes.fromhex(event.replace("-", ""))
    return b"\0" + sha256(event.encode("utf-8", "surrogatepass")).digest()


def event_name(key: bytes) -> str:
    """The event's id where ``key`` still tells it, else the key in hexadecimal."""
    return str(UUID(bytes=key)) if len(key) == 16 else key.hex()


def text_digest(text: bytes) -> bytes:
    """The digest of a change by its text."""
    return blake2b(text, digest_size=8).digest()


def raw_changes(changes: Iterable[tuple[jsontext.JSON, bytes]]) -> list[RawChange]:
    """Changes by their values and their canonical texts."""
    raw = []
    for change, text in changes:
        record = collection = None
        if type(change) is dict:
            record, collection = change.get("id"), change.get("table")
        # A copy has its exact size, where what the JSON writer gives keeps the room that it grew into.
        text = bytes(memoryview(text))
        raw.append(
            RawChange(
                event_key(change),
                record if type(record) is str else None,
                text,
                text_digest(text),
                collection if type(collection) is str else "",
            )
        )
    return raw


def prepare(changes: Iterable[jsontext.JSON]) -> list[RawChange]:
    """Changes by their values."""
    return raw_changes((change, jsontext.dumps(change)) for change in changes)
