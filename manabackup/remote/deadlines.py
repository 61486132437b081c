"""Sockets that lose their patience.

``httpcore2`` knows timeouts of single reads and writes only: a server that sends one byte now and then keeps a request
alive for ever. It hands those numbers to its network backend as they are, so in their place it is given one
:class:`Patience` for a whole request.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

import httpcore2

from ..errors import ServerError

_WRITE_BYTES = 64 << 10
"""Written in one go; the library's own loop would give each of its steps the whole time anew."""


class ForbiddenAddressError(ServerError):
    """A host has no address that a connection may lead to."""


class Patience:
    """How much longer one request may keep us waiting: so many seconds, of which bytes that move give some back.

    Only waiting for the other side counts, not what is done here in between. Who moves ``rate`` bytes a second is
    waited for as long as it takes, and who falls silent, or drips, for ``seconds`` (or a little more) and no longer.
    For one thread.
    """

    def __init__(self, seconds: float, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = self.left = seconds
        self._rate = rate
        self._clock = clock

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The time that the block takes counts."""
        begun = self._clock()
        try:
            yield
        finally:
            self.left -= self._clock() - begun

    def moved(self, size: int) -> None:
        """So many bytes came, or went."""
        self.left = min(self._most, self.left + size / self._rate)


class PatientBackend(httpcore2.NetworkBackend):
    """Opens TCP connections whose ``timeout`` parameters are :class:`Patience`. Safe to share between threads.

    ``addresses`` says of an IP address whether a connection may lead there; without it any may.
    """

    def __init__(self, addresses: Callable[[str], bool] | None = None) -> None:
        self._addresses = addresses
        self._backend = httpcore2.SyncBackend()
        self._lock = threading.Lock()
        self._open: WeakSet[_PatientStream] = WeakSet()
        self._interrupted = False

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Any = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """A connection, or :class:`httpcore2.ConnectTimeout` when the patience ``timeout`` is at its end.

        Raises :class:`ForbiddenAddressError` where none of the host's addresses is one of those that are allowed.
        """
        if self._addresses is not None:
            host = _allowed(host, port, self._addresses)
        with _within(timeout, httpcore2.ConnectTimeout) as seconds:
            stream = self._backend.connect_tcp(host, port, seconds, local_address, socket_options)
        return self.watched(stream)

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
        """``stream`` under its users' patience, and under :meth:`interrupt`."""
        watched = _PatientStream(stream, self)
        with self._lock:
            if not self._interrupted:
                self._open.add(watched)
                return watched
        stream.close()
        raise httpcore2.ConnectError("interrupted")


def _allowed(host: str, port: int, addresses: Callable[[str], bool]) -> str:
    """The first of a host's addresses that is allowed, to be connected to as it is and not looked up again."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(str(error)) from None
    for *_, place in found:
        if addresses(str(place[0])):
            return str(place[0])
    raise ForbiddenAddressError("its address is not one that may be asked")


class _PatientStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream, backend: PatientBackend) -> None:
        self._stream = stream
        self._backend = backend

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        with _within(timeout, httpcore2.ReadTimeout) as seconds:
            data = self._stream.read(max_bytes, seconds)
        if timeout is not None:
            timeout.moved(len(data))
        return data

    def write(self, buffer: bytes, timeout: Any = None) -> None:
        view = memoryview(buffer)
        for at in range(0, len(view), _WRITE_BYTES):
            piece = view[at : at + _WRITE_BYTES]
            with _within(timeout, httpcore2.WriteTimeout) as seconds:
                self._stream.write(piece, seconds)  # type: ignore[arg-type] # any buffer does
            if timeout is not None:
                timeout.moved(len(piece))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> httpcore2.NetworkStream:
        with _within(timeout, httpcore2.ConnectTimeout) as seconds:
            stream = self._stream.start_tls(ssl_context, server_hostname, seconds)
        return self._backend.watched(stream)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@contextmanager
def _within(patience: Patience | None, too_late: type[httpcore2.TimeoutException]) -> Iterator[float | None]:
    """The seconds that a step may take."""
    if patience is None:
        yield None
        return
    if patience.left <= 0:
        raise too_late("too late")
    with patience.waiting():
        yield patience.left
