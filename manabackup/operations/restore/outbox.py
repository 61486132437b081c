"""The outbox: the plan of a restore and how far it was carried out, durable before the first byte is sent.

Every item is one row of the target with all changes that it takes, as exact bytes. A request is made of some of these
bytes and the outbox's own client id, and of nothing else: the same items give the same request on every day. What is
*in flight* may have reached the server or not; only the server can tell.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Self
from uuid import uuid4

from ... import jsontext
from ...database import storage_error
from ...errors import ManabackupError, OutputError
from ...jsontext import JSON
from ...printable import printable

_VERSION = 1
_APPLICATION = 0x6D616E6F
# Names and ids are blobs: they come from archives, and may be what is no valid text.
_TABLES = """
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
_SELECT = "SELECT id, app, name, record, means, kind, body, earlier, sent FROM item"


class State(IntEnum):
    """Of an item."""

    PLANNED = 0
    IN_FLIGHT = 1
    DONE = 2
    FAILED = 3


class Stage(IntEnum):
    """Of a restore."""

    PLANNING = 0
    """Nothing was sent; what was planned is worth nothing."""
    PUSHING = 1
    VERIFYING = 2


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One row that is written."""

    id: int
    """Its place in the outbox: by table, and by record within."""
    app: str
    table: str
    record: str
    means: str
    kind: str
    changes: Sequence[bytes]
    """Canonical JSON, in the order in which they belong."""
    earlier: Sequence[str]
    """Event ids of changes like these that were on the server before."""
    sent: int = 0
    """How many of the changes are known to be on the server."""

    @property
    def missing(self) -> Sequence[bytes]:
        """The changes that are still to be sent."""
        return self.changes[self.sent :]

    @property
    def bytes(self) -> int:
        """Of the missing changes, with a comma for each."""
        return sum(len(change) + 1 for change in self.missing)


class Outbox:
    """The outbox in a file of mode 0600. Use as a context manager, by one thread.

    Raises :class:`OutputError` when the disk does not take it, :class:`ManabackupError` for a file that is damaged or
    from a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._errors():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            self._connection = sqlite3.connect(path, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        with self._errors():
            self._connection.close()

    # --- the restore as a whole

    @property
    def stage(self) -> Stage | None:
        """How far the restore is; None for a new outbox."""
        stage = self.recall("stage")
        return None if stage is None else Stage(stage)

    def reach(self, stage: Stage) -> None:
        """The restore has come further; durable when this returns."""
        self.remember("stage", int(stage))

    @property
    def client_id(self) -> str:
        """Of every push of this restore; no reader may have it."""
        return str(self.recall("clientId"))

    def remember(self, key: str, value: JSON) -> None:
        """Keeps a JSON value."""
        with self._writing():
            self._connection.execute(
                "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, jsontext.dumps(value).decode())
            )

    def recall(self, key: str) -> JSON:
        """What was kept under a name; None when there is nothing."""
        with self._errors():
            row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else jsontext.parse(row[0])

    # --- planning

    def add(self, items: Iterable[Item]) -> None:
        """Appends items; their ids are given here."""
        with self._writing():
            self._connection.executemany(
                "INSERT INTO item (app, name, record, means, kind, changes, bytes, body, earlier, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        _encoded(item.app),
                        _encoded(item.table),
                        _encoded(item.record),
                        item.means,
                        item.kind,
                        len(item.changes),
                        item.bytes,
                        b"\n".join(item.changes),
                        jsontext.dumps(list(item.earlier)),
                        State.PLANNED,
                    )
                    for item in items
                ),
            )

    # --- pushing

    def next_planned(self) -> str | None:
        """The app of the first item that is still to be sent; None when there is none."""
        with self._errors():
            row = self._connection.execute(
                "SELECT app FROM item WHERE state = ? ORDER BY id LIMIT 1", (State.PLANNED,)
            ).fetchone()
        return None if row is None else _decoded(row[0])

    def planned(self, app: str, *, items: int, changes: int, size: int) -> list[Item]:
        """The first items of an app that are still to be sent: one, or as many as the limits allow (size in bytes)."""
        taken: list[Item] = []
        count = total = 0
        with self._errors():
            rows = self._connection.execute(
                f"{_SELECT} WHERE state = ? AND app = ? ORDER BY id LIMIT ?", (State.PLANNED, _encoded(app), items)
            )
            for row in rows:
                item = _item(row)
                count += len(item.missing)
                total += item.bytes
                if taken and (count > changes or total > size):
                    break
                taken.append(item)
        return taken

    def send(self, items: Sequence[Item], since: str) -> None:
        """The items are about to be sent; the server will store them after ``since``, by its own clock."""
        with self._writing():
            self._mark(items, State.IN_FLIGHT)
            self._connection.execute(
                "INSERT OR REPLACE INTO meta (key, value) VALUES ('since', ?)", (jsontext.dumps(since).decode(),)
            )

    def in_flight(self) -> list[Item]:
        """The items of a request whose answer was not heard."""
        with self._errors():
            rows = self._connection.execute(f"{_SELECT} WHERE state = ? ORDER BY id", (State.IN_FLIGHT,)).fetchall()
        return [_item(row) for row in rows]

    def begun(self) -> list[Item]:
        """The items of which the server has some changes and not all."""
        with self._errors():
            rows = self._connection.execute(
                f"{_SELECT} WHERE state = ? AND sent > 0 ORDER BY id", (State.PLANNED,)
            ).fetchall()
        return [_item(row) for row in rows]

    def done(self, items: Sequence[Item]) -> None:
        """All changes of the items are on the server."""
        with self._writing():
            self._mark(items, State.DONE)

    def back(self, items: Sequence[Item], sent: Sequence[int]) -> None:
        """The items are to be sent again, but for the first changes of each that are on the server."""
        with self._writing():
            self._connection.executemany(
                "UPDATE item SET state = ?, sent = ? WHERE id = ?",
                [(State.PLANNED, count, item.id) for item, count in zip(items, sent, strict=True)],
            )

    def fail(self, item: Item, words: str) -> None:
        """The server does not take an item."""
        with self._writing():
            self._connection.execute(
                "UPDATE item SET state = ?, words = ? WHERE id = ?", (State.FAILED, words, item.id)
            )

    def settled_changes(self) -> tuple[int, int]:
        """Changes that are on the server or refused, and changes in all."""
        with self._errors():
            done, total = self._connection.execute(
                "SELECT coalesce(sum(iif(state >= ?, changes, sent)), 0), coalesce(sum(changes), 0) FROM item",
                (State.DONE,),
            ).fetchone()
        return int(done), int(total)

    # --- afterwards

    def written(self) -> Iterator[Item]:
        """The items that the server took, in their order."""
        last = -1
        while True:
            with self._errors():
                rows = self._connection.execute(
                    f"{_SELECT} WHERE state = ? AND id > ? ORDER BY id LIMIT 500", (State.DONE, last)
                ).fetchall()
            if not rows:
                return
            for row in rows:
                last = row[0]
                yield _item(row)

    def tables(self) -> list[str]:
        """The tables that have items, in the order of the plan."""
        with self._errors():
            rows = self._connection.execute("SELECT name FROM item GROUP BY name ORDER BY min(id)").fetchall()
        return [_decoded(name) for (name,) in rows]

    def counts(self) -> dict[tuple[str, State], int]:
        """(kind, state) → items."""
        with self._errors():
            rows = self._connection.execute("SELECT kind, state, count(*) FROM item GROUP BY kind, state").fetchall()
        return {(kind, State(state)): count for kind, state, count in rows}

    def failures(self, most: int) -> list[tuple[str, str, str]]:
        """(table, record id, the server's words) of the first items that it did not take."""
        with self._errors():
            rows = self._connection.execute(
                "SELECT name, record, words FROM item WHERE state = ? ORDER BY id LIMIT ?", (State.FAILED, most)
            ).fetchall()
        return [(_decoded(name), _decoded(record), words) for name, record, words in rows]

    # --- below

    def _mark(self, items: Sequence[Item], state: State) -> None:
        self._connection.executemany("UPDATE item SET state = ? WHERE id = ?", [(state, item.id) for item in items])

    def _prepare(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (objects,) = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if objects and (application, version) != (_APPLICATION, _VERSION):
            raise ManabackupError(f"{printable(str(self.path))} is not an outbox of this version")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        if not objects:
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {_APPLICATION};"
                f" PRAGMA user_version = {_VERSION}; COMMIT;"
            )
        if self.recall("clientId") is None:
            self.remember("clientId", str(uuid4()))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        where = printable(str(self.path))
        try:
            yield
        except sqlite3.Error as error:
            damaged = ManabackupError(f"the outbox {where} is damaged")
            raise storage_error(error, self.path, "the outbox", damaged) from None
        except OSError as error:
            raise OutputError(f"{where}: {error.strerror or 'cannot be written'}") from None


def _item(row: tuple[int, bytes, bytes, bytes, str, str, bytes, bytes, int]) -> Item:
    identifier, app, table, record, means, kind, body, earlier, sent = row
    return Item(
        identifier,
        _decoded(app),
        _decoded(table),
        _decoded(record),
        means,
        kind,
        body.split(b"\n"),
        jsontext.parse(earlier),
        sent,
    )


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decoded(blob: bytes) -> str:
    return blob.decode("utf-8", "surrogatepass")
