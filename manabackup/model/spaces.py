"""Spaces: what a row belongs to, the app's words for them, and the numbers that stand for them in an archive."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from ..text import jsontext
from ..text.jsontext import JSON

PERSONAL = "personal"
"""The type of the space that every account has for itself; also what it is called where its id does not matter."""
SENTINEL = "_personal:"
"""Begins the id that stands for a personal space until the client knows the real one; the user's id follows."""
OPEN_TO_OTHERS = ("unlisted", "public")
"""Values of ``visibility`` with which others than the space's members may see a row."""
Standing: TypeAlias = Literal["personal", "shared", "unknown"]
"""Whose a space is: the account's own, one of several members, or one of which nobody knows."""
_LABEL = re.compile("#(0|[1-9][0-9]{0,8})")
_UNKNOWN: Final[Mapping[str, str]] = MappingProxyType({})


def is_personal(space: str | None, types: Mapping[str, str]) -> bool:
    """Whether a space is known to be a personal one: its id tells, or ``types`` (id → ``personal``, ``club``, …)."""
    return space is not None and (space.startswith(SENTINEL) or types.get(space) == PERSONAL)


def is_shared(space: str | None, types: Mapping[str, str]) -> bool:
    """Whether a space is known to be another than a personal one. Of one that ``types`` does not list nobody knows."""
    return space is not None and types.get(space, PERSONAL) != PERSONAL


def standing_of(space: str | None, types: Mapping[str, str]) -> Standing:
    """Whose a space is. What names none shows itself to its author alone."""
    if space is None or is_personal(space, types):
        return "personal"
    return "shared" if is_shared(space, types) else "unknown"


def labelled(name: str) -> int | None:
    """The number in what stands for a space's id (:meth:`SpaceNumbers.label`); None for anything else."""
    label = _LABEL.fullmatch(name)
    return int(label[1]) if label is not None else None


class SpaceNumbers:
    """Spaces by their line numbers in ``meta/spaces.jsonl``. Use as the function that numbers those of meta lines.

    Begins with the lines of an archive, if there is one. Of spaces that are added ``types`` may know the type.
    """

    def __init__(self, lines: Iterable[Mapping[str, JSON]] = (), types: Mapping[str, str] = _UNKNOWN) -> None:
        self._ids: list[str | None] = []
        self._stated: list[str | None] = []
        """The types, where an archive or ``types`` states them."""
        self._numbers: dict[str, int] = {}
        self._known = types
        for line in lines:
            space, kind = line.get("id"), line.get("type")
            self._add(space if isinstance(space, str) else None, kind if isinstance(kind, str) else None)

    def __call__(self, space: str) -> int:
        """The line number of a space by its id; a new one where it has none."""
        number = self.find(space)
        return self._add(space, self._known.get(space)) if number is None else number

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def named(self) -> Iterable[str]:
        """The spaces that are known by their ids."""
        return self._numbers

    def find(self, space: str) -> int | None:
        """The line number of a space by its id, if it has one."""
        return self._numbers.get(space)

    def id(self, number: int) -> str | None:
        """The id of a space; None in an archive without ids."""
        return self._ids[number]

    def type(self, number: int) -> str | None:
        """The type of a space, as far as its id tells it or it is stated."""
        return PERSONAL if self.is_stand_in(number) else self._stated[number]

    def is_stand_in(self, number: int) -> bool:
        """Whether a space is a personal one whose id the client did not know yet."""
        return (self._ids[number] or "").startswith(SENTINEL)

    def number(self, space: str) -> int:
        """The number of a space by its id, or by its label in an archive without ids."""
        number = labelled(space)
        return number if number is not None and self._is_nameless(number) else self(space)

    def label(self, space: str) -> str:
        """What stands for a space's id: ``#`` and its number. A label out of an archive without ids stays."""
        return f"#{self.number(space)}"

    @property
    def home(self) -> int | None:
        """The number of the account's personal space; of several the first, and a stand-in's only if there is no other.

        None where nobody knows.
        """
        found = [number for number in range(len(self)) if self.type(number) == PERSONAL]
        return min(found, key=lambda number: (self.is_stand_in(number), number), default=None)

    def lines(self) -> list[bytes]:
        """The lines of ``meta/spaces.jsonl``."""
        return [
            jsontext.dumps({"id": space, **({"type": kind} if kind is not None else {})})
            for space, kind in zip(self._ids, self._stated, strict=True)
        ]

    def lines_without_ids(self) -> list[bytes]:
        """The same, freed of identity."""
        kinds = [self.type(number) for number in range(len(self))]
        return [jsontext.dumps({} if kind is None else {"type": kind}) for kind in kinds]

    def _is_nameless(self, number: int) -> bool:
        return number < len(self) and self._ids[number] is None

    def _add(self, space: str | None, stated: str | None) -> int:
        number = len(self._ids)
        if space is not None:
            self._numbers.setdefault(space, number)
        self._ids.append(space)
        self._stated.append(stated)
        return number
