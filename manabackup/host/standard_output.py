"""The standard output as the place of an archive: it gets all of it, or nothing.

Whoever reads a pipe keeps what came, and takes its end for the end of the file: half an archive would replace a whole
one. So an archive is set aside, encrypted under a key that nobody but this process has, and goes out when it is whole.
"""

from __future__ import annotations

from typing import BinaryIO

from ..errors import OutputError, UsageError
from .set_aside import Sending, SetAside


class StandardOutput(Sending):
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
        super().__init__(self._send_all)
        self._stream = stream

    def __str__(self) -> str:
        return "-"

    def _send_all(self, held: SetAside) -> None:
        try:
            for piece in held.pieces():
                self._stream.write(piece)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"cannot write to the standard output: {error.strerror or error}") from None
