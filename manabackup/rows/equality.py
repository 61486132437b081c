"""When two values, and two rows, count as equal.

As JSON values: the order of keys does not matter, and a member that is null counts as absent. Numbers are compared as
the server keeps them, as 64-bit floats; inside ciphertext, where the server cannot reach them, as what they say.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from decimal import Decimal, InvalidOperation
from math import isfinite

from ..text.jsontext import JSON, Number

_NOTHING: frozenset[str] = frozenset()


def equal_values(one: JSON, other: JSON, *, exact: bool = False) -> bool:
    """Whether two parsed values are equal; with ``exact`` numbers count by what they say."""
    pending = [(one, other)]
    while pending:
        a, b = pending.pop()
        kind = type(a)
        if kind is dict:
            if type(b) is not dict:
                return False
            pending += [(a.get(name), b.get(name)) for name in a.keys() | b.keys()]
        elif kind is list:
            if type(b) is not list or len(a) != len(b):
                return False
            pending += zip(a, b, strict=True)
        elif _is_number(a):
            if not _is_number(b) or not _equal_numbers(a, b, exact):
                return False
        elif kind is not type(b) or a != b:
            return False
    return True


def changed_fields(
    one: Mapping[str, JSON],
    other: Mapping[str, JSON],
    *,
    exact: Container[str] = _NOTHING,
    ignored: Collection[str] = _NOTHING,
) -> list[str]:
    """The names of the fields in which two rows differ, sorted. ``exact`` are those that were ciphertext."""
    return sorted(
        name
        for name in one.keys() | other.keys()
        if name not in ignored and not equal_values(one.get(name), other.get(name), exact=name in exact)
    )


def _is_number(value: JSON) -> bool:
    return type(value) in (int, float, Number)


def _equal_numbers(a: int | float | Number, b: int | float | Number, exact: bool) -> bool:
    if a == b:
        return True
    if not exact and isfinite(as_float := _as_float(a)):
        return as_float == _as_float(b)
    try:
        return _as_decimal(a) == _as_decimal(b)
    except InvalidOperation:  # an exponent beyond all measure: other text, other number
        return False


def _as_float(number: int | float | Number) -> float:
    return float(number.text if isinstance(number, Number) else number)


def _as_decimal(number: int | float | Number) -> Decimal:
    return Decimal(number.text if isinstance(number, Number) else repr(number))
