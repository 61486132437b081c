"""A look at a mirror that changes nothing on the disk, for those who want to know how it is.

SQLite itself writes beside a file that it only reads, where a log is to be read with it. So a log without its index, as
a run leaves it that was killed, is not opened here: the next run sees to it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..crypto import checksums
from ..errors import NotFoundError
from ..host.writeahead import is_cut_short
from .inspection import inspect
from .ledger import Ledger
from .schema import damaged_mirror, require_version, storage_errors


@dataclass(frozen=True, slots=True)
class Look:
    """What a mirror looks like from outside."""

    bytes: int
    """Of its files."""
    changes: int | None = None
    """None where the file was not opened, as is :attr:`pulled_at`."""
    pulled_at: datetime | None = None
    """When the last whole pull began, by the server's clock; None also before the first one."""
    cut_off: bool = False
    """A run was killed, and what it wrote last waits for the next one."""


def look(path: Path, *, thorough: bool = False) -> Look:
    """How a mirror is: its structure by SQLite's ``quick_check`` and the sums of its small tables; ``thorough``: all.

    Raises :class:`NotFoundError`, :class:`MirrorError` (:class:`OlderMirrorError` for one of an earlier version),
    :class:`LockedError`, :class:`OutputError`.
    """
    log, index = (path.with_name(f"{path.name}-{ending}") for ending in ("wal", "shm"))
    with storage_errors(path):
        if not path.exists():
            raise NotFoundError("nothing has been pulled yet", hint="run `manabackup pull`")
        size = sum(file.stat().st_size for file in (path, log) if file.exists())
        has_log = log.exists() and log.stat().st_size > 0
        if has_log and is_cut_short(path):
            raise damaged_mirror(path, "its log")
        if has_log and not index.exists():
            return Look(size, cut_off=True)
        uri = f"{path.absolute().as_uri()}?mode=ro{'' if has_log else '&immutable=1'}"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.text_factory = checksums.text
            connection.execute("BEGIN")
            require_version(connection, path)
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise damaged_mirror(path, "its structure")
            if thorough:
                inspect(connection)
            else:
                Ledger(connection).check()
            return _seen(connection, size)


def _seen(connection: sqlite3.Connection, size: int) -> Look:
    (changes,) = connection.execute("SELECT coalesce(sum(changes), 0) FROM collection").fetchone()
    pulled = connection.execute("SELECT value FROM meta WHERE key = 'pulledAt'").fetchone()
    pulled_at = None if pulled is None else datetime.fromtimestamp(int(pulled[0]) / 1e6, UTC)
    return Look(size, changes, pulled_at)
