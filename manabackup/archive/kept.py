"""The sealed body of a far archive, fetched once. It is read three times: to find damage, to prove it, and for rows.

What was fetched stands in an anonymous temporary file, as it lies in the far place: ciphertext, and nothing else. It is
not believed more than the far place is, since whoever decrypts it holds each block against what was proved.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from types import TracebackType
from typing import IO, Self

from ..crypto.seal import ByteSource
from ..limits import GIB

MOST = GIB
"""Bytes of a body that is kept."""
_SHARE = 4
"""It takes one of so many parts of the room that is free among the temporary files at most."""


class KeptBytes:
    """``far``, each of whose parts is fetched once where there is room to keep it, else as often as it is read.

    Safe to share between threads. The file goes when the block ends.
    """

    def __init__(self, far: ByteSource) -> None:
        self._far = far
        self.size = far.size
        self._held: set[tuple[int, int]] = set()
        self._file: IO[bytes] | None = None
        if far.size <= MOST:
            with suppress(OSError):
                file = tempfile.TemporaryFile()  # noqa: SIM115 # closed at the end of the block
                room = os.fstatvfs(file.fileno())
                if far.size * _SHARE <= room.f_bavail * room.f_frsize:
                    self._file = file
                else:
                    file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def read_at(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``, fewer at the end. Raises what the far place raises."""
        file, part = self._file, (offset, count)
        if file is None:
            return self._far.read_at(offset, count)
        if part in self._held:
            with suppress(OSError):
                content = os.pread(file.fileno(), count, offset)
                if len(content) == count:
                    return content
        content = self._far.read_at(offset, count)
        with suppress(OSError):  # no room any more: then it is fetched again
            if len(content) == count and os.pwrite(file.fileno(), content, offset) == count:
                self._held.add(part)
        return content
