"""One change as the mirror keeps it, and many of them as a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import NamedTuple
from uuid import UUID

import zstandard

from .. import jsontext

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_LEVEL = -3
"""Most of a page is ciphertext in base64. Entropy coding takes a quarter off it, and five times as long to read."""


class RawChange(NamedTuple):
    """A change on its way into the mirror."""

    key: bytes
    """Tells events apart; see :func:`event_key`."""
    id: str | None
    """The record's id; None when the change has none that is a string."""
    text: bytes
    """Canonical JSON (``jsontext.dumps``), one line."""
    digest: bytes
    """Of ``text``, to notice an event that changed under its id."""


@dataclass(frozen=True, slots=True)
class MirrorPage:
    """Some changes of one collection, in the server's order."""

    ids: list[str | None]
    """The record ids, one for each line."""
    lines: list[bytes]
    """The changes as canonical JSON."""


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


def prepare(changes: Iterable[jsontext.JSON], keys: Sequence[bytes] | None = None) -> list[RawChange]:
    """Changes as parsed from an answer, made ready to be stored; ``keys`` saves finding them a second time."""
    prepared = []
    for index, change in enumerate(changes):
        # A copy has its exact size, where what the JSON writer gives keeps the room that it grew into.
        text = bytes(memoryview(jsontext.dumps(change)))
        record = change.get("id") if type(change) is dict else None
        prepared.append(
            RawChange(
                keys[index] if keys is not None else event_key(change),
                record if type(record) is str else None,
                text,
                blake2b(text, digest_size=8).digest(),
            )
        )
    return prepared


def pack(changes: Sequence[RawChange]) -> tuple[bytes, bytes, int]:
    """Ids and texts, compressed under a checksum, and the size of the texts in bytes, line breaks included."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    body = b"\n".join([change.text for change in changes])
    ids = jsontext.dumps([change.id for change in changes])
    return compressor.compress(ids), compressor.compress(body), len(body) + 1


def unpack(ids: bytes, body: bytes) -> MirrorPage:
    """The page that :func:`pack` made. Raises :class:`zstandard.ZstdError` when it is damaged."""
    decompressor = zstandard.ZstdDecompressor()
    return MirrorPage(jsontext.parse(decompressor.decompress(ids)), decompressor.decompress(body).split(b"\n"))


def changes_of(page: MirrorPage) -> list[RawChange]:
    """A stored page's changes, for rewriting it; digests stay where they are and are left out."""
    return [
        RawChange(event_key(jsontext.parse_canonical(line)), record, line, b"")
        for record, line in zip(page.ids, page.lines, strict=True)
    ]
