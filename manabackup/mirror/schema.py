"""The mirror's file: its tables, how it is opened, and what SQLite's complaints mean.

A write-ahead log lets an export read one state while a pull goes on. Its transactions are whole or absent after a loss
of power, which is what pages and cursors need of each other; a checkpoint at the end of a pull makes them durable, and
leaves nothing in the log that could be lost with it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zstandard

from ..crypto import checksums
from ..crypto.checksums import ChecksumError
from ..errors import MirrorError, NotFoundError, OlderMirrorError, OutputError
from ..host.database import schema, schema_of, storage_error
from ..text.printable import one_line, printable
from .ledger import Ledger, Root

VERSION = 3
"""The version of the file. Versions 1 and 2 had no checksums, their losses named no record, and version 1 had pages of
another form (``changes``)."""
APPLICATION = 0x6D616E61
_BUSY_SECONDS = 5.0
_CHECKPOINT_PAGES = 65_536
"""A checkpoint waits for the disk; a pull of less than 256 MiB needs but the one at its end."""

# Names of apps and collections are blobs: the server may send what is no valid text.
_WITHOUT_SUMS = """
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
    event BLOB
);
CREATE INDEX loss_event ON loss (event);
"""
_TABLES = """
CREATE TABLE root (
    id INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    meta BLOB NOT NULL,
    app BLOB NOT NULL,
    collection BLOB NOT NULL,
    loss BLOB NOT NULL,
    sum BLOB NOT NULL
);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE app (name BLOB PRIMARY KEY, cursor INTEGER NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE collection (
    id INTEGER PRIMARY KEY,
    app BLOB NOT NULL,
    name BLOB NOT NULL,
    cursor INTEGER,
    pages INTEGER NOT NULL,
    changes INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    total BLOB NOT NULL,
    sum BLOB NOT NULL,
    UNIQUE (app, name)
);
CREATE TABLE page (
    id INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL REFERENCES collection (id),
    position INTEGER NOT NULL,
    changes INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    last BLOB NOT NULL,
    events BLOB NOT NULL,
    sum BLOB NOT NULL,
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
    record BLOB,
    sum BLOB NOT NULL
);
CREATE INDEX loss_event ON loss (event);
"""


def known_schemas() -> dict[int, list[tuple[str, ...]]]:
    """Version of the file → its tables."""
    earlier = schema_of(_WITHOUT_SUMS)
    return {1: earlier, 2: earlier, VERSION: schema_of(_TABLES)}


def open_file(path: Path, *, create: bool) -> sqlite3.Connection:
    """A connection that writes, to a file of mode 0600 with this version's tables, whose small tables are sound.

    Raises :class:`NotFoundError`, :class:`MirrorError` for a file that is no mirror, damaged or of another version,
    :class:`OutputError` and :class:`LockedError`.
    """
    with storage_errors(path):
        if create:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        elif not path.exists():
            raise NotFoundError(
                "nothing has been pulled yet", hint="run `manabackup pull`, or export without --offline"
            )
        connection = connect(path)
        try:
            _prepare_file(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection inside a read transaction: it sees one state of the mirror for as long as it is open.

    Raises as :func:`open_file` does.
    """
    with storage_errors(path):
        connection = connect(path, read_only=True)
        try:
            connection.execute("BEGIN")
            require_version(connection, path)
            Ledger(connection).check()
        except BaseException:
            connection.close()
            raise
    return connection


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A plain connection, to any database."""
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.text_factory = checksums.text
    return connection


def connect_new(path: Path, page_size: int) -> sqlite3.Connection:
    """A connection to a new file whose pages have this size."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute("VACUUM")
    return connect(path)


def versions(connection: sqlite3.Connection) -> tuple[int, int]:
    """What a database says of itself: whose it is, and of which version."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    return application, version


def newer_version(path: Path) -> MirrorError:
    """The error to raise for a mirror that another program will have to read."""
    return MirrorError(
        f"the mirror {printable(str(path))} was written by a newer version of this tool",
        hint="use that version, or pull into another --state-dir",
    )


def require_version(connection: sqlite3.Connection, path: Path) -> None:
    """Raises :class:`MirrorError` for what is no mirror of this version, :class:`OlderMirrorError` for an older one."""
    application, version = versions(connection)
    if application == APPLICATION and version > VERSION:
        raise newer_version(path)
    if application != APPLICATION or schema(connection) != known_schemas().get(version):
        raise damaged_mirror(path)
    if version < VERSION:
        raise OlderMirrorError(
            f"the mirror {printable(str(path))} was written by an older version of this tool",
            hint="`manabackup pull` brings it up to date",
        )


def _prepare_file(connection: sqlite3.Connection, path: Path) -> None:
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if objects or versions(connection) != (0, 0):
        require_version(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    if objects:
        Ledger(connection).check()
    else:
        connection.executescript(
            f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
        )
        ledger = Ledger(connection, Root())
        ledger.put("meta", ("run", "0"))
        ledger.close()
        connection.execute("COMMIT")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns what SQLite, the disk and checksums complain of into the tool's errors."""
    try:
        yield
    except ChecksumError as error:
        raise damaged_mirror(path, error.what) from None
    except sqlite3.Error as error:
        raise storage_error(error, path, "the mirror", damaged_mirror(path)) from None
    except (
        zstandard.ZstdError,
        UnicodeDecodeError,
    ):  # the latter of what SQLite complains of, in a damaged file's words
        raise damaged_mirror(path) from None
    except OSError as error:
        raise OutputError(f"{printable(str(path))}: {error.strerror or 'cannot be written'}") from None


def damaged_mirror(path: Path, what: str | None = None) -> MirrorError:
    """The error to raise for a damaged mirror; ``what`` names the place, with what stands in the file."""
    named = f" ({one_line(what)})" if what is not None else ""
    return MirrorError(
        f"the mirror {printable(str(path))} is damaged, or is no mirror{named}",
        hint="run `manabackup pull`: it keeps what is sound and reads the rest again",
    )
