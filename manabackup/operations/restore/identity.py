"""Whose a restored row is: the space that it goes to, and the columns that make it visible there.

Rows of shared spaces belong to others as well. They are not moved, and not encrypted under one member's key, unless
somebody asked for it by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ...errors import DamagedArchiveError, UsageError
from ...model.registry import Table
from ...model.spaces import PERSONAL, SENTINEL, SpaceNumbers, is_personal, labelled
from ...text.jsontext import JSON
from ...text.printable import printable
from ...text.suggestions import did_you_mean
from ..account.spaces import no_member, refuse_stand_in, spaces_named
from .decision import Reason

_MOST_SPACES = 10_000
_SCOPE_COLUMNS = {"space": ("spaceId", "authorId"), "user": ("userId",)}


@dataclass(frozen=True, slots=True)
class RowDestination:
    """Where a row goes. ``space`` is None for tables that belong to the user."""

    space: str | None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class TargetSpaces:
    """The spaces of the target account."""

    user_id: str
    types: Mapping[str, str] | None = None
    """Space id → type; None where the account service cannot be asked."""
    personal: str | None = None
    """Its personal space, if it is known."""

    @property
    def home(self) -> str:
        """The personal space, or its stand-in."""
        return self.personal if self.personal is not None else f"{SENTINEL}{self.user_id}"

    def is_personal(self, space: str) -> bool:
        """Whether a space is known to be the user's own."""
        return space == self.personal or is_personal(space, self.types or {})

    def destination(self, name: str) -> RowDestination:
        """The space that somebody named. Raises :class:`UsageError` when the user is no member of it."""
        if name == PERSONAL:
            return RowDestination(self.home)
        refuse_stand_in(name, self.user_id)
        if self.is_personal(name):
            return RowDestination(name)
        if self.types is not None and name not in self.types:
            raise no_member(name, self.types)
        return RowDestination(name, shared=True)

    def agreed(self, wanted: RowDestination, held: str | None) -> RowDestination | Reason:
        """Where a row that exists is written: in the space where it is, when that is where it should go."""
        if held == wanted.space:
            return wanted
        if held is None or self.is_personal(held):
            return (
                Reason.IN_ANOTHER_SPACE if wanted.shared else RowDestination(held if held is not None else wanted.space)
            )
        return Reason.UNKNOWN_SPACE if self.types is None else Reason.IN_ANOTHER_SPACE


@dataclass(frozen=True, slots=True)
class SpaceOptions:
    """What was asked for about spaces."""

    mapped: Sequence[str] = ()
    """``OLD=NEW``: ``OLD`` an id, ``#n`` or ``personal``; ``NEW`` an id or ``personal``."""
    shared_into_personal: bool = False
    shared_plaintext: bool = False


@dataclass(slots=True)
class ArchiveSpaces:
    """The spaces of an archive by number, and where their rows go."""

    target: TargetSpaces
    numbers: SpaceNumbers
    only_unknown: int | None = None
    """The one space of an archive that holds everything and tells no types: an account always has a personal space."""
    _mapped: dict[int, RowDestination] = field(default_factory=dict)
    _shared_into_personal: bool = False

    @classmethod
    def of(cls, lines: Iterable[Mapping[str, JSON]], found: Iterable[str], target: TargetSpaces) -> ArchiveSpaces:
        """From the lines of ``meta/spaces.jsonl``, and spaces that were found in rows besides.

        Raises :class:`DamagedArchiveError` for more spaces than anybody has.
        """
        spaces = cls(target, SpaceNumbers(islice(lines, _MOST_SPACES + 1)))
        spaces._require_few()
        for space in found:
            spaces.number(space)
        return spaces

    def settle(self, options: SpaceOptions, *, holds_everything: bool, fields_plaintext: bool) -> None:
        """Takes what was asked for. Raises :class:`UsageError` for what cannot be done."""
        self._shared_into_personal = options.shared_into_personal
        for mapping in options.mapped:
            old, equals, new = mapping.partition("=")
            if not old or not equals or not new:
                raise UsageError(f"not of the form OLD=NEW: {printable(mapping)}")
            destination = self.target.destination(new)
            if destination.shared and not fields_plaintext:
                raise UsageError(
                    "an encrypted archive cannot be restored into a shared space: its members could not read it"
                )
            if destination.shared and not options.shared_plaintext:
                raise UsageError(
                    f"the space {printable(new)} is shared: what goes there is readable for its members and the server",
                    hint="--shared-plaintext says that this is meant",
                )
            for number in self.named(old):
                self._mapped[number] = destination
        nameable = [number for number in range(len(self.numbers)) if not self.numbers.is_stand_in(number)]
        if holds_everything and len(nameable) == 1 and self.numbers.type(nameable[0]) is None:
            self.only_unknown = nameable[0]

    def named(self, name: str) -> list[int]:
        """The numbers of the spaces that somebody named. Raises :class:`UsageError` when there is none."""
        if name == PERSONAL:
            return [number for number in range(len(self.numbers)) if self.is_personal(number)]
        number = labelled(name)
        if number is None or number >= len(self.numbers):
            number = self.numbers.find(name)
        if number is not None:
            return [number]
        there = [f"#{number}" for number in range(len(self.numbers))]
        hint = did_you_mean(name, self.numbers.named) or spaces_named("it has `personal` and", self.numbers.named)
        hint = hint or spaces_named("it does not tell their ids, and has", there)
        raise UsageError(f"the archive has no space {printable(name)}", hint=hint)

    @property
    def destinations(self) -> set[str]:
        """The spaces of the target that rows may go to."""
        return {self.target.home, *(one.space for one in self._mapped.values() if one.space is not None)}

    def number(self, space: str) -> int:
        """The number of a space by its id."""
        number = self.numbers(space)
        self._require_few()
        return number

    def label(self, number: int | None) -> str:
        """What a report calls a space."""
        if number is None:
            return PERSONAL
        return self.numbers.id(number) or f"#{number}"

    def is_personal(self, number: int | None) -> bool:
        """Whether rows of the space are the user's own; those of none are."""
        return number is None or self.numbers.type(number) == PERSONAL or number == self.only_unknown

    def destination(self, number: int | None) -> RowDestination | Reason:
        """Where the rows of a space go."""
        if number is not None and number in self._mapped:
            return self._mapped[number]
        if self.is_personal(number) or self._shared_into_personal:
            return RowDestination(self.target.home)
        assert number is not None
        return Reason.UNKNOWN_SPACE if self.numbers.type(number) is None else Reason.OTHER_SPACE

    def _require_few(self) -> None:
        if len(self.numbers) > _MOST_SPACES:
            raise DamagedArchiveError(f"names more than {_MOST_SPACES:,} spaces", code="limit")


def scope_fields(
    table: Table, destination: RowDestination, user_id: str, values: Mapping[str, JSON]
) -> dict[str, JSON]:
    """The columns that a new row needs to be seen: of the space and its author, or of the user."""
    if table.scope == "user":
        return {"userId": user_id}
    visibility = values.get("visibility")
    return {
        "spaceId": destination.space,
        "authorId": user_id,
        "visibility": visibility if visibility is not None else "space",
    }


def kept_scope_fields(table: Table, held: Mapping[str, JSON], *, space_filled: bool) -> dict[str, JSON]:
    """The columns of a row that exists, restated for clients that have forgotten it."""
    return {
        name: held[name]
        for name in _SCOPE_COLUMNS[table.scope]
        if held.get(name) is not None and not (name == "spaceId" and space_filled)
    }
