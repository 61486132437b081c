"""A profile beside the database that it is about: what one says and the other does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..text.jsontext import JSON
from .catalog import Catalog, CatalogTable, Column
from .profile import Holds, OnUnknown, Profile, ProfiledTable, Through, paths, store_of, table_of
from .secret_names import looks_secret


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One thing that the two do not agree about. Kinds and their meanings: ``formats/profiles.md``, "Rules"."""

    kind: str
    table: str
    column: str | None = None
    reason: str | None = None
    severity: OnUnknown = OnUnknown.ERROR

    def to_json(self) -> dict[str, JSON]:
        """As ``profile check --json`` shows it."""
        known = {"table": self.table, "column": self.column, "reason": self.reason}
        return {
            "kind": self.kind,
            "severity": str(self.severity),
            **{key: value for key, value in known.items() if value is not None},
        }

    def __str__(self) -> str:
        where = self.table if self.column is None else f"{self.table}, column {self.column}"
        return f"{self.kind}: {where}" + (f" ({self.reason})" if self.reason else "")


def compare(profile: Profile, catalogs: Mapping[str, Catalog]) -> list[Disagreement]:
    """All findings. ``catalogs`` are those of the profile's stores, by name; stores of one database share one."""
    found = list(_unknown_tables(profile, catalogs))
    for table in profile.tables.values():
        catalog = catalogs[store_of(table.name)]
        there = catalog.tables.get(table_of(table.name))
        if there is None:
            if table.is_read:
                found.append(Disagreement("missingTable", table.name, severity=profile.checks.missing_column))
        elif table.is_read:
            found += _columns(profile, table, there)
            found += _ownership(profile, table, there, catalog)
    return found


def exported_columns(table: ProfiledTable, there: CatalogTable, *, derived: bool = False) -> tuple[Column, ...]:
    """The columns that are taken out, in the database's order."""
    left_out = {*table.omit, *(() if derived else table.derived)}
    taken = None if table.columns is None else {*table.columns, *(table.derived if derived else ())}
    return tuple(
        column for name, column in there.columns.items() if name not in left_out and (taken is None or name in taken)
    )


def row_key(table: ProfiledTable, there: CatalogTable) -> tuple[str, ...]:
    """What tells rows of a table apart: what the profile says, else the primary key."""
    return table.key or there.key


def _unknown_tables(profile: Profile, catalogs: Mapping[str, Catalog]) -> Iterator[Disagreement]:
    seen: dict[int, tuple[str, Catalog, set[str]]] = {}
    for store, catalog in catalogs.items():
        _, _, named = seen.setdefault(id(catalog), (store, catalog, set()))
        named |= {table_of(name) for name in profile.tables if store_of(name) == store}
    for store, catalog, named in seen.values():
        for name in catalog.tables:
            if name not in named:
                yield Disagreement("unknownTable", f"{store}.{name}", severity=profile.checks.unknown_table)
        for name in catalog.views:
            yield Disagreement("notRead", f"{store}.{name}", reason="no table", severity=OnUnknown.NOTICE)


def _columns(profile: Profile, table: ProfiledTable, there: CatalogTable) -> Iterator[Disagreement]:
    named = table.named_columns() | set(table.key) | set(table.order)
    for column in there.columns.values():
        if table.columns is not None and column.name not in named:
            yield Disagreement("unknownColumn", table.name, column.name, severity=profile.checks.unknown_column)
        if table.columns is None and looks_secret(column.name) and column.name not in named:
            yield Disagreement("secretColumn", table.name, column.name)
    needed = {name for step in _steps(table) for name in _columns_of(step)} | set(table.key)
    asked = named | needed | set(table.references) | set(table.others.columns if table.others is not None else ())
    for name in sorted(asked - there.columns.keys()):
        severity = OnUnknown.ERROR if name in needed else profile.checks.missing_column
        yield Disagreement("missingColumn", table.name, name, severity=severity)
    for column in exported_columns(table, there):
        if not column.readable:
            yield Disagreement("unreadableColumn", table.name, column.name)
    if not row_key(table, there):
        yield Disagreement("noKey", table.name)


def _ownership(profile: Profile, table: ProfiledTable, there: CatalogTable, catalog: Catalog) -> Iterator[Disagreement]:
    subject = profile.subject
    for step in _steps(table):
        columns = _columns_of(step)
        key: tuple[str, ...]
        if isinstance(step, Holds):
            parent, key = subject.table, (subject.identities[step.identity],)
        else:
            parent, key = step.table, parent_key(step, catalog)
            if table_of(parent) not in catalog.tables:
                yield Disagreement("missingTable", parent, reason=f"it says whose rows of {table.name} are")
                continue
            if not _is_unique(catalog.tables[table_of(parent)], key):
                yield Disagreement(
                    "parentNotUnique", table.name, ", ".join(columns), f"{parent}: {', '.join(key) or 'no key'}"
                )
        yield from _unlike(table.name, there, columns, (catalog.tables.get(table_of(parent)), key))
        yield from _contradiction("contradictedOwner", there, columns, table.name, (parent, key))
        if table.name != subject.table:
            for name in columns:
                column = there.columns.get(name)
                if column is not None and column.nullable:
                    yield Disagreement("mayBeNobodys", table.name, name, severity=OnUnknown.NOTICE)
    for name, target in table.references.items():
        yield from _contradiction("contradictedReference", there, (name,), table.name, (target, None))


def _unlike(
    name: str, there: CatalogTable, columns: tuple[str, ...], expected: tuple[CatalogTable | None, tuple[str, ...]]
) -> Iterator[Disagreement]:
    """Columns that the database would find equal to keys of several parents; and to keys that are spelled otherwise."""
    parent, key = expected
    for mine, theirs in zip(columns, key, strict=False):
        column, above = there.columns.get(mine), parent.columns.get(theirs) if parent is not None else None
        if column is None or above is None:
            continue
        if column.is_loose and not above.is_loose:
            yield Disagreement("looserThanParent", name, mine, "it equals texts that are not the same")
        elif above.is_loose and not column.is_loose and column.base == above.base:
            yield Disagreement("stricterThanParent", name, mine, f"{theirs}, to which it leads, equals more texts")


def _contradiction(
    kind: str, there: CatalogTable, columns: tuple[str, ...], name: str, expected: tuple[str, tuple[str, ...] | None]
) -> Iterator[Disagreement]:
    """Where foreign keys of these very columns are declared, one of them must lead where the profile says."""
    table, key = expected
    declared = [reference for reference in there.references if set(reference.columns) == set(columns)]
    wanted = None if key is None else set(zip(columns, key, strict=False))
    for reference in declared:
        pairs = set(zip(reference.columns, reference.key, strict=False))
        if reference.table == table_of(table) and (wanted is None or pairs == wanted):
            return
    for reference in declared:
        reason = f"a foreign key leads to {reference.table}: {', '.join(reference.key)}"
        yield Disagreement(kind, name, ", ".join(columns), reason)


def parent_key(step: Through, catalog: Catalog) -> tuple[str, ...]:
    """The columns of the parent that a step compares with."""
    if step.key:
        return step.key
    parent = catalog.tables.get(table_of(step.table))
    return parent.key if parent is not None else ()


def _is_unique(parent: CatalogTable, key: tuple[str, ...]) -> bool:
    """Whether no two rows of it are alike in ``key``."""
    return any(unique <= set(key) for unique in parent.unique)


def _steps(table: ProfiledTable) -> Iterator[Holds | Through]:
    if table.owner is not None:
        yield from paths(table.owner)
    if table.others is not None:
        yield from paths(table.others.owner)


def _columns_of(step: Holds | Through) -> tuple[str, ...]:
    return (step.column,) if isinstance(step, Holds) else step.columns
