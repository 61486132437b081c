"""A TCP line in front of a server on this computer: it keeps what goes over it, and may be cut and mended."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress

_FROM = ("127.0.0.2", 0) if sys.platform == "linux" else None
"""Where nobody listens, a system may let who connects from the same address connect to itself, and keeps the port."""


class Wire:
    """``port`` leads to ``upstream`` as long as the line is whole. A context manager."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._lines: list[threading.Thread] = []
        self._whole = True
        self.refused = 0
        """Connections that were ended as soon as they were made."""
        self._heard = bytearray()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listener = threading.Thread(target=self._accept, daemon=True)
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Wire:
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # which ends the waiting for more
        self._listener.join()
        self._listening.close()
        for line in self._lines:
            line.join()

    @property
    def heard(self) -> bytes:
        """All that went over it, in both directions."""
        with self._lock:
            return bytes(self._heard)

    def cut(self) -> None:
        """Ends every connection; new ones end as soon as they are made."""
        with self._lock:
            self._whole = False
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """New connections get through again."""
        with self._lock:
            self._whole = True

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                with self._lock:
                    whole = self._whole
                try:
                    if not whole:
                        raise OSError
                    far = socket.create_connection(("127.0.0.1", self._upstream), source_address=_FROM)
                except OSError:
                    near.close()
                    self.refused += 1
                    continue
                with self._lock:
                    self._open += [near, far]
                line = threading.Thread(target=self._relay, args=(near, far), daemon=True)
                line.start()
                self._lines.append(line)

    def _relay(self, near: socket.socket, far: socket.socket) -> None:
        back = threading.Thread(target=self._carry, args=(far, near), daemon=True)
        back.start()
        self._carry(near, far)
        back.join()
        with self._lock:
            for end in (near, far):
                self._open.remove(end)
                end.close()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(1 << 16):
                with self._lock:
                    self._heard += part
                target.sendall(part)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
