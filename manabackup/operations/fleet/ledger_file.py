"""The file of a ledger: its tables, whether a file is one, and what SQLite complains of."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ...errors import UsageError
from ...host.database import storage_error
from ...text.printable import printable

_MARK: Final = 0x4D466C74
"""The file's application id: ``MFlt``."""
_VERSION: Final = 1
_TABLES: Final = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, began REAL NOT NULL, ended REAL, ending TEXT, command TEXT NOT NULL, words TEXT NOT NULL,
    engine TEXT NOT NULL, workers INTEGER NOT NULL, version TEXT NOT NULL, taken_over INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE items (
    id INTEGER PRIMARY KEY, name ANY NOT NULL UNIQUE, folder ANY NOT NULL, size INTEGER NOT NULL, stamp TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', listed INTEGER NOT NULL, first INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, blamed INTEGER NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0,
    worker TEXT, since REAL, output ANY, free INTEGER NOT NULL DEFAULT 0,
    exit_code INTEGER, error TEXT, message TEXT, rows INTEGER, data_sha256 TEXT, losses TEXT,
    seconds REAL, cpu REAL, peak INTEGER, version TEXT, done REAL, run INTEGER,
    before_exit_code INTEGER, before_error TEXT, before_rows INTEGER, before_data_sha256 TEXT, changed INTEGER
) STRICT;
CREATE INDEX items_by_state ON items (state, blamed, size);
CREATE INDEX items_by_change ON items (changed);
"""


def made(path: Path) -> sqlite3.Connection:
    """A ledger to write into, new where there is none. Raises :class:`UsageError` for a file that is something else."""
    connection = _connect(f"{path.absolute().as_uri()}?mode=rwc")
    if path.stat().st_size == 0:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(
            f"BEGIN; PRAGMA application_id = {_MARK}; PRAGMA user_version = {_VERSION}; {_TABLES} COMMIT;"
        )
    _check(connection, path)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def opened(path: Path) -> sqlite3.Connection:
    """A ledger to read. Raises as :func:`made` does."""
    try:
        connection = _connect(f"{path.absolute().as_uri()}?mode=ro")
        _check(connection, path)
    except sqlite3.OperationalError:  # where nothing can be written beside it, nobody writes into it
        connection = _connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1")
        _check(connection, path)
    return connection


def _connect(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=30.0)
    connection.row_factory = sqlite3.Row
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    shown = printable(str(path))
    try:
        mark, version = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
    except sqlite3.Error:
        connection.close()
        raise
    if (mark, version) != (_MARK, _VERSION):
        connection.close()
    if mark != _MARK:
        raise UsageError(f"{shown} is no ledger of a fleet", hint="give --ledger another name")
    if version != _VERSION:
        raise UsageError(f"{shown} was written by a newer version than this one")


@contextmanager
def complaints(path: Path) -> Iterator[None]:
    """What SQLite complains of within the block comes out as an error of ours."""
    try:
        yield
    except sqlite3.Error as error:
        shown = printable(str(path))
        damaged = UsageError(f"{shown} is no ledger of a fleet, or is damaged", hint="give --ledger another name")
        raise storage_error(error, path, "the ledger", damaged) from None


def kept(name: str) -> str | bytes:
    """A file's name as SQLite holds it: text, and bytes where it is none."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name)
    return name


def told(name: str | bytes) -> str:
    """The name again."""
    return name if isinstance(name, str) else os.fsdecode(name)
