"""What the sandbox's account service remembers, in SQLite.

It holds master keys and signing secrets in clear, as befits a double of a server with invented users; a file is
readable by its owner only. Times are integer milliseconds since 1970.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHEMA = """
PRAGMA foreign_keys = ON;
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL, password TEXT NOT NULL,
    email_verified INTEGER NOT NULL, role TEXT NOT NULL DEFAULT 'user', access_tier TEXT NOT NULL DEFAULT 'public',
    two_factor_enabled INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    ip_address TEXT NOT NULL, user_agent TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS challenges (
    id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE, expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS two_factor (
    user_id TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE, secret TEXT NOT NULL, backup_codes TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS spaces (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, slug TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL, metadata TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS members (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, space_id TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE, role TEXT NOT NULL, created_at INTEGER NOT NULL,
    UNIQUE (space_id, user_id)
) STRICT;
CREATE TABLE IF NOT EXISTS invitations (
    id TEXT PRIMARY KEY, space_id TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE, email TEXT NOT NULL,
    role TEXT NOT NULL, status TEXT NOT NULL, expires_at INTEGER NOT NULL, created_at INTEGER NOT NULL,
    inviter_id TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS vaults (
    user_id TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE, master_key BLOB, recovery_wrapped_mk TEXT,
    recovery_iv TEXT, recovery_set_at INTEGER, zero_knowledge INTEGER NOT NULL DEFAULT 0,
    damaged INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS login_attempts (email TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS security_events (
    user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE, type TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS singletons (owner TEXT PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS settings (
    user_id TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE, body TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS subscriptions (
    user_id TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE, active INTEGER NOT NULL
) STRICT;
"""

_SURROGATE = re.compile("[\ud800-\udfff]")


class AccountDatabase:
    """One connection, used by one thread at a time."""

    def __init__(self, path: str | Path) -> None:
        if str(path) != ":memory:":
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Nothing can be asked afterwards."""
        with self._lock:
            self._connection.close()

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock:
            return self._connection.execute(sql, _stored(parameters)).fetchall()

    def row(self, sql: str, *parameters: object) -> sqlite3.Row | None:
        """The first row of a query."""
        found = self.rows(sql, *parameters)
        return found[0] if found else None

    def write(self, sql: str, *parameters: object) -> int:
        """Carries out one statement; gives how many rows it touched."""
        with self._lock:
            return self._connection.execute(sql, _stored(parameters)).rowcount

    def secret(self, name: str, size: int = 32) -> bytes:
        """Random bytes, the same ones for as long as the database lives."""
        self.write("INSERT OR IGNORE INTO secrets VALUES (?, ?)", name, os.urandom(size))
        found = self.row("SELECT value FROM secrets WHERE name = ?", name)
        return bytes(found["value"]) if found else b""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within happens or nothing does. May be nested: the outermost one counts."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def _stored(parameters: tuple[object, ...]) -> list[object]:
    # As the real service's driver does, which writes UTF-8.
    return [_SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value for value in parameters]
