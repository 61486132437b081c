"""Which columns look like secrets by their names. What looks so is left out by name, or allowed by name."""

from __future__ import annotations

import re
from itertools import pairwise

_WORDS = frozenset(
    (
        "credential", "credentials", "hash", "otp", "passcode", "passphrase", "passwd", "password",
        "passwords", "pin", "pwd", "recovery", "salt", "secret", "secrets", "token", "tokens", "totp",
    )
)  # fmt: skip
_PAIRS = frozenset({("api", "key"), ("backup", "code"), ("backup", "codes"), ("private", "key"), ("session", "state")})
_PARTS = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def looks_secret(column: str) -> bool:
    """Whether a name has a word of a secret's in it: ``refreshTokenHash``, ``private_key``, ``OTP``.

    >>> looks_secret("passphrase_salt"), looks_secret("hashtag")
    (True, False)
    """
    words = [word.lower() for word in _PARTS.findall(column)]
    return not _WORDS.isdisjoint(words) or not _PAIRS.isdisjoint(pairwise(words))
