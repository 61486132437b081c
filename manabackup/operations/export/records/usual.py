"""The short way for usual records: a single insert of a live row, with nothing to be said of it.

Most records are that, and need neither a fold nor anything that is kept for one. What names and types decide is decided
once for all records of the same names and types.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from ....crypto.fields import is_encrypted, may_be_encrypted
from ....errors import FieldDecryptionError
from ....model.detached import DetachedChange
from ....model.projection import Numbering, accept
from ....model.projection.change import is_data
from ....model.registry import Table
from ....text import jsontext
from ....text.jsontext import JSON, Fragment
from ..terms import ExportTerms

_MOST_SHAPES = 1_000
_TIMES = ("updatedAt", "createdAt")

_Key: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the names and types of an insert decide."""

    time: str | None
    """Where its time stands."""
    private: tuple[str, ...]
    """Fields that are to be ciphertext, in the order of their names."""
    dropped: tuple[str, ...]
    """Members of its data that are no data."""
    deletable: bool


class UsualRecords:
    """Writes usual records of one table. Nothing is usual where the terms leave live records out."""

    def __init__(self, terms: ExportTerms, table: Table | None, numbering: Numbering) -> None:
        self._applies = terms.as_of is None and not terms.spaces
        self._cipher = terms.cipher
        self._private = table.encrypted if table is not None else frozenset()
        self._has_spaces = table is not None and table.scope == "space"
        self._tomorrow = terms.tomorrow
        self._line_bytes = terms.line_bytes
        self._actor, self._space = numbering
        self._as_stored = terms.as_stored
        self.opened = False
        """Whether the key opened any field of what was written."""
        self.left_closed = 0
        """Fields of what was written that nobody was to open."""
        self._shapes: dict[_Key, _Shape | None] = {}

    def lines(self, stored: bytes) -> tuple[bytes, bytes] | None:
        """The row's line and its meta line, for a record of this one change; None when it is not usual.

        ``stored`` as :attr:`manabackup.model.detached.DetachedChange.stored` gives it.
        """
        if not self._applies:
            return None
        change = DetachedChange.read(stored)
        value = jsontext.parse_canonical(change.text)
        if type(value) is not dict or value.get("op") != "insert" or not value.get("id") or not value.get("table"):
            return None
        data = value.get("data")
        if type(data) is not dict or (shape := self._shape(value, data)) is None:
            return None
        time = None if shape.time is None else data[shape.time]
        if shape.time is not None and (type(time) is not str or not time or time > self._tomorrow):
            return None
        space: JSON = data.get("spaceId") if self._has_spaces else None
        if self._has_spaces and (type(space) is not str or not space):
            return None
        if shape.deletable and data["deletedAt"] is not None:
            return None
        closed = self._left(data, shape.private, change) if self._as_stored else 0
        if closed is None or not (self._as_stored or self._open(data, shape.private, change)):
            return None
        for name in shape.dropped:
            del data[name]
        identifier = jsontext.dumps(value["id"])
        line = b'{"id":%b,%b' % (identifier, jsontext.dumps(data)[1:])
        if not data or len(line) > self._line_bytes or not jsontext.nests_within(line):
            return None
        self.left_closed += closed
        # Nothing is numbered before it is certain to be written.
        actor = value.get("actor")
        meta: dict[str, JSON] = {
            "id": Fragment(identifier),
            "at": time,
            "actor": None if actor is None else self._actor(actor),
            "origin": value.get("origin"),
            "fields": {},
            "sealed": [],
        }
        if self._has_spaces:
            meta["space"] = self._space(space)
        return line, jsontext.dumps(meta)

    def _open(self, data: dict[str, JSON], private: tuple[str, ...], change: DetachedChange) -> bool:
        """Puts the text of every encrypted value in its place. Whether there was nothing else to do or say."""
        cipher, left, opened = self._cipher, change.encrypted_members, False
        for name in private:
            value = data[name]
            if value is None:
                continue
            if not may_be_encrypted(value) or cipher is None:
                return False
            try:
                text, repaired = change.open(value, cipher)
            except FieldDecryptionError:
                return False
            if repaired:
                return False
            data[name] = Fragment(text)
            opened = True
            left -= 1
        if left:
            return False  # any other is somewhere else
        self.opened = self.opened or opened
        return True

    def _left(self, data: dict[str, JSON], private: tuple[str, ...], change: DetachedChange) -> int | None:
        """Spells every encrypted value as it came; gives their number, None where there is something else to say."""
        closed = 0
        for name in private:
            value = data[name]
            if value is None:
                continue
            if not may_be_encrypted(value) or not is_encrypted(spelled := change.spelled(value)):
                return None
            data[name] = spelled
            closed += 1
        return closed if closed == change.encrypted_members else None  # any other is somewhere else

    def _shape(self, change: dict[str, JSON], data: dict[str, JSON]) -> _Shape | None:
        key = (*change, *map(type, change.values()), *data)
        try:
            return self._shapes[key]
        except KeyError:
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            shape = self._shapes[key] = self._new_shape(change, data)
            return shape

    def _new_shape(self, change: dict[str, JSON], data: dict[str, JSON]) -> _Shape | None:
        if accept(change) is not None or not change.keys().isdisjoint(("fields", "deletedAt")):
            return None
        if "actor" in change and change["actor"] is None:
            return None
        return _Shape(
            next((name for name in _TIMES if name in data), None),
            tuple(name for name in data if name in self._private),
            tuple(name for name in data if not is_data(name)),
            "deletedAt" in data,
        )
