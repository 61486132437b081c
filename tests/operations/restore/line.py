"""The line between a restore and the sync server: every push is seen, and may go wrong on its way there or back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from manabackup.sandbox.answers import ASGIApp, Receive, Scope, Send, vanish
from manabackup.text import jsontext

JSON = Any


@dataclass(frozen=True)
class Fault:
    """What becomes of a push."""

    stored: int | None = 0
    """So many of its changes reach the log; None: all."""
    status: int | None = 500
    """The answer; None: the connection is cut without one."""
    words: str = "failed to record change: it rains"
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True)
class Pushed:
    """One push as it came."""

    app: str
    client_id: str
    size: int
    body: JSON

    @property
    def changes(self) -> list[JSON]:
        """What was to be stored."""
        changes: list[JSON] = self.body["changes"]
        return changes


@dataclass
class Line:
    """Middleware for a sandbox. ``fault`` is asked about each push that carries changes."""

    fault: Callable[[Pushed], Fault | None] = lambda pushed: None
    pushed: list[Pushed] = field(default_factory=list, repr=False)
    readers: set[str] = field(default_factory=set)
    """Client ids of everybody who read."""
    moment: Callable[[], None] = lambda: None
    """Called just before and just after the server deals with each request."""

    def faults(self, *faults: Fault | None) -> None:
        """One for each of the next pushes; then all is well."""
        coming = iter(faults)
        self.fault = lambda pushed: next(coming, None)

    def __call__(self, application: ASGIApp) -> ASGIApp:
        within = self._faulty(application)

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            self.moment()
            await within(scope, receive, send)
            self.moment()

        return wrapped

    def _faulty(self, application: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope["path"].split("/")
            client_id = dict(scope["headers"]).get(b"x-client-id", b"").decode()
            if scope["method"] != "POST" or path[1] != "sync":
                if path[1] == "sync":
                    self.readers.add(client_id)
                await application(scope, receive, send)
                return
            body = b""
            more = True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
            pushed = Pushed(path[2], client_id, len(body), jsontext.parse(body))
            if not pushed.changes:
                self.readers.add(client_id)
                await application(scope, _replayed(body, receive), send)
                return
            self.pushed.append(pushed)
            fault = self.fault(pushed)
            if fault is None:
                await application(scope, _replayed(body, receive), send)
                return
            if fault.stored != 0:
                kept = {**pushed.body, "changes": pushed.changes[: fault.stored]}
                await application(scope, _replayed(jsontext.dumps(kept), receive), _nowhere)
            if fault.status is None:
                await vanish(scope, receive)
                return
            text = fault.words.encode()
            headers = [(b"content-length", b"%d" % len(text)), *fault.headers]
            await send({"type": "http.response.start", "status": fault.status, "headers": headers})
            await send({"type": "http.response.body", "body": text})

        return wrapped

    @property
    def sent(self) -> list[JSON]:
        """Every change that was pushed, again where it was pushed again."""
        return [change for pushed in self.pushed for change in pushed.changes]


def _replayed(body: bytes, receive: Receive) -> Receive:
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replayed() -> Any:
        return next(messages, None) or await receive()

    return replayed


async def _nowhere(message: Any) -> None:
    """An answer that nobody hears."""
