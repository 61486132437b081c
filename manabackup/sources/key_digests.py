"""Which keys there are, remembered on disk as keyed digests, which tell nobody anything. Memory does not grow."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any


class KeyDigests:
    """Keys of tables; close it at the end."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        # A database without a name is a temporary one, and gone with its connection.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE found (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def add(self, keys: Iterable[tuple[str, Sequence[str], Sequence[Any]]]) -> None:
        """Keys, each a table, its columns, and their values."""
        digests = ((self._digest(*key),) for key in keys)
        self._database.executemany("INSERT OR IGNORE INTO found VALUES (?)", digests)

    def has(self, table: str, columns: Sequence[str], values: Sequence[Any]) -> bool:
        """Whether such a key was added."""
        sql = "SELECT 1 FROM found WHERE digest = ?"
        return self._database.execute(sql, [self._digest(table, columns, values)]).fetchone() is not None

    def _digest(self, table: str, columns: Sequence[str], values: Sequence[Any]) -> bytes:
        text = repr((table, tuple(columns), [_as_compared(value) for value in values]))
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=16).digest()

    def close(self) -> None:
        """The temporary database is gone."""
        self._database.close()


def _as_compared(value: Any) -> Any:
    """Databases take 1 and 1.0 for equal."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
