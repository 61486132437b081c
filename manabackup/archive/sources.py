"""Places to read an archive from: a file through one descriptor, or a part of another source."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType

from ..crypto.seal import ByteSource
from ..errors import DamagedArchiveError, NotFoundError, UsageError
from ..text.printable import printable
from .places import Location


class FileBytes:
    """A file, read through one descriptor from the first byte to the last, whatever happens to its name meanwhile.

    Raises :class:`NotFoundError`, :class:`DamagedArchiveError` for a folder, and :class:`UsageError` for what else is
    no file, such as a pipe.
    """

    def __init__(self, path: Path) -> None:
        try:
            # Without O_NONBLOCK a pipe would be waited for until somebody writes into it.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFoundError(f"{path}: no such file") from None
        except ValueError:  # NUL
            raise NotFoundError(f"{printable(str(path))}: not a file name") from None
        except OSError as error:
            if error.errno == errno.EIO:
                raise _unreadable(path, error) from None
            raise NotFoundError(f"{path}: cannot be read: {error.strerror}") from None
        self._path = path
        status = os.fstat(self._descriptor)
        if stat.S_ISDIR(status.st_mode):
            self.close()
            raise DamagedArchiveError(f"{path} is a folder", code="unreadable", hint="an archive is one file")
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise UsageError(
                f"{path}: not a regular file: an archive is read back and forth, which a pipe does not allow",
                hint="write it into a file first",
            )
        self.size = status.st_size

    def read_at(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``, fewer at the end. Raises :class:`DamagedArchiveError` on a read error."""
        parts: list[bytes] = []
        count = min(count, self.size - offset)  # an offset out of a hostile header is larger than the system takes
        while count > 0:
            try:
                part = os.pread(self._descriptor, count, offset)
            except OSError as error:  # a dying disk
                raise _unreadable(self._path, error) from None
            if not part:
                break
            parts.append(part)
            offset += len(part)
            count -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> FileBytes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def reading(location: Location) -> Iterator[ByteSource]:
    """What lies at a location, until the block ends. Raises as :class:`FileBytes` and :meth:`.Place.open` do."""
    if isinstance(location, Path):
        with FileBytes(location) as file:
            yield file
    else:
        with closing(location.open()) as far:
            yield far


def _unreadable(path: Path, error: OSError) -> DamagedArchiveError:
    return DamagedArchiveError(f"{path}: cannot be read: {error.strerror}", code="unreadable")


class BytesSource:
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def read_at(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``, fewer at the end."""
        return self._content[offset : offset + count]


class PartSource:
    """``size`` bytes of another source, from ``offset``."""

    def __init__(self, whole: ByteSource, offset: int, size: int) -> None:
        self._whole = whole
        self._offset = offset
        self.size = size

    def read_at(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``, fewer at the end."""
        return self._whole.read_at(self._offset + offset, min(count, self.size - offset))
