"""Folders that appear whole or not at all.

A folder is filled under another name beside its place, flushed to the disk, and renamed. It is locked meanwhile: a
second writer stops, and what a killed run left behind is known as such. What is in its place is never removed: with
``force`` it goes aside, under a name of its own. Where the system can do that (Linux), the two change places in one
step, so that a run that dies leaves the old folder in its place or the new one, and both of them on the disk.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import logging
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ..errors import LockedError, OutputError
from ..text.printable import printable
from .interrupts import uninterrupted
from .output import beside, flush, flush_folder, real_path, writing_to

_log = logging.getLogger(__name__)
_FEW = 300
"""Files that are flushed one by one. With thousands that takes minutes, since the disk is told to empty its cache each
time; with everything that anybody writes meanwhile, as long as they make it."""
_TELLS_ERRORS = (5, 8)
_NO_FLUSH_ALL = frozenset({errno.ENOSYS, errno.EINVAL, errno.EPERM})
_HERE, _EXCHANGE = -100, 2
"""``AT_FDCWD`` and ``RENAME_EXCHANGE`` (renameat2(2))."""
_NO_EXCHANGE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What a system or a file system says that cannot let two names change places."""


class AtomicFolder:
    """Makes the folder ``path``, mode 0700, with files of mode 0600: ``with AtomicFolder(path) as folder: …``.

    It appears when the block ends; when the block raises, nothing is left. Raises :class:`OutputError` when it cannot
    be written, or something is in its place and ``force`` is not given, and :class:`LockedError` while another run
    writes it.
    """

    def __init__(self, path: Path, *, force: bool = False) -> None:
        self.path = real_path(path)
        self.part = beside(self.path, ".folder.part")
        self.set_aside: Path | None = None
        """Where the folder went that was in this place."""
        self._named = path
        self._force = force
        self._lock: int | None = None
        self._made: set[Path] = {self.part}

    def __enter__(self) -> Self:
        check_folder_place(self._named, force=self._force)
        with writing_to(self.path), uninterrupted():
            self._lock = _create_locked(self.part, self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._lock is not None
        try:
            if kind is None:
                with writing_to(self.path):
                    _flush_files(self.part, self._lock)
                    self._publish()
                flush_folder(self.path)
        finally:
            # What was published is not there any more under the name that goes.
            if _is_at(self._lock, self.part):
                shutil.rmtree(self.part, ignore_errors=True)
            os.close(self._lock)

    @contextmanager
    def file(self, *names: str) -> Iterator[BinaryIO]:
        """A new file in it, for writing; folders on the way are made. Raises :class:`OutputError`."""
        path = self.place(*names)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with writing_to(path):
            descriptor = os.open(path, flags, 0o600)
            with os.fdopen(descriptor, "w+b") as file:
                yield file

    def write(self, data: bytes, *names: str) -> None:
        """A whole new file in it."""
        with self.file(*names) as file:
            file.write(data)

    def place(self, *names: str) -> Path:
        """Where a file of it is to be written by others; folders on the way are made."""
        if any(name in ("", ".", "..") or not {"/", "\0"}.isdisjoint(name) for name in names):
            raise ValueError("names a place outside the folder")
        # In UTF-8 whatever the locale is, as every program of today writes them, and as all of them can be written.
        path = self.part.joinpath(*(os.fsdecode(name.encode("utf-8", "surrogatepass")) for name in names))
        if path.parent not in self._made:
            with writing_to(path):
                for folder in reversed([folder for folder in path.parents if self.part in folder.parents]):
                    folder.mkdir(mode=0o700, exist_ok=True)
            self._made.add(path.parent)
        return path

    def _publish(self) -> None:
        if self._force and os.path.lexists(self.path):
            self.set_aside = self._change_places(_free_name(self.path))
            shown = printable(str(self.set_aside))
            _log.warning("%s was there already, and is kept as %s", printable(self.path.name), shown)
            return
        try:
            self.part.rename(self.path)
        except OSError:
            if os.path.lexists(self.path):
                raise _exists(self.path) from None
            raise

    def _change_places(self, aside: Path) -> Path:
        """Puts the new folder in the place of the old one, which goes ``aside``."""
        # Under the name that ends with .part it would be removed by the next run, old or new. So the new one has the
        # other name for a moment, and not the old one.
        self.part.rename(aside)
        try:
            _exchange(aside, self.path)
        except OSError as error:
            aside.rename(self.part)
            if error.errno not in _NO_EXCHANGE:
                raise
            self.path.rename(aside)
            self.part.rename(self.path)
        return aside


def check_folder_place(path: Path, *, force: bool) -> None:
    """Raises what writing a folder to ``path`` would end with as things are: before secrets are asked for."""
    target = real_path(path)
    with writing_to(path):
        try:
            mode = target.lstat().st_mode
        except FileNotFoundError:
            if not target.parent.is_dir():
                raise
            return
    if not stat.S_ISDIR(mode):
        raise OutputError(f"{printable(str(path))} exists and is no folder", hint="name another one")
    if not force:
        raise _exists(path)


def _exists(path: Path) -> OutputError:
    return OutputError(
        f"{printable(str(path))} exists already", hint="with --force it is kept under another name beside the new one"
    )


def _free_name(path: Path) -> Path:
    for number in count(1):
        kept = path.with_name(f"{path.name}.previous" + (f"-{number}" if number > 1 else ""))
        if not os.path.lexists(kept):
            return kept
    raise AssertionError("there are more numbers than names")


def _exchange(one: Path, other: Path) -> None:
    """Lets two names change places in one step. Raises :class:`OSError`, of :data:`_NO_EXCHANGE` where none can."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one))


def _flush_files(folder: Path, descriptor: int) -> None:
    """Has all files written to the disk. Raises :class:`OSError`.

    ``descriptor`` is that of the folder, opened before anything was written.
    """
    files = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
    if len(files) > _FEW:
        if _flush_file_system(descriptor):
            return
        os.sync()
    # Besides, sync(2) tells of no error of the disk, and fsync(2) does; after it there is nothing left to write.
    for file in files:
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            flush(opened)
        finally:
            os.close(opened)


def _flush_file_system(descriptor: int) -> bool:
    """Has all of the file system that a file is on written to the disk, where the system can, and tells of its errors.

    False where it cannot. Raises :class:`OSError` for what could not be written since ``descriptor`` was opened: Linux
    tells that since 5.8 (syncfs(2)).
    """
    flush_all = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if flush_all is None or release is None or (int(release[1]), int(release[2])) < _TELLS_ERRORS:
        return False
    if flush_all(descriptor):
        number = ctypes.get_errno()
        if number in _NO_FLUSH_ALL:
            return False
        raise OSError(number, os.strerror(number))
    return True


def _create_locked(part: Path, target: Path) -> int:
    """A descriptor that holds the lock of the new, empty folder ``part``."""
    while True:
        try:
            part.mkdir(mode=0o700)
        except FileExistsError:
            _remove_stale(part, target)
            continue
        try:
            descriptor = _open(part)
        except FileNotFoundError:
            continue
        try:
            _take_lock(descriptor, target)
        except BaseException:
            os.close(descriptor)
            raise
        if _is_at(descriptor, part):
            return descriptor
        os.close(descriptor)


def _remove_stale(part: Path, target: Path) -> None:
    """Removes what a dead run left. A run that is alive holds the lock."""
    try:
        descriptor = _open(part)
    except FileNotFoundError:
        return
    try:
        _take_lock(descriptor, target)
        found = os.fstat(descriptor)
        if (found.st_uid, stat.S_IMODE(found.st_mode)) != (os.geteuid(), 0o700):
            raise OutputError(f"{printable(str(part))} is in the way, and not a folder of this program")
        shutil.rmtree(part)
    finally:
        os.close(descriptor)


def _open(part: Path) -> int:
    return os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _take_lock(descriptor: int, target: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockedError(f"another run is writing {printable(str(target))}") from None
    except OSError:
        pass  # a file system without locks


def _is_at(descriptor: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    return False
