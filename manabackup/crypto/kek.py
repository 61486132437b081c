"""The key of those who run Mana (``MANA_AUTH_KEK``), under which a standard vault has the account's master key.

AES-256-GCM, no associated data: 32 bytes and a tag of 16, IV of 12 bytes; key, IV and ciphertext in base64.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import SourceError, WrongKeyError
from .keys import KEY_BYTES

_IV_BYTES = 12
_TAG_BYTES = 16


def parse_kek(data: bytes) -> bytes:
    """A KEK as the server's environment has it: base64 of 32 bytes. Raises :class:`WrongKeyError`, quoting nothing."""
    key = _decoded(data.decode("ascii", "replace").strip())
    if len(key) != KEY_BYTES:
        raise WrongKeyError("not a KEK", hint="MANA_AUTH_KEK is base64 of 32 bytes")
    return key


def unwrap(kek: bytes, wrapped: str, iv: str) -> bytes:
    """The master key of a standard vault, whose ``wrapped_mk`` and ``wrap_iv`` these are.

    Raises :class:`SourceError` for what no key opens, because it has not the form, and :class:`WrongKeyError` where the
    KEK does not open what has it.
    """
    ciphertext, nonce = _decoded(wrapped), _decoded(iv)
    if len(ciphertext) != KEY_BYTES + _TAG_BYTES or len(nonce) != _IV_BYTES:
        raise SourceError("the vault's wrapped key is damaged: it has not the form of one")
    try:
        return AESGCM(kek).decrypt(nonce, ciphertext, None)
    except InvalidTag:
        raise WrongKeyError(
            "wrong key: the KEK does not open the vault", hint="kek_id names the KEK that a vault was made with"
        ) from None


def wrap(kek: bytes, master_key: bytes, iv: bytes) -> tuple[str, str]:
    """``wrapped_mk`` and ``wrap_iv`` of a vault."""
    return base64.b64encode(AESGCM(kek).encrypt(iv, master_key, None)).decode(), base64.b64encode(iv).decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
