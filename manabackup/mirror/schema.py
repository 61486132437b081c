"""The mirror's file: its tables, how it is opened, and what SQLite's complaints mean.

A write-ahead log lets an export read one state while a pull goes on. Its transactions are whole or absent after a loss
of power, which is what pages and cursors need of each other; a checkpoint at the end of a pull makes them durable.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zstandard

from ..database import storage_error
from ..errors import MirrorError, NotFoundError, OutputError
from ..printable import printable

VERSION = 3
"""Of the file. Version 1 had pages of another form (``changes``), which are read like those of today; before version 3
a loss did not name a record."""
_APPLICATION = 0x6D616E61
_BUSY_SECONDS = 5.0
_CHECKPOINT_PAGES = 65_536
"""A checkpoint waits for the disk; a pull of less than 256 MiB needs but the one at its end."""

# Names of apps and collections are blobs: the server may send what is no valid text.
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE app (name BLOB PRIMARY KEY, cursor INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE collection (
    id INTEGER PRIMARY KEY,
    app BLOB NOT NULL,
    name BLOB NOT NULL,
    cursor INTEGER,
    UNIQUE (app, name)
);
CREATE TABLE page (
    id INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL REFERENCES collection (id),
    position INTEGER NOT NULL,
    changes INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    last BLOB NOT NULL,
    ids BLOB NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (collection, position)
);
CREATE TABLE event (
    collection INTEGER NOT NULL,
    key BLOB NOT NULL,
    page INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (collection, key)
) WITHOUT ROWID;
CREATE TABLE loss (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    kind TEXT NOT NULL,
    app BLOB NOT NULL,
    collection BLOB,
    since INTEGER,
    until INTEGER,
    event BLOB,
    record BLOB
);
CREATE INDEX loss_event ON loss (event);
"""


def open_file(path: Path, *, create: bool) -> sqlite3.Connection:
    """A connection that writes, to a file of mode 0600 with this version's tables.

    Raises :class:`NotFoundError`, :class:`MirrorError` for a file that is no mirror or of a newer version,
    :class:`OutputError` and :class:`LockedError`.
    """
    with storage_errors(path):
        if create:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        elif not path.exists():
            raise NotFoundError(
                "nothing has been pulled yet", hint="run `manabackup pull`, or export without --offline"
            )
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _prepare_file(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection inside a read transaction: it sees one state of the mirror for as long as it is open."""
    with storage_errors(path):
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(
            uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM meta").fetchone()
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare_file(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if version > VERSION and application == _APPLICATION:
        raise MirrorError(
            f"the mirror {printable(str(path))} was written by a newer version of this tool",
            hint="use that version, or pull into another --state-dir",
        )
    if (objects or version) and application != _APPLICATION:
        raise _damaged(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    if objects and version < VERSION:  # from here on a program that knows the older form alone is to say so
        connection.executescript(
            f"BEGIN IMMEDIATE; ALTER TABLE loss ADD COLUMN record BLOB; PRAGMA user_version = {VERSION}; COMMIT;"
        )
    if not objects:
        connection.executescript(
            f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {_APPLICATION};"
            f" PRAGMA user_version = {VERSION}; COMMIT;"
        )


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns what SQLite and the disk complain of into the tool's errors."""
    try:
        yield
    except sqlite3.Error as error:
        raise storage_error(error, path, "the mirror", _damaged(path)) from None
    except zstandard.ZstdError:
        raise _damaged(path) from None
    except OSError as error:
        raise OutputError(f"{printable(str(path))}: {error.strerror or 'cannot be written'}") from None


def _damaged(path: Path) -> MirrorError:
    return MirrorError(
        f"the mirror {printable(str(path))} is damaged, or is no mirror",
        hint="move it away and pull again: the server still holds what it held",
    )
