"""The sync server: one page of a collection, what an app has since an instant, and pushes.

Most answers are small, and taken whole. A larger one is taken apart while it comes, a change or some small ones at a
time, so that memory is bounded by one change and not by the answer. Of changes that are large themselves one is held at
a time, whatever the number of connections: the others wait for it, in the middle of their answers if need be.
"""

from __future__ import annotations

import gc
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import chain
from urllib.parse import quote

from ..errors import JSONTextError, ServerError
from ..limits import KIB, MIB, Limits
from ..model.rawchange import RawChange, UnreadableChange, prepare, raw_changes
from ..text import jsontext
from ..text.printable import one_line
from ..text.timestamps import parse_timestamp
from .answers import Answer, MalformedAnswerError, UnwieldyAnswerError
from .authorized import Authorized
from .decoding import TooLargeError, counted
from .events import StreamEvent, events
from .request import Request
from .session import TokenSource
from .splitting import AnswerText
from .transport import Transport, is_never_passing, is_passing, is_refused_for_now

_SCHEMA_VERSION = 1
_NOTHING_SINCE = "2999-01-01T00:00:00Z"
"""A push is answered with the changes since an instant. There are none since this one."""
_WHOLE_BYTES = 2 * MIB
"""The longest answer that is taken whole: a thousand usual changes are a quarter of that."""
_PART_BYTES = 512 * KIB
_LARGE_BYTES = 1 * MIB
"""A change of more is a large one."""

STREAM_SILENCE = 75.0
"""Seconds: two heartbeats and a half."""

_LIST = b'{"serverChanges":['
_FIRST_KEY = b'"eventId":'
_REST = re.compile(rb'\],"conflicts":\[\],"syncedUntil":"[-+0-9TZtz:.]*"(?:,"hasMore":(?:true|false))?\}\s*')
"""How the server writes an answer: what stands before the changes, at each one's beginning, and behind them."""


class FailingPageError(ServerError):
    """The server keeps answering one question with a 5xx; it may well answer others."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some changes of an answer that follow each other."""

    first: int
    """How many come before them in the answer."""
    raw: list[RawChange] = field(repr=False)
    """The changes in the order in which the server stored them."""
    unreadable: list[UnreadableChange] = field(default_factory=list)
    """Those among them that are too large."""

    @property
    def keys(self) -> list[bytes]:
        """The keys of all of them."""
        return [change.key for change in self.raw] + [change.key for change in self.unreadable]


Heard = Callable[[StreamEvent], object]
"""Is told of an event."""

Take = Callable[[Part], None]
"""Takes the parts of a large answer, while it comes. When it breaks off, the next one begins with its first change."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the server."""

    raw: list[RawChange] = field(repr=False)
    """The changes in the order in which the server stored them, without those that were handed over in parts."""
    synced_until: str
    """RFC 3339: while there is more, when the server stored the last change; else its clock after the query."""
    has_more: bool
    unreadable: list[UnreadableChange] = field(default_factory=list)
    """Changes that are too large, without those that were handed over in parts."""
    handed_over: list[bytes] = field(default_factory=list, repr=False)
    """The keys of what was handed over in parts: all that comes before :attr:`raw`."""

    @property
    def changes(self) -> list[jsontext.JSON]:
        """:attr:`raw` as values, parsed anew each time. A hostile server's may be any JSON values."""
        return [jsontext.parse_canonical(change.text) for change in self.raw]

    @property
    def keys(self) -> list[bytes]:
        """The keys of all changes, also of those that are too large."""
        return self.handed_over + Part(0, self.raw, self.unreadable).keys

    @property
    def until(self) -> int:
        """:attr:`synced_until` in microseconds since 1970."""
        return parse_timestamp(self.synced_until)


class SyncClient:
    """Reads one user's changes. Safe to share between threads.

    ``client_id`` must never be used for pushing: the server hides from a client what the same client has pushed. Every
    call raises :class:`FailingPageError`, :class:`UnusableAnswerError`, :class:`ServerError`, :class:`SignInError` and
    :class:`SubscriptionError`, and what ``take`` raises.
    """

    def __init__(self, transport: Transport, tokens: TokenSource, client_id: str) -> None:
        self._transport = transport
        self._server = Authorized(transport, tokens)
        self._client_id = client_id
        self._large = threading.Semaphore(1)

    def pull(self, app: str, collection: str, since: str, *, take: Take | None = None, tentative: bool = False) -> Page:
        """The first changes of a collection after ``since``, 1,000 at most.

        A large answer goes to ``take`` while it comes, and what it did not get is in the page; without it, the page has
        all, of ``limits.answer_bytes`` at most. With ``tentative``, a 5xx is taken for the server's last word.
        """
        reading = _Reading(f"{app}/{collection}", self._transport.limits, take, self._large)
        answer = self._server.request(
            Request(
                "GET",
                f"/sync/{_segment(app)}/pull",
                params={"collection": collection, "since": since},
                headers={"X-Client-Id": self._client_id},
            ),
            passing=_is_tentatively_passing if tentative else is_passing,
            receive=reading,
        )
        return reading.page(answer)

    def read_app(
        self,
        app: str,
        since: str,
        *,
        take: Take | None = None,
        seconds: float | None = None,
        tentative: bool = False,
    ) -> Page:
        """The first changes of all collections of an app after ``since``, 5,000 at most, by a push of no changes.

        ``has_more`` is always false: an answer of 5,000 may be cut. The server looks at the changes of all its users
        for it; ``seconds`` is how long it may take. ``take`` and ``tentative`` as in :meth:`pull`.
        """
        reading = _Reading(app, self._transport.limits, take, self._large)
        changeset = {"clientId": self._client_id, "since": since, "schemaVersion": _SCHEMA_VERSION, "changes": []}
        passing = _is_tentatively_passing if tentative else is_passing
        answer = self._server.request(
            Request(
                "POST",
                f"/sync/{_segment(app)}",
                headers={"X-Client-Id": self._client_id, "Content-Type": "application/json"},
                body=jsontext.dumps(changeset),
            ),
            passing=lambda answer: passing(answer) or came_too_slowly(answer),
            receive=reading,
            seconds=seconds,
        )
        return reading.page(answer)

    def listen(
        self, app: str, since: str, heard: Heard, *, collections: Sequence[str] = (), silence: float = STREAM_SILENCE
    ) -> None:
        """Tells ``heard`` of every event of an app's stream, until the server ends it.

        The server tells of what this user's other devices push after ``since``: of ``collections`` at once where there
        is something already, of any when it comes. It may leave out anything, and says nothing at all, that it takes
        the request neither, before its first event: a heartbeat comes every half minute. What is silent for
        ``silence`` seconds is dead.
        """
        params = {"since": since} | ({"collections": ",".join(collections)} if collections else {})

        def hear(pieces: Iterator[bytes]) -> None:
            for event in events(pieces):
                heard(event)

        answer = self._server.listen(
            Request(
                "GET",
                f"/sync/{_segment(app)}/stream",
                params=params,
                headers={
                    "X-Client-Id": self._client_id,
                    "Accept": "text/event-stream",
                    "Accept-Encoding": "identity",  # what is compressed waits for more
                },
            ),
            hear,
            silence=silence,
        )
        if answer.status != 200:
            raise answer.error()

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
            Request(
                "POST",
                f"/sync/{_segment(app)}",
                headers={"X-Client-Id": self._client_id, "Content-Type": "application/json"},
                body=body,
            ),
            once=True,
            passing=is_never_passing,
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


def _is_tentatively_passing(answer: Answer) -> bool:
    return (answer.status < 500 and is_passing(answer)) or (answer.status == 503 and is_refused_for_now(answer))


class _Reading:
    """One answer on its way, and again from its beginning if it breaks off: the :data:`.transport.Receive` of a read.

    ``of`` says what is read, for messages; ``large`` is the place of the one large change.
    """

    def __init__(self, of: str, limits: Limits, take: Take | None, large: threading.Semaphore) -> None:
        self._of = of
        self._limits = limits
        self._take = take
        self._large = large
        self._has_place = False
        self._in_parts = False
        self._handed_over: list[bytes] = []
        self._part = Part(0, [])
        self._bytes = 0

    def __call__(self, pieces: Iterator[bytes]) -> bytes:
        self._in_parts = False
        first: list[bytes] = []
        size = 0
        for piece in pieces:
            first.append(piece)
            size += len(piece)
            if size > min(_WHOLE_BYTES, self._limits.answer_bytes):
                break
        else:
            return b"".join(first)
        whole = chain(first, pieces)
        return self._read_in_parts(whole if self._take is not None else counted(whole, self._limits.answer_bytes))

    def _read_in_parts(self, pieces: Iterator[bytes]) -> bytes:
        self._in_parts = True
        self._handed_over, self._part, self._bytes = [], Part(0, []), 0
        answer = AnswerText(pieces, self._limits, large=_LARGE_BYTES, on_large=self._take_place)
        try:
            for change in map(self._prepared, answer.changes()):
                self._add(change)
        except JSONTextError as error:
            raise self._malformed(f"the answer is not a page of changes ({error.message})") from None
        finally:
            self._leave_place()
        return answer.rest

    def _prepared(self, text: bytes | UnreadableChange) -> RawChange | UnreadableChange:
        if isinstance(text, UnreadableChange):
            return text
        with _no_garbage() if self._has_place else nullcontext():
            value = jsontext.parse_to_rewrite(text, nesting=self._limits.nesting)
            return raw_changes([(value, jsontext.dumps(value))])[0]

    def _add(self, change: RawChange | UnreadableChange) -> None:
        part = self._part
        if part.first + len(part.raw) + len(part.unreadable) >= self._limits.stream_changes:
            raise UnwieldyAnswerError(
                f"{one_line(self._of)}: the answer has more than {self._limits.stream_changes:,} changes"
            )
        if isinstance(change, UnreadableChange):
            part.unreadable.append(change)
        else:
            part.raw.append(change)
            self._bytes += len(change.text)
        if self._take is None:
            if part.unreadable:  # nobody would be told of it
                raise TooLargeError(self._limits.change_bytes)
        elif self._bytes > _PART_BYTES or self._has_place:
            self._take(part)
            self._handed_over += part.keys
            self._part, self._bytes = Part(len(self._handed_over), []), 0
        self._leave_place()

    def page(self, answer: Answer) -> Page:
        """What came, by the last answer. Raises as :class:`SyncClient`'s calls do."""
        page = page_of(answer, self._of)
        if not self._in_parts:
            return page
        return replace(page, raw=self._part.raw, unreadable=self._part.unreadable, handed_over=self._handed_over)

    def _malformed(self, what: str) -> MalformedAnswerError:
        return MalformedAnswerError(f"{one_line(self._of)}: {what}")

    def _take_place(self) -> None:
        self._large.acquire()
        self._has_place = True

    def _leave_place(self) -> None:
        if self._has_place:
            self._has_place = False
            self._large.release()


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Looks for no garbage within the block: among the millions of values that one change may hold there is none, and
    to look at them again and again takes longer than to read them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def page_of(answer: Answer, of: str) -> Page:
    """What an answer whose body is there holds; ``of`` names it in errors.

    Raises :class:`FailingPageError`, :class:`ServerError`.
    """
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
            raise MalformedAnswerError(f"{what}: the answer is not a page of changes")
        changes = prepare(values)
    until, has_more = body.get("syncedUntil"), body.get("hasMore", False)
    try:
        parse_timestamp(until if isinstance(until, str) else "")
    except ValueError:
        raise MalformedAnswerError(f"{what}: the answer's syncedUntil is not a time") from None
    if not isinstance(has_more, bool):
        raise MalformedAnswerError(f"{what}: the answer's hasMore is neither true nor false")
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
