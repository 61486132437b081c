"""The SQL that brings rows from tables of texts (the stage) into PostgreSQL's tables.

Names come from the database's catalog and stand in quotes; types as the server writes them; values are only ever in the
stage. A value is cast by the server to the type of its column without its modifier, since such a cast cuts texts and
rounds numbers in silence, and what comes of the assignment is compared with the stage afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .catalog import CatalogTable, ForeignKey
from .target import LoadAction, LoadTable, OutboxPlace


def quoted(name: str) -> str:
    """A name, in quotes; no statement with one of these has parameters."""
    return '"' + name.replace('"', '""') + '"'


def castable(base: str) -> str:
    """A type as a cast takes it for any length: ``character`` and ``bit`` by themselves mean one of them."""
    name, brackets, rest = base.partition("[")
    return {"character": "bpchar", "bit": '"bit"'}.get(name, name) + brackets + rest


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What matters of a column to whoever writes."""

    generated: bool
    always: bool
    """An identity that only the database counts, unless it is overridden."""
    has_default: bool
    """The database has a value where none is given."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A table and its stage."""

    table: LoadTable
    there: CatalogTable
    facts: Mapping[str, ColumnFacts]
    number: int
    schema: str
    cells: Mapping[str, str] = field(init=False)
    """Column → its value in the stage, ``s``, as its type."""

    def __post_init__(self) -> None:
        cells = {
            column.name: f"s.c{place}::{castable(self.there.columns[column.name].base)}"
            for place, column in enumerate(self.table.columns)
        }
        object.__setattr__(self, "cells", cells)

    @property
    def stage(self) -> str:
        """The stage's name."""
        return f"pg_temp.mb_stage_{self.number}"

    @property
    def plan(self) -> str:
        """The name of the table that says what becomes of the rows."""
        return f"pg_temp.mb_plan_{self.number}"

    @property
    def target(self) -> str:
        """The table itself."""
        return f"{quoted(self.schema)}.{quoted(self.table.table)}"

    def create(self) -> str:
        """Makes the stage."""
        columns = "".join(f", c{place} text" for place in range(len(self.table.columns)))
        return (
            f"CREATE TEMPORARY TABLE mb_stage_{self.number} (n bigint, reduced boolean, event text, type text, "
            f"payload text{columns}) ON COMMIT DROP"
        )

    def check(self, column: str | None = None) -> str:
        """Casts every value of all columns, or of one."""
        names = [column] if column is not None else list(self.cells)
        return f"SELECT {', '.join(f'count({self.cells[name]})' for name in names)} FROM {self.stage} s"

    def count_rows(self) -> str:
        """How many rows are in the stage."""
        return f"SELECT count(*) FROM {self.stage}"

    def missing(self, given: Sequence[str]) -> list[str]:
        """Columns that must have a value, of which the database has none and none is given."""
        return [
            column.name
            for column in self.there.columns.values()
            if not column.nullable and not self.facts[column.name].has_default and column.name not in given
        ]

    def _on_key(self) -> str:
        parts = []
        for name in self.table.key:
            own, other = f"t.{quoted(name)}", self.cells[name]
            parts.append(
                f"({own} = {other} OR ({own} IS NULL AND {other} IS NULL))"
                if self.there.columns[name].nullable
                else f"{own} = {other}"
            )
        return " AND ".join(parts)

    def _same(self) -> str:
        """That a row of the table is as in the stage. Texts are compared, which is finer than most types' equality."""
        parts = []
        for column in self.table.columns:
            own, other = f"t.{quoted(column.name)}", self.cells[column.name]
            if self.there.columns[column.name].base != "jsonb":
                own, other = f"{own}::text", f"({other})::text"
            same = f"{own} IS NOT DISTINCT FROM {other}"
            if self.table.granted and column.name not in self.table.granted:
                same = f"(s.reduced OR {same})"
            parts.append(same)
        return " AND ".join(parts)

    def decide(self, all_staged: Mapping[str, Staged]) -> str:
        """Makes the plan: for each row ``insert``, ``unchanged``, ``skipped``, or ``conflict`` where it differs."""
        unfit = "false"
        if self.table.granted:
            held = [f"({self.dangling(each, all_staged)})" for each in self.known_references()]
            # Of a row that is somebody else's there are too few columns to make one of them.
            unfit = "true" if self.missing(sorted(self.table.granted)) else " OR ".join(held) or "false"
            unfit = f"s.reduced AND ({unfit})"
        return (
            f"CREATE TEMPORARY TABLE mb_plan_{self.number} ON COMMIT DROP AS SELECT s.n, CASE "
            f"WHEN t.tableoid IS NULL THEN CASE WHEN {unfit} THEN '{LoadAction.SKIPPED}' "
            f"ELSE '{LoadAction.INSERT}' END "
            f"WHEN {self._same()} THEN '{LoadAction.UNCHANGED}' "
            f"WHEN s.reduced THEN '{LoadAction.SKIPPED}' ELSE '{LoadAction.CONFLICT}' END AS what "
            f"FROM {self.stage} s LEFT JOIN {self.target} t ON {self._on_key()}"
        )

    def drop_plan(self) -> str:
        """So that it can be made anew."""
        return f"DROP TABLE {self.plan}"

    def count_plan(self) -> str:
        """How many rows of each kind."""
        return f"SELECT what, count(*) FROM {self.plan} GROUP BY what"

    def known_references(self) -> Iterator[ForeignKey]:
        """The table's foreign keys all of whose columns are written."""
        for reference in self.there.references:
            if set(reference.columns) <= self.cells.keys():
                yield reference

    def dangling(self, reference: ForeignKey, all_staged: Mapping[str, Staged]) -> str:
        """That a row of the stage refers to what neither the database nor a stage has."""
        pairs = list(zip(reference.columns, reference.key, strict=True))
        conditions = [f"s.{self._place(own)} IS NOT NULL" for own, _ in pairs]
        schema, _, name = reference.table.rpartition(".")
        held = " AND ".join(f"r.{quoted(key)} = {self.cells[own]}" for own, key in pairs)
        parent = f"{quoted(schema or self.schema)}.{quoted(name)}"
        conditions.append(f"NOT EXISTS (SELECT 1 FROM {parent} r WHERE {held})")
        other = all_staged.get(reference.table)
        if other is not None and set(reference.key) <= other.cells.keys():
            comes = " AND ".join(f"{other.cells[key].replace('s.', 'r.', 1)} = {self.cells[own]}" for own, key in pairs)
            conditions.append(f"NOT EXISTS (SELECT 1 FROM {other.stage} r WHERE {comes})")
        return " AND ".join(conditions)

    def _place(self, name: str) -> str:
        return f"c{[column.name for column in self.table.columns].index(name)}"

    def count_dangling(self, reference: ForeignKey, all_staged: Mapping[str, Staged]) -> str:
        """How many rows that are to be written dangle."""
        return (
            f"SELECT count(*) FROM {self.stage} s JOIN {self.plan} p USING (n) "
            f"WHERE p.what IN ('{LoadAction.INSERT}', '{LoadAction.CONFLICT}') "
            f"AND ({self.dangling(reference, all_staged)})"
        )

    def writes(self, *, overwrite: bool, reduced: bool) -> Iterator[str]:
        """The statements' parts, which stand in one statement with those of tables that refer to each other."""
        for of_others in (False, True) if reduced else (False,):
            names = [
                name
                for name in self.cells
                if not self.facts[name].generated and (not of_others or name in self.table.granted)
            ]
            which = f" AND {'' if of_others else 'NOT '}s.reduced" if reduced else ""
            yield (
                f"INSERT INTO {self.target} ({', '.join(map(quoted, names))}) OVERRIDING SYSTEM VALUE "
                f"SELECT {', '.join(self.cells[name] for name in names)} FROM {self.stage} s "
                f"JOIN {self.plan} p USING (n) WHERE p.what = '{LoadAction.INSERT}'{which}"
            )
        names = [
            name
            for name in self.cells
            if name not in self.table.key and not self.facts[name].generated and not self.facts[name].always
        ]
        if overwrite and names:
            yield (
                f"UPDATE {self.target} t SET {', '.join(f'{quoted(name)} = {self.cells[name]}' for name in names)} "
                f"FROM {self.stage} s JOIN {self.plan} p USING (n) "
                f"WHERE p.what = '{LoadAction.CONFLICT}' AND {self._on_key()}"
            )

    def count_altered(self, *, overwrite: bool) -> str:
        """How many of the rows that were written do not stand in the table as they should."""
        return (
            f"SELECT count(*) FROM {self.stage} s JOIN {self.plan} p USING (n) "
            f"LEFT JOIN {self.target} t ON {self._on_key()} "
            f"WHERE p.what IN ({_written(overwrite=overwrite)}) "
            f"AND (t.tableoid IS NULL OR NOT ({self._same()}))"
        )

    def events(self, outbox: OutboxPlace, there: CatalogTable, *, overwrite: bool) -> str:
        """Appends the events of the rows that are written, but for those that are there already."""
        names = [outbox.key, outbox.type, outbox.payload, outbox.created_at]
        bases = [castable(there.columns[name].base) for name in names]
        given = ["s.event", "s.type", "s.payload", "pg_catalog.now()"]
        values = ", ".join(f"{value}::{base}" for value, base in zip(given, bases, strict=True))
        place = f"{quoted(self.schema)}.{quoted(outbox.table)}"
        return (
            f"INSERT INTO {place} ({', '.join(map(quoted, names))}) SELECT {values} FROM {self.stage} s "
            f"JOIN {self.plan} p USING (n) WHERE p.what IN ({_written(overwrite=overwrite)}) "
            f"AND NOT EXISTS (SELECT 1 FROM {place} o WHERE o.{quoted(outbox.key)} = s.event::{bases[0]}) ORDER BY s.n"
        )


def _written(*, overwrite: bool) -> str:
    """The words of the plan for rows that are written."""
    kinds = [LoadAction.INSERT, *((LoadAction.CONFLICT,) if overwrite else ())]
    return ", ".join(f"'{kind}'" for kind in kinds)
