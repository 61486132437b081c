"""HTTP answers in the manner of Go's ``net/http``, and the ways in which a connection ends without one."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

TRANSPORT = "sandbox.transport"
"""Key of the connection's ``asyncio.Transport`` in the scope's ``extensions``."""

_CHUNKED_ABOVE = 2_048
_LINGER_SECONDS = 0.5
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. ``close`` ends the connection after it, read out or not."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    close: bool = False


class Refused(Exception):  # noqa: N818 - an answer, no failure of this program
    """Ends a request with an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json_answer(body: bytes, status: int = 200) -> Answer:
    """``body`` as JSON."""
    return Answer(status, (("Content-Type", "application/json"),), body)


def error(status: int, text: str, *, headers: tuple[tuple[str, str], ...] = (), close: bool = False) -> Answer:
    """As ``http.Error`` answers: plain text and a line feed."""
    plain = (("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff"))
    return Answer(status, (*headers, *plain), text.encode() + b"\n", close)


async def send_answer(answer: Answer, receive: Receive, send: Send) -> None:
    """Sends ``answer``, in chunks when it is longer than Go's write buffer."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if len(answer.body) <= _CHUNKED_ABOVE and answer.status != 204:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    if answer.close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": answer.close})
    if answer.close:
        await _linger(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _linger(receive: Receive) -> None:
    """Swallows what the client still sends for a moment: closing at once would reset the connection, and the client
    could lose the answer."""
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                pass
    except TimeoutError:
        return


async def vanish(scope: Scope, receive: Receive) -> None:
    """Closes the connection without an answer."""
    transport = _transport(scope)
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


async def refuse_head(scope: Scope, receive: Receive) -> None:
    """Refuses a request before anybody has looked at it, as ``net/http`` does where a header has a control character.

    Nothing of the usual stands around the words, and the connection is closed.
    """
    transport = _transport(scope)
    transport.write(
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
        b"400 Bad Request: invalid header value"
    )
    await vanish(scope, receive)


async def refuse_websocket(scope: Scope, receive: Receive) -> None:
    """Shakes hands and closes at once."""
    key = next((value for name, value in scope["headers"] if name == b"sec-websocket-key"), b"")
    accept = base64.b64encode(hashlib.sha1(key + _WEBSOCKET_GUID, usedforsecurity=False).digest())
    close_frame = b"\x88\x09\x03\xe8closing"
    _transport(scope).write(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\nUpgrade: websocket\r\n"
        b"Vary: Origin\r\n\r\n%b" % (accept, close_frame)
    )
    await vanish(scope, receive)


def _transport(scope: Scope) -> asyncio.Transport:
    transport: asyncio.Transport = scope["extensions"][TRANSPORT]
    return transport
