"""Base64 as browsers read it."""

from __future__ import annotations

import binascii
import re

_ASCII_BLANKS = re.compile("[\t\n\f\r ]+")
_ALPHABET = re.compile("[A-Za-z0-9+/]*")


def forgiving_decode(text: str) -> bytes:
    """The bytes of a base64 text (WHATWG Infra, "forgiving-base64 decode").

    Padding may be missing, never too much; ASCII blanks are passed over. Raises :class:`ValueError`.
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        pass  # not canonical: read it as the browser would
    text = _ASCII_BLANKS.sub("", text)
    if len(text) % 4 == 0:
        text = text.removesuffix("=").removesuffix("=") if text.endswith("==") else text.removesuffix("=")
    if len(text) % 4 == 1 or _ALPHABET.fullmatch(text) is None:
        raise ValueError("not base64")
    return binascii.a2b_base64(text + "=" * (-len(text) % 4))
