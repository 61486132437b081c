"""Whose data it was: what tells it in rows, ids and ``meta/``, and how an archive is freed of it.

Identity are the columns of scope and authorship, the names of actors, the ids of spaces (also where they are part of a
row's id), and capabilities: a token of an unlisted row opens that row of the account that it was made in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .. import jsontext
from ..jsontext import JSON
from ..registry import Registry

COLUMNS = frozenset({"userId", "spaceId", "authorId"})
"""Set by the app on every row, and by ``restore`` for the account that it writes for."""
TOKEN = "unlistedToken"  # noqa: S105 - a field's name
CHANGED_BY = "visibilityChangedBy"
_KINDS: tuple[dict[str, JSON], ...] = ({"kind": "user"}, {"kind": "ai"}, {"kind": "system"}, {})
_PERSONAL = "_personal:"
_SPACE_ID = "<spaceId>"
_NUMBER = re.compile("#(0|[1-9][0-9]{0,8})")
_SHORTEST_NAME = 8
"""Characters of an id that is looked for inside other values. Shorter ones would be found by chance."""
_MOST_NAMES = 200
"""Ids that are looked for. An account has a handful of spaces."""


def columns(registry: Registry, table: str) -> frozenset[str]:
    """The columns of identity of a table."""
    return COLUMNS - registry.own_user_ids.get(table, frozenset())


class SpaceNumbers:
    """Spaces by their line numbers in ``meta/spaces.jsonl``, from the lines of an archive; more may be added."""

    def __init__(self, lines: Iterable[Mapping[str, JSON]] = ()) -> None:
        self._types: list[str | None] = []
        self._numbers: dict[str, int] = {}
        self._nameless: set[int] = set()
        for line in lines:
            space, kind = line.get("id"), line.get("type")
            if isinstance(space, str):
                self._numbers.setdefault(space, len(self._types))
            else:
                self._nameless.add(len(self._types))
            self._types.append(kind if isinstance(kind, str) else _own_type(space))

    def __call__(self, space: str) -> int:
        """The line number of a space."""
        number = self._numbers.get(space)
        if number is None:
            number = self._numbers[space] = len(self._types)
            self._types.append(_own_type(space))
        return number

    def __len__(self) -> int:
        return len(self._types)

    @property
    def ids(self) -> Iterable[str]:
        """The spaces that are known by their ids."""
        return self._numbers

    def label(self, space: str) -> str:
        """What stands for a space's id: ``#`` and its number. A label out of an archive without ids stays."""
        known = _NUMBER.fullmatch(space)
        if known is not None and int(known[1]) in self._nameless:
            return space
        return f"#{self(space)}"

    def lines(self) -> list[bytes]:
        """The lines of ``meta/spaces.jsonl`` without ids."""
        return [jsontext.dumps({} if kind is None else {"type": kind}) for kind in self._types]


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


class RowIds:
    """The ids of rows that hold a space's id (registry, ``wellKnownIds``), with its label in the place."""

    def __init__(self, registry: Registry, spaces: SpaceNumbers) -> None:
        self._spaces = spaces
        self._patterns = {
            table: id_.partition(_SPACE_ID)[::2]
            for table, ids in registry.well_known_ids.items()
            for id_ in ids
            if _SPACE_ID in id_
        }

    def in_table(self, table: str) -> bool:
        """Whether a table has such ids."""
        return table in self._patterns

    def rewritten(self, table: str, identifier: str) -> str:
        """A row's id as it may leave the account."""
        before, after = self._patterns.get(table, ("", ""))
        if not before or not identifier.startswith(before) or not identifier.endswith(after):
            return identifier
        space = identifier[len(before) : len(identifier) - len(after)]
        return f"{before}{self._spaces.label(space)}{after}" if space else identifier


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
            names = [name for name in (self._user_id, *self._spaces.ids) if len(name) >= _SHORTEST_NAME]
            texts = [re.escape(jsontext.dumps(name)[1:-1]) for name in names[:_MOST_NAMES]]
            self._pattern = re.compile(b"|".join(texts)) if texts else None
        return self._pattern is not None and self._pattern.search(text) is not None


def _own_type(space: JSON) -> str | None:
    return "personal" if isinstance(space, str) and space.startswith(_PERSONAL) else None


def _kind(actor: Mapping[str, JSON]) -> int:
    kind = {"kind": actor.get("kind")}
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS) - 1
