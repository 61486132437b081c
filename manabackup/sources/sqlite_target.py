"""SQLite files, written into in one transaction. Rows are read twice: to decide, which writes nothing, and to write.

Whether references lead somewhere is decided by digests of keys in a temporary database: they tell nobody anything.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ..errors import ConflictError, OutputError, SourceError
from ..host.interrupts import uninterrupted
from ..host.output import writing_to
from ..text.printable import printable
from .catalog import Catalog, CatalogTable, Column, ForeignKey
from .creation import create_tables, made_otherwise, type_in
from .order import in_order
from .profile import StoreKind
from .sqlite import SqliteDatabase, SqliteDialect, Text
from .sqlite_loads import ComingKeys, SqliteLoad, SqliteOutbox
from .target import Events, LoadAction, LoadConflict, LoadRow, LoadTable, OutboxPlace, Planned, Rows

_WRITTEN = (LoadAction.INSERT, LoadAction.OVERWRITE)
_BUSY = 10.0
_quoted = SqliteDialect().quoted


class SqliteTarget:
    """A file to be written into. One that does not exist is made, where tables are to be made in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = printable(str(path))
        self._was_there = path.exists()
        self._catalog = self._look()
        self._create: list[str] = []
        self._made: dict[str, LoadTable] = {}
        self._loads: list[SqliteLoad] = []
        self._mode = LoadConflict.FAIL
        self._rows: Rows | None = None
        self._events: Events | None = None
        self._planned: list[Planned] = []
        self._connection: sqlite3.Connection | None = None
        self._is_new_file = False
        self._committed = False

    def _look(self) -> Catalog:
        if not self._was_there:
            return Catalog({})
        if self._path.with_name(f"{self._path.name}-journal").exists():
            # Left by a writer that was killed: whoever may write undoes what it had begun.
            with closing(self._opened(writing=True)) as connection, self._failing():
                connection.execute("SELECT count(*) FROM main.sqlite_schema").fetchone()
        with closing(SqliteDatabase(self._path)) as database:
            return database.catalog()

    def catalog(self) -> Catalog:
        """Tables, those that are to be made among them."""
        return self._catalog

    def place(self) -> str:
        """The file."""
        return f"SQLite database {self._name}"

    def create(self, tables: Sequence[LoadTable], references: Mapping[str, Sequence[ForeignKey]]) -> list[str]:
        """When rows are written."""
        self._create = list(create_tables(tables, references, StoreKind.SQLITE, _quoted, _quoted))
        there = dict(self._catalog.tables)
        for table in tables:
            self._made[table.table] = table
            columns = {
                column.name: Column(column.name, type_in(column, table.source, StoreKind.SQLITE), nullable=True)
                for column in (*table.columns, *table.omitted)
            }
            key = frozenset({frozenset(table.key)}) if table.key else frozenset()
            there[table.table] = CatalogTable(
                table.table, columns, table.key, key, tuple(references.get(table.name, ()))
            )
        self._catalog = Catalog(there, self._catalog.views)
        return list(made_otherwise(tables, StoreKind.SQLITE))

    def compare(
        self, tables: Sequence[LoadTable], rows: Rows, mode: LoadConflict, events: Events | None
    ) -> list[Planned]:
        """Holds every row beside the file's; the file is opened for reading."""
        self._mode, self._rows, self._events = mode, rows, events
        with closing(self._opened(writing=False)) as connection:
            self._loads = [
                SqliteLoad(table, self._catalog.tables[table.table], connection, is_new=table.table in self._made)
                for table in tables
            ]
            with closing(ComingKeys(self._loads, rows)) as coming:
                self._planned = [self._decide(load, rows, connection, coming) for load in self._loads]
        for load, planned in zip(self._loads, self._planned, strict=True):
            if planned.rows[LoadAction.INSERT] and load.missing:
                raise SourceError(
                    f"{load.table.name}: the archive has no {', '.join(load.missing)}, which must have a value",
                    hint="give these columns a default, or let them be NULL",
                )
        return self._planned

    def _decide(self, load: SqliteLoad, rows: Rows, connection: sqlite3.Connection, coming: ComingKeys) -> Planned:
        counts: Counter[LoadAction] = Counter()
        dangling: Counter[str] = Counter()
        for row in rows(load.table):
            values = load.values(row)
            action = self._decided(load, row, values, connection, coming)
            if action in _WRITTEN:
                dangling.update(self._lost(load, values, connection, coming))
            counts[action] += 1
        return Planned(counts, dict(dangling))

    def _decided(
        self,
        load: SqliteLoad,
        row: LoadRow,
        values: Sequence[Any],
        connection: sqlite3.Connection,
        coming: ComingKeys,
    ) -> LoadAction:
        """What becomes of a row; one that is somebody else's must not dangle."""
        action = self._action(load, values, connection, reduced=row.reduced)
        if row.reduced and action is LoadAction.INSERT and self._lost(load, values, connection, coming):
            return LoadAction.SKIPPED
        return action

    def _lost(
        self, load: SqliteLoad, values: Sequence[Any], connection: sqlite3.Connection, coming: ComingKeys
    ) -> list[str]:
        return coming.lost(load, values, lambda reference, key: self._has(connection, reference, key))

    def _action(
        self, load: SqliteLoad, values: Sequence[Any], connection: sqlite3.Connection, *, reduced: bool
    ) -> LoadAction:
        with self._failing():
            there = [] if load.is_new else connection.execute(load.find, load.key(values)).fetchall()
        if len(there) > 1:
            raise SourceError(f"{load.table.name}: several rows of the file are alike in {', '.join(load.table.key)}")
        if not there:
            return LoadAction.SKIPPED if reduced and load.missing_reduced else LoadAction.INSERT
        if load.same(values, there[0], reduced=reduced):
            return LoadAction.UNCHANGED
        return LoadAction.SKIPPED if reduced else self._mode.action

    def _has(self, connection: sqlite3.Connection, reference: ForeignKey, key: Sequence[Any]) -> bool:
        if reference.table in self._made or reference.table not in self._catalog.tables:
            return False
        where = " AND ".join(f"{_quoted(name)} = ?" for name in reference.key)
        sql = f"SELECT 1 FROM main.{_quoted(reference.table)} WHERE {where} LIMIT 1"
        with self._failing():
            return connection.execute(sql, key).fetchone() is not None

    def write(self, outbox: OutboxPlace | None) -> int:
        """Decides once more while it writes, since others may have written meanwhile, and compares."""
        assert self._rows is not None
        connection = self._connection = self._opened(writing=True)
        append = None
        with self._failing():
            connection.execute("BEGIN IMMEDIATE")
            for statement in self._create:
                connection.execute(statement)
            if outbox is not None:
                append = SqliteOutbox(outbox, self._catalog.tables[outbox.table], connection)
        appended = 0
        with closing(ComingKeys(self._loads, self._rows)) as coming:
            for load, planned in self._in_order():
                load.is_new = False
                counts: Counter[LoadAction] = Counter()
                for row in self._rows(load.table):
                    values = load.values(row)
                    action = self._decided(load, row, values, connection, coming)
                    counts[action] += 1
                    if action not in _WRITTEN:
                        continue
                    with self._failing():
                        load.write(values, action, connection, reduced=row.reduced)
                        if append is not None and self._events is not None and not row.reduced:
                            appended += append.add(self._events(load.table, row))
                if counts != planned.rows:
                    raise ConflictError("somebody wrote into the database since the plan; nothing was written")
        if append is not None:
            append.check()
        return appended

    def _in_order(self) -> Iterator[tuple[SqliteLoad, Planned]]:
        """What is referred to first: whoever reads events wants to hear of it first."""
        pairs = {load.table.table: (load, plan) for load, plan in zip(self._loads, self._planned, strict=True)}
        parents = {name: [each.table for each in load.references] for name, (load, _) in pairs.items()}
        for group in in_order(parents):
            yield from (pairs[name] for name in group)

    def commit(self) -> None:
        """Let it be so."""
        connection = self._connection
        assert connection is not None
        with self._failing():
            connection.execute("COMMIT")
        self._committed = True

    def close(self) -> None:
        """A file that was made for nothing is gone."""
        if self._connection is not None:
            self._connection.close()
        if self._is_new_file and not self._committed:
            for ending in ("", "-journal", "-wal", "-shm"):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)

    def _opened(self, *, writing: bool) -> sqlite3.Connection:
        if self._was_there or writing:
            mode = "rw" if writing else "ro"
            uri = f"{self._path.absolute().as_uri()}?mode={mode}"
        else:
            uri = ":memory:"
        if writing and not self._was_there:
            with writing_to(self._path), uninterrupted():
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
                self._is_new_file = True
        try:
            connection = sqlite3.connect(uri, uri=True, timeout=_BUSY, isolation_level=None)
        except sqlite3.Error:
            raise OutputError(f"{self._name} cannot be opened") from None
        connection.text_factory = Text
        # Triggers of a file from somebody else run only what SQLite takes for harmless.
        for setting in ("trusted_schema = 0", "cell_size_check = 1", "foreign_keys = 0", "synchronous = FULL"):
            with self._failing():
                connection.execute(f"PRAGMA {setting}")
        return connection

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """SQLite's refusals as errors of ours; its own words may quote what stands in the file."""
        try:
            yield
        except sqlite3.IntegrityError as error:
            kind = getattr(error, "sqlite_errorname", "") or "constraint"
            raise SourceError(f"{self._name}: the database refuses rows ({kind}); nothing was written") from None
        except sqlite3.Error as error:
            code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise SourceError(f"{self._name} is locked by another program", hint="try again later") from None
            if code == sqlite3.SQLITE_READONLY:
                raise OutputError(f"{self._name} cannot be written: it is read only") from None
            if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
                raise OutputError(f"{self._name} cannot be written: the disk is full, or fails") from None
            name = getattr(error, "sqlite_errorname", None) or type(error).__name__
            raise SourceError(f"{self._name} cannot be written: {name}") from None
