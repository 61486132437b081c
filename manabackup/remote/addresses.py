"""Files at addresses that somebody wrote down: links to an object store, and pages of strangers.

Such an address may name a host inside of somebody's network. Unless that is allowed, the host's addresses are looked at
before one of them is connected to, and after every redirect anew. No token, cookie or referrer goes along.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urljoin, urlsplit

from ..errors import UsageError
from ..limits import DEFAULT_LIMITS, Limits
from .answers import Answer, RedirectedError
from .media import FileUnavailableError, Upload
from .request import Request
from .transport import Receive, Transport

_MOST_REDIRECTS = 5
_MOST_HOSTS = 16
"""Hosts to which connections are kept."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, whichever way it is wrapped into another."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def is_inside(url: str) -> bool:
    """Whether a server that its owner named is none of the open internet: then what it links to may be beside it."""
    try:
        host = urlsplit(url).hostname or ""
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return False
    return any(not is_public(str(place[0])) for *_, place in found)


class AddressClient:
    """Gets files from any host, and puts some there. Safe to share between threads.

    ``addresses`` says which IP addresses may be connected to; None allows all. ``seconds`` is how long a file may take,
    without it one that comes along may take any time.
    """

    def __init__(
        self,
        *,
        addresses: Callable[[str], bool] | None = is_public,
        limits: Limits = DEFAULT_LIMITS,
        seconds: float | None = None,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._addresses = addresses
        self._limits = limits
        self._seconds = seconds
        self._sleep = sleep
        self._lock = threading.Lock()
        self._hosts: OrderedDict[str, _Host] = OrderedDict()

    def close(self) -> None:
        """Closes all connections."""
        with self._lock:
            for host in self._hosts.values():
                host.transport.close()
            self._hosts.clear()

    def download(self, url: str, receive: Receive, *, redirects: int = _MOST_REDIRECTS) -> Answer:
        """The file at an address; ``redirects`` are followed, so many.

        Raises :class:`FileUnavailableError`, :class:`ServerError`.
        """
        for _ in range(redirects + 1):
            origin, request = _taken_apart(url)
            try:
                with self._lent(origin) as transport:
                    answer = transport.request(request, receive=receive, seconds=self._seconds)
            except RedirectedError as redirected:
                url = urljoin(url, redirected.location)
                continue
            if answer.status != 200:
                raise FileUnavailableError(f"{answer.source}: {answer.status}", reason=str(answer.status))
            return answer
        raise FileUnavailableError("redirected again and again", reason="redirects")

    def put(self, url: str, upload: Upload) -> None:
        """Puts a file to a signed link; it may be there already. Raises as :meth:`download`."""
        origin, request = _taken_apart(url)
        headers = {"Content-Type": upload.told_type, "Content-Length": str(upload.size)}
        sent = replace(request, method="PUT", headers=headers, body=_Content(upload))
        with self._lent(origin) as transport:
            answer = transport.request(sent, seconds=self._seconds)
        if not 200 <= answer.status < 300:
            raise FileUnavailableError(f"{answer.source}: {answer.status}", reason=str(answer.status))

    @contextmanager
    def _lent(self, origin: str) -> Iterator[Transport]:
        """Connections to a host; those to the host that was asked longest ago are closed, unless they are in use."""
        with self._lock:
            host = self._hosts.pop(origin, None) or self._host(origin)
            self._hosts[origin] = host
            host.users += 1
            idle = [name for name, other in self._hosts.items() if not other.users]
            for name in idle[: max(0, len(self._hosts) - _MOST_HOSTS)]:
                self._hosts.pop(name).transport.close()
        try:
            yield host.transport
        finally:
            with self._lock:
                host.users -= 1

    def _host(self, origin: str) -> _Host:
        try:
            return _Host(Transport(origin, limits=self._limits, addresses=self._addresses, sleep=self._sleep))
        except UsageError as error:  # http:// to another computer
            raise FileUnavailableError(error.message, reason="not encrypted") from None


@dataclass(slots=True)
class _Host:
    transport: Transport
    users: int = 0


@dataclass(frozen=True, slots=True)
class _Content:
    """What an upload has, from its beginning each time it is sent."""

    upload: Upload

    def __iter__(self) -> Iterator[bytes]:
        return self.upload.chunks()


def _taken_apart(url: str) -> tuple[str, Request]:
    """Where an address leads, and what to ask there."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port
    except (ValueError, UnicodeError):
        raise FileUnavailableError("not an address", reason="address") from None
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.password:
        raise FileUnavailableError("not an address that can be asked", reason="address")
    host = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
    return origin, Request("GET", parts.path or "/", query=parts.query)


def upgraded(url: str) -> str:
    """An address with encryption where it had none, as browsers do with pictures in encrypted pages."""
    if not url.lower().startswith("http://"):
        return url
    try:
        host = urlsplit(url).hostname or ""
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    return url if loopback else f"https{url[4:]}"
