"""``https://``: archives on any web server that gives parts of files. They are read, and never written.

A redirect is followed, with nothing but the address: a link to a release leads to another host.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from urllib.parse import urldefrag, urljoin

from ..archive.places import Output, State
from ..errors import ServerError, UsageError
from ..remote.answers import RedirectedError
from ..remote.request import Request
from ..remote.transport import Transport
from .addresses import Address
from .asking import Connect, ranged, refusal
from .far import FarPlace
from .logins import HINT, authorization
from .ranges import RangedBytes

_MOST_REDIRECTS = 5


class WebPlace(FarPlace):
    """An archive on a web server."""

    def __init__(self, address: Address, connect: Connect = Transport) -> None:
        super().__init__(address)
        self._connect = connect

    def open(self) -> RangedBytes:
        """The archive, by ranges. Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        address = self._address
        headers = authorization(address, with_variable=False)
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                transport = self._connect(f"{address.scheme}://{address.authority}")
            except UsageError as error:
                if address is self._address:
                    raise
                raise ServerError(f"{self}: redirects to what cannot be asked: {error.message}") from None
            try:
                return ranged(
                    transport,
                    partial(_request, address, headers),
                    str(self),
                    partial(refusal, shown=str(self), login=HINT),
                )
            except RedirectedError as redirected:
                transport.close()
                address = self._further(address, redirected.location)
                headers = {}
            except BaseException:
                transport.close()
                raise
        raise ServerError(f"{self}: redirected again and again")

    def _further(self, address: Address, location: str) -> Address:
        try:
            found = urldefrag(urljoin(f"{address.scheme}://{address.authority}{address.url_path}", location)).url
            further = Address.parse(found)
        except (UsageError, ValueError):
            raise ServerError(f"{self}: redirects to what is no page") from None
        if further.scheme not in ("https", "http") or (further.scheme, address.scheme) == ("http", "https"):
            raise ServerError(f"{self}: redirects to what is no page, or is not encrypted") from None
        return further

    def writing(self, *, force: bool) -> AbstractContextManager[Output]:
        """Raises :class:`UsageError`."""
        raise self._read_only()

    def state(self) -> State | None:
        """Raises :class:`UsageError`: who asks wants to write."""
        raise self._read_only()

    def remove(self) -> None:
        """Raises :class:`UsageError`."""
        raise self._read_only()

    def _read_only(self) -> UsageError:
        return UsageError(f"{self}: archives are read from there, not written", hint="davs:// writes to WebDAV servers")


def _request(address: Address, login: Mapping[str, str], headers: Mapping[str, str]) -> Request:
    return Request("GET", address.url_path, query=address.query, headers={**login, **headers})
