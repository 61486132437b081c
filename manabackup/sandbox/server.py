"""The shell around the servers: one process, one port, an event loop in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from .answers import TRANSPORT, ASGIApp, Receive, Scope, Send

_GRACE_SECONDS = 5.0
_KEPT_SECONDS = 60


class _Protocol(H11Protocol):
    """HTTP/1.1 that hands the connection's transport to the application, for ends that ASGI has no words for."""

    idle_seconds: Mapping[int, float] = {}
    """Port → how long a connection is kept between two requests, where it is not as long as elsewhere."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        port = transport.get_extra_info("sockname")[1]
        self.timeout_keep_alive = self.idle_seconds.get(port, self.timeout_keep_alive)  # type: ignore[assignment]
        application: ASGIApp = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[TRANSPORT] = transport
            await application(scope, receive, send)

        self.app = with_transport


class _Uvicorn(uvicorn.Server):
    """Starts and stops on signals between threads in place of polling ten times a second."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.ready = threading.Event()

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.ready.set()
        counter = 0
        while not await self.on_tick(counter):
            counter += 10  # one second
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        self._on_stop()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if tasks := set(self.server_state.tasks):
            _, late = await asyncio.wait(tasks, timeout=_GRACE_SECONDS)
            for task in late:
                task.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # connections learn that they are lost in the loop's next round

    def stop(self) -> None:
        """Asks the loop to end; from any thread."""
        self.should_exit = True
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)


class HTTPServer:
    """Serves an ASGI application on a port of the loopback interface until it is closed.

    ``port`` 0 takes a free one. ``more`` free ones lead to the same application, which tells them apart by the scope's
    ``server``; there a connection is closed that was idle for ``idle_seconds``. ``on_stop`` runs on the event loop when
    the server is about to end. Raises ``OSError`` when the port is taken.
    """

    def __init__(
        self,
        application: ASGIApp,
        *,
        port: int,
        on_stop: Callable[[], None],
        more: int = 0,
        idle_seconds: float = _KEPT_SECONDS,
    ) -> None:
        self._sockets = [_listening(port)]
        self._sockets += [_listening(0) for _ in range(more)]
        self.ports: list[int] = [one.getsockname()[1] for one in self._sockets]
        self.port = self.ports[0]
        app: Any = application
        idle = dict.fromkeys(self.ports[1:], idle_seconds)

        class Protocol(_Protocol):
            idle_seconds = idle

        config = uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            loop="asyncio",
            interface="asgi3",
            proxy_headers=False,
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="error",
            server_header=False,
            timeout_keep_alive=_KEPT_SECONDS,
        )
        self._server = _Uvicorn(config, on_stop)
        self._thread = threading.Thread(target=self._run, name=f"sandbox-{self.port}", daemon=True)
        self._ended = threading.Event()

    def start(self) -> None:
        """Returns when the server accepts requests. Raises ``RuntimeError`` when its loop did not begin."""
        self._thread.start()
        self._server.ready.wait()
        if not self._server.started:
            raise RuntimeError("the embedded server did not start")

    def wait(self) -> None:
        """Blocks until the server has ended."""
        # An interrupt in Thread.join() makes Python 3.11 take the running thread for one that has ended.
        self._ended.wait()

    def close(self) -> None:
        """Ends the server and waits for it."""
        self._server.stop()
        if self._thread.is_alive():
            self._thread.join()
        for one in self._sockets:
            one.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=self._sockets)
        finally:
            self._server.ready.set()
            self._ended.set()


def _listening(port: int) -> socket.socket:
    # The protocol is named because asyncio switches Nagle off only for sockets that say that they are TCP.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(("127.0.0.1", port))
        found.listen(128)
    except OSError:
        found.close()
        raise
    return found
