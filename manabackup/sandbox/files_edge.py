"""What the two services that keep files have in common: paths, CORS, how bodies are framed, and how both fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final
from urllib.parse import parse_qsl, unquote

from ..text import jsontext
from ..text.jsontext import JSON
from .answers import Receive, Scope, Send, vanish
from .faults import Faults, FileFault

PLAIN: Final = "text/plain; charset=UTF-8"
MOST_BODY_BYTES: Final = 128 << 20
"""The runtime refuses longer requests by itself."""

_LENGTH_BELOW: Final = 1_024
_PIECE: Final = 64 << 10
_METHODS: Final = "GET,HEAD,PUT,POST,DELETE,PATCH"
_PAGE: Final = (
    b"<!DOCTYPE html>\n<html><head><title>media.example.org | %d</title></head><body><h1>Error %d</h1>"
    b"<p>The origin could not be reached.</p></body></html>\n"
)

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)
    stored: bool = False
    """The body is what the store holds."""
    streamed: bool = False
    """A longer body is sent in chunks, and without its length."""


def says(status: int, body: JSON) -> Reply:
    """JSON."""
    return Reply(status, (("Content-Type", "application/json"),), jsontext.dumps_in_order(body))


def not_found() -> Reply:
    """No such route."""
    return Reply(404, (("Content-Type", PLAIN),), b"404 Not Found")


def broken() -> Reply:
    """Something that nobody expected."""
    return Reply(500, (("Content-Type", PLAIN),), b"Internal Server Error")


class Gone(Exception):  # noqa: N818 - no failure of this program
    """Nothing is answered, and the connection is closed."""


class Call:
    """One request."""

    def __init__(self, scope: Scope, receive: Receive, fault: FileFault | None, idle_seconds: float) -> None:
        self.method: str = scope["method"]
        self.fault = fault
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self.segments = _segments(raw_path(scope))
        """Of the path, as they came; what is a value is decoded by :meth:`value`."""
        self.query_text: str = scope["query_string"].decode("latin-1")
        self._receive = receive
        self._idle_seconds = idle_seconds

    def value(self, at: int) -> str:
        """A segment of the path, decoded."""
        return unquote(self.segments[at], errors="replace")

    @cached_property
    def query(self) -> dict[str, str]:
        """The first value of each parameter."""
        found: dict[str, str] = {}
        for name, value in parse_qsl(self.query_text, keep_blank_values=True):
            found.setdefault(name, value)
        return found

    async def body(self) -> bytes:
        """The whole body. Raises :class:`Gone` for a client that pauses too long or leaves."""
        parts, more = [], True
        while more:
            try:
                async with asyncio.timeout(self._idle_seconds):
                    message = await self._receive()
            except TimeoutError:
                raise Gone from None
            if message["type"] == "http.disconnect":
                raise Gone
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        return b"".join(parts)

    async def left(self, seconds: float) -> None:
        """Returns when the client has left, or the time is over."""
        await self.body()
        try:
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return


Answering = Callable[[Call], Awaitable[Reply]]


def raw_path(scope: Scope) -> str:
    """The path as it came."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1").partition("?")[0]


def _segments(path: str) -> list[str]:
    """With dot segments resolved (WHATWG URL, path state), escaped ones too."""
    found: list[str] = []
    parts = path.split("/")[1:]
    for at, part in enumerate(parts):
        plain = part.lower().replace("%2e", ".")
        if plain in (".", ".."):
            if plain == "..":
                del found[-1:]
            if at == len(parts) - 1:
                found.append("")
        else:
            found.append(part)
    return found


class Edge:
    """An ASGI application around ``answering``.

    ``idle_seconds``: a client that stands still for longer is cut off. ``origins``: those that CORS lets in; None: all.
    ``cors`` False: nothing is said of that.
    """

    def __init__(
        self,
        answering: Answering,
        *,
        faults: Faults,
        idle_seconds: float,
        origins: tuple[str, ...] | None = None,
        cors: bool = True,
    ) -> None:
        self._answering = answering
        self._faults = faults
        self._origins = origins
        self._idle_seconds = idle_seconds
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        query = scope["query_string"].decode("latin-1")
        fault = self._faults.files(scope["method"], raw_path(scope) + (f"?{query}" if query else ""))
        call = Call(scope, receive, fault, self._idle_seconds)
        try:
            reply = await self._reply(call)
            await self._send(call, reply, scope, send)
        except Gone:
            await vanish(scope, receive)

    async def _reply(self, call: Call) -> Reply:
        match call.fault:
            case FileFault.SILENT:
                await call.left(self._faults.silence_seconds)
                raise Gone
            case FileFault.BAD_GATEWAY:
                return _page(502)
            case FileFault.ORIGIN_AWAY:
                return _page(530)
        length = call.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > MOST_BODY_BYTES:
            return Reply(413, (("Connection", "close"),))
        preflight = self._cors and call.method == "OPTIONS"
        reply = _preflight(call) if preflight else await self._answering(call)
        reply = replace(reply, headers=(*self._granted(call), *reply.headers))
        return self._spoiled(call.fault, reply) if reply.stored and reply.body else reply

    def _spoiled(self, fault: FileFault | None, reply: Reply) -> Reply:
        """What the service sends when the store fails it in the middle."""
        if fault is FileFault.WRONG:
            return replace(reply, body=bytes(byte ^ 0x55 for byte in reply.body[:16]) + reply.body[16:])
        if fault is FileFault.SHORT:
            return replace(reply, body=reply.body[: self._some(reply.body)])
        return reply

    def _granted(self, call: Call) -> Headers:
        if not self._cors:
            return (("Vary", "Origin"),)
        headers = [("Access-Control-Allow-Credentials", "true")]
        origin = call.headers.get("origin", "")
        if origin and (self._origins is None or origin in self._origins):
            headers.append(("Access-Control-Allow-Origin", origin))
        if not (call.method == "OPTIONS" and "access-control-request-headers" in call.headers):
            headers.append(("Vary", "Origin"))
        return tuple(headers)

    async def _send(self, call: Call, reply: Reply, scope: Scope, send: Send) -> None:
        body, whole = reply.body, call.fault is not FileFault.CUT or not reply.body
        surprised = reply.streamed and call.fault is FileFault.SHORT  # the length was not known when the head was sent
        framed = not surprised and not (reply.streamed and len(body) >= _LENGTH_BELOW)
        if not whole:
            body = body[: self._some(body)]
        headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in reply.headers]
        if call.method == "HEAD":
            headers, body, framed, whole = [*headers, (b"content-length", b"0")], b"", False, True
        elif framed and reply.status != 413:
            headers.append((b"content-length", b"%d" % len(reply.body)))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        for at in range(0, len(body), _PIECE):
            await self._piece(body[at : at + _PIECE], send)
        if not whole:
            raise Gone
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _some(self, body: bytes) -> int:
        return min(int(len(body) * self._faults.short), len(body) - 1)

    async def _piece(self, piece: bytes, send: Send) -> None:
        try:
            async with asyncio.timeout(self._idle_seconds):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            raise Gone from None


def _page(status: int) -> Reply:
    return Reply(status, (("Content-Type", "text/html; charset=UTF-8"),), _PAGE % (status, status))


def _preflight(call: Call) -> Reply:
    headers = [("Access-Control-Allow-Methods", _METHODS)]
    wanted = call.headers.get("access-control-request-headers")
    if wanted is not None:
        vary = "Origin, Access-Control-Request-Headers"
        headers += [("Access-Control-Allow-Headers", wanted), ("Vary", vary)]
    return Reply(204, tuple(headers))
