"""What the services that keep files remember, in SQLite: media and who refers to them, objects in buckets, and bytes.

Bytes that were uploaded lie in the database, which without a path is a temporary file of SQLite's own and not memory;
of generated ones there is the recipe alone (:mod:`manabackup.sandbox.pictures`).
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..text import jsontext
from ..text.jsontext import JSON
from .clock import SYSTEM_CLOCK, Clock
from .pictures import TYPES, Recipe, recipe
from .sniffing import HEIC, PROCESSED, Look, by_magic, by_name, heic_size, look

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bodies (sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL, bytes BLOB, recipe TEXT) STRICT;
CREATE TABLE IF NOT EXISTS media (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL UNIQUE, name TEXT, type TEXT NOT NULL,
    size INTEGER NOT NULL, created_at INTEGER NOT NULL, ready_at INTEGER NOT NULL, failed INTEGER NOT NULL,
    look TEXT, lost INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS media_references (
    seq INTEGER PRIMARY KEY, media_id TEXT NOT NULL REFERENCES media (id) ON DELETE CASCADE, user_id TEXT NOT NULL,
    app TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, key TEXT NOT NULL, sha256 TEXT NOT NULL, type TEXT NOT NULL, stored_at INTEGER NOT NULL,
    PRIMARY KEY (bucket, key)
) STRICT;
CREATE INDEX IF NOT EXISTS references_of_user ON media_references (user_id, app);
PRAGMA foreign_keys = ON;
"""


class HEICError(Exception):
    """Bytes that call themselves HEIC and are not; the text is the service's."""


@dataclass(frozen=True, slots=True)
class Medium:
    """One file of the media service."""

    id: str
    sha256: str
    name: str | None
    type: str
    size: int
    created_at: int
    """Milliseconds since 1970."""
    status: str
    """``processing``, ``ready`` or ``failed``."""
    look: Look | None
    """Of a picture that was processed."""
    lost: bool
    """The bytes are not in the store any more."""

    @property
    def variants(self) -> tuple[str, ...]:
        """Those that there are, smallest first."""
        if self.look is None:
            return ()
        longest = max(self.look.width, self.look.height)
        return ("thumb", *(name for name, side in SIDES.items() if longest > side))


SIDES = {"medium": 800, "large": 1_920}
"""Variants that a picture has when a side is longer than so many pixels."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object in a bucket."""

    bucket: str
    key: str
    sha256: str
    type: str
    stored_at: int
    """Milliseconds since 1970."""


class FileStore:
    """Media and objects. Safe to use from several threads.

    ``processing_ms``: a medium with pictures is made ready so long after its upload.
    """

    def __init__(self, path: str = "", *, clock: Clock = SYSTEM_CLOCK, processing_ms: int = 300) -> None:
        if path:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self.processing_ms = processing_ms
        self._clock = clock
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Ends the connection; without a path, all is gone."""
        with self._lock:
            self._connection.close()

    def now(self) -> int:
        """Milliseconds since 1970."""
        return self._clock() // 1_000_000

    # --- media

    def upload(self, body: bytes, name: str, *, app: str = "", user_id: str = "", process: bool = True) -> Medium:
        """A medium with these bytes: the one that has them already, or a new one.

        Both ``app`` and ``user_id`` make a reference. Raises :class:`HEICError`.
        """
        kind = by_magic(body) or by_name(name)
        if kind == HEIC:
            body, name = _converted(body), f"{name.rpartition('.')[0] or name}.jpg"
            kind = "image/jpeg"
        return self._add(_Bytes(body), name, kind, process=process, references=[(app, user_id)])

    def generate(
        self,
        recipe: Recipe,
        name: str,
        *,
        media_id: str | None = None,
        created_at: int | None = None,
        process: bool = True,
        references: Iterable[tuple[str, str]] = (),
    ) -> Medium:
        """The same for bytes that are made when they are asked for, ready at once.

        ``references``: pairs of app and user.
        """
        return self._add(
            _Made(recipe),
            name,
            TYPES[recipe.kind],
            process=process,
            references=references,
            media_id=media_id,
            created_at=self.now() if created_at is None else created_at,
            wait_ms=0,
        )

    def _add(
        self,
        source: _Bytes | _Made,
        name: str,
        kind: str,
        *,
        process: bool,
        references: Iterable[tuple[str, str]],
        media_id: str | None = None,
        created_at: int | None = None,
        wait_ms: int | None = None,
    ) -> Medium:
        body = source.body
        sha256 = hashlib.sha256(body).hexdigest()
        with self._writing() as connection:
            found = self.by_hash(sha256)
            if found is None:
                seen = look(body, kind) if process and kind in PROCESSED else None
                created = self.now() if created_at is None else created_at
                wait = self.processing_ms if wait_ms is None else wait_ms
                media_id = media_id or str(uuid.uuid4())
                self._keep(sha256, source, len(body))
                connection.execute(
                    "INSERT INTO media (id, sha256, name, type, size, created_at, ready_at, failed, look)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        media_id,
                        sha256,
                        name if name and body else None,
                        kind,
                        len(body),
                        created,
                        created + wait if process else created,
                        process and kind in PROCESSED and seen is None,
                        _look_text(seen),
                    ),
                )
            else:
                media_id = found.id
            connection.executemany(
                "INSERT INTO media_references (media_id, user_id, app) VALUES (?, ?, ?)",
                [(media_id, user, app) for app, user in references if app and user],
            )
            added = self.medium(media_id)
            assert added is not None
            return added

    def medium(self, media_id: str) -> Medium | None:
        """The medium with this id."""
        return next(self._media("WHERE id = ?", media_id), None)

    def by_hash(self, sha256: str) -> Medium | None:
        """The medium with these bytes."""
        return next(self._media("WHERE sha256 = ?", sha256), None)

    def has(self, body: bytes) -> bool:
        """Whether a medium has these bytes."""
        return self.by_hash(hashlib.sha256(body).hexdigest()) is not None

    def media(self) -> list[Medium]:
        """All, oldest first."""
        return list(self._media("ORDER BY created_at, seq"))

    def referred(self, *, app: str = "", user_id: str = "") -> list[Medium]:
        """One for each reference of the app and the user, oldest first; empty: of any."""
        return list(
            self._media(
                "JOIN media_references r ON r.media_id = media.id WHERE ? IN ('', r.app) AND ? IN ('', r.user_id)"
                " ORDER BY media.created_at, media.seq, r.seq",
                app,
                user_id,
            )
        )

    def delete(self, media_id: str) -> bool:
        """Forgets a medium for everybody; False where there is none."""
        with self._writing() as connection:
            return connection.execute("DELETE FROM media WHERE id = ?", (media_id,)).rowcount > 0

    def lose(self, media_id: str, *, lost: bool = True) -> None:
        """Takes the bytes of a medium out of the store, and leaves its row; or puts them back."""
        with self._writing() as connection:
            connection.execute("UPDATE media SET lost = ? WHERE id = ?", (lost, media_id))

    # --- objects

    def put(self, bucket: str, key: str, source: bytes | Recipe, kind: str = "") -> StoredObject:
        """Stores an object, in place of one with the same key."""
        kept = _Made(source) if isinstance(source, Recipe) else _Bytes(source)
        body = kept.body
        sha256 = hashlib.sha256(body).hexdigest()
        with self._writing() as connection:
            self._keep(sha256, kept, len(body))
            kind = kind or (TYPES[source.kind] if isinstance(source, Recipe) else "application/octet-stream")
            row = (bucket, key, sha256, kind, self.now())
            connection.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", row)
            return StoredObject(*row)

    def stored(self, bucket: str, key: str) -> StoredObject | None:
        """The object with this key."""
        rows = self._rows("SELECT * FROM objects WHERE bucket = ? AND key = ?", bucket, key)
        return StoredObject(*rows[0]) if rows else None

    def remove(self, bucket: str, key: str) -> None:
        """Takes an object away, where it is there."""
        with self._writing() as connection:
            connection.execute("DELETE FROM objects WHERE bucket = ? AND key = ?", (bucket, key))

    # --- bytes

    def body(self, sha256: str) -> bytes:
        """The bytes with this hash, which were stored. Raises :class:`KeyError` for others."""
        rows = self._rows("SELECT bytes, recipe FROM bodies WHERE sha256 = ?", sha256)
        if not rows:
            raise KeyError(sha256)
        kept, made = rows[0]
        return recipe(made).make() if kept is None else bytes(kept)

    def _keep(self, sha256: str, source: _Bytes | _Made, size: int) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO bodies VALUES (?, ?, ?, ?)", (sha256, size, source.kept, source.recipe)
        )

    # --- rows

    def _media(self, where: str, *values: object) -> Iterator[Medium]:
        now = self.now()
        for row in self._rows(f"SELECT media.* FROM media {where}", *values):  # noqa: S608 - the text is ours
            waits = row["ready_at"] > now
            status = "processing" if waits else "failed" if row["failed"] else "ready"
            yield Medium(
                id=row["id"],
                sha256=row["sha256"],
                name=row["name"],
                type=row["type"],
                size=row["size"],
                created_at=row["created_at"],
                status=status,
                look=None if waits else _look(row["look"]),
                lost=bool(row["lost"]),
            )

    def _rows(self, statement: str, *values: object) -> Sequence[Any]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is stored in the block is stored at once, or not at all; many things are so in less time."""
        with self._writing():
            yield

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


@dataclass(frozen=True, slots=True)
class _Bytes:
    body: bytes
    recipe: None = None

    @property
    def kept(self) -> bytes:
        return self.body


class _Made:
    kept = None

    def __init__(self, source: Recipe) -> None:
        self.recipe = source.text()
        self.body = source.make()


def _converted(body: bytes) -> bytes:
    """A JPEG in place of a HEIC: as wide and high, twice as long, without its Exif, and with a picture of its own."""
    if by_magic(body) != HEIC:
        raise HEICError("input buffer is not a HEIC image")
    size = heic_size(body)
    if size is None:
        raise HEICError("HEIF image not found")
    seed = int.from_bytes(hashlib.sha256(body).digest()[:4])
    try:
        return Recipe("jpeg", seed, *size, size=len(body) * 13 // 6).make()
    except ValueError:
        return Recipe("jpeg", seed, *size).make()


def _look_text(seen: Look | None) -> str | None:
    if seen is None:
        return None
    told: JSON = [seen.width, seen.height, seen.format, seen.alpha, seen.exif]
    return jsontext.dumps_in_order(told).decode()


def _look(text: str | None) -> Look | None:
    return None if text is None else Look(*jsontext.parse(text.encode()))
