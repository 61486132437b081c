"""How the account service proves who somebody is: passwords, one-time codes, signed cookie values, opaque ids."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import string
from urllib.parse import quote, unquote

_ALPHANUMERIC = string.ascii_letters + string.digits
_NANO = _ALPHANUMERIC + "_-"
# Cheap on purpose: the passwords are invented, and tests sign in by the hundred.
_SCRYPT = {"n": 2**4, "r": 8, "p": 1, "dklen": 32}
_STEP_S = 30
_DIGITS = 6
_SIGNATURE_CHARS = 44


def opaque_id(length: int = 32) -> str:
    """Ids and tokens as the service draws them: letters and digits."""
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(length))


def nano_id() -> str:
    """Ids of what the service makes by itself, such as personal spaces: 21 characters of base64url's alphabet."""
    return "".join(secrets.choice(_NANO) for _ in range(21))


# --- passwords --------------------------------------------------------------------------------------------------------


def hash_password(password: str) -> str:
    """Salt and scrypt hash (RFC 7914) in hex."""
    salt = os.urandom(8)
    return f"{salt.hex()}:{_scrypt(password, salt).hex()}"


def password_matches(password: str, stored: str) -> bool:
    """Whether ``stored`` is the hash of ``password``."""
    salt, _, expected = stored.partition(":")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)).hex(), expected)


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, **_SCRYPT)


# --- one-time codes ---------------------------------------------------------------------------------------------------


def totp_secret() -> str:
    """A new shared secret in base32 without padding, as authenticator apps take it: of 32 letters and digits."""
    return base64.b32encode(opaque_id().encode()).decode().rstrip("=")


def totp(secret: str, at_s: float) -> str:
    """The code of ``secret`` (base32) at a time in seconds since 1970 (RFC 6238: SHA-1, six digits, 30 seconds)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, int(at_s // _STEP_S).to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**_DIGITS).zfill(_DIGITS)


def totp_matches(code: str, secret: str, at_s: float) -> bool:
    """Whether ``code`` is the one of now or of the window before or after; the same one may come again."""
    return any(code == totp(secret, at_s + window * _STEP_S) for window in (-1, 0, 1))


def backup_codes() -> list[str]:
    """Ten codes of the form ``omaPa-3yi4S``."""
    return [f"{opaque_id(5)}-{opaque_id(5)}" for _ in range(10)]


# --- signed cookie values ---------------------------------------------------------------------------------------------


def sign_value(value: str, secret: bytes) -> str:
    """A cookie's value on the wire: ``value.base64(HMAC-SHA256)``, percent-encoded."""
    return quote(f"{value}.{_signature(value, secret)}", safe="!'()*-._~")


def signed_value(wire: str, secret: bytes) -> str | None:
    """The value that was signed, or None when the signature is not ours. Takes the decoded and the quoted form too."""
    value, _, signature = unquote(wire.strip().strip('"')).rpartition(".")
    if len(signature) != _SIGNATURE_CHARS or not signature.isascii():
        return None
    return value if hmac.compare_digest(signature, _signature(value, secret)) else None


def _signature(value: str, secret: bytes) -> str:
    return base64.b64encode(hmac.digest(secret, value.encode("utf-8", "surrogatepass"), "sha256")).decode()
