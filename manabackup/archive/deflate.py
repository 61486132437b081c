"""Deflate (RFC 1951) and CRC-32: ISA-L where it is installed, else zlib. Both write streams that any inflater reads."""

from __future__ import annotations

import zlib
from typing import Any

try:
    from isal import isal_zlib
except ImportError:  # a platform without ISA-L: slower, and a few per cent smaller
    _COMPRESSION_LEVEL = 6
    _engine: Any = zlib
else:
    _COMPRESSION_LEVEL = 2  # measured in benchmarks/
    _engine = isal_zlib

_RAW = -zlib.MAX_WBITS


END = b"\3\0"
"""An empty last block: what ends a stream of segments."""


def segment(data: bytes) -> bytes:
    """``data`` as a part of a raw deflate stream: whole blocks that end at a byte and point to nothing before them.

    A stream is any number of segments and :data:`END`. So parts of one can be made apart from each other.
    """
    if not data:
        return b""
    stream = _engine.compressobj(_COMPRESSION_LEVEL, zlib.DEFLATED, _RAW)
    return bytes(stream.compress(data) + stream.flush(_engine.Z_SYNC_FLUSH))


def crc32(data: bytes, crc: int = 0) -> int:
    """CRC-32 of ``data`` after what ``crc`` stands for."""
    checksum: int = _engine.crc32(data, crc)
    return checksum
