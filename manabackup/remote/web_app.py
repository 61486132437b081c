"""Where the other servers are, as the web app's own pages say: in a script at their top."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from ..errors import JSONTextError, ServerError
from ..limits import MIB
from ..text import jsontext
from .answers import RedirectedError
from .request import Request
from .transport import Transport

_MOST_BYTES = MIB
_MOST_REDIRECTS = 3
_SETTING = rb'window\.__PUBLIC_MANA_%b_URL__\s*=\s*("(?:[^"\\]|\\.)*")'


class ServiceAddresses(NamedTuple):
    """Addresses of servers, as the web app has them; None where it has none."""

    media: str | None
    api: str | None


def service_addresses(web_app: Transport) -> ServiceAddresses:
    """What the web app's first page says. Raises :class:`ServerError`."""
    path = "/"
    for _ in range(_MOST_REDIRECTS + 1):
        try:
            page = web_app.request(Request("GET", path), receive=_beginning)
        except RedirectedError as redirected:
            parts = urlsplit(urljoin(web_app.base_url + path, redirected.location))
            if f"{parts.scheme}://{parts.netloc}" != web_app.origin:
                raise
            path = parts.path or "/"
            continue
        if page.status != 200:
            raise page.error()
        return ServiceAddresses(_setting(page.body, b"MEDIA"), _setting(page.body, b"API"))
    raise ServerError(f"{web_app.host}: redirects again and again")


def _beginning(pieces: Iterator[bytes]) -> bytes:
    """The first part of a page; the rest is read and not kept."""
    kept = bytearray()
    for piece in pieces:
        if len(kept) < _MOST_BYTES:
            kept += piece
    return bytes(kept)


def _setting(page: bytes, name: bytes) -> str | None:
    match = re.search(_SETTING % name, page)
    try:
        value = jsontext.parse(match[1]) if match is not None else None
    except JSONTextError:
        return None
    return value if isinstance(value, str) and value else None
