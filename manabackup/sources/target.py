"""What rows are written into: tables as an archive describes them, and what every kind of database does with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from ..text.jsontext import JSON
from .catalog import Catalog, ForeignKey
from .profile import StoreKind


class LoadAction(StrEnum):
    """What becomes of a row."""

    INSERT = "insert"
    OVERWRITE = "overwrite"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    """The database has another version of it, which is kept; or it is a part of somebody else's row, and no place is
    there for it."""
    CONFLICT = "conflict"


class LoadConflict(StrEnum):
    """What comes of a row that the database holds differently."""

    FAIL = "fail"
    SKIP = "skip"
    OVERWRITE = "overwrite"

    @property
    def action(self) -> LoadAction:
        """What becomes of such a row."""
        return _ACTIONS[self]


_ACTIONS = {
    LoadConflict.FAIL: LoadAction.CONFLICT,
    LoadConflict.SKIP: LoadAction.SKIPPED,
    LoadConflict.OVERWRITE: LoadAction.OVERWRITE,
}


@dataclass(frozen=True, slots=True)
class LoadColumn:
    """A column, as the archive tells of it."""

    name: str
    archived: str
    """Its key in the archive's rows."""
    type: str
    nullable: bool
    base: str
    """The type that decides how values were written."""


@dataclass(frozen=True, slots=True)
class LoadTable:
    """A table, as the archive tells of it."""

    name: str
    """``<store>.<table>``."""
    table: str
    archived: str
    """Its name in the archive."""
    columns: tuple[LoadColumn, ...]
    key: tuple[str, ...]
    granted: frozenset[str]
    """The columns that rows of other people have; empty where there are no such rows."""
    references: tuple[ForeignKey, ...]
    source: StoreKind
    """The kind of database that it came from."""
    omitted: tuple[LoadColumn, ...] = ()
    """Columns that the database had, and of which the archive holds nothing."""


@dataclass(frozen=True, slots=True)
class LoadRow:
    """A row of an archive."""

    id: str
    cells: tuple[JSON, ...]
    """By the table's columns."""
    reduced: bool
    """Whether it is somebody else's, of which there are some columns only; the others are None."""
    line: bytes
    """As the archive has it."""


@dataclass(frozen=True, slots=True)
class Event:
    """What is said in an outbox of one row that was written."""

    key: str
    """The same for the same content of the same row."""
    type: str
    payload: str


@dataclass(frozen=True, slots=True)
class OutboxPlace:
    """An outbox, its columns by what they hold. Tables are as the database calls them."""

    table: str
    key: str
    type: str
    payload: str
    created_at: str
    id: str | None = None
    position: tuple[str, str] | None = None
    """A table and a column of it that hold how far projectors are."""
    created_as: str | None = None
    """What a time is in ``created_at`` where the database does not say it."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to become of a table's rows."""

    rows: Counter[LoadAction]
    dangling: Mapping[str, int] = field(default_factory=dict)
    """Columns of a foreign key of the database's → rows that refer to what neither it nor the archive has."""


Rows: TypeAlias = Callable[[LoadTable], Iterator[LoadRow]]
"""Reads a table's rows from the beginning, as often as it is called."""
Events: TypeAlias = Callable[[LoadTable, LoadRow], Event]


class Target(Protocol):
    """An open database that is written into, all in one transaction. What fails is a :class:`SourceError`."""

    def catalog(self) -> Catalog:
        """What it says of itself, with the tables that are to be made."""

    def create(self, tables: Sequence[LoadTable], references: Mapping[str, Sequence[ForeignKey]]) -> list[str]:
        """Tables that are not there are made, with those of their references. Gives what was made otherwise, in words.

        They are there when :meth:`commit` is through."""

    def compare(
        self, tables: Sequence[LoadTable], rows: Rows, mode: LoadConflict, events: Events | None
    ) -> list[Planned]:
        """What is to become of each table's rows; nothing is written."""

    def write(self, outbox: OutboxPlace | None) -> int:
        """Writes what was planned, and gives the number of events.

        Raises :class:`ConflictError` where the database is not as it was, and :class:`SourceError` where it did not
        keep a row as it was written."""

    def commit(self) -> None:
        """Let it be so."""

    def close(self) -> None:
        """What was not committed is undone."""

    def place(self) -> str:
        """Where it is, for people."""
