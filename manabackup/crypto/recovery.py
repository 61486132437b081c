"""Recovery codes: the 32 bytes on paper that open a zero-knowledge vault.

Wrap key = HKDF-SHA256 (RFC 5869) of the 32 bytes, empty salt, info ``mana-recovery-v1``; the master key is wrapped with
AES-256-GCM, no associated data. Source: ``formats/mana-v2.md``, "Recovery codes".
"""

from __future__ import annotations

import base64
import os
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..errors import WrongRecoveryCodeError
from .base64text import forgiving_decode
from .keys import KEY_BYTES

SECRET_BYTES = 32
_INFO = b"mana-recovery-v1"
# What the web app's parser drops: ECMAScript's white space and line ends, and dashes.
_SEPARATORS = re.compile("[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff-]+")
_NO_DIGIT = re.compile("[^0-9A-Fa-f]")
_WRONG = "wrong recovery code or corrupted vault"


def recovery_code_flaw(text: str) -> str | None:
    """What keeps a text from being a recovery code, as a predicate that quotes nothing of it; None for a code."""
    digits = _SEPARATORS.sub("", text)
    others = len(_NO_DIGIT.findall(digits))
    if others:
        return f"holds {others} character{'s' if others > 1 else ''} other than 0 to 9 and A to F"
    if len(digits) != 2 * SECRET_BYTES:
        return f"has {len(digits)} digits in place of {2 * SECRET_BYTES}"
    return None


def parse_recovery_code(text: str) -> bytes:
    """The 32 bytes of a recovery code, in any case, with blanks and dashes anywhere.

    Raises :class:`WrongRecoveryCodeError` when it is malformed; the message does not say where.
    """
    if recovery_code_flaw(text) is not None:
        raise WrongRecoveryCodeError(
            "malformed recovery code", hint="a recovery code is 64 hex digits, shown as 16 groups of 4"
        )
    return bytes.fromhex(_SEPARATORS.sub("", text))


def format_recovery_code(secret: bytes) -> str:
    """A recovery code as the web app shows it: 16 groups of 4 upper-case hex digits joined by ``-``."""
    if len(secret) != SECRET_BYTES:
        raise ValueError("a recovery secret has 32 bytes")
    digits = secret.hex().upper()
    return "-".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def unwrap_master_key(secret: bytes, wrapped: str, iv: str) -> bytes:
    """The master key from ``recoveryWrappedMk`` and ``recoveryIv`` (base64) of a zero-knowledge vault.

    Raises :class:`WrongRecoveryCodeError` alike for a wrong code and for a damaged vault: the two cannot be told apart.
    """
    try:
        master_key = AESGCM(_wrap_key(secret)).decrypt(forgiving_decode(iv), forgiving_decode(wrapped), None)
    except (InvalidTag, ValueError):
        raise WrongRecoveryCodeError(_WRONG) from None
    if len(master_key) != KEY_BYTES:
        raise WrongRecoveryCodeError(_WRONG)
    return master_key


def wrap_master_key(secret: bytes, master_key: bytes) -> tuple[str, str]:
    """(``recoveryWrappedMk``, ``recoveryIv``) as the vault stores them: standard base64 with padding."""
    iv = os.urandom(12)
    wrapped = AESGCM(_wrap_key(secret)).encrypt(iv, master_key, None)
    return base64.b64encode(wrapped).decode(), base64.b64encode(iv).decode()


def _wrap_key(secret: bytes) -> bytes:
    if len(secret) != SECRET_BYTES:
        raise ValueError("a recovery secret has 32 bytes")
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_INFO).derive(secret)
