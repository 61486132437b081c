"""A relay in front of an HTTP server on this computer: it takes down what is asked, and fails where a test wants it."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

from .patience import PATIENCE

Fault = Literal["cut before", "cut after", "stall", "full", "denied", "busy", "broken"]
"""Cut before the server heard of it, or after; no answer at all; 507, 403, 503 or 500 in place of its answer."""
_STATUS = {"full": 507, "denied": 403, "busy": 503, "broken": 500}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked."""

    method: str
    path: str
    range: str | None
    headers: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Relay:
    """``fail`` says of each request, before it goes on, what becomes of it."""

    def __init__(self, port: int) -> None:
        self.upstream = port
        self.asked: list[Asked] = []
        self.fail: Callable[[int, Asked], Fault | None] = lambda number, asked: None
        self.forget: tuple[str, ...] = ()
        """Headers, and parameters of queries, that the server does not hear of."""
        self.ahead = 0.0
        """Seconds by which the server's clock seems to be ahead."""
        self.adds: dict[str, str] = {}
        """Headers that answers have besides the server's own."""
        self.garble = False
        """Whether the last byte of what is sent changes on the way."""
        self._lock = threading.Lock()
        self._over = threading.Event()
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string((timestamp or time.time()) + relay.ahead)

            def log_message(self, *_: object) -> None:
                pass

            def _any(self) -> None:
                relay._relayed(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_MOVE = do_PROPFIND = do_MKCOL = _any

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def _relayed(self, handler: BaseHTTPRequestHandler) -> None:
        asked = Asked(handler.command, handler.path, handler.headers.get("Range"), dict(handler.headers.items()))
        with self._lock:
            number = len(self.asked)
            self.asked.append(asked)
        length_told = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length_told)
        if len(body) < length_told:  # who asks has gone: half a request is not passed on
            _cut(handler)
            return
        if self.garble and body and handler.command == "PUT":
            body = body[:-1] + bytes([body[-1] ^ 1])
        fault = self.fail(number, asked)
        if fault == "cut before":
            _cut(handler)
            return
        if fault == "stall":
            self._over.wait(PATIENCE)
            _cut(handler)
            return
        if fault in _STATUS:
            handler.send_response(_STATUS[fault])
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        line = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=120)
        try:
            heard = {name: value for name, value in asked.headers.items() if name not in self.forget}
            line.request(handler.command, _without(handler.path, self.forget), body, heard)
            answer = line.getresponse()
            content = answer.read()
            if fault == "cut after":
                _cut(handler)
                return
            handler.send_response(answer.status)
            for name, value in (*answer.getheaders(), *self.adds.items()):
                if name.lower() not in ("connection", "transfer-encoding", "content-length", "server", "date"):
                    handler.send_header(name, value)
            length = answer.getheader("Content-Length") if handler.command == "HEAD" else str(len(content))
            if length is not None:
                handler.send_header("Content-Length", length)
            handler.end_headers()
            if handler.command != "HEAD":
                handler.wfile.write(content)
        finally:
            line.close()

    @contextmanager
    def running(self) -> Iterator[Relay]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def _without(path: str, names: tuple[str, ...]) -> str:
    before, mark, query = path.partition("?")
    return before + mark + "&".join(part for part in query.split("&") if part.partition("=")[0] not in names)


def _cut(handler: BaseHTTPRequestHandler) -> None:
    """Ends a connection as a line does that is cut, and not as a server does that closes."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):  # it may be gone
        handler.connection.shutdown(socket.SHUT_RDWR)
