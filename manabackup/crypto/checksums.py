"""Checksums of what lies in a database, so that a disk that alters, loses or exchanges something is found out.

A row's checksum covers its role and all of its columns, so that it is right in one place alone. The checksums of a
table's rows add up to a total that a row can join and leave without the others being read: a row that is missing, or
there twice, is missing in it. Nobody is kept from computing them anew: they are for accidents, not against people.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TypeAlias

Value: TypeAlias = int | float | str | bytes | None
"""What SQLite gives."""

BYTES = 16
"""The size of a checksum."""
NOTHING = bytes(BYTES)
"""The total of no rows."""
_PLAIN = frozenset((int, str, float, type(None)))
"""What shows its type when it is shown."""
_MODULUS = 1 << 8 * BYTES


class ChecksumError(Exception):
    """Something is not what was written. ``what`` names it in a few words, for people."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def checksum(role: bytes, *values: Value) -> bytes:
    """The checksum of a row in its ``role`` (16 bytes at most), whose columns have these values."""
    head = ",".join([repr(value) if type(value) in _PLAIN else _shown(value) for value in values])
    found = blake2b(head.encode("utf-8", "surrogatepass"), digest_size=BYTES, person=role)
    for value in values:
        if type(value) is bytes:
            found.update(value)
    return found.digest()


def _shown(value: Value) -> str:
    """A blob by its length, and a member of an enumeration as what it is stored as."""
    if type(value) is bytes:
        return f"x{len(value)}"
    return int.__repr__(value) if isinstance(value, int) else str.__repr__(value) if isinstance(value, str) else "?"


def added(total: bytes, *sums: bytes) -> bytes:
    """The total with the checksums of more rows."""
    number = sum((_number(one) for one in sums), _number(total))
    return (number % _MODULUS).to_bytes(BYTES, "little")


def taken(total: bytes, *sums: bytes) -> bytes:
    """The total without the checksums of some of its rows."""
    number = _number(total) - sum(_number(one) for one in sums)
    return (number % _MODULUS).to_bytes(BYTES, "little")


def text(value: bytes) -> str:
    """A column's text, for SQLite: what is none becomes another one, whose checksum does not fit."""
    return value.decode("utf-8", "replace")


def _number(total: bytes) -> int:
    return int.from_bytes(total, "little")
