"""Whose data it was: what tells it in rows, ids and ``meta/``, and how an archive is freed of it.

Identity are the columns of scope and authorship, the names of actors, and the ids of spaces, also where they are part
of a row's id. Secrets and capabilities, which do not leave an account either: ``capabilities``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from ..model.registry import Registry
from ..model.spaces import SpaceNumbers
from ..text import jsontext
from ..text.jsontext import JSON

COLUMNS = frozenset({"userId", "spaceId", "authorId"})
"""Set by the app on every row, and by ``restore`` for the account that it writes for."""
TOKEN = "unlistedToken"  # noqa: S105 - a field's name
"""Opens a row to everybody who knows it."""
CHANGED_BY = "visibilityChangedBy"
_KINDS: tuple[dict[str, JSON], ...] = ({"kind": "user"}, {"kind": "ai"}, {"kind": "system"}, {})
_SPACE_ID = "<spaceId>"
_SHORTEST_NAME = 8
"""Characters of an id that is looked for inside other values. Shorter ones would be found by chance."""
_MOST_NAMES = 200
"""Ids that are looked for. An account has a handful of spaces."""


def columns(registry: Registry, table: str) -> frozenset[str]:
    """The columns of identity of a table."""
    return COLUMNS - registry.own_user_ids.get(table, frozenset())


class ActorKinds:
    """Actors by kind alone. Use as the function that numbers the actors of meta lines."""

    def __init__(self, lines: Iterable[Mapping[str, JSON]] = ()) -> None:
        self.by_line: list[dict[str, JSON]] = [_KINDS[_kind(line)] for line in lines]
        """The lines of an archive's ``meta/actors.jsonl``, of each nothing but the kind."""
        self.used = False

    def fresh(self) -> ActorKinds:
        """The same, not used yet."""
        kinds = ActorKinds()
        kinds.by_line = self.by_line
        return kinds

    def __call__(self, actor: Mapping[str, JSON]) -> int:
        """The line number of an actor in the new archive."""
        self.used = True
        return _kind(actor)

    @staticmethod
    def lines() -> list[bytes]:
        """The lines of the new archive's ``meta/actors.jsonl``: each kind, and last what is none of them."""
        return [jsontext.dumps(kind) for kind in _KINDS]


class NewId(NamedTuple):
    """A row's id as it may leave the account."""

    id: str
    well_known: str | None = None
    """The one of the registry's ``wellKnownIds`` that it stands for, where that does not show any more."""


class RowIds:
    """The ids of rows that hold a space's id (registry, ``wellKnownIds``).

    Where they go, the row of the personal space has the id of the new account's ``home`` in it, if that is known, so
    that it is that account's own row. All others get an id of their own, which is one among many there. It is made of
    the old one, from which there is no way back, so that an archive that is made later has the same.
    """

    def __init__(self, registry: Registry, spaces: SpaceNumbers, home: str | None = None) -> None:
        self._spaces = spaces
        self._home = home
        self._patterns = {
            table: id_.partition(_SPACE_ID)[::2]
            for table, ids in registry.well_known_ids.items()
            for id_ in ids
            if _SPACE_ID in id_
        }
        self._at_home: dict[str, str] = {}
        """Table → the id that was given the one of the new account."""

    def in_table(self, table: str) -> bool:
        """Whether a table has such ids."""
        return table in self._patterns

    def rewritten(
        self, table: str, identifier: str, *, well_known: str | None = None, space: int | None = None
    ) -> NewId:
        """A row's new id. ``well_known`` and ``space``, a number, are what the meta line of a rekeyed one says."""
        before, after = self._patterns.get(table, ("", ""))
        if not before:
            return NewId(identifier)
        pattern = f"{before}{_SPACE_ID}{after}"
        if well_known == pattern:
            own = identifier
        else:
            held = identifier[len(before) : len(identifier) - len(after)]
            if not held or identifier != f"{before}{held}{after}":
                return NewId(identifier)
            space = self._spaces.number(held)
            own = _own_id(f"{table}/{identifier}")
        at_home = self._home is not None and space is not None and space == self._spaces.home
        # No two rows become one, whatever an archive calls them.
        if at_home and self._at_home.setdefault(table, identifier) == identifier:
            return NewId(f"{before}{self._home}{after}")
        return NewId(own, pattern)


class Traces:
    """Finds ids of the account in what is left of a row, where nobody expects them."""

    def __init__(self, user_id: str, spaces: SpaceNumbers) -> None:
        self._user_id = user_id
        self._spaces = spaces
        self._known = -1
        self._pattern: re.Pattern[bytes] | None = None

    def found_in(self, text: bytes) -> bool:
        """Whether a JSON text holds one."""
        if len(self._spaces) != self._known and self._known < _MOST_NAMES:
            self._known = len(self._spaces)
            names = [name for name in (self._user_id, *self._spaces.named) if len(name) >= _SHORTEST_NAME]
            texts = [re.escape(jsontext.dumps(name)[1:-1]) for name in names[:_MOST_NAMES]]
            self._pattern = re.compile(b"|".join(texts)) if texts else None
        return self._pattern is not None and self._pattern.search(text) is not None


def _own_id(old: str) -> str:
    """An id as the app makes them, always the same for the same old one."""
    digest = hashlib.sha256(b"manabackup row id\0" + old.encode("utf-8", "surrogatepass")).digest()
    return str(UUID(bytes=digest[:16], version=5))


def _kind(actor: Mapping[str, JSON]) -> int:
    kind = {"kind": actor.get("kind")}
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS) - 1
