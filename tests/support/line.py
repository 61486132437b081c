"""The line between the program and the embedded servers: every request is seen, and any may go wrong on its way.

A :class:`Line` wraps the application of a sandbox (``Sandbox(middleware=[line])``). Its ``fault`` is asked about each
request, and ``push_fault`` about each push that carries changes; they give an :data:`Act` to do in place of a plain
answer, or None. An act may ask the real servers first, so
that a request is carried out and its answer lost; it may answer in words of its own, or write bytes onto the bare
connection. :mod:`tests.faults.acts` has more acts, :mod:`tests.faults.catalogue` every fault that can be made of them.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from manabackup.sandbox.answers import TRANSPORT, ASGIApp, Message, Receive, Scope, Send
from manabackup.text import jsontext

from .patience import PATIENCE

JSON: TypeAlias = Any


class Answer(NamedTuple):
    """What a server says."""

    status: int
    headers: list[tuple[bytes, bytes]]
    """By lower-case name, without those that say how the body is framed."""
    body: bytes


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    target: str
    """Path and query."""
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes = field(default=b"", repr=False)
    """Empty where nobody asked about it."""

    @property
    def app(self) -> str:
        """Of the sync server's paths."""
        return self.target.split("/")[2]

    @property
    def client_id(self) -> str:
        """The calling device."""
        return self.headers.get("x-client-id", "")

    @cached_property
    def json(self) -> JSON:
        """The body."""
        return jsontext.parse(self.body)

    @property
    def changes(self) -> list[JSON]:
        """What was to be stored; nothing, unless this is a push."""
        if self.method != "POST" or not self.target.startswith("/sync/"):
            return []
        changes: list[JSON] = self.json["changes"]
        return changes


Act: TypeAlias = Callable[["Call"], Awaitable[None]]
Judge: TypeAlias = Callable[[Request], Act | None]
Reply: TypeAlias = tuple[int, bytes] | tuple[int, bytes, dict[str, str]]
"""Status, body, headers."""


def _well(request: Request) -> None:
    """A judge that lets the servers speak."""


class Call:
    """One request under way, and its connection."""

    def __init__(self, request: Request, application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self.request = request
        self.transport: asyncio.Transport = scope["extensions"][TRANSPORT]
        self._application = application
        self._scope = scope
        self._receive = receive
        self._send = send

    async def ask(self, body: bytes | None = None) -> Answer:
        """The servers' own answer to the request, or to one with another body."""
        parts: list[bytes] = []
        status, headers = 0, []

        async def hear(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                framing = (b"content-length", b"transfer-encoding", b"connection")
                status, headers = (
                    message["status"],
                    [(name.lower(), value) for name, value in message["headers"] if name.lower() not in framing],
                )
            else:
                parts.append(message.get("body", b""))

        whole = self.request.body if body is None else body
        await self._application(self._scope, _replayed(whole, self._receive), hear)
        return Answer(status, headers, b"".join(parts))

    async def answer(self, answer: Answer) -> None:
        """Gives an answer, well-formed."""
        headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": answer.body})

    async def write(self, data: bytes) -> None:
        """Puts bytes onto the connection; returns when there is room for more."""
        if self.transport.is_closing():
            raise ConnectionResetError
        self.transport.write(data)
        protocol: Any = self.transport.get_protocol()  # uvicorn's
        await protocol.flow.drain()

    async def close(self, *, reset: bool = False) -> None:
        """Ends the connection: in peace when all is sent, or by a reset (RST) at once."""
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
        else:
            self.transport.close()
        await self.left()

    async def left(self) -> None:
        """Waits until the client has given up, or the connection is at its end."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


@dataclass
class Line:
    """See the module. Thread-safe as far as tests need it."""

    fault: Judge = _well
    push_fault: Judge = _well
    moment: Callable[[], None] = lambda: None
    """Called just before and just after the servers deal with each request."""
    requests: list[Request] = field(default_factory=list, repr=False)
    """In the order of arrival; with their bodies where those are pushes, or went wrong."""
    _holds: list[Hold] = field(default_factory=list)

    def __call__(self, application: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await application(scope, receive, send)
                return
            request = _request(scope)
            if request.method == "POST" and request.target.startswith("/sync/"):
                body = await _whole(receive)
                request = Request(request.method, request.target, request.headers, body)
                receive = _replayed(body, receive)
            self.requests.append(request)
            for hold in [one for one in self._holds if one.part in request.target]:
                hold.reached.set()
                await asyncio.to_thread(hold.ended.wait, PATIENCE)
            self.moment()
            await self._deal(request, application, scope, receive, send)
            self.moment()

        return wrapped

    async def _deal(self, request: Request, application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        act = self.fault(request)
        if act is None and request.changes:
            act = self.push_fault(request)
        if act is None:
            await application(scope, receive, send)
            return
        body = await _whole(receive)
        request = Request(request.method, request.target, request.headers, body)
        try:
            await act(Call(request, application, scope, receive, send))
        except ConnectionError:
            await Call(request, application, scope, receive, send).left()

    # --- what happens

    @contextmanager
    def under(self, fault: Judge) -> Iterator[None]:
        """``fault`` is asked within the block."""
        before, self.fault = self.fault, fault
        try:
            yield
        finally:
            self.fault = before

    def faults(self, *acts: Act | None) -> None:
        """One for each of the next pushes that carry changes; then all is well."""
        coming = iter(acts)
        self.push_fault = lambda request: next(coming, None)

    @contextmanager
    def answering(self, reply: Callable[[str, str], Reply | None]) -> Iterator[None]:
        """``reply``, given method and target, speaks in the servers' place within the block, or gives None."""
        with self.under(replying(reply)):
            yield

    @contextmanager
    def holding(self, part: str) -> Iterator[Hold]:
        """Requests whose path or query holds ``part`` wait until the block ends, or :meth:`Hold.release`."""
        hold = Hold(part)
        self._holds.append(hold)
        try:
            yield hold
        finally:
            self._holds.remove(hold)
            hold.release()

    # --- what was seen

    def forget(self) -> None:
        """All is well, and nothing was seen yet."""
        self.fault = self.push_fault = _well
        self.moment = lambda: None
        self.requests.clear()

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Method and target of every request."""
        return [(request.method, request.target) for request in list(self.requests)]

    @property
    def tokens(self) -> set[str]:
        """Every bearer token that came along."""
        sent = (request.headers.get("authorization", "") for request in list(self.requests))
        return {text.removeprefix("Bearer ") for text in sent if text}

    @property
    def pushed(self) -> list[Request]:
        """The pushes that carried changes."""
        return [request for request in list(self.requests) if request.changes]

    @property
    def sent(self) -> list[JSON]:
        """Every change that was pushed, again where it was pushed again."""
        return [change for request in self.pushed for change in request.changes]

    @property
    def readers(self) -> set[str]:
        """Client ids of everybody who asked the sync server for changes and brought none."""
        asked = (request for request in list(self.requests) if request.target.startswith("/sync/"))
        return {request.client_id for request in asked if not request.changes}


def replying(reply: Callable[[str, str], Reply | None]) -> Judge:
    """A judge out of a function from method and target to an answer, or None to let the servers speak."""

    def judge(request: Request) -> Act | None:
        answer = reply(request.method, request.target)
        return says(*answer) if answer is not None else None

    return judge


def says(status: int, body: bytes | str = b"", headers: Mapping[str, str] | None = None) -> Act:
    """An answer in place of the servers', who never hear of the request."""
    text = body.encode() if isinstance(body, str) else body
    fields = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]

    async def act(call: Call) -> None:
        await call.answer(Answer(status, fields, text))

    return act


@dataclass(frozen=True)
class Spoiled:
    """An act: a push is stored up to some change, and its answer fails."""

    stored: int | None = 0
    """So many of its changes reach the log; None: all."""
    status: int | None = 500
    """The answer; None: the connection is cut without one."""
    words: str = "failed to record change: it rains"
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def __call__(self, call: Call) -> None:
        if self.stored != 0:
            kept = {**call.request.json, "changes": call.request.changes[: self.stored]}
            await call.ask(jsontext.dumps(kept))
        if self.status is None:
            await call.close()
        else:
            await call.answer(Answer(self.status, list(self.headers), self.words.encode()))


@dataclass
class Hold:
    """Requests that wait."""

    part: str
    reached: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Until one is held."""
        assert self.reached.wait(PATIENCE), f"no request for {self.part} came"

    def release(self) -> None:
        """Let them go."""
        self.ended.set()


@dataclass
class Script:
    """A :data:`Judge`: ``act`` for requests of a kind, from the ``first`` on (counted from 1), ``times`` of them."""

    act: Act
    method: str = ""
    """Any, when empty."""
    path: str = ""
    """A pattern for the beginning of path and query."""
    first: int = 1
    times: int | None = 1
    """None: for ever."""
    met: int = 0
    """How often the act was done."""
    _seen: int = 0

    def __call__(self, request: Request) -> Act | None:
        if self.method not in ("", request.method) or not re.match(self.path, request.target):
            return None
        self._seen += 1
        if self._seen < self.first or (self.times is not None and self._seen >= self.first + self.times):
            return None
        self.met += 1
        return self.act


def _request(scope: Scope) -> Request:
    query = scope["query_string"].decode("latin-1")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(scope["method"], scope["path"] + (f"?{query}" if query else ""), headers)


async def _whole(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replayed() -> Any:
        return next(messages, None) or await receive()

    return replayed
