"""An archive on its way to a far place: set aside until it is whole, then sent, then let appear."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType

from ..host.set_aside import SetAside

SILENT = "%s: this place overwrites what it was told to spare: of two runs that write there at once, the later one wins"
"""What is told of a place that does not refuse to write over something."""


class Sending:
    """Takes an archive, and gives it to ``send`` when the ``with`` block has ended well.

    It is set aside among temporary files, encrypted: nothing of it is sent before all of it is there.
    """

    def __init__(self, send: Callable[[SetAside], None]) -> None:
        self._send = send
        self._held: SetAside | None = None

    def __enter__(self) -> SetAside:
        self._held = SetAside()
        return self._held

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._held is not None
        try:
            if kind is None:
                self._send(self._held)
        finally:
            self._held.close()


class Again:
    """A body in pieces, from its beginning each time it is sent."""

    def __init__(self, pieces: Callable[[], Iterator[bytes]]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces()
