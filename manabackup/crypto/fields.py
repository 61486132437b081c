"""Encrypted field values: ``enc:1:`` + base64(IV) + ``.`` + base64(ciphertext ‖ tag).

AES-256-GCM (NIST SP 800-38D) under the account's master key, a random 12-byte IV, no associated data. The plaintext is
the UTF-8 JSON text of the value. Source: ``formats/mana-v2.md``, "Encrypted values".
"""

from __future__ import annotations

import binascii
import os
import re
from collections import deque
from typing import NamedTuple, TypeGuard

import pybase64
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import FieldDecryptionError, JSONTextError, WrongKeyError
from ..text import jsontext
from . import keys
from .base64text import forgiving_decode

PREFIX = "enc:1:"
IV_BYTES = 12
TAG_BYTES = 16
_USUAL_DOT = len(PREFIX) + IV_BYTES * 4 // 3
_FORM = re.compile(f"{PREFIX}[A-Za-z0-9+/]{{{IV_BYTES * 4 // 3}}}\\.([A-Za-z0-9+/]{{23,}})(={{0,2}})")
"""No plaintext has fewer than one byte, which is 17 with the tag: 23 characters without the padding."""
_DRAWN = 512
"""IVs that are drawn at a time: asking the system for one takes longer than to encrypt a short value."""
_ivs: deque[bytes] = deque()
# A forked process must not use what its parent will use.
os.register_at_fork(after_in_child=_ivs.clear)


class OpenedValue(NamedTuple):
    """What stood inside an encrypted value."""

    text: bytes
    """One JSON value in its writer's own text, fit to be spliced into a JSON line."""
    repaired: bool
    """Bytes that are not UTF-8 became U+FFFD, as in the web app."""


def may_be_encrypted(value: object) -> TypeGuard[str]:
    """Whether a value begins like an encrypted one, as the web app tells them apart. Text may begin so, too."""
    return type(value) is str and value.startswith(PREFIX)


def is_encrypted(value: object) -> TypeGuard[str]:
    """Whether a value has the whole form of an encrypted one, in a spelling that some writer uses.

    What has it may still be text that somebody typed; what has it not is text, unless a key opens it: readers take
    other spellings, too. Other version prefixes count as plaintext.
    """
    form = _FORM.fullmatch(value) if may_be_encrypted(value) else None
    if form is None:
        return False
    over = len(form[1]) % 4
    return over != 1 and len(form[2]) in (0, -over % 4)


class FieldCipher:
    """Opens and encrypts field values under one master key. Safe to share between threads."""

    __slots__ = ("_aead", "fingerprint", "store_key")

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != keys.KEY_BYTES:
            raise WrongKeyError("a master key has 32 bytes")
        self._aead = AESGCM(master_key)
        self.fingerprint: str = keys.fingerprint(master_key)
        self.store_key: bytes = keys.store_key(master_key)
        """Of the store of fetched files on this computer."""

    def open(self, value: str) -> OpenedValue:
        """The JSON text inside ``value``.

        Raises :class:`FieldDecryptionError`: ``malformed`` when the parts are no base64 or too short, ``key`` when the
        tag does not fit (another key, or damage: the two cannot be told apart), ``json`` when the plaintext is no JSON.
        """
        try:
            # As every writer writes it: 12 bytes of IV are 16 characters.
            if value[_USUAL_DOT] != ".":
                raise ValueError
            iv = binascii.a2b_base64(value[len(PREFIX) : _USUAL_DOT], strict_mode=True)
            ciphertext = pybase64.b64decode(value[_USUAL_DOT + 1 :], validate=True)
        except (ValueError, IndexError):
            iv, ciphertext = split(value)
        return OpenedValue(*self.open_parts(iv, ciphertext))

    def open_parts(self, iv: bytes, ciphertext: bytes) -> tuple[bytes, bool]:
        """:meth:`open` for a value that is taken apart; the tag is behind the ciphertext.

        Text and ``repaired``, for those who open many, in a plain tuple.
        """
        if not iv or len(ciphertext) < TAG_BYTES:
            raise FieldDecryptionError("IV or ciphertext is too short", reason="malformed")
        try:
            plaintext = self._aead.decrypt(iv, ciphertext, None)
        except InvalidTag:
            raise FieldDecryptionError("does not open under this key", reason="key") from None
        except ValueError:  # a length that no writer uses and the library refuses
            raise FieldDecryptionError("IV of an unusual length", reason="malformed") from None
        try:
            return jsontext.value_text(plaintext)
        except JSONTextError:
            raise FieldDecryptionError("the plaintext is not JSON", reason="json") from None

    def decrypt(self, value: str) -> bytes:
        """:meth:`open` for callers that do not report repairs."""
        return self.open(value).text

    def encrypt(self, json_text: bytes) -> str:
        """``json_text`` as an encrypted value with a fresh random IV."""
        return encrypt_with_iv(self._aead, _fresh_iv(), json_text)


def _fresh_iv() -> bytes:
    """An IV that was given to nobody before: random bytes, drawn for many values at a time."""
    while True:
        try:
            return _ivs.popleft()  # in one step, whatever other threads do
        except IndexError:
            drawn = os.urandom(IV_BYTES * _DRAWN)
            _ivs.extend(drawn[at : at + IV_BYTES] for at in range(0, len(drawn), IV_BYTES))


def split(value: str) -> tuple[bytes, bytes]:
    """IV, and ciphertext with its tag, of an encrypted value in any spelling that the web app reads.

    Raises :class:`FieldDecryptionError` (``malformed``).
    """
    iv_text, dot, ciphertext_text = value[len(PREFIX) :].partition(".")
    if not dot:
        raise FieldDecryptionError("no separator between IV and ciphertext", reason="malformed")
    try:
        return forgiving_decode(iv_text), forgiving_decode(ciphertext_text)
    except ValueError:
        raise FieldDecryptionError("IV or ciphertext is not base64", reason="malformed") from None


def encrypt_with_iv(aead: AESGCM, iv: bytes, json_text: bytes) -> str:
    """One encrypted value. An IV must never serve twice under one key; :meth:`FieldCipher.encrypt` sees to that."""
    return encrypted_value(iv, aead.encrypt(iv, json_text, None))


def encrypted_value(iv: bytes, ciphertext: bytes) -> str:
    """The value that :func:`split` takes apart, in the spelling that every writer uses."""
    return f"{PREFIX}{pybase64.b64encode_as_string(iv)}.{pybase64.b64encode_as_string(ciphertext)}"
