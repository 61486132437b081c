"""Fetched files as they lie on the disk: encrypted, under names that tell nothing.

Two keys are derived from the store's. A file is 16 random bytes and then AES-256-CTR of its content, whose first
counter they are: what a file must hold is known by its SHA-256, so no tag is needed to find damage. What is known of it
is AES-256-GCM, bound to its place. Names are HMAC-SHA256, so that nobody can look whether a known file is there.
"""

from __future__ import annotations

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

HEAD_BYTES = 16
"""What a stored file is longer than its content."""
_IV_BYTES = 12
_CONTENT, _NOTES, _NAMES = b"content", b"notes", b"names"


class StoreCipher:
    """Encrypts and names what a store holds. Safe to share between threads."""

    def __init__(self, key: bytes) -> None:
        self._content = AES(_derived(key, _CONTENT))
        self._notes = AESGCM(_derived(key, _NOTES))
        self._names = _derived(key, _NAMES)

    def name(self, what: str) -> bytes:
        """32 bytes that stand for ``what``."""
        return hmac.digest(self._names, what.encode("utf-8", "surrogatepass"), "sha256")

    def content(self, head: bytes) -> CipherContext:
        """Encrypts the content of the file with this head, from its beginning, and decrypts it as well."""
        return Cipher(self._content, CTR(head)).encryptor()

    def seal(self, note: bytes, place: bytes) -> bytes:
        """A note for one place."""
        iv = os.urandom(_IV_BYTES)
        return iv + self._notes.encrypt(iv, note, place)

    def open(self, sealed: bytes, place: bytes) -> bytes | None:
        """The note; None where it is damaged, or of another place or key."""
        try:
            return self._notes.decrypt(sealed[:_IV_BYTES], sealed[_IV_BYTES:], place)
        except (InvalidTag, ValueError):
            return None


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, purpose, "sha256")
