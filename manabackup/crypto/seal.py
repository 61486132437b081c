"""The passphrase seal of an archive's body: PBKDF2-HMAC-SHA256, then one AES-256-GCM message.

Both directions stream, and no plaintext is kept: sealing encrypts as it is fed; opening verifies the whole ciphertext
first and then gives any part of the plaintext on demand. Sources: RFC 8018 (PBKDF2), NIST SP 800-38D (GCM),
``formats/mana-v2.md``, "Sealing".

The order of the checks is what tells the three failures apart: :meth:`SealedBody.verify_ciphertext` finds damage
before any key is derived; :meth:`SealedBody.unlock` finds a wrong passphrase; what opens and contradicts itself was
tampered with, which the archive reader finds.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, GCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from ..errors import DamagedArchiveError, UsageError, WrongPassphraseError
from ..limits import DEFAULT_LIMITS, MIB, Limits

KDF = "PBKDF2-SHA256"
CIPHER = "AES-GCM-256"
ITERATIONS = 600_000
SALT_BYTES = 16
IV_BYTES = 12
TAG_BYTES = 16
BLOCK_BYTES = MIB
"""Unit in which a sealed body is read again after it was verified."""
_GCM_FIRST_BLOCK = 2  # SP 800-38D, 7.1: counter 1 makes the tag, data begins at counter 2
_AES_BLOCK = 16
_AHEAD = 2
"""Blocks that are read before they are asked for."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SealParameters:
    """What besides the passphrase it takes to derive the key and to decrypt."""

    salt: bytes
    iv: bytes
    iterations: int = ITERATIONS

    @classmethod
    def fresh(cls) -> SealParameters:
        """Random salt and IV. Each sealing takes its own; none is ever kept for a later run."""
        return cls(salt=os.urandom(SALT_BYTES), iv=os.urandom(IV_BYTES))


def passphrase_bytes(passphrase: str) -> bytes:
    """UTF-8, not normalised; lone surrogates become U+FFFD as in a browser's ``TextEncoder``."""
    return passphrase.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def derive_key(passphrase: str, parameters: SealParameters) -> bytes:
    """The 32-byte key of one archive. Takes a good part of a second, on purpose."""
    kdf = PBKDF2HMAC(algorithm=SHA256(), length=32, salt=parameters.salt, iterations=parameters.iterations)
    return kdf.derive(passphrase_bytes(passphrase))


class SealingStream:
    """Encrypts what is written to it and hands the ciphertext on.

    ``write`` and :meth:`finish` pass ciphertext to ``sink``; nothing else leaves. Raises :class:`UsageError` beyond the
    64 GiB that one GCM message may have.
    """

    def __init__(self, key: bytes, iv: bytes, sink: Callable[[bytes], object], limits: Limits = DEFAULT_LIMITS) -> None:
        self._encryptor = Cipher(AES(key), GCM(iv)).encryptor()
        self._sink = sink
        self._limit = limits.sealed_body_bytes
        self._plaintext_hash = hashlib.sha256()
        self._ciphertext_hash = hashlib.sha256()
        self.plaintext_bytes = 0

    def write(self, plaintext: bytes) -> int:
        """Seal some more bytes."""
        self.plaintext_bytes += len(plaintext)
        if self.plaintext_bytes > self._limit:
            raise UsageError(
                "a sealed archive ends at 64 GiB", hint="export fewer apps at a time with --app, or without --seal"
            )
        self._plaintext_hash.update(plaintext)
        ciphertext = self._encryptor.update(plaintext)
        self._ciphertext_hash.update(ciphertext)
        self._sink(ciphertext)
        return len(plaintext)

    def finish(self) -> tuple[str, str]:
        """Write the tag; (``plaintextSha256``, ``sealedSha256``) in lower-case hex."""
        self._encryptor.finalize()
        self._ciphertext_hash.update(self._encryptor.tag)
        self._sink(self._encryptor.tag)
        return self._plaintext_hash.hexdigest(), self._ciphertext_hash.hexdigest()


class ByteSource(Protocol):
    """Bytes at any place, without a position: files and sealed bodies alike."""

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    def read_at(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``, fewer at the end."""
        ...


class ReadAhead(Protocol):
    """Makes items before they are asked for, ``most`` at a time."""

    def __call__(self, items: Iterator[_T], *, most: int) -> Iterator[_T]: ...


class SealedBody:
    """The plaintext of a sealed body, readable at any place once it is verified.

    ``sealed`` is the ciphertext with the tag at its end. Use: :meth:`verify_ciphertext`, :meth:`unlock`, then
    :attr:`size` and :meth:`read_at`. With ``ahead`` blocks are read while others are hashed and decrypted. A block that
    has changed since the verification raises :class:`DamagedArchiveError` and is not decrypted. Memory: 32 bytes for
    each MiB, and a few blocks.
    """

    _KEPT_BLOCKS = 4

    def __init__(self, sealed: ByteSource, ahead: ReadAhead | None = None) -> None:
        if sealed.size < TAG_BYTES:
            raise DamagedArchiveError("cut off", code="truncated", where="data.sealed")
        self._sealed = sealed
        self._read_ahead = ahead
        self.size = sealed.size - TAG_BYTES
        self._whole = b""
        self._block_hashes: list[bytes] = []
        self._tag = b""
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._key = b""
        self._iv = b""
        self.plaintext_sha256 = ""

    def verify_ciphertext(self, sealed_sha256: str | None, told: Callable[[bytes], object] | None = None) -> None:
        """Read everything once and compare it with ``sealedSha256`` where there is one.

        ``told`` is given all that was read: what is used later is that, and nothing else. Needs no key. Raises
        :class:`DamagedArchiveError`.
        """
        whole = hashlib.sha256()
        for block in self._ahead(map(self._ciphertext, range(self._block_count()))):
            whole.update(block)
            if told is not None:
                told(block)
        tag = self._read_tag()
        whole.update(tag)
        if told is not None:
            told(tag)
        if sealed_sha256 is not None and whole.hexdigest() != sealed_sha256:
            raise DamagedArchiveError(
                "damaged: its SHA-256 is not the manifest's", code="sealedSha256", where="data.sealed"
            )
        self._whole, self._tag = whole.digest(), tag

    def unlock(self, key: bytes, iv: bytes) -> None:
        """Verify the tag under ``key``, remember each block's hash, and compute :attr:`plaintext_sha256`.

        Nothing decrypted is kept. Raises :class:`WrongPassphraseError` when the tag does not fit,
        :class:`DamagedArchiveError` when the file changed meanwhile.
        """
        if self._read_tag() != self._tag:
            raise _changed()
        decryptor = Cipher(AES(key), GCM(iv, self._tag)).decryptor()
        plaintext_hash = hashlib.sha256()
        hashes: list[bytes] = []
        for block, block_hash in self._ahead(map(self._hashed, range(self._block_count()))):
            hashes.append(block_hash)
            plaintext_hash.update(decryptor.update(block))
        self._block_hashes = hashes
        try:
            decryptor.finalize()
        except InvalidTag:
            self._refuse_changes()
            raise WrongPassphraseError("wrong passphrase") from None
        self.plaintext_sha256 = plaintext_hash.hexdigest()
        self._key, self._iv = key, iv

    def read_at(self, offset: int, count: int) -> bytes:
        """Plaintext of a verified body. Raises :class:`DamagedArchiveError` if the file changed since."""
        if not self._key:
            raise RuntimeError("unlock the body first")
        end = min(offset + count, self.size)
        if end <= offset:
            return b""
        first, last = offset // BLOCK_BYTES, (end - 1) // BLOCK_BYTES
        start = offset - first * BLOCK_BYTES
        if first == last:
            return self._plaintext(first)[start : end - first * BLOCK_BYTES]
        parts = b"".join(self._plaintext(index) for index in range(first, last + 1))
        return parts[start : end - first * BLOCK_BYTES]

    def _block_count(self) -> int:
        return -(-self.size // BLOCK_BYTES)

    def _ciphertext(self, index: int) -> bytes:
        offset = index * BLOCK_BYTES
        count = min(BLOCK_BYTES, self.size - offset)
        block = self._sealed.read_at(offset, count)
        if len(block) != count:
            raise DamagedArchiveError("cut off", code="truncated", where="data.sealed")
        return block

    def _hashed(self, index: int) -> tuple[bytes, bytes]:
        block = self._ciphertext(index)
        return block, hashlib.sha256(block).digest()

    def _checked(self, index: int) -> bytes:
        block, block_hash = self._hashed(index)
        if block_hash != self._block_hashes[index]:
            raise _changed()
        return block

    def _read_tag(self) -> bytes:
        tag = self._sealed.read_at(self.size, TAG_BYTES)
        if len(tag) != TAG_BYTES:
            raise DamagedArchiveError("cut off", code="truncated", where="data.sealed")
        return tag

    def _refuse_changes(self) -> None:
        """Whether what did not open is what was verified."""
        whole = hashlib.sha256()
        for index in range(self._block_count()):
            whole.update(self._checked(index))
        whole.update(self._tag)
        if whole.digest() != self._whole:
            raise _changed()

    def _ahead(self, blocks: Iterator[_T]) -> Iterator[_T]:
        if self._read_ahead is None or self._block_count() <= _AHEAD:
            return blocks
        return self._read_ahead(blocks, most=_AHEAD)

    def _plaintext(self, index: int) -> bytes:
        block = self._blocks.get(index)
        if block is None:
            counter = _GCM_FIRST_BLOCK + index * (BLOCK_BYTES // _AES_BLOCK)
            decryptor = Cipher(AES(self._key), CTR(self._iv + counter.to_bytes(4, "big"))).decryptor()
            block = decryptor.update(self._checked(index))
            self._blocks[index] = block
            if len(self._blocks) > self._KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(index)
        return block


def _changed() -> DamagedArchiveError:
    return DamagedArchiveError("changed while it was read", code="changed", where="data.sealed")
