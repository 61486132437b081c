"""An archive that is set aside, encrypted under a key that nobody but this process has, until it goes elsewhere whole.

What goes elsewhere can take no corrections, and is to get all of an archive or nothing: so it is finished here first.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TypeAlias

from ..crypto.spools import CipherSpool

Tell: TypeAlias = Callable[[int, int], object]
"""Takes (done, total), in bytes."""


class SetAside:
    """Takes an archive in the order in which its writer makes it, and gives it in the order of its bytes."""

    def __init__(self) -> None:
        self._spool = CipherSpool(tempfile.TemporaryFile)
        self._corrections: dict[int, bytes] = {}
        self._at = 0
        self.tell: Tell = _nobody
        """Is told by :meth:`sent` how many bytes of how many are on their way."""

    @property
    def size(self) -> int:
        """In bytes."""
        return self._spool.size

    def write(self, data: bytes, /) -> int:
        """Some more at the end; or, once for each place, what is to stand there in place of what was written before."""
        end = self._at + len(data)
        if self._at == self._spool.size:
            self._spool.write(data)
        elif end <= self._spool.size:
            # What is small and known late, such as sizes in a header: no key stream is used twice for it.
            self._corrections[self._at] = bytes(data)
        else:
            raise ValueError("neither at the end nor before it")
        self._at = end
        return len(data)

    def seek(self, offset: int, /) -> int:
        """Where the next bytes go."""
        self._at = offset
        return offset

    def pieces(self) -> Iterator[bytes]:
        """All of it, about a MiB at a time, corrected; from the beginning each time. One at a time."""
        corrections = deque(sorted(self._corrections.items()))
        begin = 0
        for chunk in self._spool.replayed():
            piece = bytearray(chunk)
            while corrections and corrections[0][0] < begin + len(piece):
                place, data = corrections.popleft()
                here = data[: begin + len(piece) - place]
                piece[place - begin : place - begin + len(here)] = here
                if len(here) < len(data):
                    corrections.appendleft((place + len(here), data[len(here) :]))
            yield bytes(piece)
            begin += len(piece)

    def sent(self) -> Iterator[bytes]:
        """As :meth:`pieces`, for whoever sends them on; :attr:`tell` hears of it."""
        done = 0
        for piece in self.pieces():
            self.tell(done, self.size)
            yield piece
            done += len(piece)
        self.tell(done, self.size)

    def close(self) -> None:
        """Forget all of it."""
        self._spool.close()


def _nobody(done: int, total: int) -> None:
    """Nobody watches."""


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
