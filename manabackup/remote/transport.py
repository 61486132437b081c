"""HTTP to one server: bounded, patient, and never led elsewhere.

This is the one module that speaks HTTP. It knows nothing of Mana. Redirects are errors, cookies are the caller's, the
other side may keep a request waiting for so long and no longer (:class:`.deadlines.Patience`), and an answer's size is
counted after decompression.

What is tried again, and how often, is decided here for all requests. Tried again is what may help: no answer, 408, 429
and 5xx, with pauses of full jitter that grow from half a second to eight. Attempts count by what they fail of:

* an answer of 408 or 5xx, or none in time, or no connection, :attr:`Limits.attempts` times: it may be the question's
  fault, or the server is down;
* a connection that breaks in the middle, twice as often: with one in ten broken, of a billion requests one fails;
* 429, or 503 with a time to come back, is no failing of the request at all. It sets the pace of all connections
  (:class:`.pace.Pace`), and ends the request when the server has answered nothing to anybody in twice as many attempts
  of it, when it has been refused six times as often, or at once when the time is more than a minute away.
"""

from __future__ import annotations

import ipaddress
import logging
import math
import os
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum, auto
from typing import NamedTuple, Self
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore2

from ..about import PRODUCT
from ..errors import ServerError, UsageError
from ..limits import DEFAULT_LIMITS, MIB, Limits
from ..text.printable import one_line
from .answers import (
    Answer,
    BrokenAnswerError,
    RedirectedError,
    UnknownHostError,
    UnknownServerError,
    UnwieldyAnswerError,
    is_unknown_host,
)
from .blanking import blanked
from .deadlines import Patience, PatientBackend
from .decoding import ACCEPT_ENCODING, BrokenCodingError, TooLargeError, counted, decoded, read_body
from .pace import Pace
from .request import Request

_log = logging.getLogger(__name__)
# Its debug lines quote Set-Cookie headers.
logging.getLogger("httpcore2").setLevel(logging.WARNING)

BACKOFF_FIRST = 0.5
BACKOFF_LONGEST = 8.0
LONGEST_RETRY_AFTER = 60.0
"""Seconds. A server that asks for more is not waited for: its answer goes to the caller."""

_IDLE_SECONDS = 4.0
"""A kept connection older than this is not used again; common servers close theirs after five."""
_WORD_BYTES = 16
"""On a connection that is listened to, so many bytes count as a word: less than any event has, with its framing."""
_CLOUD = "169.254.169.254"
"""Where a machine in a cloud asks who it is: an address of the link (RFC 3927), which no router passes on."""
_PORTS = {"http": 80, "https": 443}
_random = random.SystemRandom().random

Receive = Callable[[Iterator[bytes]], bytes]
"""Takes the pieces of a body as they come, decompressed, and gives what is to stand in the answer in its place."""

Hear = Callable[[Iterator[bytes]], object]
"""The same of an answer that nobody knows the end of: nothing of it is kept."""


class _Failing(Enum):
    """What an attempt fails of."""

    ANSWER = auto()
    """The server answered, and may answer otherwise."""
    UNREACHABLE = auto()
    UNKNOWN = auto()
    """Nobody knows the host."""
    LATE = auto()
    BROKEN = auto()
    REFUSED = auto()
    """For now."""


_WORTH = {_Failing.BROKEN: 2, _Failing.REFUSED: 6}
"""How many times the usual number of attempts; 1 for others."""
_ERRORS = {_Failing.LATE: UnwieldyAnswerError, _Failing.UNKNOWN: UnknownHostError}
"""What is raised in the end; :class:`BrokenAnswerError` for others."""
_STUCK = 2
"""How many times the usual number of attempts a server may refuse everybody everything."""


def is_passing(answer: Answer) -> bool:
    """Whether a server may answer otherwise when it is asked again."""
    return is_refused_for_now(answer) or answer.status == 408 or answer.status >= 500


def is_refused_for_now(answer: Answer) -> bool:
    """Whether a server says that it is asked too much, by whomever and whatever."""
    return answer.status == 429 or (answer.status == 503 and answer.retry_after() is not None)


def is_never_passing(_: Answer) -> bool:
    """No answer is worth another attempt."""
    return False


def asks_for_too_long(answer: Answer) -> bool:
    """Whether a server wants to be left alone for longer than anybody waits here."""
    return (answer.retry_after() or 0.0) > LONGEST_RETRY_AFTER


class Transport:
    """Requests to one server. Safe to share between threads.

    ``base_url`` is ``https://host``, perhaps with port and path, and never user name or password. ``http`` is for
    loopback addresses alone, and these are never reached through a proxy; other hosts are reached through the proxy
    that the environment names, if any.

    ``link_local`` says that it may be the address under which a cloud answers its own machines, which is ``http`` too
    and does not leave them.

    ``addresses`` says of an IP address whether a connection may lead there. Then names are looked up here, what was
    said yes to is what is connected to, and no proxy is used, which would look them up itself.
    """

    def __init__(
        self,
        base_url: str,
        *,
        limits: Limits = DEFAULT_LIMITS,
        sleep: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = _random,
        clock: Callable[[], float] = time.monotonic,
        addresses: Callable[[str], bool] | None = None,
        link_local: bool = False,
    ) -> None:
        origin = _Origin.of(base_url, link_local=link_local)
        self.host = origin.host
        """With the port, unless that is the scheme's own."""
        self.origin = f"{origin.scheme}://{origin.host}"
        """As a browser writes it into ``Origin``."""
        self.base_url = self.origin + origin.path
        self.limits = limits
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._jitter = jitter
        self._pace = Pace(clock)
        self._backend = PatientBackend(addresses)
        self._tls = _trusted() if origin.scheme == "https" else None
        self._proxy = None if origin.loopback or addresses is not None else _proxy(self.host)
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
        request: Request,
        *,
        once: bool = False,
        passing: Callable[[Answer], bool] = is_passing,
        receive: Receive | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Sends a request, again where that may help, and gives the last answer whatever its status.

        ``once`` is for one that must not be repeated when nobody knows what became of it; ``passing`` says after which
        answers it is worth another attempt. ``receive`` gets the body of an answer of status 200, and that of the next
        one from its beginning when one breaks off; without it, and for all other answers, bodies are taken whole.
        ``seconds`` is how long an answer may be waited for in all, and one that takes longer is not asked for again;
        without it, one that comes along may take any time.

        Raises :class:`BrokenAnswerError` when there was no answer, :class:`UnwieldyAnswerError` when it is too large or
        too late, and :class:`ServerError` for a redirect, and when nothing can be asked.
        """
        source = request.name(self.host)
        tries = _Tries(self.limits.attempts)
        while True:
            answered = self._pace.answered
            self._wait(tries.pause(self._jitter))
            begun = self._pace.now()
            answer: Answer | None = None
            try:
                answer = self._exchange(request, receive, self._patience(seconds))
                failing, reason = _Failing.ANSWER, str(answer.status)
                if is_refused_for_now(answer):
                    failing = _Failing.REFUSED
                    if asks_for_too_long(answer):
                        return answer
                    self._pace.note_refusal(begun, answer.retry_after() or 0.0)
                else:
                    self._pace.note_answer()
                if not passing(answer):
                    return answer
            except _NoAnswerError as failure:
                failing, reason = failure.failing, str(failure)
                if self._closed.is_set():
                    raise self._closed_here(source) from None
            _log.info("%s: %s (attempt %d)", source, reason, tries.count + 1)
            is_last = (once and answer is None) or (seconds is not None and failing is _Failing.LATE)
            if is_last or tries.are_over(failing, elsewhere=self._pace.answered > answered):
                if answer is not None:
                    return answer
                raise _ERRORS.get(failing, BrokenAnswerError)(f"{source}: {reason}")

    def listen(self, request: Request, hear: Hear, *, silence: float) -> Answer:
        """Sends a request whose answer goes on for as long as both sides live, once, and gives the answer's end.

        ``hear`` takes the body of an answer of status 200 in pieces as they come; what it raises ends the connection
        and comes out as it is. The other side may say nothing for ``silence`` seconds, and from its first word on for
        as long again. There is no bound in bytes: ``hear`` must keep nothing. Raises as :meth:`request` does.
        """
        source = request.name(self.host)
        self._wait(0.0)
        begun = self._pace.now()
        patience = Patience(silence, _WORD_BYTES / silence)

        def receive(pieces: Iterator[bytes]) -> bytes:
            hear(pieces)
            return b""

        try:
            answer = self._exchange(request, receive, patience, endless=True)
        except _NoAnswerError as failure:
            if self._closed.is_set():
                raise self._closed_here(source) from None
            silent = failure.failing is _Failing.LATE
            reason = f"nothing was heard for {silence:g} seconds" if silent else str(failure)
            raise BrokenAnswerError(f"{source}: {reason}") from None
        if is_refused_for_now(answer):
            self._pace.note_refusal(begun, min(answer.retry_after() or 0.0, LONGEST_RETRY_AFTER))
        return answer

    def pause(self, attempt: int) -> None:
        """Waits before the attempt after the given one (counted from 1), as between two attempts of one request."""
        self._wait(_backoff(attempt, self._jitter))

    def _wait(self, seconds: float) -> None:
        """Waits for so long, or longer where the server wants it."""
        held = -1
        while held != self._pace.held:  # what the server told another connection meanwhile counts, too
            held = self._pace.held
            seconds = self._pace.turn(seconds)
            if seconds > 0:
                self._sleep(seconds)
            seconds = 0.0
        if self._closed.is_set():
            raise self._closed_here(self.host)

    def _closed_here(self, what: str) -> ServerError:
        return ServerError(f"{what}: the connection was closed here")

    def _patience(self, seconds: float | None) -> Patience:
        """With an answer of at most so many seconds; without a number, with one that comes along."""
        if seconds:
            return Patience(seconds, math.inf)
        return Patience(self.limits.request_seconds, self.limits.slowest)

    def _exchange(
        self, request: Request, receive: Receive | None, patience: Patience, *, endless: bool = False
    ) -> Answer:
        sent = {
            "Host": self.host,  # which `httpcore2` writes without the brackets of an IPv6 address
            "User-Agent": PRODUCT,
            "Accept": "*/*",
            "Accept-Encoding": ACCEPT_ENCODING,
            **request.headers,
            **(request.proof() if request.proof is not None else {}),
        }
        limits, source = self.limits, request.name(self.host)
        timeouts = {
            "connect": Patience(min(limits.request_seconds, limits.connect_seconds), limits.slowest),
            "write": patience,
            "read": patience,
            "pool": limits.request_seconds,  # the library's own: seconds
        }
        with (
            _network_errors(),
            self._line() as line,
            line.stream(
                request.method,
                request.url(self.base_url),
                headers=list(sent.items()),
                content=request.body,  # type: ignore[arg-type] # it only goes through it, once for each call
                extensions={"timeout": timeouts},
            ) as response,
        ):
            received, cookies = _headers(response.headers)
            # 308 without an address is how far an upload has come (Google's resumable uploads).
            if 300 <= response.status < 400 and not (response.status == 308 and "location" not in received):
                raise RedirectedError(
                    f"{source}: redirects to {_host_in(received.get('location', ''))}, which is not followed",
                    location=received.get("location", ""),
                    hint="if the server has moved, give its new address",
                )
            try:
                # What HEAD is told of is not on its way, however large it is.
                has_body = request.method != "HEAD"
                content = self._body(response, received, receive, endless=endless) if has_body else b""
            except TooLargeError as error:
                raise UnwieldyAnswerError(f"{source}: the answer is larger than {error.allowed / MIB:g} MiB") from None
        if response.status >= 400:  # whose body is for people
            content = blanked(content, sent)
        return Answer(response.status, received, cookies, content, source, limits)

    def _body(
        self, response: httpcore2.Response, headers: Mapping[str, str], receive: Receive | None, *, endless: bool
    ) -> bytes:
        streamed = receive is not None and response.status == 200
        allowed = self.limits.stream_bytes if streamed else self.limits.answer_bytes
        announced = headers.get("content-length", "0")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > allowed:
            raise TooLargeError(allowed)
        pieces = decoded(response.iter_stream(), headers.get("content-encoding", ""))
        if receive is not None and streamed and endless:
            return receive(pieces)
        return receive(counted(pieces, allowed)) if receive is not None and streamed else read_body(pieces, allowed)

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


class _Tries:
    """The attempts of one request, by what they failed of."""

    def __init__(self, usual: int) -> None:
        self._usual = usual
        self._failed = dict.fromkeys(_Failing, 0)
        self._stuck = 0
        self.count = 0

    def are_over(self, failing: _Failing, *, elsewhere: bool) -> bool:
        """Notes a failed attempt, and whether the server answered another request meanwhile; whether it is the last."""
        self.count += 1
        self._failed[failing] += 1
        self._stuck = 0 if elsewhere else self._stuck + 1
        if failing is _Failing.REFUSED and self._stuck >= self._usual * _STUCK:
            return True
        return self._failed[failing] >= self._usual * _WORTH.get(failing, 1)

    def pause(self, jitter: Callable[[], float]) -> float:
        """Seconds before the next attempt."""
        return _backoff(self.count, jitter) if self.count else 0.0


def _backoff(attempt: int, jitter: Callable[[], float]) -> float:
    return jitter() * min(BACKOFF_LONGEST, BACKOFF_FIRST * 2.0 ** min(attempt - 1, 10))


class _NoAnswerError(Exception):
    """An attempt got no whole answer; the message says why, for people."""

    def __init__(self, reason: str, failing: _Failing = _Failing.BROKEN) -> None:
        super().__init__(reason)
        self.failing = failing


@contextmanager
def _network_errors() -> Iterator[None]:
    try:
        yield
    except httpcore2.ConnectTimeout:
        raise _NoAnswerError("no connection in time", _Failing.UNREACHABLE) from None
    except httpcore2.TimeoutException:
        raise _NoAnswerError("no whole answer in time", _Failing.LATE) from None
    except httpcore2.ConnectError as error:
        cause = error.args[0] if error.args else None  # httpcore2 drops __cause__ on the way
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise UnknownServerError(
                f"the server's certificate is not trusted: {one_line(cause.verify_message)}",
                hint="trusted is what the system trusts, or what SSL_CERT_FILE names in its place",
            ) from None
        failing = _Failing.UNKNOWN if is_unknown_host(cause) else _Failing.UNREACHABLE
        raise _NoAnswerError(f"no connection: {one_line(str(error))}", failing) from None
    except httpcore2.ProxyError as error:
        raise _NoAnswerError(f"the proxy refuses: {one_line(str(error))}", _Failing.UNREACHABLE) from None
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


class _Origin(NamedTuple):
    scheme: str
    host: str
    path: str
    loopback: bool

    @classmethod
    def of(cls, url: str, *, link_local: bool) -> _Origin:
        try:
            parts = urlsplit(url)
            name, port = parts.hostname, parts.port
        except ValueError:
            raise UsageError("the server's address is not a URL") from None
        if parts.username is not None or parts.password is not None:
            raise UsageError("the server's address holds a user name or password")
        if not name or parts.query or parts.fragment or parts.scheme not in _PORTS or not url.isascii():
            raise UsageError(f"not the address of a server: {one_line(url)}", hint="expected https://host")
        loopback = is_loopback(name) or (link_local and name == _CLOUD)
        if parts.scheme == "http" and not loopback:
            hint = "addresses that begin with https:// or davs:// are encrypted"
            raise UsageError(f"refusing to speak to {one_line(name)} without encryption", hint=hint)
        host = f"[{name}]" if ":" in name else name
        if port is not None and port != _PORTS[parts.scheme]:
            host += f":{port}"
        return cls(parts.scheme, host, parts.path.rstrip("/"), loopback)


def is_loopback(host: str) -> bool:
    """Whether a host is this computer, by its name or address alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _proxy(host: str) -> httpcore2.Proxy | None:
    proxies = getproxies()
    address = proxies.get("https") or proxies.get("all")
    if not address or proxy_bypass(host):
        return None
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        usable = parts.scheme in _PORTS and parts.hostname and parts.port != 0 and parts.netloc.isascii()
    except ValueError:  # brackets that do not match, a port that is no number or beyond 65,535
        usable = None
    if not usable:
        raise UsageError("the proxy in the environment is not an http:// or https:// address")
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return httpcore2.Proxy(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", auth=auth)
