"""Server-sent events of the sync server: who listens to which app, and what they are sent.

Only the author's own pushes wake a listener; nothing, not even the status line, is sent before the first event.
Source: ``fixtures/transcripts`` 21 and 22.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .answers import Receive, Scope, Send, vanish
from .changelog import Row
from .faults import Faults, StreamFault
from .gojson import marshal_text
from .gotime import text_of_us

PAGE_CHANGES = 1_000
_HEADERS = [
    (b"cache-control", b"no-cache"),
    (b"connection", b"keep-alive"),
    (b"content-type", b"text/event-stream"),
    (b"vary", b"Origin"),
]
_HEARTBEAT = b"event: heartbeat\ndata: {}\n\n"


@dataclass(eq=False)
class Listener:
    """One open stream."""

    user_id: str
    client_id: str
    app: str
    since_us: int
    read: Callable[[str, int], list[Row]]
    """Changes of a collection after a time, at most a page and one more."""
    pushed: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    """Collections that somebody pushed to; ``None`` ends the stream."""
    cursors: dict[str, int] = field(default_factory=dict)

    def event(self, collection: str) -> bytes | None:
        """The next event of a collection, ``None`` when there is nothing new. Moves the collection's cursor."""
        rows = self.read(collection, self.cursors.get(collection, self.since_us))
        if not rows:
            return None
        more = len(rows) > PAGE_CHANGES
        del rows[PAGE_CHANGES:]
        self.cursors[collection] = rows[-1].created_at_us
        return b'event: changes\ndata: {"changes":[%b],"hasMore":%b,"syncedUntil":"%b","table":%b}\n\n' % (
            b",".join(row.event() for row in rows),
            b"true" if more else b"false",
            text_of_us(rows[-1].created_at_us).encode(),
            marshal_text(collection),
        )


class Streams:
    """All open streams. Belongs to the server's event loop."""

    def __init__(self, heartbeat_seconds: float, faults: Faults) -> None:
        self._faults = faults
        self._heartbeat_seconds = heartbeat_seconds
        self._listeners: set[Listener] = set()
        self._ended = False

    def notify(self, user_id: str, client_id: str, app: str, collections: Iterable[str]) -> None:
        """Wakes the other devices of ``user_id``."""
        for listener in self._listeners:
            if listener.user_id == user_id and listener.app == app and listener.client_id != client_id:
                for collection in collections:
                    listener.pushed.put_nowait(collection)

    def end(self) -> None:
        """Ends all streams, and those to come."""
        self._ended = True
        for listener in self._listeners:
            listener.pushed.put_nowait(None)

    async def serve(
        self, listener: Listener, collections: Iterable[str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Sends events until the client leaves, or :meth:`end` is called, or a fault ends it."""
        sending = _Sending(listener.app, self._faults, send)
        self._listeners.add(listener)
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            for collection in collections:
                await sending.emit("changes", listener.event(collection))
            loop = asyncio.get_running_loop()
            beat = loop.time() + self._heartbeat_seconds
            while not (self._ended or gone.done() or sending.ended_by):
                pushed = asyncio.ensure_future(listener.pushed.get())
                done, _ = await asyncio.wait(
                    (pushed, gone), timeout=max(0.0, beat - loop.time()), return_when=asyncio.FIRST_COMPLETED
                )
                if pushed not in done:
                    pushed.cancel()
                    if not done:
                        beat += self._heartbeat_seconds
                        await sending.emit("heartbeat", _HEARTBEAT)
                elif (name := pushed.result()) is not None:
                    await sending.emit("changes", listener.event(name))
            if sending.ended_by is StreamFault.CUT:
                gone.cancel()
                await vanish(scope, receive)
            elif not gone.done():
                await sending.end()
        finally:
            self._listeners.discard(listener)
            gone.cancel()


class _Sending:
    """The answer of one stream, with what goes wrong on its way."""

    def __init__(self, app: str, faults: Faults, send: Send) -> None:
        self._app = app
        self._faults = faults
        self._send = send
        self._started = False
        self._silent = False
        self.ended_by: StreamFault | None = None

    async def emit(self, name: str, event: bytes | None) -> None:
        """Sends an event, if there is one."""
        if event is None or self._silent or self.ended_by:
            return
        fault = self._faults.streams(self._app, name)
        if fault in (StreamFault.CUT, StreamFault.END):
            self.ended_by = fault
        self._silent = fault is StreamFault.SILENT
        if fault is StreamFault.CUT:
            await self._write(event[: len(event) // 2])
        elif fault is None:
            await self._write(event)

    async def end(self) -> None:
        """Ends the answer regularly."""
        await self._write(b"", more=False)

    async def _write(self, data: bytes, *, more: bool = True) -> None:
        if not self._started:
            await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            self._started = True
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
