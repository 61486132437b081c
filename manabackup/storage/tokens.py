"""Tokens that a store is shown in place of a signature (RFC 6750), and where they are granted (RFC 6749)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

from ..errors import AccessError, ServerError, UsageError
from ..remote.answers import Answer, MalformedAnswerError
from ..remote.request import Request
from ..text.printable import one_line
from .asking import Connect

_SOON = timedelta(minutes=5)
_UNTOLD = timedelta(minutes=15)
"""For so long a token is taken to be good that does not say it."""
_REFUSING = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Token:
    """A token, for as long as it is good."""

    text: str = field(repr=False)
    expires: datetime | None = None

    def __post_init__(self) -> None:
        if not (self.text.isascii() and self.text.isprintable() and self.text):
            raise AccessError("a token holds characters that no header can")


class Tokens:
    """A token that is got when it is first needed, and anew when it is about to expire. Safe between threads."""

    def __init__(self, get: Callable[[], Token]) -> None:
        self._get = get
        self._known: Token | None = None
        self._until = datetime.min.replace(tzinfo=UTC)
        self._taken = False
        self._lock = threading.Lock()

    def text(self) -> str:
        """The token. Raises what getting one raises."""
        with self._lock:
            if self._known is None or self._until - datetime.now(UTC) < _SOON:
                self._known = self._get()
                self._until = self._known.expires or datetime.now(UTC) + _UNTOLD
                self._taken = False
            return self._known.text

    def taken(self) -> None:
        """A server has taken the token."""
        self._taken = True

    def refused(self) -> bool:
        """A server does not take the token: whether it took it before, so that another one may do, which is got then.

        It may have been withdrawn, or its time is over by the server's clock and not by this computer's.
        """
        with self._lock:
            if self._taken:
                self._known, self._taken = None, False
                return True
            return False


def asked_with(tokens: Tokens | None, ask: Callable[[], Answer]) -> Answer:
    """The answer to a request that is proved by a token, asked once more with another one where that may help."""
    answer = ask()
    if tokens is None:
        return answer
    if answer.status == HTTPStatus.UNAUTHORIZED and tokens.refused():
        answer = ask()
    if answer.status < HTTPStatus.BAD_REQUEST:
        tokens.taken()
    return answer


def granted(connect: Connect, url: str, form: Mapping[str, str], *, whose: str, hint: str) -> Token:
    """The token that a server grants for what a form says. Raises :class:`AccessError`, :class:`ServerError`."""
    body = urlencode(form).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    return _asked(connect, url, Request("POST", urlsplit(url).path, headers=headers, body=body), whose, hint)


def found(connect: Connect, url: str, params: Mapping[str, str], headers: Mapping[str, str], *, whose: str) -> Token:
    """The token that a machine's own server has for it. Raises :class:`AccessError`, :class:`ServerError`."""
    request = Request("GET", urlsplit(url).path, params=params, headers=headers)
    return _asked(connect, url, request, whose, "the machine needs an identity that may do that")


def _asked(connect: Connect, url: str, request: Request, whose: str, hint: str) -> Token:
    parts = urlsplit(url)
    if not parts.hostname:
        raise UsageError(f"{whose}: where tokens are granted is no address", hint=hint)
    with connect(f"{parts.scheme}://{parts.netloc}") as transport:
        answer = transport.request(request)
    if answer.status in _REFUSING:
        raise AccessError(f"{whose}: no token is granted ({_code(answer)})", hint=hint)
    if answer.status != HTTPStatus.OK:
        raise ServerError(f"{whose}: no token is granted ({answer.status})")
    match answer.json():
        case {"access_token": str(text)} as told:
            return Token(text, _until(str(told.get("expires_in") or "")))
    raise MalformedAnswerError(f"{answer.source}: there is no token in the answer")


def _code(answer: Answer) -> str:
    """The word for it that RFC 6749, 5.2, has; never the server's sentences, which may quote what was sent."""
    return one_line(answer.member("error") or str(answer.status), 40)


def _until(seconds: str) -> datetime | None:
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 10):
        return None
    return datetime.now(UTC) + timedelta(seconds=int(seconds))
