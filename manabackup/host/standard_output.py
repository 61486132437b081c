"""The standard output as the place of an archive: it gets all of it, or nothing.

Whoever reads a pipe keeps what came, and takes its end for the end of the file: half an archive would replace a whole
one. So an archive is set aside, encrypted under a key that nobody but this process has, and goes out when it is whole.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO, Self

from ..crypto.spools import CipherSpool
from ..errors import OutputError, UsageError


class StandardOutput:
    """Takes an archive, and writes it to ``stream`` when the ``with`` block has ended well.

    Raises :class:`UsageError` when ``stream`` is a terminal, unless it is given ``text`` that somebody can read;
    :class:`OutputError` when it cannot be written.
    """

    def __init__(self, stream: BinaryIO, *, text: bool = False) -> None:
        if not text and stream.isatty():
            raise UsageError(
                "the standard output is a terminal, and an archive is no text",
                hint="lead it into a file or a program; a file called - is ./-",
            )
        self._stream = stream
        self._spool: CipherSpool | None = None
        self._corrections: dict[int, bytes] = {}
        self._at = 0

    def __str__(self) -> str:
        return "-"

    def __enter__(self) -> Self:
        self._spool = CipherSpool(tempfile.TemporaryFile)
        self._corrections.clear()
        self._at = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._spool is not None
        try:
            if kind is None:
                self._send()
        finally:
            self._spool.close()

    def write(self, data: bytes, /) -> int:
        """Some more at the end; or, once for each place, what is to stand there in place of what was written before."""
        assert self._spool is not None
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

    def _send(self) -> None:
        try:
            for piece in self._corrected():
                self._stream.write(piece)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"cannot write to the standard output: {error.strerror or error}") from None

    def _corrected(self) -> Iterator[bytes]:
        assert self._spool is not None
        corrections = deque(sorted(self._corrections.items()))
        begin = 0
        for chunk in self._spool.chunks():
            piece = bytearray(chunk)
            while corrections and corrections[0][0] < begin + len(piece):
                place, data = corrections.popleft()
                here = data[: begin + len(piece) - place]
                piece[place - begin : place - begin + len(here)] = here
                if len(here) < len(data):
                    corrections.appendleft((place + len(here), data[len(here) :]))
            yield bytes(piece)
            begin += len(piece)
