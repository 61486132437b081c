"""SQLite files, read in one transaction, with what their write-ahead logs hold.

Values come as SQLite keeps them: None, int, float, :class:`Text`, and bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from ..errors import NotFoundError, SourceError
from ..text.jsontext import JSON
from ..text.printable import printable
from .catalog import Catalog, CatalogTable, Column, ForeignKey
from .queries import RowQuery

_T = TypeVar("_T")
_BUSY = 10.0
"""Seconds."""
_SETTINGS = ("query_only = 1", "trusted_schema = 0", "cell_size_check = 1")
_OLDEST = (3, 37)
"""The first that lists tables with what they are."""
_AT_ONCE = 500
"""Rows."""
_HIDDEN = 1
"""What ``table_xinfo`` says of a virtual table's hidden column."""


class Text(bytes):
    """A text as the file has it, which need not be UTF-8."""


class SqliteDialect:
    """SQLite's SQL."""

    parameter = "?"
    null_where_said = False
    """A primary key may hold NULL there, and what is declared of a table may have come after its rows."""

    def quoted(self, name: str) -> str:
        """A name, in quotes."""
        return '"' + name.replace('"', '""') + '"'

    def table(self, name: str) -> str:
        """A table of the file."""
        return f"main.{self.quoted(name)}"

    def value(self, expression: str, base: str = "") -> str:
        """As it is."""
        return expression

    def is_plain(self, column: Column) -> bool:
        """Where the column makes texts or integers of its values (documentation of SQLite, "Type Affinity")."""
        declared = column.type.upper()
        return not column.is_loose and any(word in declared for word in ("INT", "CHAR", "CLOB", "TEXT"))

    def as_text(self, expression: str) -> str:
        """Cast."""
        return f"CAST({expression} AS TEXT)"

    def equals(self, base: str) -> str:
        """By the column's own collation."""
        return "="

    def said(self, base: str) -> str:
        """The same for all types."""
        return self.parameter


class SqliteDatabase:
    """A file, opened for reading; it must exist."""

    dialect = SqliteDialect()

    def __init__(self, path: Path, *, patience: float = _BUSY) -> None:
        """``patience``: seconds to wait for whoever writes."""
        self._name = printable(str(path))
        if sqlite3.sqlite_version_info < _OLDEST:
            raise SourceError(
                f"SQLite {'.'.join(map(str, _OLDEST))} or later is needed, and this Python has {sqlite3.sqlite_version}"
            )
        if not path.is_file():
            raise NotFoundError(f"{self._name} does not exist" if not path.exists() else f"{self._name} is no file")
        uri = f"{path.absolute().as_uri()}?mode=ro"
        self._connection = self._tried(lambda: sqlite3.connect(uri, uri=True, timeout=patience, isolation_level=None))
        self._connection.text_factory = Text
        try:
            self._tried(self._begin)
        except BaseException:
            self._connection.close()
            raise

    def _begin(self) -> None:
        for setting in _SETTINGS:
            self._connection.execute(f"PRAGMA {setting}")
        self._connection.execute("BEGIN")
        # The snapshot is taken with the first read.
        self._connection.execute("SELECT count(*) FROM main.sqlite_schema").fetchone()
        self._at = datetime.now(UTC)

    def catalog(self) -> Catalog:
        """Tables; what is virtual counts as a view, and SQLite's own tables as nothing."""
        return self._tried(self._catalog)

    def _catalog(self) -> Catalog:
        tables: dict[str, CatalogTable] = {}
        views: list[str] = []
        for name, kind in self._texts("SELECT name, type FROM pragma_table_list WHERE schema = 'main' ORDER BY name"):
            if name.startswith("sqlite_") or kind == "shadow":
                continue
            if kind == "table":
                tables[name] = self._table(name)
            else:
                views.append(name)
        return Catalog(tables, tuple(views))

    def _table(self, name: str) -> CatalogTable:
        columns: dict[str, Column] = {}
        key: list[tuple[int, str]] = []
        rows = self._texts('SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?)', name)
        for column, declared, not_null, place, hidden in rows:
            if hidden == _HIDDEN:
                continue
            columns[column] = Column(
                column, declared, nullable=not not_null and not place, is_loose=self._is_loose(name, column)
            )
            if place:
                key.append((place, column))
        primary = tuple(column for _, column in sorted(key))
        unique = {frozenset(primary)} if primary else set()
        for index, partial in self._texts('SELECT name, partial FROM pragma_index_list(?) WHERE "unique"', name):
            found = [column for (column,) in self._texts("SELECT name FROM pragma_index_info(?)", index)]
            if not partial and None not in found:
                unique.add(frozenset(found))
        return CatalogTable(name, columns, primary, frozenset(unique), self._references(name))

    def _references(self, name: str) -> tuple[ForeignKey, ...]:
        groups: dict[int, list[tuple[str, str, str | None]]] = {}
        sql = 'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq'
        for number, parent, column, key in self._texts(sql, name):
            groups.setdefault(number, []).append((parent, column, key))
        found: list[ForeignKey] = []
        for parts in groups.values():
            parent = parts[0][0]
            key = tuple(part for _, _, part in parts if part is not None)
            if not key:  # the parent's primary key is meant
                sql = "SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk"
                key = tuple(column for (column,) in self._texts(sql, parent))
            found.append(ForeignKey(tuple(column for _, column, _ in parts), parent, key))
        return tuple(found)

    def _is_loose(self, table: str, column: str) -> bool:
        """Whether a column's collation is another one than that of bytes: the program of a comparison names it."""
        place, name = self.dialect.table(table), self.dialect.quoted(column)
        try:
            program = self._texts(f"EXPLAIN SELECT 1 FROM {place} WHERE +{name} = ''")  # noqa: S608 - names, quoted
        except sqlite3.OperationalError:  # a collation of the program that made the file, which is not known here
            return True
        collations = [str(p4) for _, code, _, _, _, p4, *_ in program if code in ("Eq", "Ne") and p4]
        return any(not name.upper().startswith("BINARY") for name in collations)

    def _texts(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        """Rows about the schema, in which all texts are names."""
        rows = self._connection.execute(sql, values).fetchall()
        return [
            tuple(str(cell, "utf-8", "replace") if isinstance(cell, Text) else cell for cell in row) for row in rows
        ]

    def rows(self, question: RowQuery, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Rows of None, int, float, :class:`Text` and bytes."""
        asked = [str(value, "utf-8", "replace") if isinstance(value, Text) else value for value in values]
        cursor = self._tried(lambda: self._connection.execute(question.sql, asked))
        while (row := self._tried(cursor.fetchone)) is not None:
            yield row

    def blocks(self, question: RowQuery, values: Sequence[Any]) -> Iterator[list[tuple[Any, ...]]]:
        """The same, some at a time."""
        rows = self.rows(question, values)
        while some := list(islice(rows, _AT_ONCE)):
            yield some

    @staticmethod
    def cells(block: list[tuple[Any, ...]]) -> Iterator[list[Any]]:
        """The rows of a block."""
        return map(list, block)

    @staticmethod
    def size() -> int:
        """Rows come as objects, which cost more to give away than to do."""
        return 0

    def plan(self, question: RowQuery) -> list[str]:
        """``EXPLAIN QUERY PLAN``."""
        nulls = [None] * len(question.identities)
        steps = self.rows(RowQuery(f"EXPLAIN QUERY PLAN {question.sql}"), nulls)
        return [str(step[-1], "utf-8", "replace") for step in steps]

    def snapshot(self) -> dict[str, JSON]:
        """When the transaction began, and which library reads."""
        at = self._at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"kind": "sqlite", "version": sqlite3.sqlite_version, "at": at, "isolation": "one read transaction"}

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _tried(self, step: Callable[[], _T]) -> _T:
        try:
            return step()
        except sqlite3.Error as error:
            raise self._error(error) from None

    def _error(self, error: sqlite3.Error) -> SourceError:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        match code:
            case sqlite3.SQLITE_NOTADB:
                return SourceError(f"{self._name} is no SQLite database, or an encrypted one")
            case sqlite3.SQLITE_CORRUPT:
                return SourceError(f"{self._name} is damaged")
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return SourceError(f"{self._name} is locked by another program", hint="try again when that is done")
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY:
                hint = (
                    "a database with a write-ahead log needs its -wal and -shm files, or a folder that can be written"
                )
                return SourceError(f"{self._name} cannot be opened", hint=hint)
        # SQLite's words for anything else may quote what stands in the file.
        name = getattr(error, "sqlite_errorname", None) or type(error).__name__
        return SourceError(f"{self._name} cannot be read: {name}")
