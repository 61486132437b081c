"""Whose each row of a table is, for everybody at once: a profile's ownership as one statement a table.

``queries`` asks for one person's rows; here the rows of all people are brought together with them by joins, so that a
table is read once and not once a person. Names come from the catalog and stand in quotes; there are no values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from ..errors import SourceError
from .agreement import parent_key, row_key
from .catalog import Catalog, CatalogTable, Column
from .profile import AllOf, AnyOf, Holds, Owner, Profile, ProfiledTable, Through, table_of
from .queries import Dialect, RowQuery


@dataclass(frozen=True, slots=True)
class Owners:
    """Asks about the tables of one database."""

    profile: Profile
    catalog: Catalog
    dialect: Dialect

    def people(self) -> RowQuery:
        """Everybody's key, as text, ascending."""
        who = self.dialect.as_text(f"u.{self.dialect.quoted(self.profile.subject.key)}")
        table = self.dialect.table(table_of(self.profile.subject.table))
        return RowQuery(f"SELECT {self.dialect.value(who)} FROM {table} AS u ORDER BY 1")

    def owned(self, table: ProfiledTable, columns: Sequence[Column]) -> RowQuery:
        """Whose a row is, and its columns; a row of several people comes several times. Ordered by people."""
        who = self.dialect.value("o.who")
        return RowQuery(
            f"SELECT {who}, {self._list(columns)} FROM {self._name(table)} AS t "
            f"JOIN {self._owners(table)} AS o ON {self._same(table, 't', 'o')} ORDER BY o.who"
        )

    def rest(self, table: ProfiledTable, columns: Sequence[Column]) -> RowQuery:
        """The rows that are nobody's who is there."""
        return RowQuery(
            f"SELECT {self._list(columns)} FROM {self._name(table)} AS t WHERE NOT EXISTS "
            f"(SELECT 1 FROM {self._owners(table)} AS o WHERE {self._same(table, 't', 'o')})"
        )

    def shared(self, table: ProfiledTable, columns: Sequence[Column]) -> RowQuery:
        """Of how many people a row is, and its columns, for rows of several."""
        keys = ", ".join(f"o.k{place}" for place in range(len(self._key(table))))
        number = self.dialect.value("c.number")
        return RowQuery(
            f"SELECT {number}, {self._list(columns)} FROM {self._name(table)} AS t JOIN (SELECT {keys}, "
            f"count(*) AS number FROM {self._owners(table)} AS o GROUP BY {keys} HAVING count(*) > 1) AS c "
            f"ON {self._same(table, 't', 'c')}"
        )

    def everything(self, table: str, columns: Sequence[Column]) -> RowQuery:
        """All rows of a table."""
        return RowQuery(f"SELECT {self._list(columns)} FROM {self.dialect.table(table)} AS t")

    def _owners(self, table: ProfiledTable) -> str:
        """Pairs of a row's key (``k0`` and so on) and a person's (``who``), none twice."""
        assert table.owner is not None
        return f"({self._pairs(table.owner, table, count(1))})"

    def _pairs(self, owner: Owner, table: ProfiledTable, numbers: count[int]) -> str:
        number = next(numbers)
        own = f"t{number}"
        keys = ", ".join(
            f"{own}.{self.dialect.quoted(name)} AS k{place}" for place, name in enumerate(self._key(table))
        )
        subject = self.profile.subject
        match owner:
            case Holds(column, identity):
                who = self.dialect.as_text(f"u{number}.{self.dialect.quoted(subject.key)}")
                people = self.profile.tables[subject.table]
                same = self._equal((own, table, column), (f"u{number}", people, subject.identities[identity]))
                return (
                    f"SELECT DISTINCT {keys}, {who} AS who FROM {self._name(table)} AS {own} "
                    f"JOIN {self._name(people)} AS u{number} ON {same}"
                )
            case Through():
                parent = self.profile.tables[owner.table]
                assert parent.owner is not None
                above = f"p{number}"
                key = parent_key(owner, self.catalog)
                leads = " AND ".join(
                    self._equal((own, table, mine), (above, parent, theirs))
                    for mine, theirs in zip(owner.columns, key, strict=True)
                )
                pairs = self._pairs(parent.owner, parent, numbers)
                return (
                    f"SELECT DISTINCT {keys}, o{number}.who AS who FROM {self._name(table)} AS {own} "
                    f"JOIN {self._name(parent)} AS {above} ON {leads} "
                    f"JOIN ({pairs}) AS o{number} ON {self._same(parent, above, f'o{number}')}"
                )
            case AnyOf(parts):
                return self._together(parts, table, numbers, "UNION")
            case AllOf(parts):
                return self._together(parts, table, numbers, "INTERSECT")

    def _together(self, parts: Sequence[Owner], table: ProfiledTable, numbers: count[int], how: str) -> str:
        # In selects of their own, since SQLite takes no parentheses around members.
        members = [f"SELECT * FROM ({self._pairs(part, table, numbers)}) AS m{next(numbers)}" for part in parts]
        return f" {how} ".join(members)

    def _same(self, table: ProfiledTable, one: str, other: str) -> str:
        return " AND ".join(
            f"{one}.{self.dialect.quoted(name)} = {other}.k{place}" for place, name in enumerate(self._key(table))
        )

    def _equal(self, *sides: tuple[str, ProfiledTable, str]) -> str:
        """That two columns hold the same; of different types the text counts."""
        texts = [f"{alias}.{self.dialect.quoted(column)}" for alias, _, column in sides]
        bases = {self._there(table).columns[column].base for _, table, column in sides}
        if len(bases) > 1:
            return " = ".join(self.dialect.as_text(text) for text in texts)
        return f" {self.dialect.equals(bases.pop())} ".join(texts)

    def _key(self, table: ProfiledTable) -> tuple[str, ...]:
        there = self._there(table)
        key = row_key(table, there)
        if any(there.columns[name].nullable for name in key):
            raise SourceError(f"{table.name}: its key may be NULL, and does not tell all rows apart")
        return key

    def _there(self, table: ProfiledTable) -> CatalogTable:
        return self.catalog.tables[table_of(table.name)]

    def _name(self, table: ProfiledTable) -> str:
        return self.dialect.table(table_of(table.name))

    def _list(self, columns: Sequence[Column]) -> str:
        return ", ".join(self.dialect.value(f"t.{self.dialect.quoted(column.name)}") for column in columns)


def named(catalog: Catalog, tables: Mapping[str, ProfiledTable], store: str) -> list[ProfiledTable]:
    """A store's tables of a profile that are there, in the profile's order."""
    return [
        table for name, table in tables.items() if name.partition(".")[0] == store and table_of(name) in catalog.tables
    ]
