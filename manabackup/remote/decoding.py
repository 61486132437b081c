"""Content codings of HTTP (RFC 9110, section 8.4), undone without trusting what comes in.

A few hundred compressed bytes may hold gigabytes. Compressed data is fed in pieces so small that what one of them
inflates to stays within a few megabytes, and everything is counted.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

import zstandard

ACCEPT_ENCODING = "zstd, gzip"

_PIECE = 256
"""Compressed bytes fed at a time: 264 KiB by deflate's bound, 8 MiB by zstd's (a 4-byte block gives 128 KiB)."""
_ZSTD_WINDOW = 8 << 20
"""The largest window of the content coding ``zstd`` (RFC 9659)."""


class TooLargeError(Exception):
    """A body has more bytes than allowed."""

    def __init__(self, allowed: int) -> None:
        super().__init__(allowed)
        self.allowed = allowed


class BrokenCodingError(Exception):
    """A body is cut, damaged, or in a coding that was not offered. The message names the coding."""


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def decoded(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """The body behind the value of a ``Content-Encoding`` header, in pieces. Raises :class:`BrokenCodingError`."""
    coding = coding.strip().lower()
    return iter(chunks) if coding in ("", "identity") else _inflate(chunks, coding)


def counted(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """The chunks of a body of at most ``limit`` bytes. Raises :class:`TooLargeError` as soon as there is more."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise TooLargeError(limit)
        yield chunk


def read_body(chunks: Iterable[bytes], limit: int) -> bytes:
    """A body of at most ``limit`` bytes as a whole. Raises :class:`TooLargeError` as soon as there is more."""
    body = io.BytesIO()  # gives away its buffer in the end, so that a large body is there once
    body.writelines(counted(chunks, limit))
    return body.getvalue()


def _inflate(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    inflater = _inflater(coding)
    fed = False
    for chunk in chunks:
        for at in range(0, len(chunk), _PIECE):
            piece = chunk[at : at + _PIECE]
            fed = True
            while piece:
                if inflater.eof:  # gzip members and zstd frames may follow each other
                    inflater = _inflater(coding)
                try:
                    yield inflater.decompress(piece)
                except (zlib.error, zstandard.ZstdError):
                    raise BrokenCodingError(f"the {coding} body is damaged") from None
                piece = inflater.unused_data if inflater.eof else b""
    if fed and not inflater.eof:
        raise BrokenCodingError(f"the {coding} body is cut short")


def _inflater(coding: str) -> _Inflater:
    if coding == "zstd":
        return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
    if coding in ("gzip", "x-gzip"):
        return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    if coding == "deflate":
        return zlib.decompressobj()
    raise BrokenCodingError("the body has a coding that was not asked for")
