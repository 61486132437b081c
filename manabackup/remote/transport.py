"""HTTP to one server: bounded, patient, and never led elsewhere.

This is the one module that speaks HTTP. It knows nothing of Mana. Redirects are errors, cookies are the caller's, a
request has one deadline from its first byte to the last of its answer, and an answer's size is counted after
decompression. What is retried, and how, is what the web app does: network errors, 408, 429 and 5xx, with full jitter.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple, Self
from urllib.parse import quote, unquote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore2

from .. import __version__, jsontext
from ..errors import JSONTextError, ServerError, UsageError
from ..limits import DEFAULT_LIMITS, MIB, Limits
from ..printable import one_line
from .deadlines import DeadlineBackend
from .decoding import ACCEPT_ENCODING, BrokenCodingError, Room, TooLargeError, found_room, read_body

_log = logging.getLogger(__name__)
# Its debug lines quote Set-Cookie headers.
logging.getLogger("httpcore2").setLevel(logging.WARNING)

BACKOFF_FIRST = 0.5
BACKOFF_LONGEST = 8.0
LONGEST_RETRY_AFTER = 60.0
"""Seconds. A server that asks for more is not waited for: its answer goes to the caller."""

_IDLE_SECONDS = 4.0
"""A kept connection older than this is not used again; common servers close theirs after five."""
_IN_PATH = "/%:@!$&'()*+,;="
_MEMBERS_BYTES = 4 * MIB
"""Of an answer of which a single member is of interest; the longest that the services give have some thousand."""
_WORDS_BYTES = 2_000
"""Of an error's body, what is looked at for words."""
_PORTS = {"http": 80, "https": 443}
_random = random.SystemRandom().random


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a server, decompressed."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """By lower-case name; the values of a repeated one are joined by commas. Without ``set-cookie``."""
    set_cookies: list[str] = field(repr=False)
    """The values of the ``Set-Cookie`` headers."""
    body: bytes = field(repr=False)
    source: str
    """Method, host and path of the request, for messages."""
    limits: Limits = DEFAULT_LIMITS

    def json(self, *, to_rewrite: bool = False) -> jsontext.JSON:
        """The body's JSON value; ``to_rewrite`` as in :mod:`.jsontext`.

        Raises :class:`ServerError` when it is none, as :class:`UnwieldyAnswerError` when it holds too many values.
        """
        parse = jsontext.parse_to_rewrite if to_rewrite else jsontext.parse
        self.check_values()
        try:
            return parse(self.body, nesting=self.limits.nesting)
        except JSONTextError as error:
            raise ServerError(f"{self.source}: the answer is not JSON ({error.message})") from None

    def words(self) -> str:
        """What the server says, or else the status' name, in one short printable line: for messages only."""
        text = self.body[:_WORDS_BYTES].decode("utf-8", "replace")
        if "html" in self.headers.get("content-type", "") or not text.strip():
            text = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else "no words"
        elif text.startswith("{"):
            text = self.member("message") or self.member("error") or text
        return f"{self.status} {one_line(text)}"

    def member(self, name: str) -> str | None:
        """A string member of the body's JSON object, or None when there is no such thing: for error bodies."""
        if len(self.body) > _MEMBERS_BYTES:
            return None
        try:
            value = jsontext.parse(self.body, nesting=self.limits.nesting)
        except JSONTextError:
            return None
        found = value.get(name) if isinstance(value, dict) else None
        return found if isinstance(found, str) else None

    def retry_after(self) -> float | None:
        """Seconds after which the server wants to be asked again, if it says so."""
        text = self.headers.get("retry-after", self.headers.get("x-retry-after", "")).strip()
        if text.isascii() and text.isdigit() and len(text) < 10:
            return float(text)
        try:
            moment = parsedate_to_datetime(text)
            return max(0.0, moment.timestamp() - time.time())
        except (ValueError, OverflowError):
            return None

    def check_values(self) -> None:
        """Raises :class:`UnwieldyAnswerError` where the body holds more JSON values than there is memory for."""
        if self._values_at_most(self.limits.answer_values) > self.limits.answer_values:
            raise UnwieldyAnswerError(f"{self.source}: the answer has more than {self.limits.answer_values:,} values")

    def _values_at_most(self, enough: int) -> int:
        """No less than the number of JSON values in the body, counted only where there may be more than ``enough``."""
        if len(self.body) <= 2 * enough:  # a value has a character at least, and one that ends it
            return 0
        return 1 + sum(map(self.body.count, (b",", b"[", b"{")))

    def error(self) -> ServerError:
        """An error that quotes the server's words."""
        return ServerError(f"{self.source}: {self.words()}")


class UnwieldyAnswerError(ServerError):
    """An answer was larger than allowed, or did not come in time: a smaller question may well be answered."""


class Transport:
    """HTTP/1.1 connections to one origin, as many as threads ask at once. Safe to share between threads.

    ``base_url`` is ``https://host``, or ``http://`` for a loopback host, a port and a path prefix allowed. ``sleep``
    takes seconds; ``jitter`` gives numbers from 0 to 1. Proxies are taken from the environment as ``curl`` does, never
    for loopback. Raises :class:`UsageError` for any other URL.
    """

    def __init__(
        self,
        base_url: str,
        *,
        limits: Limits = DEFAULT_LIMITS,
        sleep: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = _random,
    ) -> None:
        origin = _Origin.of(base_url)
        self.host = origin.host
        """With the port, unless that is the scheme's own."""
        self.origin = f"{origin.scheme}://{origin.host}"
        """As a browser writes it into ``Origin``."""
        self.base_url = self.origin + origin.path
        self.limits = limits
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._jitter = jitter
        self._backend = DeadlineBackend()
        self._tls = _trusted() if origin.scheme == "https" else None
        self._proxy = None if origin.loopback else _proxy(self.host)
        self._lines: list[httpcore2.ConnectionPool] = []
        self._idle: list[httpcore2.ConnectionPool] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections for good. What other threads wait for ends at once with :class:`ServerError`."""
        self._closed.set()
        self._backend.interrupt()
        for line in self._lines:
            line.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        attempts: int | None = None,
        room: Room | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Sends a request, again where that may help, and gives the last answer whatever its status.

        ``path`` begins with ``/`` and is percent-encoded by the caller where it holds names. ``attempts`` is 1 for a
        request that must not be repeated; ``room`` says how large the answer may be, and is asked again while it comes;
        ``seconds`` is how long an answer may take, and one that takes longer is not asked for again. Without them the
        limits hold.

        Raises :class:`ServerError` when there was no answer, or one that cannot be used: a redirect, cut, and as
        :class:`UnwieldyAnswerError` too large or too late.
        """
        source = f"{method} {self.host}{quote(path, safe=_IN_PATH)}"
        query = "?" + urlencode(params, errors="surrogatepass") if params else ""
        url = self.base_url + quote(path, safe=_IN_PATH) + query
        allowed = attempts or self.limits.attempts
        for attempt in range(1, allowed + 1):
            answer: Answer | None = None
            try:
                answer = self._exchange(method, url, source, headers or {}, body, room, seconds)
                reason = str(answer.status)
                if attempt == allowed or not _is_passing(answer.status):
                    return answer
            except _NoAnswerError as failure:
                reason = str(failure)
                if self._closed.is_set():
                    raise ServerError(f"{source}: the connection was closed here") from None
                if attempt == allowed or (failure.late and seconds is not None):
                    kind = UnwieldyAnswerError if failure.late else ServerError
                    raise kind(f"{source}: {reason}") from None
            _log.info("%s: %s (attempt %d of %d)", source, reason, attempt, allowed)
            if not self.pause(attempt, answer) and answer is not None:
                return answer
        raise AssertionError("the last attempt returns or raises")

    def pause(self, attempt: int, answer: Answer | None = None) -> bool:
        """Waits before the attempt after the given one (counted from 1), as ``answer`` asks if it does.

        False, without waiting, when it asks for more than :data:`LONGEST_RETRY_AFTER` seconds.
        """
        asked = (answer.retry_after() if answer else None) or 0.0
        if asked > LONGEST_RETRY_AFTER:
            return False
        self._sleep(max(asked, self._jitter() * min(BACKOFF_LONGEST, BACKOFF_FIRST * 2 ** (attempt - 1))))
        if self._closed.is_set():
            raise ServerError(f"{self.host}: the connection was closed here")
        return True

    def _exchange(
        self,
        method: str,
        url: str,
        source: str,
        headers: Mapping[str, str],
        body: bytes | None,
        room: Room | None,
        seconds: float | None,
    ) -> Answer:
        sent = {
            "User-Agent": f"manabackup/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": ACCEPT_ENCODING,
            **headers,
        }
        now = time.monotonic()
        deadline = now + (seconds or self.limits.request_seconds)
        timeouts = {
            "connect": min(deadline, now + self.limits.connect_seconds),
            "write": deadline,
            "read": deadline,
            "pool": self.limits.request_seconds,  # httpcore2's own: seconds
        }
        with (
            _network_errors(),
            self._line() as line,
            line.stream(
                method, url, headers=list(sent.items()), content=body, extensions={"timeout": timeouts}
            ) as response,
        ):
            received, cookies = _headers(response.headers)
            if 300 <= response.status < 400:
                raise ServerError(
                    f"{source}: redirects to {_host_in(received.get('location', ''))}, which is not followed",
                    hint="if the server has moved, give its new address",
                )
            try:
                content = _body(response, received, room or (lambda _: self.limits.answer_bytes))
            except TooLargeError as error:
                raise UnwieldyAnswerError(f"{source}: the answer is larger than {error.allowed / MIB:g} MiB") from None
        return Answer(response.status, received, cookies, content, source, self.limits)

    @contextmanager
    def _line(self) -> Iterator[httpcore2.ConnectionPool]:
        """A connection for one request, kept for the next: a pool of one, since a pool of many looks at all of them."""
        try:
            line = self._idle.pop()
        except IndexError:
            line = httpcore2.ConnectionPool(
                ssl_context=self._tls,
                proxy=self._proxy,
                max_connections=1,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=self._backend,
            )
            self._lines.append(line)
        try:
            yield line
        finally:
            self._idle.append(line)


def _body(response: httpcore2.Response, headers: Mapping[str, str], room: Room) -> bytes:
    announced = headers.get("content-length", "0")
    if announced.isascii() and announced.isdigit():
        found_room(int(announced[:20]), 0, room)
    return read_body(response.iter_stream(), headers.get("content-encoding", ""), room)


class _NoAnswerError(Exception):
    """A request got no whole answer; the message says why, for people."""

    def __init__(self, reason: str, *, late: bool = False) -> None:
        super().__init__(reason)
        self.late = late


@contextmanager
def _network_errors() -> Iterator[None]:
    try:
        yield
    except httpcore2.ConnectTimeout:
        raise _NoAnswerError("no connection in time") from None
    except httpcore2.TimeoutException:
        raise _NoAnswerError("no whole answer in time", late=True) from None
    except httpcore2.ConnectError as error:
        cause = error.args[0] if error.args else None  # httpcore2 drops __cause__ on the way
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise ServerError(
                f"the server's certificate is not trusted: {one_line(cause.verify_message)}",
                hint="only what the system trusts is trusted; SSL_CERT_FILE may name a certificate authority of your own",
            ) from None
        raise _NoAnswerError(f"no connection: {one_line(str(error))}") from None
    except httpcore2.ProxyError as error:
        raise _NoAnswerError(f"the proxy refuses: {one_line(str(error))}") from None
    except httpcore2.LocalProtocolError:
        # It would quote the header that it refuses, which may be a secret.
        raise ServerError("a header of the request holds characters that HTTP does not allow") from None
    except (httpcore2.NetworkError, httpcore2.RemoteProtocolError) as error:
        raise _NoAnswerError(f"the connection broke: {one_line(str(error))}") from None
    except BrokenCodingError as error:
        raise _NoAnswerError(str(error)) from None


def _headers(raw: list[tuple[bytes, bytes]]) -> tuple[dict[str, str], list[str]]:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "set-cookie":
            cookies.append(value)
        else:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers, cookies


def _trusted() -> ssl.SSLContext:
    """What the system trusts, or what the environment names in its place."""
    try:
        return httpcore2.default_ssl_context()
    except OSError:  # SSLError is one
        name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
        raise UsageError(
            f"the certificates that {name} names cannot be read", hint="it stands in the environment; unset or mend it"
        ) from None


def _host_in(location: str) -> str:
    try:
        return one_line(urlsplit(location).netloc) or "another page"
    except ValueError:
        return "what is no URL"


def _is_passing(status: int) -> bool:
    return status in (408, 429) or status >= 500


class _Origin(NamedTuple):
    scheme: str
    host: str
    path: str
    loopback: bool

    @classmethod
    def of(cls, url: str) -> _Origin:
        try:
            parts = urlsplit(url)
            name, port = parts.hostname, parts.port
        except ValueError:
            raise UsageError("the server's address is not a URL") from None
        if parts.username is not None or parts.password is not None:
            raise UsageError("the server's address holds a user name or password")
        if not name or parts.query or parts.fragment or parts.scheme not in _PORTS or not url.isascii():
            raise UsageError(f"not the address of a server: {one_line(url)}", hint="expected https://host")
        loopback = _is_loopback(name)
        if parts.scheme == "http" and not loopback:
            raise UsageError(f"refusing to speak to {one_line(name)} without encryption", hint="use https://")
        host = f"[{name}]" if ":" in name else name
        if port is not None and port != _PORTS[parts.scheme]:
            host += f":{port}"
        return cls(parts.scheme, host, parts.path.rstrip("/"), loopback)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _proxy(host: str) -> httpcore2.Proxy | None:
    proxies = getproxies()
    address = proxies.get("https") or proxies.get("all")
    if not address or proxy_bypass(host):
        return None
    parts = urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("the proxy in the environment is not an http:// or https:// address")
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return httpcore2.Proxy(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", auth=auth)
