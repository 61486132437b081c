"""Rows in groups: what belongs to another row, asked for in the order of those."""

from __future__ import annotations

from collections.abc import Iterator

from .read_rows import ReadRow, unpacked

_END = "\0"


def sortable(key: str, among: str) -> str:
    """By which a row is sorted: its group's key, then its place among those of one key."""
    return _escaped(key) + _END + among


def _escaped(key: str) -> str:
    """The same key without the character that ends it, in an order with others that is the same too."""
    return key.replace("\1", "\1\2").replace("\0", "\1\1")


class Groups:
    """Rows in groups, asked for with keys ascending by code point.

    Rows of groups that nobody asks for are set aside, packed, for :meth:`unasked`.
    """

    def __init__(self, pairs: Iterator[tuple[str, bytes]]) -> None:
        self._pairs = pairs
        self._next = next(pairs, None)
        self._passed: list[bytes] = []

    def of(self, key: str) -> Iterator[ReadRow]:
        """The rows of a group, those made first at the begin. Read it to its end before the next one is asked for."""
        wanted = _escaped(key)
        while self._next is not None and (found := self._next[0].partition(_END)[0]) <= wanted:
            line = self._next[1]
            self._next = next(self._pairs, None)
            if found == wanted:
                yield unpacked(line)
            else:
                self._passed.append(line)

    def unasked(self) -> Iterator[ReadRow]:
        """The rows of groups that nobody asked for; at the end."""
        while self._passed:
            yield unpacked(self._passed.pop(0))
        while self._next is not None:
            line = self._next[1]
            self._next = next(self._pairs, None)
            yield unpacked(line)
