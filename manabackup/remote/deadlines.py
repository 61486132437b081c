"""Sockets that work against one point in time.

``httpcore2`` knows timeouts of single reads and writes only: a server that sends one byte now and then keeps a request
alive for ever. It hands those numbers to its network backend as they are, so here they mean points in time of
:func:`time.monotonic`, and a whole request shares one.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import httpcore2


class DeadlineBackend(httpcore2.NetworkBackend):
    """Opens TCP connections whose ``timeout`` parameters are points in time. Safe to share between threads."""

    def __init__(self) -> None:
        self._backend = httpcore2.SyncBackend()
        self._lock = threading.Lock()
        self._open: WeakSet[_DeadlineStream] = WeakSet()
        self._interrupted = False

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """A connection, or :class:`httpcore2.ConnectTimeout` when the point in time ``timeout`` has come."""
        seconds = _seconds_until(timeout, httpcore2.ConnectTimeout)
        return self.watched(self._backend.connect_tcp(host, port, seconds, local_address, socket_options))

    def interrupt(self) -> None:
        """Ends every connection at once, also under a thread that is reading from it, and opens no more."""
        with self._lock:
            self._interrupted = True
            streams = list(self._open)
        for stream in streams:
            with suppress(OSError):  # not connected any more: what was to be reached
                # SSLSocket.shutdown would take the TLS state away under the reading thread.
                socket.socket.shutdown(stream.get_extra_info("socket"), socket.SHUT_RDWR)

    def watched(self, stream: httpcore2.NetworkStream) -> httpcore2.NetworkStream:
        """``stream`` under deadlines, and under :meth:`interrupt`."""
        watched = _DeadlineStream(stream, self)
        with self._lock:
            if not self._interrupted:
                self._open.add(watched)
                return watched
        stream.close()
        raise httpcore2.ConnectError("interrupted")


class _DeadlineStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream, backend: DeadlineBackend) -> None:
        self._stream = stream
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _seconds_until(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _seconds_until(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        seconds = _seconds_until(timeout, httpcore2.ConnectTimeout)
        return self._backend.watched(self._stream.start_tls(ssl_context, server_hostname, seconds))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _seconds_until(point: float | None, too_late: type[httpcore2.TimeoutException]) -> float | None:
    if point is None:
        return None
    seconds = point - time.monotonic()
    if seconds <= 0:
        raise too_late("too late")
    return seconds
