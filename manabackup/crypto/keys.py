"""The account's master key: 32 bytes, from a vault or from a key file."""

from __future__ import annotations

import base64
import binascii
import hmac
import re

from ..errors import WrongKeyError

KEY_BYTES = 32
_FINGERPRINT_CONTEXT = b"manabackup key fingerprint v1"
_STORE_CONTEXT = b"manabackup file store v1"
_BOM = b"\xef\xbb\xbf"
_TEXT = re.compile(rb"[0-9A-Za-z+/_=-]{30,}[\r\n]*")
_HEX = re.compile(rb"[0-9A-Fa-f]{64}")


def parse_master_key(data: bytes) -> bytes:
    """A master key as a key file holds it: 32 raw bytes, 64 hex digits, or base64 of either alphabet.

    Raises :class:`WrongKeyError` for anything else, without quoting it; also for 32 bytes that are digits of hex or
    base64: half a key. A random key is such a text less than once in 10^18 times.
    """
    if len(data) == KEY_BYTES:
        if _TEXT.fullmatch(data):
            raise WrongKeyError(
                "not a master key: 32 digits of hex or base64", hint="a key in hex has 64 digits, and one in base64 44"
            )
        return data
    text = data.removeprefix(_BOM).strip()
    if _HEX.fullmatch(text):
        return bytes.fromhex(text.decode())
    try:
        key = base64.b64decode(text.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise WrongKeyError("not a master key", hint="a key is 32 raw bytes, 64 hex digits, or base64 of 32 bytes")
    return key


def fingerprint(master_key: bytes) -> str:
    """Sixteen hex digits that name a key without telling it (``formats/mana-v2.md``, ``keyFingerprint``)."""
    return hmac.digest(master_key, _FINGERPRINT_CONTEXT, "sha256").hex()[:16]


def store_key(master_key: bytes) -> bytes:
    """The key of the store of fetched files (:mod:`.stored`), which tells nothing of the master key."""
    return hmac.digest(master_key, _STORE_CONTEXT, "sha256")
