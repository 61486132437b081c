"""Before a mirror is used: whether its file is what it was; and if it is not, a sound one in its place.

What is sound of a damaged file is written into one beside it (:mod:`.salvage`), and the two change places. The damaged
one stays, as ``….damaged``, until the next one: it may hold what nobody else has.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..crypto.checksums import ChecksumError
from ..host.database import is_damage, schema
from ..host.output import AtomicFile, flush_folder, writing_to
from .inspection import inspect
from .ledger import Root
from .salvage import MirrorOwner, OldFile, Salvage, salvage
from .schema import (
    APPLICATION,
    VERSION,
    connect,
    connect_new,
    damaged_mirror,
    known_schemas,
    newer_version,
    open_file,
    versions,
)
from .witness import Witness, forget, has_log

_PARTS = ("", "-wal", "-shm")
_HEAD_BYTES = 100
_READERS_AND_WRITERS = (b"\1\1", b"\2\2")
"""What a file says of who may read and write it: without a log, and with one."""
_PAGE_SIZE = 4_096
"""As SQLite makes a file; others are of people who know better."""
_PAGE_SIZES = tuple(1 << power for power in range(9, 16))


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done to a file that was not as it was left."""

    kept: Salvage
    damaged: Path | None
    """Where the damaged file is now; None when it was merely of an earlier version."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What was found of a file before it is used."""

    is_unfinished: bool = False
    """The last run left it without an end: part of what that run wrote may be missing."""
    repair: Repair | None = None


def made_sound(path: Path, owner: MirrorOwner, *, create: bool) -> FileState:
    """Looks at a mirror's file, and sees to it that it is sound.

    ``create``: where nothing can be kept, it may become an empty mirror. Raises :class:`MirrorError` for a file that is
    of a newer version, no mirror, or damaged beyond reading; :class:`sqlite3.Error`, :class:`OSError`.
    """
    _finish(path)
    if not path.exists():
        forget(path)
        return FileState()
    known = Witness.read(path)
    if known is not None and known.version == VERSION and known.fits(path):
        return FileState()
    was_left_open = known is None or has_log(path)
    Witness.of(path, VERSION, 0)  # a disk that does not give all of it says so here
    with closing(connect(path)) as old:
        application, version, tables = _first_look(path, old)
        if application == APPLICATION and version > VERSION and (known is None or known.version != VERSION):
            raise newer_version(path)
        if application != APPLICATION and known is None and tables not in known_schemas().values():
            if not tables and not version and not application:
                return FileState()
            raise damaged_mirror(path)
        is_older = application == APPLICATION and version < VERSION and tables == known_schemas().get(version)
        with _readable(path, old, is_older or tables == known_schemas()[VERSION]) as source:
            generation = _generation(source)
            rolled_back = known is not None and generation is not None and generation < known.generation
            if was_left_open and not is_older and not rolled_back and _is_sound(old):
                return FileState(is_unfinished=True)
            found = OldFile(source, version if is_older else VERSION, rolled_back)
            kept = _rewritten(path, found, owner, create)
    return FileState(repair=_exchanged(path, kept))


@contextmanager
def _readable(path: Path, old: sqlite3.Connection, has_tables: bool) -> Iterator[sqlite3.Connection]:
    """The old file; or a copy of it in which the tables stand that were in its first page when it was made."""
    if has_tables:
        yield old
        return
    copy = _beside(path, "copy")
    _remove(copy)
    try:
        _copy_with_tables(path, copy)
        with closing(connect(copy)) as source:
            yield source
    finally:
        _remove(copy)


def _copy_with_tables(path: Path, copy: Path) -> None:
    for part in _PARTS[:2]:
        if _part(path, part).exists():
            with (
                writing_to(copy),
                AtomicFile(_part(copy, part), force=True) as file,
                _part(path, part).open("rb") as old,
            ):
                shutil.copyfileobj(old, file)
    with copy.open("r+b") as file:
        stated = int.from_bytes(file.read(18)[16:], "big")
        page_size = stated if stated in _PAGE_SIZES else _PAGE_SIZE
        file.seek(0)
        file.write(_first_page(page_size))


def _first_page(page_size: int) -> bytes:
    """The first page of a new mirror. Its tables begin where they do in every one; how long it is, the file tells."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mirror.sqlite"
        with closing(connect_new(path, page_size)):
            pass
        open_file(path, create=False).close()
        page = bytearray(path.read_bytes()[:page_size])
    page[24:40] = bytes(16)  # the number of pages, which counts only beside the number of changes, and the free ones
    page[92:96] = b"\xff" * 4
    return bytes(page)


def _generation(connection: sqlite3.Connection) -> int | None:
    try:
        return Root.read(connection).generation
    except (sqlite3.Error, UnicodeDecodeError, ChecksumError):
        return None


def _first_look(path: Path, old: sqlite3.Connection) -> tuple[int, int, list[tuple[str, ...]]]:
    """Whose file it is, of which version, and its tables; begins a transaction."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head or head[18:20] in _READERS_AND_WRITERS:
        try:
            old.execute("BEGIN IMMEDIATE")
            return *versions(old), schema(old)
        except UnicodeDecodeError:
            pass
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
    return int.from_bytes(head[68:72], "big"), VERSION, [("unreadable",)]


def _is_sound(connection: sqlite3.Connection) -> bool:
    if not connection.in_transaction:  # it could not even be begun to be read
        return False
    try:
        inspect(connection)
    except (ChecksumError, UnicodeDecodeError):
        return False
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return False
    return True


def _rewritten(path: Path, found: OldFile, owner: MirrorOwner, create: bool) -> Salvage:
    """Writes what can be kept into a file beside the old one."""
    fresh = _beside(path, "new")
    _remove(fresh)
    try:
        with closing(open_file(fresh, create=True)) as new:
            new.execute("BEGIN IMMEDIATE")
            kept = salvage(found, new, owner)
            if kept.nothing_kept and not create:
                raise damaged_mirror(path, "nothing of it can be read")
            new.execute("COMMIT")
            new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except BaseException:
        _remove(fresh)
        raise
    return kept


def _exchanged(path: Path, kept: Salvage) -> Repair:
    """Puts the new file in the place of the old one."""
    aside = _beside(path, "damaged")
    _remove(aside)
    forget(path)
    for part in _PARTS:
        if _part(path, part).exists():
            _part(path, part).replace(_part(aside, part))
    flush_folder(path)
    _finish(path)
    if kept.is_older:
        _remove(aside)
        return Repair(kept, None)
    return Repair(kept, aside)


def _finish(path: Path) -> None:
    """Ends an exchange: a new file whose place is free is whole. Nothing of an old one may be left there."""
    fresh = _beside(path, "new")
    if fresh.exists():
        if path.exists():
            _remove(fresh)
            return
        for part in _PARTS:
            _part(path, part).unlink(missing_ok=True)
        fresh.replace(path)
        flush_folder(path)


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}.{what}")


def _part(path: Path, part: str) -> Path:
    return path.with_name(f"{path.name}{part}")


def _remove(path: Path) -> None:
    for part in _PARTS:
        _part(path, part).unlink(missing_ok=True)
