"""Changes as the mirror keeps them: many of them as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import zstandard

from .. import jsontext
from ..rawchange import RawChange, event_key

_LEVEL = -3
"""Most of a page is ciphertext in base64. Entropy coding takes a quarter off it, and five times as long to read."""


@dataclass(frozen=True, slots=True)
class MirrorPage:
    """Some changes of one collection, in the server's order."""

    ids: list[str | None]
    """The record ids, one for each line."""
    lines: list[bytes]
    """The changes as canonical JSON."""


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
