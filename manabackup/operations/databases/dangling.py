"""References of an archive's rows that lead to no row of the archive: to catalogues, to other people, to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from ...sources.catalog import ForeignKey
from ...sources.key_digests import KeyDigests
from ...sources.profile import Profile, table_of
from ...sources.target import LoadRow, LoadTable
from ...text import jsontext
from ...text.jsontext import JSON
from .described import Described


def count_dangling(described: Described, profile: Profile) -> dict[str, dict[str, int]]:
    """Table → columns of a reference → rows in which it leads out of the archive.

    Counted are the references that the database had declared, and those that the profile names.
    """
    references = {table.name: _references(table, profile, described.tables) for table in described.tables}
    by_table = {table.table: table for table in described.tables}
    wanted: dict[str, set[tuple[str, ...]]] = {}
    for reference in (each for some in references.values() for each in some):
        parent = by_table.get(reference.table)
        if parent is not None and set(reference.key) <= {column.name for column in parent.columns}:
            wanted.setdefault(reference.table, set()).add(reference.key)
    found: dict[str, dict[str, int]] = {}
    with closing(KeyDigests()) as digests:
        for name, keys in wanted.items():
            digests.add(_keys(described, by_table[name], sorted(keys)))
        for table in described.tables:
            counts = _count(described, table, references[table.name], digests)
            if counts:
                found[table.name] = counts
    return found


def _references(table: LoadTable, profile: Profile, tables: Sequence[LoadTable]) -> list[ForeignKey]:
    known = {column.name for column in table.columns}
    declared = [reference for reference in table.references if set(reference.columns) <= known]
    keys = {each.name: each.key for each in tables}
    for column, target in profile.tables[table.name].references.items():
        key = keys.get(target, ())
        if column in known and len(key) == 1 and not any(each.columns == (column,) for each in declared):
            declared.append(ForeignKey((column,), table_of(target), key))
    return declared


def _keys(
    described: Described, table: LoadTable, keys: Sequence[tuple[str, ...]]
) -> Iterator[tuple[str, Sequence[str], Sequence[Any]]]:
    for row in described.rows(table):
        for key in keys:
            yield table.table, key, _values(table, row, key)


def _values(table: LoadTable, row: LoadRow, names: Sequence[str]) -> list[Any]:
    places = {column.name: place for place, column in enumerate(table.columns)}
    cells = [row.cells[places[name]] for name in names]
    return [None if cell is None else _as_compared(cell) for cell in cells]


def _as_compared(cell: JSON) -> str:
    """A number and the text of it are one: so the id of a row has it, which others refer to."""
    if isinstance(cell, str):
        return cell
    return jsontext.dumps(int(cell) if isinstance(cell, float) and cell.is_integer() else cell).decode()


def _count(
    described: Described, table: LoadTable, references: Sequence[ForeignKey], digests: KeyDigests
) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in described.rows(table) if references else ():
        for reference in references:
            values = _values(table, row, reference.columns)
            if None not in values and not digests.has(reference.table, reference.key, values):
                name = ", ".join(reference.columns)
                counts[name] = counts.get(name, 0) + 1
    return counts


def held(described: Described, dangling: Mapping[str, Mapping[str, int]]) -> dict[str, list[ForeignKey]]:
    """The declared references that all rows of the archive keep to, by table, among the archive's tables."""
    tables = {table.table: {column.name for column in table.columns} for table in described.tables}
    found: dict[str, list[ForeignKey]] = {}
    for table in described.tables:
        lost = dangling.get(table.name, {})
        found[table.name] = [
            each
            for each in table.references
            if ", ".join(each.columns) not in lost
            and set(each.columns) <= tables[table.table]
            and set(each.key) <= tables.get(each.table, set())
        ]
    return found
