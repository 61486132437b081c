"""Deflate (RFC 1951) and CRC-32: ISA-L where it is installed, else zlib. Both write streams that any inflater reads."""

from __future__ import annotations

import zlib
from typing import Any, Protocol

try:
    from isal import isal_zlib
except ImportError:  # a platform without ISA-L: slower, and a few per cent smaller
    _COMPRESSION_LEVEL = 6
    _engine: Any = zlib
else:
    _COMPRESSION_LEVEL = 2  # measured in benchmarks/
    _engine = isal_zlib

_RAW = -zlib.MAX_WBITS


class Compressor(Protocol):
    """An open deflate stream."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def compressor() -> Compressor:
    """A raw deflate stream at the default level."""
    stream: Compressor = _engine.compressobj(_COMPRESSION_LEVEL, zlib.DEFLATED, _RAW)
    return stream


def crc32(data: bytes, crc: int = 0) -> int:
    """CRC-32 of ``data`` after what ``crc`` stands for."""
    checksum: int = _engine.crc32(data, crc)
    return checksum
