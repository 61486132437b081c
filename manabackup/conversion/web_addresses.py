"""Addresses that somebody typed, as links that a browser opens as pages."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from ..text.jsontext import JSON

_SCHEMES: Final = frozenset(("http", "https", "ftp"))
"""Others would run a script, or lead into this machine."""
_DROPPED = re.compile("[\t\r\n]")
_ESCAPED = re.compile('[\x00-\x20\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff"<>]')
_WITHOUT_SCHEME = re.compile(r"[^\s/:?#@]+\.[^\s/:?#@.]{2,}(:\d+)?([/?#].*)?")


def web_address(value: JSON) -> str | None:
    """An address of the web; None for what is none.

    Line breaks and tabs are dropped, and characters that no address holds are escaped, both as browsers do (URL
    Standard, 4.4). A name of a host without a scheme gets one.
    """
    if not isinstance(value, str):
        return None
    text = _ESCAPED.sub(_escaped, _DROPPED.sub("", value.strip()))
    if _WITHOUT_SCHEME.fullmatch(text):
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        is_one = parts.scheme.lower() in _SCHEMES and bool(parts.hostname)
    except ValueError:
        return None
    return text if is_one else None


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace"))
