"""What sending an archive to a far place takes besides setting it aside."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator

SILENT = "%s: this place overwrites what it was told to spare: of two runs that write there at once, the later one wins"
"""What is told of a place that does not refuse to write over something."""

_UNFINISHED = re.compile(r"\.(.+)\.[0-9a-f]{16}\.unfinished", re.DOTALL)


def unfinished_name(name: str) -> str:
    """What a file is called beside its place until all of it is there; another one each time.

    It does not end with ``.part``: Nextcloud and ownCloud refuse such names, which are those of their own uploads.
    """
    return f".{name}.{secrets.token_hex(8)}.unfinished"


def meant_name(name: str) -> str | None:
    """What a file was to be called that has a name as :func:`unfinished_name` gives; None for any other."""
    match = _UNFINISHED.fullmatch(name)
    return None if match is None else match[1]


class Again:
    """A body in pieces, from its beginning each time it is sent."""

    def __init__(self, pieces: Callable[[], Iterator[bytes]]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces()
