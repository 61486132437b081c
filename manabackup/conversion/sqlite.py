"""``sqlite``: a database with a table for each table, from which the archive can be made again.

What SQL people expect is there: typed columns, foreign keys where no reference dangles, indexes, views with joined
tags, times and decimals, and full-text search (``docs/convert.md``). Names that begin with ``_`` are the
program's own. The database is made under its temporary name without a journal, and nothing of it goes elsewhere.

What keeps its text: a row is written again from its columns; where that is not the text that stands in the archive, the
text stands in ``_texts`` beside it.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from ..archive import names
from ..errors import OutputError
from ..host.database import storage_error
from ..rows.archived import RESERVED_META, row_line
from ..text import jsontext
from . import sqlite_views as views
from .columns import SQL_TYPES, Cell, Columns, columns_of
from .reading import Reading, ReadRow
from .sqlite_views import quoted

APPLICATION_ID: Final = 0x4D414E41
"""``MANA``, in the header of the file."""
VERSION: Final = 1
"""Of this layout, in ``user_version``."""
_PRAGMAS = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA page_size = 16384",  # of which rows of some kB fill more
    "PRAGMA cache_size = -512",  # rows come in order: what was written is not needed again
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)
_CACHE_AFTERWARDS = 4096
"""KiB, for indexes, references and full-text search, which come back to pages."""
OWN_TABLES: Final = """
CREATE TABLE _archive (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE _tables (
    name TEXT PRIMARY KEY, number INTEGER NOT NULL, rows INTEGER NOT NULL, app TEXT, "group" TEXT, role TEXT,
    label_de TEXT, label_en TEXT, whole INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE _columns (
    table_name TEXT, number INTEGER, name TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (table_name, number)
) WITHOUT ROWID;
CREATE TABLE _labels (
    table_name TEXT, path TEXT, value TEXT, label_de TEXT, label_en TEXT, PRIMARY KEY (table_name, path, value)
) WITHOUT ROWID;
CREATE TABLE _meta (
    table_name TEXT, id TEXT, created TEXT, modified TEXT, digest BLOB, line TEXT, PRIMARY KEY (table_name, id)
) WITHOUT ROWID;
CREATE TABLE _texts (table_name TEXT, id TEXT, line BLOB, PRIMARY KEY (table_name, id)) WITHOUT ROWID;
CREATE TABLE _entries (name TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE _left_out (kind TEXT, table_name TEXT, count INTEGER, PRIMARY KEY (kind, table_name)) WITHOUT ROWID;
"""


def digest(line: bytes) -> bytes:
    """By which it is seen whether somebody wrote into a row."""
    return hashlib.sha256(line).digest()[:16]  # which processors have instructions for


def convert(reading: Reading, path: Path) -> None:
    """Write the database into the empty file ``path``. Raises :class:`OutputError`."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            _Database(reading, connection).write()
    except sqlite3.Error as error:
        odd = OutputError(f"the database cannot be written: {error}")
        raise storage_error(error, path, "the database", odd) from error


class _Database:
    def __init__(self, reading: Reading, connection: sqlite3.Connection) -> None:
        self._reading = reading
        self._db = connection
        self._there: dict[str, Columns] = {}
        """Tables with rows, in order."""

    def write(self) -> None:
        for pragma in _PRAGMAS:
            self._db.execute(pragma)
        self._db.execute("BEGIN")
        for statement in OWN_TABLES.split(";\n"):
            if statement.strip():
                self._db.execute(statement)
        taken: set[str] = set()
        for number, name in enumerate(self._reading.tables):
            self._table(number, name, taken)
        self._db.execute(f"PRAGMA cache_size = -{_CACHE_AFTERWARDS}")
        for name in self._there:
            self._index(name)
        self._references()
        for statement in views.views(self._reading, self._there):
            self._db.execute(statement)
        if self._reading.options.index:
            for statement in views.search(self._reading, self._there):
                self._db.execute(statement)
        self._about()
        self._db.execute("COMMIT")

    # --- rows

    def _table(self, number: int, name: str, taken: set[str]) -> None:
        reading = self._reading
        model = reading.model(name)
        columns = columns_of(model)
        count, whole = 0, True
        if name.casefold() in taken or name.startswith(("_", "sqlite_")):
            for some in reading.blocks(name, lambda rows: sum(1 for _ in rows)):
                reading.left_out.note("oddValue", name, some)
                whole = False
        else:
            count, whole = self._fill(name, columns)
            if name in self._there:
                taken.add(name.casefold())
                whole = whole and count == reading.size(name)
        labels = (None, None, None, None, None)
        if model is not None:
            labels = (model.app, model.group, model.role, *model.label)  # type: ignore[assignment]
            self._labels(name)
        self._db.execute("INSERT INTO _tables VALUES (?,?,?,?,?,?,?,?,?)", (name, number, count, *labels, whole))
        self._db.executemany(
            "INSERT INTO _columns VALUES (?,?,?,?)",
            ((name, at, field, kind) for at, (field, kind) in enumerate(columns.fields)),
        )

    def _fill(self, name: str, columns: Columns) -> tuple[int, bool]:
        """The rows; tells how many, and whether all of each is there. A table without rows is not made."""
        kinds = ["text", *(kind for _, kind in columns.fields), "number", "json"]
        places = ",".join("CAST(? AS TEXT)" if SQL_TYPES[kind] == "TEXT" else "?" for kind in kinds)
        insert = f"INSERT INTO {quoted(name)} VALUES ({places})"
        count, whole = 0, True
        for data, metas, texts, odd, unaltered in self._reading.blocks(name, partial(_cells, name, columns)):
            if data and name not in self._there:
                self._there[name] = columns
                self._db.execute(views.create_table(name, columns))
            self._db.executemany(insert, data)
            self._db.executemany("INSERT INTO _meta VALUES (?,?,?,?,?,CAST(? AS TEXT))", metas)
            self._db.executemany("INSERT INTO _texts VALUES (?,?,?)", texts)
            self._reading.left_out.note("oddValue", name, odd)
            count += len(data)
            whole = whole and unaltered and not odd
        return count, whole

    def _labels(self, name: str) -> None:
        model = self._reading.model(name)
        assert model is not None
        self._db.executemany(
            "INSERT INTO _labels VALUES (?,?,?,?,?)",
            (
                (name, path, value, label.de, label.en)
                for path, labels in model.enums.items()
                for value, label in labels.items()
            ),
        )

    # --- what ties them together

    def _index(self, name: str) -> None:
        for statement in views.indexes(name, self._there[name], self._reading.model(name)):
            self._db.execute(statement)

    def _references(self) -> None:
        """Declare the references of which none dangles, and count the others.

        The definition is changed where it stands, which is how SQLite has it done for what changes nothing in the rows
        (https://www.sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes").
        """
        declared: dict[str, list[tuple[str, str]]] = {}
        for name, columns in self._there.items():
            for field, target in views.single_references(columns, self._reading.model(name)):
                if target not in self._there:
                    continue
                here, there = quoted(name), quoted(target)
                (dangling,) = self._db.execute(
                    f"SELECT count(*) FROM {here} WHERE {quoted(field)} IS NOT NULL"
                    f" AND NOT EXISTS (SELECT 1 FROM {there} AS t WHERE t.id = {here}.{quoted(field)})"
                ).fetchone()
                if dangling:
                    self._reading.left_out.note("dangling", name, dangling)
                else:
                    declared.setdefault(name, []).append((field, target))
        self._db.execute("PRAGMA writable_schema = ON")
        for name, keys in declared.items():
            sql = views.create_table(name, self._there[name], keys)
            self._db.execute("UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?", (sql, name))
        (version,) = self._db.execute("PRAGMA schema_version").fetchone()
        self._db.execute(f"PRAGMA schema_version = {version + 1}")
        self._db.execute("PRAGMA writable_schema = OFF")

    # --- what the archive says of itself

    def _about(self) -> None:
        archive = self._reading.archive
        self._db.executemany(
            "INSERT INTO _archive VALUES (?,?)",
            ((key, jsontext.dumps(value).decode()) for key, value in archive.manifest.raw.items()),
        )
        for name in archive.reader.container.entries:
            folder, _, file = name.partition("/")
            special = folder == "meta" and names.table_of(name) in RESERVED_META
            if special or (folder == "account" and file):
                self._db.execute("INSERT INTO _entries VALUES (?,?)", (name, b"".join(archive.reader.chunks(name))))
        for kind, tables in self._reading.left_out.to_json().items():
            self._db.executemany(
                "INSERT INTO _left_out VALUES (?,?,?)", ((kind, table, count) for table, count in tables.items())
            )


class _Cells(NamedTuple):
    """What becomes of some rows."""

    data: list[list[Cell]]
    """For the table's own columns; texts in UTF-8, which is how they go from one process to another."""
    metas: list[tuple[Cell, ...]]
    texts: list[tuple[Cell, ...]]
    odd: int
    """Rows whose ids are no text in UTF-8: they are in none of these."""
    unaltered: bool
    """Whether nothing was taken out of any."""


def _cells(name: str, columns: Columns, rows: Iterator[ReadRow]) -> _Cells:
    data: list[list[Cell]] = []
    metas: list[tuple[Cell, ...]] = []
    texts: list[tuple[Cell, ...]] = []
    odd, unaltered = 0, True
    for row in rows:
        line, whole = _line(row)
        values = {**row.values, **row.closed} if row.closed else row.values
        try:
            cells, written = columns.cells(values, line if row.as_written else None)
        except UnicodeEncodeError:
            odd += 1
            continue
        unaltered = unaltered and whole
        data.append(cells)
        if written != line:
            texts.append((name, row.id, line))
        metas.append((name, row.id, _told(row.created), _told(row.modified), digest(written), row.meta))
    return _Cells(data, metas, texts, odd, unaltered)


def _line(row: ReadRow) -> tuple[bytes, bool]:
    """A row's text without its secrets, and whether that is all of it."""
    if not row.secrets:
        return row.line, True
    return row_line({**row.values, **row.closed}), False


def _told(time: str | None) -> str | None:
    """A time as text in UTF-8, whatever a row calls one."""
    return time if time is None or time.isascii() else time.encode("utf-8", "replace").decode()
