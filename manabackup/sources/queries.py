"""The questions that are asked for one person's rows: a profile's ownership as SQL, values always as parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Protocol

from ..errors import SourceError, UsageError
from .agreement import parent_key
from .catalog import Catalog, Column
from .profile import AllOf, AnyOf, Holds, Owner, ProfiledTable, Through, table_of
from .whose import End, Fork, Ways


class Dialect(Protocol):
    """How a kind of database wants to be asked."""

    parameter: str
    """What stands for a value."""

    def quoted(self, name: str) -> str:
        """A name of a column."""

    def table(self, name: str) -> str:
        """A table's name, with that of its schema."""

    null_where_said: bool
    """Whether NULL stands in no column that is said to have none."""

    def value(self, expression: str, base: str = "") -> str:
        """A value as it is selected: exactly, whatever the driver makes of it. ``base``: its type, if that is known."""

    def is_plain(self, column: Column) -> bool:
        """Whether two values of a column are equal when, and only when, their texts are."""

    def as_text(self, expression: str) -> str:
        """A value as text, to compare it with a text."""

    def equals(self, base: str) -> str:
        """The operator by which a foreign key compares values of a type."""

    def said(self, base: str) -> str:
        """What stands for a value of a type."""


@dataclass(frozen=True, slots=True)
class RowQuery:
    """SQL, and the names of the identities that its parameters are, in their order."""

    sql: str
    identities: tuple[str, ...] = ()

    def values(self, known: Mapping[str, object]) -> list[object]:
        """The parameters. An identity that somebody does not have is NULL, and equal to nothing."""
        return [known.get(name) for name in self.identities]


@dataclass(frozen=True, slots=True)
class EverybodysQuery:
    """SQL for all rows of a table, and how to tell whose each is by its first columns."""

    query: RowQuery
    ends: int
    """How many of the columns these are."""
    own: Ways
    others: Ways | None
    """Who may have some columns of a row that is not theirs."""


class Questions:
    """Asks about one table of a profile, which stands in a store with this catalog."""

    def __init__(
        self, table: ProfiledTable, tables: Mapping[str, ProfiledTable], catalog: Catalog, dialect: Dialect
    ) -> None:
        assert table.owner is not None
        self._table = table
        self._owner = table.owner
        self._tables = tables
        self._catalog = catalog
        self._dialect = dialect

    def own(self, columns: Iterable[Column], loose: Sequence[str] = ()) -> RowQuery:
        """The subject's rows; before their columns, for each of ``loose``, 1 where it leads nowhere, else 0."""
        what = ", ".join([*self._dangling(loose), self._list(columns)])
        return self._select(what, lambda where: where.owned(self._owner, 0, self._table))

    def loose(self) -> tuple[str, ...]:
        """The columns that point into a table that is read, too, without a foreign key that would hold them."""
        there = self._catalog.tables[table_of(self._table.name)]
        held = {reference.columns for reference in there.references}
        return tuple(
            column
            for column, target in self._table.references.items()
            if (column,) not in held and column in there.columns and self._key_of(target) is not None
        )

    def _key_of(self, target: str) -> str | None:
        """The column that references into a table hold; None where it is not read here, or known by several columns."""
        there = self._catalog.tables.get(table_of(target))
        if there is None or len(there.key) != 1 or target not in self._tables or not self._tables[target].is_read:
            return None
        return there.key[0]

    def _dangling(self, loose: Sequence[str]) -> Iterator[str]:
        where = _Where(self._tables, self._catalog, self._dialect)
        for column in loose:
            target = self._tables[self._table.references[column]]
            yield where.dangling(column, self._table, target, self._key_of(target.name) or "")

    def others(self, columns: Iterable[Column]) -> RowQuery:
        """The rows of others that the subject may have some columns of."""
        return self._select(self._list(columns), self._of_others)

    def of_everybody(self, columns: Iterable[Column], loose: Sequence[str] = ()) -> EverybodysQuery:
        """All rows of the table as of :meth:`own`, each with the values that its ways upwards end at before all.

        Raises :class:`SourceError` where these cannot be compared with people's identities but by the database.
        """
        ends = _Ends(self._tables, self._catalog, self._dialect)
        own = ends.ways(self._owner, 0, self._table)
        others = ends.ways(self._table.others.owner, 0, self._table) if self._table.others is not None else None
        what = ", ".join([*ends.values, *self._dangling(loose), self._list(columns)])
        table = f"{self._dialect.table(table_of(self._table.name))} AS t0"
        query = RowQuery(f"SELECT {what} FROM {' '.join([table, *ends.joins])}")
        return EverybodysQuery(query, len(ends.values), own, others)

    def count_own(self) -> RowQuery:
        """How many rows belong to the subject."""
        return self._select("count(*)", lambda where: where.owned(self._owner, 0, self._table))

    def count_others(self) -> RowQuery:
        """How many rows of others there are that the subject may have some columns of, or none."""
        return self._select("count(*)", self._of_others)

    def count_nobodys(self) -> RowQuery:
        """How many rows belong to nobody at all."""
        return self._select("count(*)", lambda where: where.nobodys(self._owner, 0, self._table))

    def _of_others(self, where: _Where) -> str:
        assert self._table.others is not None
        granted = where.owned(self._table.others.owner, 0, self._table)
        return f"({granted}) AND ({where.owned(self._owner, 0, self._table)}) IS NOT TRUE"

    def _select(self, what: str, condition: _Condition) -> RowQuery:
        where = _Where(self._tables, self._catalog, self._dialect)
        text = condition(where)
        name = self._dialect.table(table_of(self._table.name))
        return RowQuery(f"SELECT {what} FROM {name} AS t0 WHERE {text}", tuple(where.identities))

    def _list(self, columns: Iterable[Column]) -> str:
        dialect = self._dialect
        return ", ".join(dialect.value(f"t0.{dialect.quoted(column.name)}", column.base) for column in columns)


class _Condition(Protocol):
    def __call__(self, where: _Where, /) -> str: ...


_TARGET = 1_000_000
"""The number of a table that is referred to: no way upwards has so many steps."""


class _Where:
    """One condition being written. ``t<number>`` are tables; parameters are taken down in their order."""

    def __init__(self, tables: Mapping[str, ProfiledTable], catalog: Catalog, dialect: Dialect) -> None:
        self._tables = tables
        self._catalog = catalog
        self._dialect = dialect
        self._numbers = count(1)
        self.identities: list[str] = []

    def owned(self, owner: Owner, at: int, table: ProfiledTable) -> str:
        """That a row of ``t<at>`` is the subject's."""
        match owner:
            case Holds(column, identity):
                self.identities.append(identity)
                base = self._base(table, column)
                equals, said = self._dialect.equals(base), self._dialect.said(base)
                return f"t{at}.{self._dialect.quoted(column)} {equals} {said}"
            case Through():
                return self._parent(owner, at, table, self.owned)
            case AnyOf(parts):
                return " OR ".join(f"({self.owned(part, at, table)})" for part in parts)
            case AllOf(parts):
                return " AND ".join(f"({self.owned(part, at, table)})" for part in parts)

    def nobodys(self, owner: Owner, at: int, table: ProfiledTable) -> str:
        """That a row of ``t<at>`` leads to nobody: by a NULL, or by a parent that is nobody's or not there."""
        match owner:
            case Holds(column, _):
                found = self._column(table, column)
                if self._dialect.null_where_said and found is not None and not found.nullable:
                    return "FALSE"  # no table is read to find out
                return f"t{at}.{self._dialect.quoted(column)} IS NULL"
            case Through():
                there = self._parent(owner, at, table, lambda *_: "")
                return f"NOT {there} OR {self._parent(owner, at, table, self.nobodys)}"
            case AnyOf(parts):
                return " AND ".join(f"({self.nobodys(part, at, table)})" for part in parts)
            case AllOf(parts):
                return " OR ".join(f"({self.nobodys(part, at, table)})" for part in parts)

    def _parent(self, step: Through, at: int, table: ProfiledTable, rest: _Rest) -> str:
        number, parent, same = self._step(step, at, table)
        assert parent.owner is not None
        further = rest(parent.owner, number, parent)
        condition = " AND ".join([same, *([f"({further})"] if further else [])])
        return f"EXISTS (SELECT 1 FROM {self._dialect.table(table_of(parent.name))} AS t{number} WHERE {condition})"

    def dangling(self, column: str, table: ProfiledTable, target: ProfiledTable, key: str) -> str:
        """1 where a column of ``t0`` holds something that no row of ``target`` has for its ``key``, else 0."""
        same = self._equal((_TARGET, key, target), (0, column, table))
        name = self._dialect.table(table_of(target.name))
        there = f"EXISTS (SELECT 1 FROM {name} AS t{_TARGET} WHERE {same})"
        return f"CASE WHEN t0.{self._dialect.quoted(column)} IS NULL OR {there} THEN 0 ELSE 1 END"

    def _step(self, step: Through, at: int, table: ProfiledTable) -> tuple[int, ProfiledTable, str]:
        """The number that the parent's rows are given, the parent, and that one of them is that of a row."""
        number = next(self._numbers)
        parent = self._tables[step.table]
        key = parent_key(step, self._catalog)
        if len(key) != len(step.columns) or parent.owner is None:
            raise UsageError(f"{table.name}: the way through {', '.join(step.columns)} leads to no key of {step.table}")
        same = [
            self._equal((number, name, parent), (at, column, table))
            for name, column in zip(key, step.columns, strict=True)
        ]
        return number, parent, " AND ".join(same)

    def _equal(self, *sides: tuple[int, str, ProfiledTable]) -> str:
        """That two columns, each of a table of this condition, hold the same; of different types the text counts."""
        texts = [f"t{at}.{self._dialect.quoted(column)}" for at, column, _ in sides]
        bases = {self._base(table, column) for _, column, table in sides}
        if len(bases) > 1:
            return " = ".join(self._dialect.as_text(text) for text in texts)
        return f" {self._dialect.equals(bases.pop())} ".join(texts)

    def _base(self, table: ProfiledTable, column: str) -> str:
        found = self._column(table, column)
        return found.base if found is not None else ""

    def _column(self, table: ProfiledTable, column: str) -> Column | None:
        there = self._catalog.tables.get(table_of(table.name))
        return there.columns.get(column) if there is not None else None


class _Ends(_Where):
    """The values that ways upwards end at, being selected; parents are joined, of whom no row has two."""

    def __init__(self, tables: Mapping[str, ProfiledTable], catalog: Catalog, dialect: Dialect) -> None:
        super().__init__(tables, catalog, dialect)
        self.values: list[str] = []
        self.joins: list[str] = []

    def ways(self, owner: Owner, at: int, table: ProfiledTable) -> Ways:
        """The ways of a row of ``t<at>``."""
        match owner:
            case Holds(column, identity):
                found = self._column(table, column)
                if found is None or not self._dialect.is_plain(found):
                    raise SourceError(
                        f"{table.name}: whose rows are cannot be told by {column} for everybody at once",
                        hint="its type or collation has equal values of different texts: export people one by one",
                    )
                self.values.append(self._dialect.value(f"t{at}.{self._dialect.quoted(column)}", found.base))
                return End(len(self.values) - 1, identity)
            case Through():
                number, parent, same = self._step(owner, at, table)
                name = self._dialect.table(table_of(parent.name))
                self.joins.append(f"LEFT JOIN {name} AS t{number} ON {same}")
                assert parent.owner is not None
                return self.ways(parent.owner, number, parent)
            case AnyOf(parts) | AllOf(parts):
                ways = tuple(self.ways(part, at, table) for part in parts)
                return Fork(ways, all=isinstance(owner, AllOf))


class _Rest(Protocol):
    def __call__(self, owner: Owner, at: int, table: ProfiledTable, /) -> str: ...


def find_subject(table: str, columns: Sequence[str], wanted: Sequence[str], dialect: Dialect) -> RowQuery:
    """The values of ``wanted`` in the rows in which one of ``columns`` is what somebody was called."""
    conditions = [f"{dialect.as_text(f't0.{dialect.quoted(name)}')} = {dialect.parameter}" for name in columns]
    what = ", ".join(dialect.value(f"t0.{dialect.quoted(name)}") for name in wanted)
    sql = f"SELECT {what} FROM {dialect.table(table)} AS t0 WHERE {' OR '.join(conditions)}"
    return RowQuery(sql, ("called",) * len(columns))


def proof_of(table: str, column: str, dialect: Dialect) -> RowQuery:
    """Whose a file is, as a column of it says; two different answers are seen as such."""
    name = dialect.value(f"t0.{dialect.quoted(column)}")
    return RowQuery(f"SELECT DISTINCT {name} FROM {dialect.table(table)} AS t0 LIMIT 2")


def everybody(table: str, columns: Sequence[str], dialect: Dialect) -> RowQuery:
    """These columns of all rows."""
    what = ", ".join(dialect.value(f"t0.{dialect.quoted(name)}") for name in columns)
    return RowQuery(f"SELECT {what} FROM {dialect.table(table)} AS t0")


def count_all(table: str, dialect: Dialect) -> RowQuery:
    """How many rows there are."""
    return RowQuery(f"SELECT count(*) FROM {dialect.table(table)} AS t0")
