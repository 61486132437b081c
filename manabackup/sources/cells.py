"""Values of an archive's rows as databases take them: the way back of ``values``.

What a value becomes is decided by the type of the column that it goes into, and by the kind of database that it came
from. What would be another value afterwards is refused.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from ..text import jsontext
from ..text.jsontext import JSON, Number
from .profile import StoreKind
from .values import AS_TEXT, WRAPPED

PostgresqlCell: TypeAlias = Callable[[JSON], str]
"""PostgreSQL's text of a value that is not NULL. Raises :class:`ValueError`, whose words quote nothing."""
SqliteCell: TypeAlias = Callable[[JSON], int | float | str | bytes]
"""A value that is not NULL for SQLite's driver. Raises :class:`ValueError` likewise."""
_INTEGERS = 2**63
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_FLOAT = frozenset(".eE")
_INFINITIES = frozenset({"Infinity", "-Infinity"})


def postgresql_cell(base: str, source: StoreKind) -> PostgresqlCell:
    """For columns of a type, ``base`` as :class:`.catalog.Column` has it, of rows out of that kind of database."""
    if base.endswith("[]") and base not in AS_TEXT and source is StoreKind.POSTGRESQL:
        element = postgresql_cell(base.removesuffix("[]"), source)
        return lambda value: _text(value) if isinstance(value, str) else _array(value, element)
    if base == "bytea":
        return _bytea
    if base == "jsonb" and source is StoreKind.POSTGRESQL:
        return lambda value: _text(_json(value))
    return _scalar


def _scalar(value: JSON) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case int() | float():
            return str(value)
        case Number():
            return value.text
    raise ValueError("a value of another kind")


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("a text with a zero character, which PostgreSQL does not take")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("a text with half a surrogate pair") from None
    return value


def _json(value: JSON) -> str:
    """The text of what a column ``jsonb`` holds."""
    held = value[WRAPPED] if isinstance(value, dict) and value.keys() == {WRAPPED} else value
    return jsontext.dumps(held).decode()


def _bytea(value: JSON) -> str:
    return f"\\x{_bytes(value).hex()}"


def _bytes(value: JSON) -> bytes:
    encoded: Any = value.get("base64") if isinstance(value, dict) and value.keys() == {"base64"} else value
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise ValueError("no bytes in base64") from None


def _array(value: JSON, element: PostgresqlCell) -> str:
    """Every element but NULL in quotes, so that none of them means anything."""
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return "{" + ",".join([_array(part, element) for part in value]) + "}"
    return '"' + element(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def sqlite_cell(type_name: str, source: StoreKind, *, numeric: bool) -> SqliteCell:
    """For values of the type ``type_name`` in the database that they came from.

    ``numeric`` says whether the column makes numbers of texts that look so: what is infinite is a number there.
    """
    if source is StoreKind.POSTGRESQL:
        if type_name == "bytea":
            return _bytes
        if type_name == "jsonb":
            return _json
        floats = type_name in ("real", "double precision")
        return lambda value: _of_postgresql(value, floats=floats)
    return lambda value: _of_sqlite(value, numeric=numeric)


def sqlite_id(cell: SqliteCell, *, numeric: bool) -> SqliteCell:
    """For the column that is a row's id, of which the archive has the text, whatever it was.

    A column that makes numbers of texts holds none that looks like one.
    """

    def of_text(value: JSON) -> int | float | str | bytes:
        if numeric and isinstance(value, str) and _NUMBER.fullmatch(value):
            number = jsontext.parse(value)
            if isinstance(number, int) and not _FLOAT.isdisjoint(value):
                return float(number)
            return cell(number)
        return cell(value)

    return of_text


def _of_postgresql(value: JSON, *, floats: bool) -> int | float | str | bytes:
    if isinstance(value, (dict, list)):
        return jsontext.dumps(value).decode()
    if floats:
        if value == "NaN":
            raise ValueError("no number (NaN), which SQLite does not keep")
        try:
            return float(value.text if isinstance(value, Number) else value)
        except TypeError:
            raise ValueError("a value of another kind") from None
    return _of_sqlite(value, numeric=False)


def _of_sqlite(value: JSON, *, numeric: bool) -> int | float | str | bytes:
    match value:
        case bool():
            return int(value)
        case int():
            if not -_INTEGERS <= value < _INTEGERS:
                raise ValueError("a number that SQLite does not keep")
            return value
        case float():
            return value
        case Number():
            return float(value.text)
        case str():
            if numeric and value in _INFINITIES:
                return math.inf if value == "Infinity" else -math.inf
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError("a text with half a surrogate pair") from None
            return value
        case dict():
            return _bytes(value)
    raise ValueError("a value of another kind")


def same_in_sqlite(one: Any, other: Any) -> bool:
    """Whether two values of SQLite's are one and the same: 1 is not 1.0, and 0.0 not -0.0. Texts may be bytes."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return type(one) is type(other) and bool(one == other)
