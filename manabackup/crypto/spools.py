"""Bytes set aside on disk until they are needed, encrypted under a key that lives in memory alone."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from ..limits import KIB, MIB


class SpoolFile(Protocol):
    """The part of a binary file that a spool uses."""

    def write(self, data: bytes, /) -> object: ...
    def read(self, count: int, /) -> bytes: ...
    def seek(self, offset: int, /) -> object: ...
    def close(self) -> None: ...


class CipherSpool:
    """Bytes set aside until they are needed, in memory and beyond that in an anonymous file, encrypted.

    The key lives in this object alone (AES-256-CTR), so the disk sees no plaintext, and a killed run leaves nothing
    that could be read. Write first, then read once, by :meth:`chunks` or, after :meth:`rewind`, :meth:`read`.
    """

    _IN_MEMORY = MIB
    _WHOLE = 16 * KIB
    """What is at least so large is not gathered first once there is a file."""

    def __init__(self, make_file: Callable[[], SpoolFile]) -> None:
        self._cipher = Cipher(AES(os.urandom(32)), CTR(os.urandom(16)))
        self._encryptor = self._cipher.encryptor()
        self._decryptor = self._cipher.decryptor()
        self._make_file = make_file
        self._file: SpoolFile | None = None
        self._memory = bytearray()
        self._read = 0
        self.size = 0

    def write(self, data: bytes) -> int:
        """Set some more bytes aside."""
        self.size += len(data)
        if len(data) >= self._WHOLE and self._file is not None:
            self.spill()
            self._file.write(self._encryptor.update(data))
            return len(data)
        self._memory += data
        if len(self._memory) >= self._IN_MEMORY:
            self.spill()
        return len(data)

    def spill(self) -> None:
        """Put on disk what is still in memory."""
        if self._file is None:
            self._file = self._make_file()
        if self._memory:
            self._file.write(self._encryptor.update(bytes(self._memory)))
            self._memory.clear()

    def rewind(self) -> None:
        """Nothing more is written: from here on :meth:`read` gives it from its beginning. It is all on disk then."""
        self.spill()
        assert self._file is not None
        self._file.seek(0)

    def read(self, count: int) -> bytes:
        """The next ``count`` bytes, fewer at the end of all. Raises :class:`OSError` where the file ends before."""
        assert self._file is not None
        piece = self._file.read(count)
        self._read += len(piece)
        if len(piece) < count and self._read < self.size:
            raise cut_off()
        return self._decryptor.update(piece)

    def chunks(self, count: int = MIB) -> Iterator[bytes]:
        """What was written, in order, about ``count`` bytes at a time; ends the spool."""
        if self._file is not None:
            self._file.seek(0)
            while chunk := self._file.read(count):
                self._read += len(chunk)
                yield self._decryptor.update(chunk)
            if self._read + len(self._memory) < self.size:
                raise cut_off()
        if self._memory:
            yield bytes(self._memory)
        self.close()

    def replayed(self, count: int = MIB) -> Iterator[bytes]:
        """As :meth:`chunks`, from the beginning each time; the spool stays as it is. One at a time."""
        decryptor, read = self._cipher.decryptor(), 0
        if self._file is not None:
            self._file.seek(0)
            while chunk := self._file.read(count):
                read += len(chunk)
                yield decryptor.update(chunk)
        if read + len(self._memory) < self.size:
            raise cut_off()
        if self._memory:
            yield bytes(self._memory)

    def close(self) -> None:
        """Forget everything."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._memory.clear()


def cut_off() -> OSError:
    """What a temporary file is that holds less than was written to it: nobody may take that for all there was."""
    return OSError(errno.EIO, "a temporary file was cut off: the disk may be failing")
