"""What a data-model profile says: stores, the subject, and of every table whose rows are in it (formats/profiles.md).

Tables are named ``<store>.<table>``; :func:`store_of` and :func:`table_of` take such a name apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

FORMAT = 1
"""The version of the format."""


class StoreKind(StrEnum):
    """What kind of database a store is."""

    POSTGRESQL = "postgresql"
    SQLITE = "sqlite"


class TableClass(StrEnum):
    """What a table is for."""

    MASTER = "master"
    USER = "user"
    CROSS = "cross"
    SYSTEM = "system"
    CATALOGUE = "catalogue"
    NEVER = "never"


USER = "user"
"""The identity that everybody has."""
OWNED = frozenset({TableClass.MASTER, TableClass.USER, TableClass.CROSS})
"""The classes whose rows belong to people; rows of the others are never read."""


class OnUnknown(StrEnum):
    """What comes of it where the database has something that the profile does not name, or the reverse."""

    ERROR = "error"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Holds:
    """A row belongs to whom a column of it names."""

    column: str
    identity: str
    """Which of the subject's identities the column holds."""


@dataclass(frozen=True, slots=True)
class Through:
    """A row belongs to whom its parent belongs."""

    columns: tuple[str, ...]
    table: str
    """The parent's."""
    key: tuple[str, ...]
    """The parent's columns that :attr:`columns` hold; empty: its primary key."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of several suffices."""

    parts: tuple[Owner, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Each of several must hold."""

    parts: tuple[Owner, ...]


Owner: TypeAlias = Holds | Through | AnyOf | AllOf


@dataclass(frozen=True, slots=True)
class Others:
    """Rows of other people that the subject may have, reduced to some columns; without columns they are counted."""

    owner: Owner
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """One database, or one file for each person."""

    name: str
    kind: StoreKind
    schema: str = "public"
    """Of PostgreSQL's schemas the one that is meant."""
    per_subject: bool = False
    """Whether each person has a file of their own."""
    proof: tuple[str, str] | None = None
    """A table and its column, which hold whose file it is."""
    within: str | None = None
    """The store in whose database its tables stand where it has none of its own."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose rows are taken out, and how people are told apart."""

    table: str
    key: str
    identities: Mapping[str, str]
    """Name of an identity → column of :attr:`table` that holds it. ``user`` is always :attr:`key`."""
    lookup: tuple[str, ...] = ()
    """Other columns by which somebody may be named."""
    row_optional: bool = False
    """Whether somebody's rows may be there when their row in :attr:`table` is gone."""


@dataclass(frozen=True, slots=True)
class ProfiledTable:
    """What a profile says of one table."""

    name: str
    kind: TableClass
    owner: Owner | None = None
    columns: tuple[str, ...] | None = None
    """What is taken out; None: every column that is not named otherwise."""
    key: tuple[str, ...] = ()
    """What tells rows apart, where the table has no primary key."""
    order: tuple[str, ...] = ()
    omit: Mapping[str, str] = field(default_factory=dict)
    """Column → why it is left out."""
    derived: tuple[str, ...] = ()
    """Columns that can be computed again, and are left out unless they are asked for."""
    allow: Mapping[str, str] = field(default_factory=dict)
    """Column whose name looks like a secret's → why it is none."""
    references: Mapping[str, str] = field(default_factory=dict)
    """Column → the table that it points into; never followed."""
    others: Others | None = None
    why: str | None = None

    @property
    def is_read(self) -> bool:
        """Whether rows of it are taken out."""
        return self.kind in OWNED

    def named_columns(self) -> frozenset[str]:
        """The columns that the profile names, exported or not."""
        return frozenset((*(self.columns or ()), *self.omit, *self.derived, *self.allow))


@dataclass(frozen=True, slots=True)
class Outbox:
    """Where it is told that rows were written, so that what is made of them follows. Columns by what they hold."""

    table: str
    key: str
    """What tells an event from all others: one that is there already is not told again."""
    type: str
    payload: str
    created_at: str
    id: str | None = None
    """What the database counts events by."""
    position: tuple[str, str] | None = None
    """A table and a column of it: up to which of these numbers projectors are."""


@dataclass(frozen=True, slots=True)
class Checks:
    """What is an error, and what a notice."""

    unknown_table: OnUnknown = OnUnknown.ERROR
    unknown_column: OnUnknown = OnUnknown.ERROR
    missing_column: OnUnknown = OnUnknown.ERROR


@dataclass(frozen=True, slots=True)
class Profile:
    """A data-model profile that keeps to the rules."""

    name: str
    title: str
    stores: Mapping[str, Store]
    subject: Subject
    tables: Mapping[str, ProfiledTable]
    checks: Checks
    types: Mapping[tuple[str, str], str]
    """Table and column → what its values mean, where the database does not say it."""
    sha256: str
    """Of the file."""
    outbox: Outbox | None = None

    def read_tables(self) -> Iterator[ProfiledTable]:
        """The tables whose rows are taken out."""
        return (table for table in self.tables.values() if table.is_read)


def store_of(name: str) -> str:
    """The store of a table's name."""
    return name.partition(".")[0]


def table_of(name: str) -> str:
    """What a table is called in its store."""
    return name.partition(".")[2]


def paths(owner: Owner) -> Iterator[Holds | Through]:
    """The steps that an ownership begins with."""
    match owner:
        case AnyOf(parts) | AllOf(parts):
            for part in parts:
                yield from paths(part)
        case _:
            yield owner
