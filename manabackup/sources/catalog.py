"""What a database says of itself: tables, columns, keys, references. Nothing here comes from a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..text import jsontext
from ..text.jsontext import JSON


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    name: str
    type: str
    """As the database writes it: ``character varying(20)``. SQLite's is what was declared, perhaps nothing."""
    nullable: bool
    base: str = ""
    """The type that decides how values are written: without length, of a domain the one beneath."""
    readable: bool = True
    """Whether this role may read it."""
    is_loose: bool = False
    """Whether its collation takes texts for equal that are not, such as those that differ in capitals alone."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A declared foreign key."""

    columns: tuple[str, ...]
    table: str
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """One table."""

    name: str
    columns: Mapping[str, Column]
    """By name, in the database's order."""
    key: tuple[str, ...]
    """The primary key; empty where there is none."""
    unique: frozenset[frozenset[str]]
    """Sets of columns in which no two rows are alike, the primary key's among them."""
    references: tuple[ForeignKey, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """All tables of a store, by name, and what is no table."""

    tables: Mapping[str, CatalogTable]
    views: tuple[str, ...] = ()
    """Views and the like: their rows stand in tables, or nowhere."""


def without_modifier(type_name: str) -> str:
    """A type without its length or precision: ``numeric[]`` of ``numeric(10,2)[]``.

    >>> without_modifier("timestamp(3) with time zone")
    'timestamp with time zone'
    """
    before, parenthesis, rest = type_name.partition("(")
    return before + rest.partition(")")[2] if parenthesis else type_name


def fingerprint(tables: Iterable[tuple[CatalogTable, Iterable[str], tuple[str, ...]]]) -> str:
    """Names a schema by what is read of it: tables, their columns that are taken out, and their keys."""
    seen: list[JSON] = []
    for table, columns, key in sorted(tables, key=lambda item: item[0].name):
        taken = set(columns)
        described: list[JSON] = [
            [column.name, column.type, column.nullable] for column in table.columns.values() if column.name in taken
        ]
        seen.append([table.name, described, list(key)])
    return hashlib.sha256(jsontext.dumps(seen)).hexdigest()
