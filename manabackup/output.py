"""Files that appear whole or not at all.

A file is written under another name beside its place, flushed to the disk, and renamed; then the folder is flushed.
The part file is locked while it is written: a second writer stops, and what a killed run left behind is known as such.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import stat
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, cast

from .errors import LockedError, OutputError
from .interrupts import uninterrupted
from .printable import printable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_BUFFER_BYTES = 1 << 20
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
NO_SPACE = "free some space on this disk, or write to another one"
_HINTS = {
    errno.ENOSPC: NO_SPACE,
    errno.EDQUOT: "your quota on this disk is used up",
    errno.EACCES: "the folder does not let you write",
    errno.EPERM: "the folder does not let you write",
    errno.EROFS: "this disk is read-only",
    errno.ENOENT: "the folder does not exist",
}


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turns an :class:`OSError` within into an :class:`OutputError` that names ``path`` and the reason."""
    try:
        yield
    except OSError as error:
        raise _output_error(error, path) from error


@contextmanager
def reading_from(path: Path) -> Iterator[None]:
    """Turns an :class:`OSError` within into an :class:`OutputError` of state that is there and cannot be read."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OutputError(f"cannot read {printable(str(path))}: {error.strerror or error}") from error


class AtomicFile:
    """Writes ``path``: ``with AtomicFile(path) as file: file.write(…)``. The file is binary, seekable and readable.

    It appears when the block ends, mode 0600; when the block raises, nothing is left. A symbolic link is followed.
    Raises :class:`OutputError` when it cannot be written, or exists and ``force`` is not given (then before anything is
    written, and again at the end), and :class:`LockedError` while another run writes the same file.
    """

    def __init__(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        self.path = Path(os.path.realpath(path))
        self.part = _part_of(self.path)
        self._force = force
        self._raw: _PartFile | None = None
        self._file: io.BufferedRandom | None = None
        self._release: Callable[[], object] | None = None

    def __enter__(self) -> BinaryIO:
        with writing_to(self.path):
            self._check_place()
            with uninterrupted():
                self._raw = _PartFile(_create_locked(self.part, self.path), self.path)
                self._file = io.BufferedRandom(self._raw, _BUFFER_BYTES)
                # An interrupt may keep __exit__ from being called, or from its first step.
                self._release = weakref.finalize(self, _remove, self.part, self._raw)
        return cast("BinaryIO", self._file)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._raw is not None
        assert self._file is not None
        assert self._release is not None
        try:
            if kind is None:
                with writing_to(self.path):
                    self._file.flush()
                    os.fsync(self._raw.fileno())
                    self._publish()
                    flush_folder(self.path.parent)
        finally:
            self._release()

    def _check_place(self) -> None:
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISREG(mode):
            raise OutputError(f"{printable(str(self.path))} is not a regular file")
        refuse_existing(self.path, force=self._force)

    def _publish(self) -> None:
        if self._force:
            self.part.replace(self.path)
            return
        try:
            # link() and not rename(): it fails when the name has appeared meanwhile.
            self.path.hardlink_to(self.part)
        except FileExistsError:
            raise _exists(self.path) from None
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            if self.path.exists():
                raise _exists(self.path) from None
            self.part.rename(self.path)
            return
        self.part.unlink()


def write_whole(path: Path, data: bytes) -> None:
    """Puts ``data`` in the place of a file's content, mode 0600; at any moment the file is the old or the new one."""
    with AtomicFile(path, force=True) as file:
        file.write(data)


def flush_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that has no such thing
            raise
    finally:
        os.close(descriptor)


class _PartFile(io.FileIO):
    """A file whose failing writes tell them apart from any other trouble of the code that writes."""

    def __init__(self, descriptor: int, target: Path) -> None:
        super().__init__(descriptor, "r+")
        self._target = target

    def write(self, data: ReadableBuffer, /) -> int:
        with writing_to(self._target):
            return super().write(data)


def _remove(part: Path, raw: _PartFile) -> None:
    """Ends the writing of a part file, which is gone from its place if it was published."""
    with suppress(OSError):  # what stopped the writing is what is reported
        if _is_at(raw.fileno(), part):
            part.unlink()
    # The raw file, not its buffer: what is still in there of an abandoned file must not be written any more.
    raw.close()


def _create_locked(part: Path, target: Path) -> int:
    """A descriptor of a new, empty, locked file. Of two that begin at once, one at most goes on."""
    while True:
        try:
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            _remove_stale(part, target)
            continue
        try:
            _lock(descriptor, target)
            if _is_at(descriptor, part):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _remove_stale(part: Path, target: Path) -> None:
    """Removes what a dead run left. A run that is alive holds the lock."""
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _lock(descriptor, target)
        if _is_at(descriptor, part):
            part.unlink()
    finally:
        os.close(descriptor)


def _lock(descriptor: int, target: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockedError(f"another run is writing {printable(str(target))}") from None


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raises the :class:`OutputError` that writing to ``path`` would end with: before secrets are asked for.

    A run that was killed just after its output had appeared left the part file as a second name of it: that goes.
    """
    if not force and path.exists():
        target = Path(os.path.realpath(path))
        with suppress(OSError, LockedError):  # what is told is that the file exists
            _remove_stale(_part_of(target), target)
        raise _exists(path)


def _part_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _exists(path: Path) -> OutputError:
    return OutputError(f"{printable(str(path))} exists already", hint="--force replaces it")


def _output_error(error: OSError, path: Path) -> OutputError:
    number = error.errno or 0
    return OutputError(f"cannot write {printable(str(path))}: {error.strerror or error}", hint=_HINTS.get(number))
