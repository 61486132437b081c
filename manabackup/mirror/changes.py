"""Changes as the mirror keeps them: many of them as a page.

A page's body is a header, a compressed frame of what :mod:`manabackup.detached` leaves of the changes' texts — the size
of each change's ciphertexts (32 bits, little-endian), then the texts, separated by line breaks — and a compressed frame
of all ciphertexts. Mirrors of version 1 have bodies of one frame, the texts as they came; such pages stay as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import zstandard

from .. import jsontext
from ..detached import attach, detach, parts
from ..rawchange import RawChange, event_key

_LEVEL = 1
_HEADER = struct.Struct("<BQ")
"""The mark of this form, and the bytes of the first frame."""
_MARK = 2
"""A frame begins with another byte."""


@dataclass(frozen=True, slots=True)
class MirrorPage:
    """Some changes of one collection, in the server's order."""

    ids: list[str | None]
    """The record ids, one for each change."""
    changes: list[bytes]
    """As :func:`manabackup.detached.detach` gives them."""

    def lines(self) -> list[bytes]:
        """The changes as canonical JSON."""
        return [attach(change) for change in self.changes]


def pack(changes: Sequence[RawChange]) -> tuple[bytes, bytes, int]:
    """Ids and body, compressed under checksums, and the size of the texts in bytes, line breaks included."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    ids = jsontext.dumps([change.id for change in changes])
    detached = [parts(detach(change.text)) for change in changes]
    sizes = struct.pack(f"<{len(changes)}I", *[len(ciphertexts) for _, ciphertexts in detached])
    texts = compressor.compress(sizes + b"\n".join([text for text, _ in detached]))
    ciphertexts = compressor.compress(b"".join([ciphertexts for _, ciphertexts in detached]))
    body = _HEADER.pack(_MARK, len(texts)) + texts + ciphertexts
    return compressor.compress(ids), body, sum([len(change.text) + 1 for change in changes])


def unpack(ids: bytes, body: bytes) -> MirrorPage:
    """The page that :func:`pack` made. Raises :class:`zstandard.ZstdError` when it is damaged."""
    decompressor = zstandard.ZstdDecompressor()
    records = jsontext.parse(decompressor.decompress(ids))
    if body[:1] != bytes([_MARK]):
        return MirrorPage(records, [detach(line) for line in decompressor.decompress(body).split(b"\n")])
    try:
        return MirrorPage(records, _detached(decompressor, body, len(records)))
    except (ValueError, struct.error):  # each part is what it was: they do not belong together
        raise zstandard.ZstdError("the parts of a page do not fit") from None


def _detached(decompressor: zstandard.ZstdDecompressor, body: bytes, count: int) -> list[bytes]:
    _, size_of_texts = _HEADER.unpack_from(body)
    middle = _HEADER.size + size_of_texts
    frame = decompressor.decompress(body[_HEADER.size : middle])
    sizes = struct.unpack_from(f"<{count}I", frame)
    texts = frame[4 * count :].split(b"\n")
    ciphertexts = decompressor.decompress(body[middle:])
    return [
        b"%b\n%b" % (text, ciphertexts[end - size : end]) if size else text
        for text, size, end in zip(texts, sizes, accumulate(sizes), strict=True)
    ]


def changes_of(page: MirrorPage) -> list[RawChange]:
    """A stored page's changes, for rewriting it; digests stay where they are and are left out."""
    return [
        RawChange(event_key(jsontext.parse_canonical(line)), record, line, b"")
        for record, line in zip(page.ids, page.lines(), strict=True)
    ]
