"""The sync server's append-only log of changes, in SQLite.

It takes changes in two ways: one by one as pushes bring them, and in bulk, for tests and for generated accounts.
A row is visible to its author and to the members of its space.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from .postgres import check_text
from .record import Record, record_of_mapping

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS changes (
    seq INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL,
    app TEXT NOT NULL,
    collection TEXT NOT NULL,
    user_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    space_id TEXT,
    schema_version INTEGER NOT NULL,
    body BLOB NOT NULL,
    space BLOB NOT NULL,
    tail BLOB NOT NULL,
    poisoned INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS by_collection ON changes (app, collection, created_at);
CREATE INDEX IF NOT EXISTS by_app ON changes (app, created_at);
"""
_INSERT = "INSERT INTO changes VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_READ = """
SELECT event_id, created_at, schema_version, body, space, tail, poisoned FROM changes INDEXED BY {index}
WHERE app = ? {collection} AND created_at > ? AND client_id <> ?
AND (user_id = ? OR space_id IN (SELECT value FROM json_each(?))) ORDER BY created_at, seq LIMIT ?
"""
_PULL = _READ.format(index="by_collection", collection="AND collection = ?")
_READ_APP = _READ.format(index="by_app", collection="")
_BULK_ROWS = 2_000
SECONDS_A_ROW = 93e-9
"""What a look at a whole app costs the server for each row of its table, which it reads whole: 5.9 s for 63 looks over
1,010,000 rows. A look at one collection is served by an index; what it takes beyond its rows is not to be measured."""


@dataclass(frozen=True, slots=True)
class StoredChange:
    """One change to be put into the log past HTTP."""

    user_id: str
    """The author."""
    client_id: str
    app: str
    change: Mapping[str, Any]
    """In the shape of a push: ``table``, ``id``, ``op``, ``data`` or ``fields`` or ``deletedAt``, …"""
    created_at_us: int | None = None
    """Microseconds since the epoch, any, also in the past or equal to another; ``None``: now, after all before it."""
    event_id: str | None = None
    """``None``: a new UUID."""
    poisoned: bool = False
    """The row holds what the server cannot read back: every answer that it falls into becomes a 500."""


class Row(NamedTuple):
    """A change as a query finds it."""

    event_id: str
    created_at_us: int
    schema_version: int
    body: bytes
    space: bytes
    tail: bytes
    poisoned: int

    def wire(self) -> bytes:
        """The change as pull and push answer it."""
        return b'{"eventId":"%b","schemaVersion":%d,%b%b%b}' % (
            self.event_id.encode(),
            self.schema_version,
            self.body,
            self.space,
            self.tail,
        )

    def event(self) -> bytes:
        """The change as the event stream sends it, with less around it."""
        return b"{%b%b}" % (self.body, self.tail)


class Asked(NamedTuple):
    """Who asks the log for changes, and for which of them."""

    user_id: str
    """Theirs, wherever they lie."""
    spaces: Collection[str]
    """And anybody's that lie in these."""
    client_id: str
    """Who asks: not for what it sent itself."""
    since_us: int
    """Those after this instant, in microseconds."""
    limit: int
    """So many at most."""


class ChangeLog:
    """The log. May be used from several threads.

    ``database`` is a path, or ``":memory:"``; ``clock`` gives nanoseconds since the epoch.
    """

    def __init__(self, database: str | Path = ":memory:", *, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._database = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._database.executescript(_SCHEMA)
        self._last_us: int = self._database.execute("SELECT coalesce(max(created_at), 0) FROM changes").fetchone()[0]
        self._last_us = min(self._last_us, clock() // 1_000)
        self._rows = self.count()
        self.foreign_rows = 0
        """So many rows of other users, which nobody here can see, lie in the table besides."""
        self.rows_read = 0
        """How many rows the server has looked at for its answers."""

    def close(self) -> None:
        """Closes the database; what was in memory is gone."""
        with self._lock:
            self._database.close()

    def now_ns(self) -> int:
        """The server's clock in nanoseconds: never before a time that it stamped a change with."""
        with self._lock:
            return max(self._clock(), (self._last_us + 1) * 1_000)

    def append(
        self,
        user_id: str,
        client_id: str,
        app: str,
        change: Mapping[str, Any],
        *,
        created_at_us: int | None = None,
        event_id: str | None = None,
        poisoned: bool = False,
    ) -> str:
        """Stores one change and gives its event id. See :class:`StoredChange` for the parameters."""
        stored = StoredChange(user_id, client_id, app, change, created_at_us, event_id or _event_id(), poisoned)
        self.append_many([stored])
        return str(stored.event_id)

    def append_many(self, changes: Iterable[StoredChange]) -> int:
        """Stores changes in order and gives their number.

        Works through an iterator of any length in constant memory; it is not one transaction. Raises ``StorageError``
        for a change that the server's database could not hold.
        """
        count = 0
        rows = iter(changes)
        while batch := [self._row(change) for change in itertools.islice(rows, _BULK_ROWS)]:
            with self._lock:
                self._database.execute("BEGIN")
                self._database.executemany(_INSERT, batch)
                self._database.execute("COMMIT")
                self._rows += len(batch)
            count += len(batch)
        return count

    def store(self, user_id: str, client_id: str, app: str, record: Record, *, lag_us: int = 0) -> str:
        """Stores a pushed change in a transaction of its own and gives its event id.

        ``record`` was made for this app and client id. ``lag_us`` stamps it that much in the past, as a transaction
        that took so long to commit.
        """
        check_text(user_id)
        event_id = _event_id()
        with self._lock:
            row = self._columns(event_id, user_id, client_id, app, record, created_at_us=self._stamp() - lag_us)
            self._database.execute(_INSERT, row)
            self._rows += 1
        return event_id

    def pull(self, app: str, collection: str, asked: Asked) -> list[Row]:
        """Changes of one collection, oldest first."""
        rows = self._read(_PULL, (app, collection), asked)
        self.rows_read += len(rows)
        return rows

    def read_app(self, app: str, asked: Asked) -> list[Row]:
        """As :meth:`pull`, over all collections of the app, for which the real server reads its whole table."""
        self.rows_read += self.table_rows
        return self._read(_READ_APP, (app,), asked)

    @property
    def table_rows(self) -> int:
        """All rows of the table, :attr:`foreign_rows` among them: what a look at a whole app reads."""
        return self._rows + self.foreign_rows

    def poison(self, event_id: str) -> None:
        """Makes a stored change unreadable for the server."""
        with self._lock:
            self._database.execute("UPDATE changes SET poisoned = 1 WHERE event_id = ?", (event_id,))

    def heal(self, event_id: str) -> None:
        """Makes it readable again."""
        with self._lock:
            self._database.execute("UPDATE changes SET poisoned = 0 WHERE event_id = ?", (event_id,))

    def forget(self, event_id: str) -> None:
        """Removes a change, which no real server does: a history that was rewritten."""
        with self._lock:
            self._rows -= self._database.execute("DELETE FROM changes WHERE event_id = ?", (event_id,)).rowcount

    def count(self, app: str | None = None) -> int:
        """Changes in the log, of one app or of all."""
        with self._lock:
            query = "SELECT count(*) FROM changes WHERE :app IS NULL OR app = :app"
            return int(self._database.execute(query, {"app": app}).fetchone()[0])

    def activity(self, user_id: str) -> list[tuple[str, str, int, int]]:
        """For each collection a user wrote to: app, collection, number of changes, time of the last in microseconds."""
        query = """
            SELECT app, collection, count(*), max(created_at) FROM changes WHERE user_id = ?
            GROUP BY app, collection ORDER BY app, collection
        """
        with self._lock:
            return self._database.execute(query, (user_id,)).fetchall()

    def erase(self, user_id: str) -> int:
        """Removes all changes that a user wrote, as the deletion of the account does, and gives their number."""
        with self._lock:
            erased = self._database.execute("DELETE FROM changes WHERE user_id = ?", (user_id,)).rowcount
            self._rows -= erased
            return erased

    def _read(self, query: str, names: tuple[str, ...], asked: Asked) -> list[Row]:
        check_text(*names, asked.client_id)
        parameters = (*names, asked.since_us, asked.client_id, asked.user_id, _json_list(asked.spaces), asked.limit)
        with self._lock:
            found = self._database.execute(query, parameters)
            return [Row._make(columns) for columns in found]

    def _row(self, change: StoredChange) -> tuple[Any, ...]:
        record = record_of_mapping(change.change, app=change.app, client_id=change.client_id)
        check_text(change.user_id)
        created_at_us = change.created_at_us
        if created_at_us is None:
            with self._lock:
                created_at_us = self._stamp()
        event_id = change.event_id or _event_id()
        return self._columns(
            event_id,
            change.user_id,
            change.client_id,
            change.app,
            record,
            created_at_us=created_at_us,
            poisoned=change.poisoned,
        )

    @staticmethod
    def _columns(
        event_id: str,
        user_id: str,
        client_id: str,
        app: str,
        record: Record,
        *,
        created_at_us: int,
        poisoned: bool = False,
    ) -> tuple[Any, ...]:
        return (
            event_id,
            app,
            record.collection,
            user_id,
            client_id,
            created_at_us,
            record.space_id,
            record.schema_version,
            record.body,
            record.space,
            record.tail,
            int(poisoned),
        )

    def _stamp(self) -> int:
        self._last_us = max(self._clock() // 1_000, self._last_us + 1)
        return self._last_us


def _event_id() -> str:
    return str(uuid.uuid4())


def _json_list(texts: Collection[str]) -> str:
    return orjson.dumps(sorted(texts)).decode()
