"""Changes as the mirror keeps them: many of them as a page.

A page's body is a header, a compressed frame of the changes' texts (:class:`manabackup.model.detached.DetachedChange`)
— the size of each change's ciphertexts (32 bits, little-endian), then the texts, separated by line breaks — and a
compressed frame of all ciphertexts. Mirrors of version 1 have bodies of one frame, the texts as they came; such pages
stay as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import zstandard

from ..errors import JSONTextError
from ..model.detached import DetachedChange, stored
from ..model.rawchange import RawChange, event_key, text_digest
from ..text import jsontext

_LEVEL = 1
_HEADER = struct.Struct("<BQ")
"""The mark of this form, and the bytes of the first frame."""
_MARK = 2
"""A frame begins with another byte."""
_SUM_BYTES = 4
"""At the end of a frame: of the XXH64 of its content (RFC 8878, 3.1.1)."""
_MOST_OF_A_BYTE = (128 << 10) // 4
"""Bytes of content: a frame's blocks hold up to 128 KiB and take 4 bytes at least (RFC 8878, 3.1.1.2)."""


@dataclass(frozen=True, slots=True)
class MirrorPage:
    """Some changes of one collection, in the server's order."""

    ids: list[str | None]
    """The record ids, one for each change."""
    changes: list[bytes]
    """Each as :attr:`manabackup.model.detached.DetachedChange.stored` gives it."""

    def lines(self) -> list[bytes]:
        """The changes as canonical JSON."""
        return [DetachedChange.read(change).whole() for change in self.changes]


def pack(changes: Sequence[RawChange]) -> tuple[bytes, bytes, int]:
    """Ids and body, compressed under checksums, and the size of the texts in bytes, line breaks included."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    ids = jsontext.dumps([change.id for change in changes])
    detached = [DetachedChange.of(change.text) for change in changes]
    sizes = struct.pack(f"<{len(changes)}I", *[len(change.ciphertexts) for change in detached])
    texts = compressor.compress(sizes + b"\n".join([change.text for change in detached]))
    ciphertexts = compressor.compress(b"".join([change.ciphertexts for change in detached]))
    body = _HEADER.pack(_MARK, len(texts)) + texts + ciphertexts
    return compressor.compress(ids), body, sum([len(change.text) + 1 for change in changes])


def unpack(ids: bytes, body: bytes) -> MirrorPage:
    """The page that :func:`pack` made. Raises :class:`zstandard.ZstdError` when it is damaged."""
    decompressor = zstandard.ZstdDecompressor()
    try:
        records = jsontext.parse(_content(decompressor, ids))
        if body[:1] == bytes([_MARK]):
            return MirrorPage(records, _detached(decompressor, body, len(records)))
        changes = [DetachedChange.of(line).stored for line in _content(decompressor, body).split(b"\n")]
        _require_fit(len(changes), len(records))
        return MirrorPage(records, changes)
    except (ValueError, struct.error, JSONTextError):  # each part is what it was: they do not belong together
        raise zstandard.ZstdError("the parts of a page do not fit") from None


def content_sums(ids: bytes, body: bytes) -> tuple[bytes, bytes, bytes]:
    """The checksums at the ends of a page's frames, of what is in them: of ids, texts, and ciphertexts.

    Of a page that is not as it was written they are whatever stands there.
    """
    if body[:1] != bytes([_MARK]) or len(body) < _HEADER.size:
        return ids[-_SUM_BYTES:], body[-_SUM_BYTES:], b""
    middle = _HEADER.size + int(_HEADER.unpack_from(body)[1])
    return ids[-_SUM_BYTES:], body[middle - _SUM_BYTES : middle], body[-_SUM_BYTES:]


def _detached(decompressor: zstandard.ZstdDecompressor, body: bytes, count: int) -> list[bytes]:
    _, size_of_texts = _HEADER.unpack_from(body)
    middle = _HEADER.size + size_of_texts
    frame = _content(decompressor, body[_HEADER.size : middle])
    sizes = struct.unpack_from(f"<{count}I", frame)
    texts = frame[4 * count :].split(b"\n")
    ciphertexts = _content(decompressor, body[middle:])
    _require_fit(len(ciphertexts), sum(sizes))
    return [
        stored(text, ciphertexts[end - size : end])
        for text, size, end in zip(texts, sizes, accumulate(sizes), strict=True)
    ]


def _content(decompressor: zstandard.ZstdDecompressor, frame: bytes) -> bytes:
    # The checksum is of the content alone. With one bit flipped, a frame's head may say that there is neither, or more
    # content than there is memory.
    head = zstandard.get_frame_parameters(frame)
    if head.dict_id or not head.has_checksum or head.content_size > len(frame) * _MOST_OF_A_BYTE:
        raise zstandard.ZstdError("not the frame of a page")
    return decompressor.decompress(frame)


def _require_fit(size: int, expected: int) -> None:
    if size != expected:
        raise ValueError


def changes_of(page: MirrorPage) -> list[RawChange]:
    """A stored page's changes, as they came."""
    return [
        RawChange(event_key(jsontext.parse_canonical(line)), record, line, text_digest(line))
        for record, line in zip(page.ids, page.lines(), strict=True)
    ]
