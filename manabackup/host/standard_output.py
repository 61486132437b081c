"""The standard output as the place of an archive: it gets all of it, or nothing.

Whoever reads a pipe keeps what came, and takes its end for the end of the file: half an archive would replace a whole
one. So an archive is set aside, encrypted under a key that nobody but this process has, and goes out when it is whole.
"""

from __future__ import annotations

from types import TracebackType
from typing import BinaryIO

from ..errors import OutputError, UsageError
from .set_aside import SetAside


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
        self._held: SetAside | None = None

    def __str__(self) -> str:
        return "-"

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

    def _send(self, held: SetAside) -> None:
        try:
            for piece in held.pieces():
                self._stream.write(piece)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"cannot write to the standard output: {error.strerror or error}") from None
