"""Whose a row is, told by the columns that its ways upwards end at: for the rows of everybody in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .profile import USER


@dataclass(frozen=True, slots=True)
class End:
    """One way upwards ends at this value of the row's, which is an identity of somebody's."""

    place: int
    identity: str


@dataclass(frozen=True, slots=True)
class Fork:
    """Several ways, of which one suffices, or which must all lead to the same person."""

    ways: tuple[Ways, ...]
    all: bool


Ways: TypeAlias = End | Fork


@dataclass(frozen=True, slots=True)
class People:
    """Everybody, by their identities."""

    keys: Mapping[str, Mapping[str, str]]
    """Identity → its value, as text → the key of whose it is, as text."""
    may_be_gone: bool
    """Whether a key of which there is no row names somebody, too."""

    def owners(self, ways: Ways, ends: Sequence[Any]) -> frozenset[str]:
        """The keys of those whose a row is."""
        if isinstance(ways, End):
            value = ends[ways.place]
            if value is None:
                return _NOBODY
            text = value if isinstance(value, str) else as_text(value)
            key = self.keys[ways.identity].get(text)
            if key is None and self.may_be_gone and ways.identity == USER and _NUL not in text:
                key = text
            return _NOBODY if key is None else frozenset((key,))
        found = [self.owners(way, ends) for way in ways.ways]
        return frozenset.intersection(*found) if ways.all else frozenset.union(*found)


def is_nobodys(ways: Ways, ends: Sequence[Any]) -> bool:
    """Whether a row leads to nobody: by a NULL, or by a parent that is nobody's or not there."""
    if isinstance(ways, End):
        return ends[ways.place] is None
    tell = any if ways.all else all
    return tell(is_nobodys(way, ends) for way in ways.ways)


def as_text(value: Any) -> str:
    """A value out of a database as text, to compare and to show it."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


_NUL = "\0"
"""What no key of PostgreSQL's holds, and no archive's name could."""
_NOBODY: frozenset[str] = frozenset()
