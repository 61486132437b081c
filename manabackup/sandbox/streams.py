"""Server-sent events of the sync server: who listens to which app, and what they are sent.

Only the author's own pushes wake a listener; nothing, not even the status line, is sent before the first event.
Source: ``fixtures/transcripts`` 21 and 22.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .answers import Receive, Send
from .changelog import Row
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

    def __init__(self, heartbeat_seconds: float) -> None:
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

    async def serve(self, listener: Listener, collections: Iterable[str], receive: Receive, send: Send) -> None:
        """Sends events until the client leaves or :meth:`end` is called."""
        started = False

        async def emit(event: bytes) -> None:
            nonlocal started
            if not started:
                await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
                started = True
            await send({"type": "http.response.body", "body": event, "more_body": True})

        self._listeners.add(listener)
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            for collection in collections:
                if event := listener.event(collection):
                    await emit(event)
            loop = asyncio.get_running_loop()
            beat = loop.time() + self._heartbeat_seconds
            while not self._ended and not gone.done():
                pushed = asyncio.ensure_future(listener.pushed.get())
                done, _ = await asyncio.wait(
                    (pushed, gone), timeout=max(0.0, beat - loop.time()), return_when=asyncio.FIRST_COMPLETED
                )
                if pushed not in done:
                    pushed.cancel()
                    if not done:
                        beat += self._heartbeat_seconds
                        await emit(_HEARTBEAT)
                elif (name := pushed.result()) is not None and (event := listener.event(name)):
                    await emit(event)
            if not gone.done():
                if not started:
                    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._listeners.discard(listener)
            gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
