"""Inflate (RFC 1951): ISA-L where it is installed, else zlib. Only what ends exactly where its bytes do is taken."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

_isal: Any
try:
    from isal import igzip_lib
except ImportError:  # a platform without ISA-L: slower
    _isal = None
else:
    _isal = igzip_lib

_RAW = -zlib.MAX_WBITS
_END = "its deflate stream does not end where it should"


class InflateError(ValueError):
    """No deflate stream, or one that does not end where its bytes do. The message says which."""


def inflated(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    """What the deflate stream in ``pieces`` holds, ``most`` bytes at a time. Raises :class:`InflateError`."""
    return by_zlib(pieces, most) if _isal is None else by_isal(pieces, most)


def by_isal(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    """:func:`inflated` by ISA-L."""
    # Not its imitation of zlib's objects: that one takes the interpreter back for each growth of its output.
    stream = _isal.IgzipDecompressor(flag=_isal.DECOMP_DEFLATE)
    try:
        for piece in pieces:
            if stream.eof:
                raise InflateError(_END)
            if chunk := stream.decompress(piece, most):
                yield chunk
            while not stream.eof and not stream.needs_input:
                if chunk := stream.decompress(b"", most):
                    yield chunk
    except _isal.error:
        raise InflateError("cannot be inflated") from None
    if not stream.eof or stream.unused_data:
        raise InflateError(_END)


def by_zlib(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    """:func:`inflated` by Python's own zlib."""
    stream = zlib.decompressobj(_RAW)
    try:
        for piece in pieces:
            if stream.eof:
                raise InflateError(_END)
            behind = piece
            while behind and not stream.eof:
                if chunk := stream.decompress(behind, most):
                    yield chunk
                behind = stream.unconsumed_tail
        while not stream.eof and (chunk := stream.decompress(stream.unconsumed_tail, most)):
            yield chunk
    except zlib.error:
        raise InflateError("cannot be inflated") from None
    if not stream.eof or stream.unused_data:
        raise InflateError(_END)
