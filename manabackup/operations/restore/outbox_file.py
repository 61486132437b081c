"""The outbox's file: its tables, the checksums in them, and how it is opened.

An item has two checksums: one over what is sent, and one over how far that is, which takes in the first. These and the
ones of the other entries add up to a total, which also counts the items of each state; so what is missing, there twice
or older than the rest does not pass for what was written.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ...crypto import checksums
from ...crypto.checksums import ChecksumError, checksum
from ...errors import ManabackupError
from ...host.database import schema, schema_of
from ...host.writeahead import is_cut_short
from ...text.printable import printable

STATES = 5
_VERSION = 2
"""The version of the file. One of version 1 had no checksums; it gets them when it is opened."""
_APPLICATION = 0x6D616E6F
# Names and ids are blobs: they come from archives, and may be what is no valid text.
_WITHOUT_SUMS = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    app BLOB NOT NULL,
    name BLOB NOT NULL,
    record BLOB NOT NULL,
    means TEXT NOT NULL,
    kind TEXT NOT NULL,
    changes INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    body BLOB NOT NULL,
    earlier BLOB NOT NULL,
    state INTEGER NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0,
    words TEXT
);
CREATE INDEX item_state ON item (state, id);
"""
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    app BLOB NOT NULL,
    name BLOB NOT NULL,
    record BLOB NOT NULL,
    means TEXT NOT NULL,
    kind TEXT NOT NULL,
    changes INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    body BLOB NOT NULL,
    earlier BLOB NOT NULL,
    state INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    words TEXT,
    content BLOB NOT NULL,
    progress BLOB NOT NULL
);
CREATE INDEX item_state ON item (state, id);
CREATE INDEX item_row ON item (name, record);
CREATE TABLE total (id INTEGER PRIMARY KEY, rows BLOB NOT NULL, states BLOB NOT NULL, sum BLOB NOT NULL);
"""
_CONTENT = "id, app, name, record, means, kind, changes, bytes, body, earlier"
_PROGRESS = "id, content, state, sent, words, progress"
COLUMNS = f"{_CONTENT}, state, sent, words, content, progress"
"""An item's columns, as :func:`checked` takes them."""
_WIDTH = len(_CONTENT.split(","))

Row: TypeAlias = tuple[Any, ...]


def open_outbox(path: Path) -> sqlite3.Connection:
    """A connection to an outbox of mode 0600: a new one, or one of before that is as it was written.

    Raises :class:`ChecksumError` for one that is not, :class:`ManabackupError` for one of a newer version,
    :class:`sqlite3.Error`, :class:`OSError`.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    if is_cut_short(path):
        raise ChecksumError("its log")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.text_factory = checksums.text
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def checked(row: Row) -> Row:
    """An item's row (:data:`COLUMNS`). Raises :class:`ChecksumError` for one that is not as it was written."""
    *_, content, progress = row
    if _content(row[:_WIDTH]) != content or _progress(row[0], content, *row[_WIDTH:-2]) != progress:
        raise ChecksumError(f"item {row[0]}")
    return row


class Entries:
    """Changes and reads entries within one transaction of the caller's, and keeps the total."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        row = connection.execute("SELECT rows, states, sum FROM total WHERE id = 1").fetchone()
        if row is None or checksum(b"outbox total", *row[:2]) != row[2]:
            raise ChecksumError("its total")
        self.rows: bytes = row[0]
        self.states = [int(count) for count in row[1].split()]
        """Items in each state."""

    def meta(self, key: str) -> str | None:
        """What is kept under a key."""
        row = self._connection.execute("SELECT key, value, sum FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        if checksum(b"outbox meta", *row[:2]) != row[2]:
            raise ChecksumError(f"its {key}")
        return str(row[1])

    def set_meta(self, key: str, value: str) -> None:
        """Keeps a value under a key."""
        held = self.meta(key)
        if held is not None:
            self.rows = checksums.taken(self.rows, checksum(b"outbox meta", key, held))
        entry = checksum(b"outbox meta", key, value)
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, value, entry))
        self.rows = checksums.added(self.rows, entry)

    def add(self, items: Iterable[Row], state: int) -> None:
        """Appends items, by their columns from the second one to the tenth."""
        (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM item").fetchone()
        rows = []
        for item in items:
            last += 1
            rows.append(_with_sums((last, *item), state, 0, None))
        self.insert(rows)

    def move(self, state: int, items: Sequence[tuple[int, int | None]], words: str | None = None) -> None:
        """Brings items into a state: (id, how many changes were sent, or None for as many as before)."""
        moved = []
        for item, sent in items:
            row = self._connection.execute(f"SELECT {_PROGRESS} FROM item WHERE id = ?", (item,)).fetchone()  # noqa: S608 - a constant
            if row is None or _progress(*row[:-1]) != row[-1]:
                raise ChecksumError(f"item {item}")
            _, content, before, sent_before, _, progress = row
            sent = sent_before if sent is None else sent
            now = _progress(item, content, state, sent, words)
            moved.append((state, sent, words, now, item))
            self.states[before] -= 1
            self.states[state] += 1
            self.rows = checksums.added(checksums.taken(self.rows, progress), now)
        self._connection.executemany("UPDATE item SET state = ?, sent = ?, words = ?, progress = ? WHERE id = ?", moved)

    def renew(self, items: Iterable[Row], state: int) -> None:
        """Puts items in the place of those with the same ids, by their first ten columns; nothing of them was sent."""
        rows = [_with_sums(item, state, 0, None) for item in items]
        self.remove([row[0] for row in rows])
        self.insert(rows)

    def remove(self, ids: Iterable[int]) -> None:
        """Takes items away."""
        for item in ids:
            row = self._connection.execute("SELECT state, progress FROM item WHERE id = ?", (item,)).fetchone()
            if row is None:
                raise ChecksumError(f"item {item}")
            self._connection.execute("DELETE FROM item WHERE id = ?", (item,))
            self.states[row[0]] -= 1
            self.rows = checksums.taken(self.rows, row[1])

    def keep_total(self) -> None:
        """To be done at the end of a transaction that changed something."""
        _keep_total(self._connection, self.rows, self.states)

    def insert(self, rows: Sequence[Row]) -> None:
        """Adds items as they are, their checksums included."""
        marks = ", ".join("?" * len(COLUMNS.split(",")))
        self._connection.executemany(f"INSERT INTO item ({COLUMNS}) VALUES ({marks})", rows)  # noqa: S608 - constants
        self.rows = checksums.added(self.rows, *(row[-1] for row in rows))
        for row in rows:
            self.states[row[_WIDTH]] += 1


def _content(columns: Row) -> bytes:
    return checksum(b"outbox item", *columns)


def _progress(*columns: Any) -> bytes:
    return checksum(b"outbox progress", *columns)


def _with_sums(columns: Row, state: int, sent: int, words: str | None) -> Row:
    content = _content(columns)
    return (*columns, state, sent, words, content, _progress(columns[0], content, state, sent, words))


def _keep_total(connection: sqlite3.Connection, rows: bytes, states: Sequence[int]) -> None:
    counts = b" ".join(b"%d" % count for count in states)
    connection.execute(
        "INSERT OR REPLACE INTO total VALUES (1, ?, ?, ?)", (rows, counts, checksum(b"outbox total", rows, counts))
    )


# --- opening ----------------------------------------------------------------------------------------------------------


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    found = schema(connection)
    known = {1: schema_of(_WITHOUT_SUMS), _VERSION: schema_of(_TABLES)}
    if version > _VERSION and application == _APPLICATION and found not in known.values():
        raise ManabackupError(
            f"the outbox {printable(str(path))} was written by a newer version of this tool",
            hint="finish with that version what was begun with it",
        )
    if (found or version or application) and (application != _APPLICATION or known.get(version) != found):
        raise ChecksumError("its tables")
    if found and connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
        raise ChecksumError("its structure")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not found:
            _create(connection)
        elif version < _VERSION:
            _upgrade(connection)
        _check(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # not when a signal came just after it was committed
            connection.execute("ROLLBACK")
        raise


def _create(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    _keep_total(connection, checksums.NOTHING, [0] * STATES)


def _upgrade(connection: sqlite3.Connection) -> None:
    """Gives an outbox of version 1 its checksums: it is taken as it is."""
    meta = connection.execute("SELECT key, value FROM meta").fetchall()
    connection.execute("DROP TABLE meta")
    connection.execute("DROP INDEX item_state")
    connection.execute("ALTER TABLE item RENAME TO earlier_item")
    _create(connection)
    entries = Entries(connection)
    for key, value in meta:
        entries.set_meta(key, value)
    for row in connection.execute(f"SELECT {_CONTENT}, state, sent, words FROM earlier_item"):  # noqa: S608 - a constant
        entries.insert([_with_sums(row[:_WIDTH], *row[_WIDTH:])])
    entries.keep_total()
    connection.execute("DROP TABLE earlier_item")


def _check(connection: sqlite3.Connection) -> None:
    """Holds everything against the total."""
    entries = Entries(connection)
    found, states = checksums.NOTHING, [0] * STATES
    for row in connection.execute("SELECT key, value, sum FROM meta"):
        if checksum(b"outbox meta", *row[:2]) != row[2]:
            raise ChecksumError("what it knows of the restore")
        found = checksums.added(found, row[2])
    for row in connection.execute(f"SELECT {COLUMNS} FROM item"):  # noqa: S608 - a constant
        checked(row)
        found = checksums.added(found, row[-1])
        states[row[_WIDTH]] += 1
    if (found, states) != (entries.rows, entries.states):
        raise ChecksumError("an item is missing, or there twice")
