"""What PostgreSQL does to values on their way through the sync server, and how it refuses them.

Sources: PostgreSQL 15 documentation, 8.1.2 (numeric), 8.14 (JSON types), appendix A (error codes); the recorded answers
14, 16, 20, 25 in ``fixtures/transcripts``.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import orjson

from .gojson import Literal, Members, Node, escape_html, parse

_DIGITS_BEFORE_POINT = 131_072
_DIGITS_AFTER_POINT = 16_383


class StorageError(Exception):
    """The database refuses a value; the message is what the server appends to its own words."""


_BAD_TEXT = 'ERROR: invalid byte sequence for encoding "UTF8": 0x{:02x} (SQLSTATE 22021)'
_NO_NUL_ESCAPE = "ERROR: unsupported Unicode escape sequence (SQLSTATE 22P05)"
_BAD_JSON = "ERROR: invalid input syntax for type json (SQLSTATE 22P02)"
_OVERFLOW = "ERROR: value overflows numeric format (SQLSTATE 22003)"
_INT4 = "unable to encode {0} into binary format for int4 (OID 23): {0} is greater than maximum value for int4"

_LONE = re.compile("[\ud800-\udfff]")
_NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*+\\u0000")


def check_text(*texts: str) -> None:
    """Raises :class:`StorageError` when one of ``texts`` holds a NUL or a lone surrogate, the mark of a bad byte."""
    for text in texts:
        if "\x00" in text:
            raise StorageError(_BAD_TEXT.format(0))
        if not text.isascii() and (lone := _LONE.search(text)):
            raise StorageError(_BAD_TEXT.format(ord(lone.group()) & 0xFF))


def check_json(text: bytes) -> None:
    """Raises :class:`StorageError` when a string in the JSON ``text`` holds a NUL."""
    if rb"\u0000" in text and _NUL_ESCAPE.search(text):
        raise StorageError(_NO_NUL_ESCAPE)


def check_int4(number: int) -> None:
    """Raises :class:`StorageError` when ``number`` does not fit an ``integer`` column."""
    if number >= 2**31:
        raise StorageError(_INT4.format(number))


def jsonb(node: Node) -> bytes:
    """``node`` after a round through a ``jsonb`` column and Go's encoder, which escapes HTML characters.

    Numbers keep their precision and lose their exponent, keys are sorted by length first, the last duplicate wins.
    Raises :class:`StorageError` for what such a column cannot hold.
    """
    out: list[bytes] = []
    pending: list[Any] = [node]
    while pending:
        item = pending.pop()
        if type(item) is bytes:
            out.append(item)
        elif isinstance(item, Literal):
            out.append(_numeric(item))
        elif isinstance(item, str):
            out.append(_string(item))
        elif isinstance(item, Members):
            members = {_string(key): value for key, value in item}
            out.append(b"{")
            pending.append(b"}")
            for index, key in enumerate(sorted(members, key=_jsonb_order, reverse=True)):
                if index:
                    pending.append(b",")
                pending += (members[key], key + b":")
        elif isinstance(item, list):
            out.append(b"[")
            pending.append(b"]")
            for index in range(len(item) - 1, -1, -1):
                pending.append(item[index])
                if index:
                    pending.append(b",")
        else:
            out.append(orjson.dumps(item))
    return escape_html(b"".join(out))


@lru_cache(maxsize=1_024)
def jsonb_of_text(text: bytes) -> bytes:
    """As :func:`jsonb`, of one JSON text."""
    return jsonb(parse(text))


def _jsonb_order(key: bytes) -> tuple[int, bytes]:
    raw = orjson.loads(key).encode()
    return len(raw), raw


def _string(text: str) -> bytes:
    if "\x00" in text:
        raise StorageError(_NO_NUL_ESCAPE)
    try:
        return orjson.dumps(text)
    except orjson.JSONEncodeError:  # a lone surrogate, or bytes that are not UTF-8
        raise StorageError(_BAD_JSON) from None


def _numeric(text: str) -> bytes:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise StorageError(_OVERFLOW) from None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_DIGITS_AFTER_POINT or number.adjusted() >= _DIGITS_BEFORE_POINT:
        raise StorageError(_OVERFLOW)
    if number == 0:
        number = abs(number) if exponent < 0 else Decimal(0)
    return f"{number:f}".encode()
