"""Files that appear whole or not at all.

A file is written under another name beside its place, flushed to the disk, and renamed; then the folder is flushed.
The part file is locked while it is written: a second writer stops, and what a killed run left behind is known as such.

Not every file system has hard links, locks, or folders that can be flushed or even read. Where one is missing, what it
is for is done without it as well as can be.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import logging
import os
import re
import stat
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, cast

from ..errors import LockedError, OutputError, UsageError
from ..text.printable import printable
from .interrupts import uninterrupted

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_log = logging.getLogger(__name__)

_BUFFER_BYTES = 1 << 20
_LONGEST_NAME = 255
"""Bytes in a file's name, where the file system does not say."""
_NO_FLUSH = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What ``fsync`` of a file says where the file system has no such thing; anything else is trouble of the disk."""
_TROUBLE = frozenset({errno.EIO, errno.ENOENT, errno.EROFS})
"""What no file system says for want of hard links."""
_MOST_LINKS = 40
_DESCRIPTORS = re.compile(r"/dev/fd|/proc/[^/]+/(task/[^/]+/)?fd")
"""Folders whose names stand for what a process has open."""
NO_SPACE = "free some space on this disk, or write to another one"
_HINTS = {
    errno.EDQUOT: "your quota on this disk is used up",
    errno.EACCES: "the folder does not let you write",
    errno.EPERM: "the folder does not let you write",
    errno.EROFS: "this disk is read-only",
    errno.ENOENT: "the folder does not exist",
    errno.ENAMETOOLONG: "give it a shorter name",
}


@contextmanager
def writing_to(path: Path, *, no_space: str = NO_SPACE) -> Iterator[None]:
    """Turns an :class:`OSError` within into an :class:`OutputError` that names ``path`` and the reason.

    ``no_space`` is what to do about a full disk.
    """
    try:
        yield
    except BrokenPipeError:  # whoever read the output has had enough, which is no fault of a file
        raise
    except OSError as error:
        raise _output_error(error, path, no_space) from error
    except ValueError:
        if "\0" in str(path):
            raise _not_a_name(path) from None
        raise


@contextmanager
def reading_from(path: Path) -> Iterator[None]:
    """Turns an :class:`OSError` within into an :class:`OutputError` of state that is there and cannot be read."""
    try:
        yield
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:  # such as below HOME=/dev/null
        raise FileNotFoundError(error.errno, error.strerror, error.filename) from None
    except OSError as error:
        raise OutputError(f"cannot read {printable(str(path))}: {error.strerror or error}") from error


class AtomicFile:
    """Writes ``path``: ``with AtomicFile(path) as file: file.write(…)``. The file is binary, seekable and readable.

    It appears when the block ends, mode 0600; when the block raises, nothing is left. A symbolic link is followed.
    Raises :class:`OutputError` when it cannot be written, or exists and ``force`` is not given (then before anything is
    written, and again at the end), and :class:`LockedError` while another run writes the same file.
    """

    def __init__(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        self._named = Path(path)
        self.path = real_path(self._named)
        self.part = _part_of(self.path)
        self.set_aside: Path | None = None
        """Where the file went that was in this place, if :meth:`keep_old` was called and there was one."""
        self._force = force
        self._keep_why: str | None = None
        self._raw: _PartFile | None = None
        self._file: io.BufferedRandom | None = None
        self._release: Callable[[], object] | None = None

    def keep_old(self, why: str) -> None:
        """From now on, the file that ``force`` replaces is kept under a name of its own beside it, and that is told."""
        self._keep_why = why

    def __enter__(self) -> BinaryIO:
        check_place(self._named, force=self._force)
        with writing_to(self.path), uninterrupted():
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
                    flush(self._raw.fileno())
                    self._publish()
                flush_folder(self.path)
        finally:
            self._release()

    def _publish(self) -> None:
        if self._force:
            if self._keep_why is not None:
                self.set_aside = _set_aside(self.path)
            self.part.replace(self.path)
            if self.set_aside is not None:
                shown = printable(str(self.set_aside))
                _log.warning("%s is kept as %s: %s", printable(self.path.name), shown, self._keep_why)
        elif _give_name(self.part, self.path):
            self.part.unlink()


def write_whole(path: Path, data: bytes) -> None:
    """Puts ``data`` in the place of a file's content, mode 0600; at any moment the file is the old or the new one."""
    # A signal in the middle would keep the part file locked for as long as its exception is on the way out: too long
    # for whoever notes at the end of all how it ended.
    with uninterrupted(), AtomicFile(path, force=True) as file:
        file.write(data)


def flush(descriptor: int) -> None:
    """Has a file written to the disk, if the file system can. Raises :class:`OSError`."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise


def flush_folder(path: Path) -> None:
    """Makes the name of a file durable, if the file system can; the file is there either way."""
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            reason = error.strerror or type(error).__name__
            shown = printable(str(path))
            _log.warning("%s may be lost if the power fails now: its folder cannot be flushed (%s)", shown, reason)


def _give_name(part: Path, path: Path) -> bool:
    """Gives a file a name that is free; tells whether it has its old one too. Raises :class:`OutputError`."""
    try:
        # link() and not rename(): it fails when the name has appeared meanwhile.
        path.hardlink_to(part)
    except FileExistsError:
        raise _exists(path) from None
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno in _TROUBLE:
            raise
        # No hard links here, for which every system has another word. If it was something else, rename() says so too.
        if path.exists():
            raise _exists(path) from None
        part.rename(path)
        return False
    return True


def _set_aside(path: Path) -> Path | None:
    """Gives a file another name, the first that is free: ``a.previous.mana``, ``a.previous-2.mana``, … None without it.

    Where there are hard links it keeps the one it has, so that at no moment it has none.
    """
    for number in count(1):
        mark = ".previous" if number == 1 else f".previous-{number}"
        ending = f"{mark}{path.suffix}"
        kept = path.with_name(_cut(path.stem, _name_limit(path) - len(os.fsencode(ending))) + ending)
        try:
            if not os.path.lexists(kept):
                _give_name(path, kept)
                return kept
            if os.path.samestat(path.lstat(), kept.lstat()):  # a run got so far, and was killed
                return kept
        except FileNotFoundError:
            return None
        except OutputError:
            continue  # somebody else was quicker
    raise AssertionError("there are more numbers than names")


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
    """A descriptor of a new, empty file, locked if that is possible. Of two that begin at once, one at most goes on."""
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
        if not _lock(descriptor, target):
            name = printable(str(part))
            raise LockedError(
                f"{name} exists: another run is writing there, or was killed",
                hint="this file system has no locks to tell; if no other run is alive, remove that file",
            )
        if _is_at(descriptor, part):
            part.unlink()
    finally:
        os.close(descriptor)


def is_being_written(part: Path) -> bool:
    """Whether a run that is alive holds a part file, as far as the file system has locks to tell."""
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        _lock(descriptor, part)
    except LockedError:
        return True
    finally:
        os.close(descriptor)
    return False


def remove_part(part: Path) -> None:
    """Removes a part file that no run is writing. Raises :class:`LockedError`, :class:`OutputError`."""
    with writing_to(part):
        descriptor = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _lock(descriptor, part)
            if _is_at(descriptor, part):
                part.unlink()
        finally:
            os.close(descriptor)


def _lock(descriptor: int, target: Path) -> bool:
    """Locks a file; False on a file system without locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockedError(f"another run is writing {printable(str(target))}") from None
    except OSError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def check_place(path: Path, *, force: bool) -> None:
    """Raises what writing to ``path`` would end with as things are: before secrets are asked for.

    :class:`OutputError` for what exists and is not to be replaced, or can never be; :class:`UsageError` for another
    name of a standard stream. A run that was killed just after its output had appeared left the part file as a second
    name of it: that goes.
    """
    shown = printable(str(path))
    if "\0" in str(path):
        raise _not_a_name(path)
    if _names_a_descriptor(path):
        raise UsageError(f"{shown} is not a file that could be written whole", hint="-o - is the standard output")
    target = real_path(path)
    with writing_to(path):
        try:
            mode = target.stat().st_mode
        except FileNotFoundError:
            target.parent.stat()
            return
    if stat.S_ISDIR(mode):
        raise OutputError(f"{shown} is not a regular file but a folder", hint="name the file in it, too")
    if not stat.S_ISREG(mode):
        raise OutputError(f"{shown} is not a regular file")
    if not force:
        with suppress(OSError, LockedError):  # what is told is that the file exists
            _remove_stale(_part_of(target), target)
        raise _exists(path)


def begins_with(path: Path, mark: bytes) -> bool:
    """Whether ``path`` is a regular file that holds ``mark`` in its first 4 KiB."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return mark in file.read(4096)
    except (OSError, ValueError):  # whoever writes there is told what is wrong
        return False


def real_path(path: Path) -> Path:
    """``path`` from the root on, symbolic links followed. Raises :class:`OutputError` where there is nothing to go by.

    That is so for a relative one when the working folder is gone.
    """
    if "\0" in str(path):
        raise _not_a_name(path)
    try:
        return Path(os.path.realpath(path))
    except FileNotFoundError:
        raise working_folder_is_gone() from None


def _not_a_name(path: Path) -> OutputError:
    return OutputError(f"not a file name: {printable(str(path))}")


def working_folder_is_gone() -> OutputError:
    """The error of a process whose working folder has been removed."""
    return OutputError("the working folder does not exist any more", hint="change to a folder that does")


def beside(target: Path, ending: str) -> Path:
    """A hidden file beside ``target``, named after it, or after a hash of its name where that is too long."""
    name = f".{target.name}{ending}"
    if len(os.fsencode(name)) > _name_limit(target):
        name = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:32]}{ending}"
    return target.with_name(name)


def _name_limit(target: Path) -> int:
    try:
        return os.pathconf(target.parent, "PC_NAME_MAX")
    except (OSError, ValueError):
        return _LONGEST_NAME


def _cut(name: str, size: int) -> str:
    """A name of at most ``size`` bytes, whole characters."""
    return os.fsencode(name)[:size].decode("utf-8", "ignore") if len(os.fsencode(name)) > size else name


def _names_a_descriptor(path: Path) -> bool:
    """Whether a path is a name for what a process has open, such as ``/dev/stdout``."""
    for _ in range(_MOST_LINKS):
        with suppress(OSError):
            if _DESCRIPTORS.fullmatch(os.path.realpath(path.parent)):
                return True
        try:
            path = path.parent / path.readlink()
        except OSError:
            return False
    return False


def _part_of(target: Path) -> Path:
    return beside(target, ".part")


def _exists(path: Path) -> OutputError:
    return OutputError(f"{printable(str(path))} exists already", hint="--force replaces it")


def _output_error(error: OSError, path: Path, no_space: str) -> OutputError:
    hint = no_space if error.errno == errno.ENOSPC else _HINTS.get(error.errno or 0)
    return OutputError(f"cannot write {printable(str(path))}: {error.strerror or error}", hint=hint)
