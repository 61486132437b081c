"""Rows on their way into one table of a SQLite file, and events into its outbox."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from ..errors import SourceError
from ..text.printable import counted, printable
from .catalog import CatalogTable, ForeignKey
from .cells import SqliteCell, same_in_sqlite, sqlite_cell, sqlite_id
from .key_digests import KeyDigests
from .sqlite import SqliteDialect, Text
from .target import Event, LoadAction, LoadColumn, LoadRow, LoadTable, OutboxPlace, Rows

_quoted = SqliteDialect().quoted
_GENERATED = (2, 3)
"""What ``table_xinfo`` says of columns that are computed."""


class SqliteLoad:
    """One table that is written into."""

    def __init__(self, table: LoadTable, there: CatalogTable, connection: sqlite3.Connection, *, is_new: bool) -> None:
        self.table = table
        self.is_new = is_new
        self.references = [each for each in there.references if set(each.columns) <= {c.name for c in table.columns}]
        self._names = [column.name for column in table.columns]
        self._convert = [_cell(table, column, there.columns[column.name].type) for column in table.columns]
        self.places = {name: place for place, name in enumerate(self._names)}
        generated, self._demanded = set(), []
        if not is_new:
            sql = 'SELECT name, "notnull", dflt_value, hidden, pk, type FROM pragma_table_xinfo(?)'
            for name, not_null, default, hidden, key, type_name in connection.execute(sql, [table.table]):
                column = str(name, "utf-8", "replace")
                if hidden in _GENERATED:
                    generated.add(column)
                elif not_null and default is None and not (key and type_name.upper() == b"INTEGER"):
                    self._demanded.append(column)
        self._written = [name for name in self._names if name not in generated]
        self._granted = [name for name in self._written if name in table.granted]
        columns = ", ".join(map(_quoted, self._names))
        where = " AND ".join(f"{_quoted(name)} IS ?" for name in table.key)
        self.find = f"SELECT {columns} FROM main.{_quoted(table.table)} WHERE {where} LIMIT 2"
        self._where = where
        self.missing = [name for name in self._demanded if name not in self._names]
        self.missing_reduced = [name for name in self._demanded if name not in table.granted]

    def values(self, row: LoadRow) -> list[Any]:
        """The row as the driver takes it. Raises :class:`SourceError`, naming the column."""
        found: list[Any] = []
        for place, cell in enumerate(row.cells):
            try:
                found.append(None if cell is None else self._convert[place](cell))
            except (ValueError, OverflowError) as error:
                raise SourceError(
                    f"{self.table.name}, column {printable(self._names[place])}: a value that does not go in there: "
                    f"{error}"
                ) from None
        return found

    def key(self, values: Sequence[Any]) -> list[Any]:
        """What it is found by."""
        return [values[self.places[name]] for name in self.table.key]

    def same(self, values: Sequence[Any], there: Sequence[Any], *, reduced: bool) -> bool:
        """Whether the file has just this row."""
        for name, one, other in zip(self._names, values, there, strict=True):
            if reduced and name not in self.table.granted:
                continue
            if not same_in_sqlite(one, bytes(other).decode("utf-8", "replace") if isinstance(other, Text) else other):
                return False
        return True

    def write(
        self, values: Sequence[Any], action: LoadAction, connection: sqlite3.Connection, *, reduced: bool
    ) -> None:
        """Writes a row, and reads it again."""
        name = f"main.{_quoted(self.table.table)}"
        columns = [column for column in self._written if column not in self.table.key]
        if action is LoadAction.INSERT:
            columns = self._granted if reduced else self._written
            marks = ", ".join("?" * len(columns))
            sql = f"INSERT INTO {name} ({', '.join(map(_quoted, columns))}) VALUES ({marks})"
            connection.execute(sql, [values[self.places[column]] for column in columns])
        elif columns:
            sql = f"UPDATE {name} SET {', '.join(f'{_quoted(column)} = ?' for column in columns)} WHERE {self._where}"
            connection.execute(sql, [*(values[self.places[column]] for column in columns), *self.key(values)])
        there = connection.execute(self.find, self.key(values)).fetchall()
        if len(there) != 1 or not self.same(values, there[0], reduced=reduced):
            raise SourceError(
                f"{self.table.name}: the database did not keep {counted(1, 'row')} as it was written",
                hint="a trigger changes it, or a column's type makes another value of it; nothing was written",
            )


def _cell(table: LoadTable, column: LoadColumn, declared: str) -> SqliteCell:
    numeric = _is_numeric(declared)
    cell = sqlite_cell(column.base, table.source, numeric=numeric)
    return sqlite_id(cell, numeric=numeric) if table.key == ("id",) and column.name == "id" else cell


def _is_numeric(declared: str) -> bool:
    """Whether a column makes numbers of texts (sqlite.org/datatype3.html, "Determination Of Column Affinity")."""
    upper = declared.upper()
    return bool(declared) and ("INT" in upper or not any(word in upper for word in ("CHAR", "CLOB", "TEXT", "BLOB")))


class ComingKeys:
    """Which keys come with the archive, of those that references lead to; close it at the end."""

    def __init__(self, loads: Sequence[SqliteLoad], rows: Rows) -> None:
        self._digests = KeyDigests()
        wanted: dict[str, set[tuple[str, ...]]] = {}
        for load in loads:
            for reference in load.references:
                wanted.setdefault(reference.table, set()).add(reference.key)
        for load in loads:
            keys = [key for key in sorted(wanted.get(load.table.table, ())) if set(key) <= load.places.keys()]
            if keys:
                self._digests.add(self._all(load, keys, rows))

    def _all(
        self, load: SqliteLoad, keys: Sequence[tuple[str, ...]], rows: Rows
    ) -> Iterator[tuple[str, Sequence[str], Sequence[Any]]]:
        for row in rows(load.table):
            values = load.values(row)
            for key in keys:
                yield load.table.table, key, [values[load.places[name]] for name in key]

    def lost(
        self, load: SqliteLoad, values: Sequence[Any], has: Callable[[ForeignKey, Sequence[Any]], bool]
    ) -> list[str]:
        """The columns of references of a row that lead to nothing."""
        found: list[str] = []
        for reference in load.references:
            key = [values[load.places[name]] for name in reference.columns]
            if None in key or self._digests.has(reference.table, reference.key, key) or has(reference, key):
                continue
            found.append(", ".join(reference.columns))
        return found

    def close(self) -> None:
        """Let go of it."""
        self._digests.close()


class SqliteOutbox:
    """Appends events."""

    def __init__(self, outbox: OutboxPlace, there: CatalogTable, connection: sqlite3.Connection) -> None:
        self._outbox = outbox
        self._connection = connection
        self._name = f"main.{_quoted(outbox.table)}"
        columns = [_quoted(name) for name in (outbox.key, outbox.type, outbox.payload, outbox.created_at)]
        # Not left to a unique index alone, which need not be there.
        self._insert = (
            f"INSERT INTO {self._name} ({', '.join(columns)}) SELECT ?1, ?2, ?3, ?4 "
            f"WHERE NOT EXISTS (SELECT 1 FROM {self._name} WHERE {columns[0]} = ?1)"
        )
        declared = there.columns[outbox.created_at].type.upper()
        kind = outbox.created_as or ("epoch-ms" if "INT" in declared else "iso")
        now = datetime.now(UTC)
        self._now: int | str = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if kind in ("epoch-ms", "epoch-s"):
            self._now = int(now.timestamp() * (1000 if kind == "epoch-ms" else 1))
        self._before = self._highest()

    def _highest(self) -> Any:
        return None if self._outbox.id is None else self._one("max", self._outbox.table, self._outbox.id)

    def _one(self, what: str, table: str, column: str) -> Any:
        return self._connection.execute(f"SELECT {what}({_quoted(column)}) FROM main.{_quoted(table)}").fetchone()[0]

    def add(self, event: Event) -> int:
        """One event, unless it is there. Gives how many were added."""
        return self._connection.execute(self._insert, [event.key, event.type, event.payload, self._now]).rowcount

    def check(self) -> None:
        """Raises :class:`SourceError` where a projector would never see the new events."""
        outbox = self._outbox
        if outbox.id is None or outbox.position is None or self._highest() == self._before:
            return
        done = self._one("max", *outbox.position)
        sql = f"SELECT min({_quoted(outbox.id)}) FROM {self._name} WHERE ?1 IS NULL OR {_quoted(outbox.id)} > ?1"
        first = self._connection.execute(sql, [self._before]).fetchone()[0]
        if done is not None and first is not None and first <= done:
            raise SourceError(f"{outbox.table}: new events would stand before where a projector is already")
