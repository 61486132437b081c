"""The store of fetched files, beside the mirror: each content once, whatever refers to it.

::

    <folder>/<fingerprint of the key>/index.sqlite     address → what is known of its file, sealed
    <folder>/<fingerprint of the key>/ab/<62 hex>      one content, encrypted
    <folder>/key                                       the key, of an account that has no vault

On the media service files lie in clear. Here they do not: an address may come out of an encrypted field, and a sealed
archive is to leave nothing on the disk that a finder could read. The store's key follows from the account's master key
(:mod:`manabackup.crypto.stored`), which is not on the disk. An account without a vault has nothing that is secret from
the server; its key lies beside the store.

A content appears whole or not at all: written under another name, renamed, and flushed before a note of it is kept.
Contents are flushed some at a time, since each flush by itself takes longer than a picture. One that the power took
has no note; whether any still is what it was shows its SHA-256, so nothing here is believed before it has been read.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Self

from ...crypto.fields import FieldCipher
from ...crypto.stored import HEAD_BYTES, StoreCipher
from ...errors import JSONTextError, MirrorError
from ...host.database import is_damage, storage_error
from ...host.output import flush_folder, reading_from, write_whole, writing_to
from ...limits import KIB, MIB
from .records import FileRecord

_KEY_BYTES = 32
_WITHOUT_VAULT = "without-vault"
_PART = ".part"
_DAMAGED = ".damaged"
_CHUNK = MIB
_BUFFER = 512 * KIB
"""Bytes of a content that wait until they are worth a step."""
_SETTLE_AFTER = 64
"""Notes that may be lost with a run that is killed: their contents are there, and one question each finds them."""
_SCHEMA = "CREATE TABLE IF NOT EXISTS note (name BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID"


class FileStore:
    """The contents that were fetched for one account, and under which addresses. Safe to share between threads.

    ``cipher`` is the account's, None for one without a vault. The state folder's lock must be held. Everything may
    raise :class:`OutputError`.
    """

    def __init__(self, folder: Path, cipher: FieldCipher | None) -> None:
        self.folder = folder / (cipher.fingerprint if cipher is not None else _WITHOUT_VAULT)
        with writing_to(self.folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
        self._cipher = StoreCipher(cipher.store_key if cipher is not None else _kept_key(folder / "key"))
        self._lock = threading.Lock()
        self._settling = threading.Lock()
        """Taken before the other one."""
        self._parts = 0
        self._unsettled: list[Path] = []
        """Contents that are to be flushed before the notes are kept."""
        self._notes: dict[bytes, bytes] = {}
        """Name → sealed, of notes that the index does not have yet."""
        self._unflushed: dict[Path, Path] = {}
        """Folder → a file in it that is new."""
        self._index = self._opened()
        self._remove_parts()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Makes everything durable."""
        try:
            self._settle()
            for place in self._unflushed.values():
                flush_folder(place)
        finally:
            with self._lock, self._errors():
                self._index.close()

    # --- what is known of addresses ---

    def recall(self, address: str) -> FileRecord | None:
        """What is known of the file at an address, if it was fetched and its content is still there."""
        name = self._cipher.name(address)
        with self._lock, self._errors():
            sealed = self._notes.get(name)
            if sealed is None:
                row = self._index.execute("SELECT sealed FROM note WHERE name = ?", (name,)).fetchone()
                sealed = row[0] if row is not None else None
        note = self._cipher.open(sealed, name) if sealed is not None else None
        try:
            record = FileRecord.parse(note) if note is not None else None
        except JSONTextError:
            return None
        return record if record is not None and self.has(record.sha256, record.size) else None

    def remember(self, address: str, record: FileRecord) -> None:
        """Notes what was found at an address; its content must be there."""
        name = self._cipher.name(address)
        sealed = self._cipher.seal(record.text(), name)
        with self._lock:
            self._notes[name] = sealed
            is_full = len(self._notes) >= _SETTLE_AFTER
        if is_full:
            self._settle()

    def records(self) -> Iterator[FileRecord]:
        """Everything that is known, in no order; what is damaged is passed over."""
        self._settle()
        last = b""
        while True:
            with self._lock, self._errors():
                rows = self._index.execute(
                    "SELECT name, sealed FROM note WHERE name > ? ORDER BY name LIMIT 500", (last,)
                ).fetchall()
            if not rows:
                return
            for name, sealed in rows:
                note = self._cipher.open(sealed, name)
                if note is not None:
                    yield FileRecord.parse(note)
            last = rows[-1][0]

    # --- contents ---

    def has(self, sha256: str, size: int) -> bool:
        """Whether a content is there, by its name and length alone."""
        try:
            return self._place(sha256).stat().st_size == size + HEAD_BYTES
        except OSError:
            return False

    def is_whole(self, sha256: str, size: int) -> bool:
        """Whether a content is there and is what it should be: it is read to its end."""
        found = hashlib.sha256()
        try:
            for chunk in self.chunks(sha256, size):
                found.update(chunk)
        except FileNotFoundError:
            return False
        return found.hexdigest() == sha256

    def chunks(self, sha256: str, size: int) -> Iterator[bytes]:
        """The content, unchecked. Raises :class:`FileNotFoundError`."""
        place = self._place(sha256)
        with reading_from(place), place.open("rb", buffering=0) as file:
            decryptor = self._cipher.content(_exactly(file.read(HEAD_BYTES), HEAD_BYTES))
            while chunk := file.read(min(_CHUNK, max(size, 1))):
                yield decryptor.update(chunk)

    def forget(self, sha256: str) -> None:
        """Sets a content aside that is not what it should be: part of it may be good, and there may be no other."""
        place = self._place(sha256)
        with writing_to(place), suppress(FileNotFoundError):
            place.replace(place.with_suffix(_DAMAGED))

    @contextmanager
    def incoming(self, *, with_md5: bool = False) -> Iterator[Incoming]:
        """A content on its way in; gone at the end of the block unless :meth:`Incoming.keep` was called."""
        with self._lock:
            self._parts += 1
            part = self.folder / f"{self._parts}{_PART}"
        with writing_to(part):
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        incoming = Incoming(part, descriptor, self._cipher, self._place, self._note_kept, with_md5=with_md5)
        try:
            yield incoming
        finally:
            os.close(descriptor)
            with suppress(FileNotFoundError):
                part.unlink()

    # --- below

    def _note_kept(self, place: Path) -> None:
        with self._lock:
            self._unsettled.append(place)
            self._unflushed[place.parent] = place

    def _settle(self) -> None:
        """Flushes what was kept, and only then notes what was found."""
        with self._settling:
            with self._lock:
                notes, places = dict(self._notes), self._unsettled
                self._unsettled = []
            for place in places:
                _flush(place)
            with self._lock, self._errors():
                self._index.executemany("INSERT OR REPLACE INTO note VALUES (?, ?)", notes.items())
                self._index.commit()
                for name, sealed in notes.items():
                    if self._notes.get(name) is sealed:
                        del self._notes[name]

    def _place(self, sha256: str) -> Path:
        name = self._cipher.name(f"content {sha256}").hex()
        return self.folder / name[:2] / name[2:]

    def _opened(self) -> sqlite3.Connection:
        """The index; one that is damaged is replaced: what it told is asked for again, and nothing is lost."""
        path = self.folder / "index.sqlite"
        for attempt in range(2):
            with self._errors():
                try:
                    return _open_index(path)
                except sqlite3.Error as error:
                    if attempt or not is_damage(error):
                        raise
            for stale in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
                with writing_to(stale):
                    stale.unlink(missing_ok=True)
        raise AssertionError("opened or raised")

    def _remove_parts(self) -> None:
        with writing_to(self.folder):
            for part in self.folder.glob(f"*{_PART}"):
                part.unlink(missing_ok=True)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        path = self.folder / "index.sqlite"
        try:
            yield
        except sqlite3.Error as error:
            damaged = MirrorError("the index of the fetched files is damaged", hint=f"remove {path}; it is made anew")
            raise storage_error(error, path, "the index of the fetched files", damaged) from error


class Incoming:
    """A content while it comes."""

    def __init__(
        self,
        part: Path,
        descriptor: int,
        cipher: StoreCipher,
        place: Callable[[str], Path],
        kept: Callable[[Path], object],
        *,
        with_md5: bool,
    ) -> None:
        self._with_md5 = with_md5
        self._kept = kept
        self._part = part
        self._descriptor = descriptor
        self._cipher = cipher
        self._place = place
        self.begin()

    def begin(self) -> None:
        """From the first byte on, whatever came before."""
        head = os.urandom(HEAD_BYTES)
        self._encryptor = self._cipher.content(head)
        self._hash = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if self._with_md5 else None
        self._pieces: list[bytes] = []
        self._waiting = 0
        self.size = 0
        with writing_to(self._part):
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            _write(self._descriptor, head)

    def write(self, data: bytes) -> None:
        """Some more of it."""
        self._pieces.append(data)
        self._waiting += len(data)
        self.size += len(data)
        if self._waiting >= _BUFFER:
            self._drain()

    def _drain(self) -> None:
        """Hashes, encrypts and writes what came; many small pieces at once, since each step is taken by itself."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        self._hash.update(data)
        if self._md5 is not None:
            self._md5.update(data)
        with writing_to(self._part):
            _write(self._descriptor, self._encryptor.update(data))

    @property
    def sha256(self) -> str:
        """Of what has come so far."""
        self._drain()
        return self._hash.hexdigest()

    @property
    def md5(self) -> str | None:
        """The same by the hash that object stores call ETag, if it was asked for."""
        self._drain()
        return None if self._md5 is None else self._md5.hexdigest()

    def keep(self) -> None:
        """It is whole: puts it into its place. A name may be lost with the power; then it is fetched again."""
        place = self._place(self.sha256)
        _begin_to_write(self._descriptor)
        with writing_to(place):
            place.parent.mkdir(mode=0o700, exist_ok=True)
            self._part.replace(place)
        self._kept(place)


def _open_index(path: Path) -> sqlite3.Connection:
    if not path.exists():
        with writing_to(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        # As the mirror's: transactions are whole or absent after a loss of power.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(_SCHEMA)
        with closing(connection.execute("SELECT name, sealed FROM note LIMIT 1")) as cursor:
            cursor.fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _kept_key(path: Path) -> bytes:
    """The key of an account that has no vault; made when it is needed first."""
    try:
        with reading_from(path):
            key = path.read_bytes()
    except FileNotFoundError:
        key = b""
    if len(key) != _KEY_BYTES:
        key = os.urandom(_KEY_BYTES)
        write_whole(path, key)
    return key


def _flush(place: Path) -> None:
    """Makes a content durable; one that is not there any more was set aside."""
    with writing_to(place), suppress(FileNotFoundError):
        descriptor = os.open(place, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _begin_to_write(descriptor: int) -> None:
    """Lets the system write a file to the disk meanwhile, where it takes such advice: a flush then finds it there."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _exactly(data: bytes, size: int) -> bytes:
    return data if len(data) == size else data.ljust(size, b"\0")
