"""Between the program and the embedded servers: sees every request, answers in their place, or holds one back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from manabackup.sandbox.answers import ASGIApp, Receive, Scope, Send

from .patience import PATIENCE

Reply = tuple[int, bytes] | tuple[int, bytes, dict[str, str]]


@dataclass
class Traffic:
    """Wraps the application of a sandbox (``Sandbox(middleware=[traffic])``). Thread-safe as far as tests need it."""

    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method, and path with query, in the order of arrival."""
    tokens: set[str] = field(default_factory=set)
    """Every bearer token that came along."""
    reply: Callable[[str, str], Reply | None] = lambda method, target: None
    """Gives an answer in place of the servers', or None to let them speak."""
    _holds: list[Hold] = field(default_factory=list)

    def __call__(self, application: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            query = scope["query_string"].decode()
            method, target = scope.get("method", ""), scope["path"] + (f"?{query}" if query else "")
            self.requests.append((method, target))
            for name, value in scope["headers"]:
                if name == b"authorization":
                    self.tokens.add(value.decode("latin-1").removeprefix("Bearer "))
            for hold in [one for one in self._holds if one.part in target]:
                hold.reached.set()
                await asyncio.to_thread(hold.ended.wait, PATIENCE)
            reply = self.reply(method, target)
            if reply is None:
                await application(scope, receive, send)
            else:
                await _answer(send, *reply)

        return wrapped

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

    @contextmanager
    def answering(self, reply: Callable[[str, str], Reply | None]) -> Iterator[None]:
        """``reply`` speaks within the block."""
        before, self.reply = self.reply, reply
        try:
            yield
        finally:
            self.reply = before


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


async def _answer(send: Send, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    fields: list[Any] = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    fields.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
