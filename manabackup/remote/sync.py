"""The sync server: one page of a collection, what an app has since an instant, and pushes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from .. import jsontext
from ..errors import JSONTextError, ServerError
from ..printable import one_line
from ..rawchange import RawChange, prepare, raw_changes
from ..timestamps import parse_timestamp
from .authorized import Authorized
from .decoding import Room
from .session import TokenSource
from .transport import Answer, Transport

_SCHEMA_VERSION = 1
_NOTHING_SINCE = "2999-01-01T00:00:00Z"
"""A push is answered with the changes since an instant. There are none since this one."""

_LIST = b'{"serverChanges":['
_FIRST_KEY = b'"eventId":'
_REST = re.compile(rb'\],"conflicts":\[\],"syncedUntil":"[-+0-9TZtz:.]*"(?:,"hasMore":(?:true|false))?\}\s*')
"""How the server writes an answer: what stands before the changes, at each one's beginning, and behind them."""


class FailingPageError(ServerError):
    """The server keeps answering one question with a 5xx; it may well answer others."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the server."""

    raw: list[RawChange] = field(repr=False)
    """The changes in the order in which the server stored them."""
    synced_until: str
    """RFC 3339: while there is more, when the server stored the last change; else its clock after the query."""
    has_more: bool

    @property
    def changes(self) -> list[jsontext.JSON]:
        """The changes as values, parsed anew each time. A hostile server's may be any JSON values."""
        return [jsontext.parse_canonical(change.text) for change in self.raw]

    @property
    def until(self) -> int:
        """:attr:`synced_until` in microseconds since 1970."""
        return parse_timestamp(self.synced_until)


class SyncClient:
    """Reads one user's changes. Safe to share between threads.

    ``client_id`` must never be used for pushing: the server hides from a client what the same client has pushed. Every
    call raises :class:`FailingPageError`, :class:`ServerError`, :class:`SignInError` and :class:`SubscriptionError`.
    """

    def __init__(self, transport: Transport, tokens: TokenSource, client_id: str) -> None:
        self._transport = transport
        self._server = Authorized(transport, tokens)
        self._client_id = client_id

    def pull(
        self, app: str, collection: str, since: str, *, attempts: int | None = None, room: Room | None = None
    ) -> Page:
        """The first changes of a collection after ``since``, 1,000 at most.

        Raises also :class:`UnwieldyAnswerError`.
        """
        answer = self._server.request(
            "GET",
            f"/sync/{_segment(app)}/pull",
            params={"collection": collection, "since": since},
            headers={"X-Client-Id": self._client_id},
            attempts=attempts,
            room=room,
        )
        return _page(answer, f"{app}/{collection}")

    def read_app(self, app: str, since: str, *, attempts: int | None = None, seconds: float | None = None) -> Page:
        """The first changes of all collections of an app after ``since``, 5,000 at most, by a push of no changes.

        ``has_more`` is always false: an answer of 5,000 may be cut. The server looks at the changes of all its users
        for it; ``seconds`` is how long it may take. Raises also :class:`UnwieldyAnswerError`.
        """
        changeset = {"clientId": self._client_id, "since": since, "schemaVersion": _SCHEMA_VERSION, "changes": []}
        for attempt in range(1, (attempts or self._transport.limits.attempts) + 1):
            if attempt > 1:
                self._transport.pause(attempt - 1)
            answer = self._server.request(
                "POST",
                f"/sync/{_segment(app)}",
                headers={"X-Client-Id": self._client_id, "Content-Type": "application/json"},
                body=jsontext.dumps(changeset),
                attempts=attempts,
                seconds=seconds,
            )
            if not came_too_slowly(answer):
                break
        return _page(answer, app)

    def close(self) -> None:
        """Ends the connections; calls of other threads end at once with :class:`ServerError`."""
        self._transport.close()


class PushClient:
    """Writes one user's changes. ``client_id`` must never be used for reading: a reader is not shown its own pushes."""

    def __init__(self, transport: Transport, tokens: TokenSource, client_id: str) -> None:
        self.transport = transport
        self._server = Authorized(transport, tokens)
        self._client_id = client_id

    def push(self, app: str, changes: Sequence[bytes]) -> Answer:
        """Sends changes of one app, once: the same changes and client id always make the same bytes.

        Gives the server's answer whatever its status: 200 with a clock (:func:`clock_of`) says that all changes are
        stored, 400 that none is, anything else nothing. Raises :class:`ServerError` when there was no answer, which
        says nothing either, and :class:`SignInError` and :class:`SubscriptionError` when nothing was stored.
        """
        head = b'{"changes":[%s],"clientId":%s,"schemaVersion":%d,"since":"%s"}'
        body = head % (
            b",".join(changes),
            jsontext.dumps(self._client_id),
            _SCHEMA_VERSION,
            _NOTHING_SINCE.encode(),
        )
        return self._server.request(
            "POST",
            f"/sync/{_segment(app)}",
            headers={"X-Client-Id": self._client_id, "Content-Type": "application/json"},
            body=body,
            attempts=1,
        )


def came_too_slowly(answer: Answer) -> bool:
    """Whether a 400 is no refusal: the body did not arrive in time, and nothing of it was looked at."""
    return answer.status == 400 and "i/o timeout" in answer.words()


def clock_of(answer: Answer) -> str | None:
    """The server's clock as the answer to a push tells it, RFC 3339."""
    until = answer.member("syncedUntil")
    try:
        parse_timestamp(until or "")
    except ValueError:
        return None
    return until


def _segment(name: str) -> str:
    """A name as one segment of a path, which ``.`` and ``..`` would not be."""
    return quote(name, safe="", errors="surrogatepass") if name.strip(".") else name.replace(".", "%2E")


def _page(answer: Answer, of: str) -> Page:
    what = f"{one_line(of)} ({answer.source})"
    if answer.status >= 500:
        raise FailingPageError(f"{what}: {answer.words()}")
    if answer.status != 200:
        raise ServerError(f"{what}: {answer.words()}")
    answer.check_values()
    body, changes = _changes(answer) or (answer.json(to_rewrite=True), None)
    if changes is None:
        values = body.get("serverChanges") if isinstance(body, dict) else None
        if not isinstance(values, list):
            raise ServerError(f"{what}: the answer is not a page of changes")
        changes = prepare(values)
    until, has_more = body.get("syncedUntil"), body.get("hasMore", False)
    try:
        parse_timestamp(until if isinstance(until, str) else "")
    except ValueError:
        raise ServerError(f"{what}: the answer's syncedUntil is not a time") from None
    if not isinstance(has_more, bool):
        raise ServerError(f"{what}: the answer's hasMore is neither true nor false")
    return Page(changes, until, has_more)


def _changes(answer: Answer) -> tuple[jsontext.JSON, list[RawChange]] | None:
    """The answer without its changes, and these; None where it is not written as the server writes."""
    body = answer.body
    end = body.rfind(b"]", 0, body.rfind(b"["))
    if not body.startswith(_LIST) or end < len(_LIST) or _REST.fullmatch(body, end) is None:
        return None
    try:
        changes = raw_changes(
            jsontext.rewritten_objects(body, len(_LIST), end, _FIRST_KEY, nesting=answer.limits.nesting)
        )
    except JSONTextError:
        return None
    return jsontext.parse(_LIST + body[end:]), changes
