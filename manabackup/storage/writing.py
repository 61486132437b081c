"""What sending an archive to a far place takes besides setting it aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator

SILENT = "%s: this place overwrites what it was told to spare: of two runs that write there at once, the later one wins"
"""What is told of a place that does not refuse to write over something."""


class Again:
    """A body in pieces, from its beginning each time it is sent."""

    def __init__(self, pieces: Callable[[], Iterator[bytes]]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces()
