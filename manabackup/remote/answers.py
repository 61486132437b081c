"""One answer of a server, and what it means."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from ..errors import JSONTextError, ServerError
from ..limits import DEFAULT_LIMITS, MIB, Limits
from ..text import jsontext
from ..text.printable import one_line

_MEMBERS_BYTES = 4 * MIB
"""The longest answer that is parsed for a single member; the services' own have some thousand bytes."""
_LONGEST_WINDOW = 120.0
"""Seconds. A reset that lies further ahead is of another clock."""
_MINUTE = 60.0
_NO_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}  # not everywhere there are both
_WORDS_BYTES = 2_000
"""How much of an error's body is looked at for words."""


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

        Raises :class:`MalformedAnswerError` when it is none, :class:`UnwieldyAnswerError` when it holds too many.
        """
        parse = jsontext.parse_to_rewrite if to_rewrite else jsontext.parse
        self.check_values()
        try:
            return parse(self.body, nesting=self.limits.nesting)
        except JSONTextError as error:
            raise MalformedAnswerError(f"{self.source}: the answer is not JSON ({error.message})") from None

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
            return self._until_reset() if self.status == 429 else None

    def _until_reset(self) -> float | None:
        """Seconds until the server counts from nothing again, by its own clock, if it says when that is."""
        reset = self.headers.get("x-ratelimit-reset", "").strip()
        if not (reset.isascii() and reset.isdigit() and len(reset) < 12):
            return None
        try:
            now = parsedate_to_datetime(self.headers.get("date", "")).timestamp()
        except (ValueError, OverflowError):
            now = time.time()
        seconds = int(reset) - now
        # Who waits for a minute and is too early is told so again.
        return min(max(0.0, seconds) + 1.0, _MINUTE) if seconds < _LONGEST_WINDOW else None

    def check_values(self) -> None:
        """Raises :class:`UnwieldyAnswerError` where the body holds more JSON values than there is memory for."""
        if jsontext.values_at_most(self.body, self.limits.answer_values) > self.limits.answer_values:
            raise UnwieldyAnswerError(f"{self.source}: the answer has more than {self.limits.answer_values:,} values")

    def error(self) -> ServerError:
        """An error that quotes the server's words."""
        return ServerError(f"{self.source}: {self.words()}")


class UnusableAnswerError(ServerError):
    """One question is not answered in a way that is of use; others may well be."""


class UnwieldyAnswerError(UnusableAnswerError):
    """An answer was larger than allowed, or did not come in time: a smaller question may well be answered."""


class MalformedAnswerError(UnusableAnswerError):
    """An answer is not what such a question is answered with."""


class BrokenAnswerError(UnusableAnswerError):
    """The connection broke, or none came about, as often as it was tried."""


class UnknownServerError(ServerError):
    """There is no server of this name, or it does not prove to be the one: whoever named it may have been mistaken."""


class UnknownHostError(BrokenAnswerError, UnknownServerError):
    """No address is known of the host, as often as it was tried."""


def is_unknown_host(error: object) -> bool:
    """Whether names were looked up, and there is no such host; not where nobody can say it now."""
    return isinstance(error, socket.gaierror) and error.errno in _NO_HOST


class RedirectedError(ServerError):
    """The server names another address, to which nothing is sent unasked."""

    def __init__(self, message: str, *, location: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.location = location
