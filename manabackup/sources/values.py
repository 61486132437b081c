"""Values of databases as JSON, exactly: what they become is in ``formats/mana-v2.md``, "Rows of other databases"."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ..text import jsontext
from ..text.jsontext import JSON, Fragment
from .arrays import parse_array
from .catalog import Column
from .profile import StoreKind
from .sqlite import Text

Converter: TypeAlias = Callable[[Any], JSON]
"""Of a value that is not NULL; keys of objects are in canonical order already.

Raises :class:`UnicodeDecodeError` for a text that is not UTF-8.
"""
_INTEGERS = frozenset({"smallint", "integer", "bigint", "oid"})
AS_TEXT = frozenset({"jsonb[]", "box[]"})
"""Arrays of which nested ones could not be told from what stands in them, or that are taken apart otherwise."""
_FLOATS = frozenset({"real", "double precision"})
_MARK = "column:"
WRAPPED = f"{_MARK}json"
"""The one key of an object that stands for its value."""
_WRAPPED_BEGINS = jsontext.dumps({WRAPPED: 0})[:-3].decode()
_OF_THE_FORMAT = frozenset({"id", "deletedAt", "_updatedAtIndex"})


def converter(column: Column, kind: StoreKind) -> Converter | None:
    """What makes JSON of a column's values; None where these are texts that stay as they are."""
    return _of_sqlite if kind is StoreKind.SQLITE else _of_postgresql(column.base)


def key_of_column(name: str, key: Sequence[str]) -> str:
    """What a column is called in a row: names that mean something to the format itself are marked.

    ``key`` is the table's. A column ``id`` that is its whole key is the row's id.
    """
    if name == "id" and tuple(key) == ("id",):
        return name
    taken = name in _OF_THE_FORMAT or name.startswith(("__", _MARK))
    return f"{_MARK}{name}" if taken else name


def row_id(values: Sequence[JSON], key: Sequence[str]) -> str:
    """The text that tells a row from all others of its table."""
    if tuple(key) == ("id",):
        (value,) = values
        return value if isinstance(value, str) else jsontext.dumps(value).decode()
    return jsontext.dumps(list(values)).decode()


def _of_sqlite(value: Any) -> JSON:
    if isinstance(value, Text):
        return value.decode("utf-8")
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, float):
        return _number(repr(value).encode()) if math.isfinite(value) else _infinity(value)
    number: int = value
    return number


def _infinity(value: float) -> str:
    return "Infinity" if value > 0 else "-Infinity"


def _of_postgresql(base: str) -> Converter | None:
    if base in AS_TEXT:
        return None
    if base.endswith("[]"):
        return _array(base.removesuffix("[]"))
    if base in _INTEGERS:
        return int
    if base in _FLOATS:
        return _float
    if base == "boolean":
        return _boolean
    if base == "jsonb":
        return _rewritten
    if base == "bytea":
        return _bytes
    return None


def _array(base: str) -> Converter:
    element = _of_postgresql(base) or str

    def array(text: str) -> JSON:
        return parse_array(text, element)

    return array


def _float(text: str) -> JSON:
    return text if text.lstrip("-") in ("NaN", "Infinity") else _number(text.encode())


def _number(text: bytes) -> JSON:
    value, _ = jsontext.parse_line(text)
    return value


def _boolean(text: str) -> JSON:
    return text in ("t", "true")


def _rewritten(text: str) -> JSON:
    value = Fragment(jsontext.rewritten_decimal(text.encode()))
    # A null that is a value is not the NULL of a column without one.
    return {WRAPPED: value} if text == "null" or text.startswith(_WRAPPED_BEGINS) else value


def _bytes(text: str) -> JSON:
    return base64.b64encode(bytes.fromhex(text.removeprefix("\\x"))).decode()
