"""A server that grants tokens, for tests: it takes down the forms that it gets, and answers as a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

Grant = Callable[["Asked"], tuple[int, Mapping[str, object]]]


@dataclass(frozen=True)
class Asked:
    """What was asked: a form, or the parameters of a query."""

    path: str
    said: dict[str, str]
    headers: dict[str, str] = field(repr=False)


@contextmanager
def grants(grant: Grant) -> Iterator[tuple[str, list[Asked]]]:
    """Where such a server is, and all that it was asked."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            parts = urlsplit(self.path)
            one = Asked(parts.path, dict(parse_qsl(body or parts.query)), dict(self.headers.items()))
            asked.append(one)
            status, answer = grant(one)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _any

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
