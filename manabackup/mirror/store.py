"""Writing the mirror: answers of the server and the cursors that they move, one transaction each."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

from ..errors import MirrorError
from ..rawchange import RawChange, UnreadableChange
from . import losses
from .losses import LossKind, decoded, encoded
from .ordering import held_events, merge
from .reading import Snapshot
from .schema import open_file, storage_errors


@dataclass(frozen=True, slots=True)
class Batch:
    """One answer's changes of one collection."""

    changes: Sequence[RawChange]
    """In the order of the answer."""
    after: bytes | None = None
    """Key of the event that the same reading saw last before these; None at its beginning."""
    from_start: bool = False
    """The reading began at the server's first event."""
    cursor: int | None = None
    """Everything of this collection up to here is held with this batch; microseconds since 1970."""
    unreadable: Sequence[UnreadableChange] = ()
    """Changes among these that are too large: losses, unless they are held."""

    @property
    def keys(self) -> list[bytes]:
        """Of all events."""
        return [change.key for change in self.changes] + [change.key for change in self.unreadable]


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of an answer."""

    new: int
    held: int
    """Different events of the answer that were held before."""


class Mirror:
    """The mirror of one user on one sync server. Safe to share between threads, of one process.

    Opening raises :class:`NotFoundError` (without ``create``), :class:`MirrorError` for a damaged file, one of a newer
    version or of somebody else; every use may raise :class:`OutputError` and :class:`LockedError`. What was stored
    before is whole whenever the process ends.
    """

    def __init__(self, path: Path, *, sync_url: str, user_id: str, create: bool = True) -> None:
        self.path = path
        self.sync_url = sync_url.rstrip("/")
        self.user_id = user_id
        self._lock = threading.Lock()
        self._run = 0
        self._comparing = False
        self._connection = open_file(path, create=create)
        try:
            self.client_id = self._introduce(self.sync_url, user_id)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Makes everything durable and lets go of the file."""
        with self._lock, storage_errors(self.path):
            self._connection.close()

    def snapshot(self) -> Snapshot:
        """A reader of the present state."""
        return Snapshot(self.path)

    # --- what the mirror knows of itself ---

    @property
    def key_fingerprint(self) -> str | None:
        """The pinned fingerprint of the account's master key."""
        return self._meta("keyFingerprint")

    def pin_key(self, fingerprint: str) -> None:
        """Remembers the master key's fingerprint, over an older one."""
        self._set_meta("keyFingerprint", fingerprint)

    def recall(self, what: str) -> str | None:
        """What :meth:`remember` was told last."""
        return self._meta(f"remembered:{what}")

    def remember(self, what: str, text: str) -> None:
        """Keeps what the servers said of the account, for work without them: nothing secret, nothing large."""
        if self.recall(what) != text:
            self._set_meta(f"remembered:{what}", text)

    @property
    def pulled_at(self) -> int | None:
        """When the last whole pull began, by the server's clock; microseconds since 1970."""
        text = self._meta("pulledAt")
        return None if text is None else int(text)

    @property
    def discovered_apps(self) -> list[str]:
        """Every app that was ever read, by name."""
        with self._reading() as connection:
            return [decoded(name) for (name,) in connection.execute("SELECT name FROM app ORDER BY name")]

    def collections(self, app: str) -> list[str]:
        """The app's collections that a pull has seen, by name."""
        with self._reading() as connection:
            rows = connection.execute("SELECT name FROM collection WHERE app = ? ORDER BY name", (encoded(app),))
            return [decoded(name) for (name,) in rows]

    def app_cursor(self, app: str) -> int | None:
        """Everything of the app up to here is held, in whatever collection; microseconds since 1970."""
        with self._reading() as connection:
            row = connection.execute("SELECT cursor FROM app WHERE name = ?", (encoded(app),)).fetchone()
        return None if row is None else row[0]

    def cursor(self, app: str, collection: str) -> int | None:
        """Everything of the collection up to here is held, as its own pages tell or those of the app."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT cursor FROM collection WHERE app = ? AND name = ?", (encoded(app), encoded(collection))
            ).fetchone()
        cursors = [cursor for cursor in (row and row[0], self.app_cursor(app)) if cursor is not None]
        return max(cursors, default=None)

    def changes(self, app: str, collection: str) -> int:
        """How many changes of the collection are held."""
        with self._reading() as connection:
            (count,) = connection.execute(
                "SELECT coalesce(sum(changes), 0) FROM page JOIN collection ON collection.id = page.collection"
                " WHERE app = ? AND name = ?",
                (encoded(app), encoded(collection)),
            ).fetchone()
        return int(count)

    # --- a pull ---

    def holds(self, app: str, collection: str, events: Collection[bytes]) -> bool:
        """Whether every one of the events, by key, is held."""
        key = (encoded(app), encoded(collection))
        with self._reading() as connection:
            row = connection.execute("SELECT id FROM collection WHERE app = ? AND name = ?", key).fetchone()
            return row is not None and len(held_events(connection, row[0], events)) == len(set(events))

    def begin_pull(self, *, compare: bool) -> None:
        """Begins a run of pulling; with ``compare``, one that reads everything and is compared with what is held."""
        with self._writing() as connection:
            self._run += 1
            self._write_meta("run", str(self._run))
            self._comparing = compare
            connection.execute("DROP TABLE IF EXISTS temp.seen")
            if compare:
                connection.execute(
                    "CREATE TEMP TABLE seen (collection INTEGER, key BLOB, PRIMARY KEY (collection, key)) WITHOUT ROWID"
                )

    def store(self, app: str, batches: Mapping[str, Batch], *, cursor: int | None = None) -> Stored:
        """Stores one answer, whole or not at all: collection name → changes.

        ``cursor``: everything of the app up to here is held then. Cursors never go back.
        """
        new = held = 0
        with self._writing() as connection:
            for name, batch in batches.items():
                collection = self._collection(app, name)
                merged = merge(
                    connection,
                    collection,
                    batch.changes,
                    after=batch.after,
                    from_start=batch.from_start,
                )
                new += merged.new
                held += merged.held
                for event in merged.changed:
                    losses.add(connection, self._run, LossKind.EVENT_CHANGED, app, name, event=event)
                self._note_unreadable(collection, app, name, batch.unreadable)
                if batch.cursor is not None:
                    connection.execute(
                        "UPDATE collection SET cursor = :to WHERE id = :of AND (cursor IS NULL OR cursor < :to)",
                        {"to": batch.cursor, "of": collection},
                    )
                if self._comparing:
                    connection.executemany(
                        "INSERT OR IGNORE INTO temp.seen VALUES (?, ?)",
                        [(collection, key) for key in batch.keys],
                    )
            if cursor is not None:
                self._move_cursors({app: cursor})
        return Stored(new, held)

    def move_cursors(self, cursors: Mapping[str, int]) -> None:
        """By app: everything up to there is held already. Cursors never go back."""
        with self._writing():
            self._move_cursors(cursors)

    def add_loss(self, kind: LossKind, app: str, collection: str | None, *, since: int | None, until: int) -> None:
        """Remembers a stretch of time that could not be read."""
        with self._writing() as connection:
            losses.add(connection, self._run, kind, app, collection, since=since, until=until)

    def searched(self, app: str, since: int) -> None:
        """Forgets that an app could not be searched, or not be read as a whole: now it was, from ``since`` to its end.

        What was found unreadable in this run stays, and what could not be read of single collections.
        """
        self._forget(
            "app = ? AND collection IS NULL AND since >= ? AND (kind = ? OR (kind = ? AND run < ?))",
            (encoded(app), since, LossKind.UNSEARCHED, LossKind.UNREADABLE_PAGE, self._run),
        )

    def read_through(self, app: str, collection: str, since: int) -> None:
        """Forgets that stretches of a collection could not be read: now it was, from ``since`` to its end.

        What was found unreadable in this run stays.
        """
        self._forget(
            "app = ? AND collection = ? AND since >= ? AND kind = ? AND run < ?",
            (encoded(app), encoded(collection), since, LossKind.UNREADABLE_PAGE, self._run),
        )

    def _forget(self, which: str, values: tuple[object, ...]) -> None:
        with self._reading() as connection:
            if connection.execute(f"SELECT 1 FROM loss WHERE {which}", values).fetchone() is None:  # noqa: S608 - ours
                return  # nearly always, and then nothing is to be written
        with self._writing() as connection:
            connection.execute(f"DELETE FROM loss WHERE {which}", values)  # noqa: S608 - ours

    def end_pull(self, pulled_at: int) -> None:
        """Ends a run that read all it was to read, and makes it durable.

        After one that compared, findings that it did not make again are cured and go, held events that it did not see
        are noted as gone — save where it could not read everything —, and no cursor is ahead of the server's clock.
        """
        with self._writing() as connection:
            self._write_meta("pulledAt", str(pulled_at))
            if self._comparing:
                connection.execute("UPDATE app SET cursor = min(cursor, ?)", (pulled_at,))
                connection.execute("UPDATE collection SET cursor = min(cursor, ?)", (pulled_at,))
                self._note_gone(connection)
                self._comparing = False
        with self._reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(FULL)")

    def _note_unreadable(self, collection: int, app: str, name: str, unreadable: Sequence[UnreadableChange]) -> None:
        if not unreadable:
            return
        held = held_events(self._connection, collection, [change.key for change in unreadable])
        for change in unreadable:
            if change.key not in held:
                kind = LossKind.UNREADABLE_CHANGE
                losses.add(self._connection, self._run, kind, app, name, event=change.key, record=change.id)

    def _note_gone(self, connection: sqlite3.Connection) -> None:
        partly_read: Collection[tuple[bytes, bytes | None]] = set(
            connection.execute(
                "SELECT app, collection FROM loss WHERE run = ? AND kind IN (?, ?)",
                (self._run, LossKind.UNREADABLE_PAGE, LossKind.UNREADABLE_TIE),
            )
        )
        for collection, app, name in connection.execute("SELECT id, app, name FROM collection").fetchall():
            if (app, name) in partly_read or (app, None) in partly_read:
                connection.execute(
                    "UPDATE loss SET run = ? WHERE app = ? AND collection = ? AND kind = ?",
                    (self._run, app, name, LossKind.EVENT_GONE),
                )
                continue
            connection.execute(
                "INSERT INTO loss (run, kind, app, collection, event) SELECT ?, ?, ?, ?, key FROM event"
                " WHERE collection = ? AND key NOT IN (SELECT key FROM temp.seen WHERE collection = ?)",
                (self._run, LossKind.EVENT_GONE, app, name, collection, collection),
            )
        connection.execute("DELETE FROM loss WHERE run < ?", (self._run,))
        connection.execute("DROP TABLE temp.seen")

    # --- below ---

    def _collection(self, app: str, name: str) -> int:
        key = (encoded(app), encoded(name))
        self._connection.execute("INSERT OR IGNORE INTO collection (app, name) VALUES (?, ?)", key)
        row = self._connection.execute("SELECT id FROM collection WHERE app = ? AND name = ?", key).fetchone()
        return int(row[0])

    def _move_cursors(self, cursors: Mapping[str, int]) -> None:
        self._connection.executemany(
            "INSERT INTO app (name, cursor) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET cursor = max(cursor, excluded.cursor)",
            [(encoded(app), cursor) for app, cursor in cursors.items()],
        )

    def _introduce(self, sync_url: str, user_id: str) -> str:
        """The mirror's random client id. The server hides from a client what the same client has pushed."""
        with self._writing():
            if self._read_meta("userId") is None:
                for key, value in (("syncUrl", sync_url), ("userId", user_id), ("clientId", str(uuid4()))):
                    self._write_meta(key, value)
            if (self._read_meta("syncUrl"), self._read_meta("userId")) != (sync_url, user_id):
                raise MirrorError("the mirror belongs to another account or server", hint="give another --state-dir")
            client_id = self._read_meta("clientId")
            self._run = int(self._read_meta("run") or 0)
        assert client_id is not None
        return client_id

    def _meta(self, key: str) -> str | None:
        with self._reading():
            return self._read_meta(key)

    def _set_meta(self, key: str, value: str) -> None:
        with self._writing():
            self._write_meta(key, value)

    def _read_meta(self, key: str) -> str | None:
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def _write_meta(self, key: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, storage_errors(self.path):
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of the block, or nothing."""
        with self._lock, storage_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
