"""What SQLite's complaints mean for a file of ours."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from ..errors import LockedError, ManabackupError, OutputError
from ..text.printable import printable
from .output import NO_SPACE

_BLOCK = 1 << 20
_NOT_AS_WRITTEN = frozenset(
    (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG)
)
"""What comes of tables and rows that are not as this program writes them."""
_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"


def storage_error(error: sqlite3.Error, path: Path, what: str, damaged: ManabackupError) -> ManabackupError:
    """The error to raise for ``error``; ``what`` names the file for people, ``damaged`` is told when it is that."""
    # The primary code; the higher bits tell only which system call it was.
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    where = printable(str(path))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LockedError(f"another run works with {what} {where}")
    if code in _NOT_AS_WRITTEN:
        return damaged
    if code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        hint = NO_SPACE if code == sqlite3.SQLITE_FULL or _is_full(path) else None
        return OutputError(f"{what} {where} cannot be read or written: {error}", hint=hint)
    # SQLite calls a file damaged, too, when the disk does not give it.
    try:
        return _read_again(path, f"{what} {where}") or damaged
    except OSError as trouble:
        return OutputError(f"{what} {where} cannot be read: {trouble.strerror}", hint="this disk may be failing")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether a complaint is about what stands in the file, as far as SQLite can tell that from a disk's troubles."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    return code in _NOT_AS_WRITTEN or code in (0, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def schema(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    """The tables and indexes of a database, by their definitions."""
    return connection.execute(_SCHEMA).fetchall()


@cache
def _schema_of(script: str) -> tuple[tuple[str, ...], ...]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(script)
        return tuple(schema(connection))


def schema_of(script: str) -> list[tuple[str, ...]]:
    """The :func:`schema` of a database that a script made."""
    return list(_schema_of(script))


def _is_full(path: Path) -> bool:
    """Whether there is hardly any room: SQLite tells of a full disk as of a broken one in some places."""
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _BLOCK


def _read_again(path: Path, what: str) -> OutputError | None:
    """The error to raise for a file that is whole after all; None for one that is damaged. Raises :class:`OSError`."""
    for name in (path, path.with_name(f"{path.name}-wal")):
        if name.exists():
            with name.open("rb", buffering=0) as file:
                while file.read(_BLOCK):
                    pass
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            whole = connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",)
    except sqlite3.Error:
        whole = False
    return (
        OutputError(f"{what} could not be read at first", hint="try again; this disk may be failing") if whole else None
    )
