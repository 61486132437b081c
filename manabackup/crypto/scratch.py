"""Blocks set aside on disk and read again in any order, encrypted under a key that lives in memory alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from .spools import SpoolFile, cut_off

_AES_BLOCK = 16


class Extent(NamedTuple):
    """Where a block lies, in bytes."""

    offset: int
    size: int


class ScratchFile:
    """Blocks in an anonymous file, which ``make_file`` makes when the first one comes.

    AES-256-CTR; a block's counter is its place in the file, so that no two share key stream.
    """

    def __init__(self, make_file: Callable[[], SpoolFile]) -> None:
        self._algorithm = AES(os.urandom(32))
        self._make_file = make_file
        self._file: SpoolFile | None = None
        self._end = 0

    def append(self, block: bytes) -> Extent:
        """Set a block aside."""
        if self._file is None:
            self._file = self._make_file()
        place = Extent(self._end, len(block))
        self._file.seek(place.offset)
        self._file.write(self._encrypted(place, block))
        self._end += -(-len(block) // _AES_BLOCK) * _AES_BLOCK
        return place

    def read(self, place: Extent) -> bytes:
        """The block that :meth:`append` put there. Raises :class:`OSError` where the file ends before it does."""
        if self._file is None:
            raise RuntimeError("nothing was set aside")
        self._file.seek(place.offset)
        block = self._file.read(place.size)
        if len(block) < place.size:
            raise cut_off()
        return self._encrypted(place, block)

    def close(self) -> None:
        """Forget everything."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _encrypted(self, place: Extent, block: bytes) -> bytes:
        """Encrypts, and in this mode also decrypts."""
        counter = (place.offset // _AES_BLOCK).to_bytes(_AES_BLOCK, "big")
        return Cipher(self._algorithm, CTR(counter)).encryptor().update(block)
