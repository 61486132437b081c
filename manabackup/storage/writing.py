"""What sending an archive to a far place takes besides setting it aside."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

SILENT = "%s: this place overwrites what it was told to spare: of two runs that write there at once, the later one wins"
"""What is told of a place that does not refuse to write over something."""

CHANGED = "it changed after it was judged"
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


def age_by(headers: Mapping[str, str], moment: datetime | None) -> timedelta | None:
    """How long ago something was, by the clock of the server whose answer it is; None where that is unknown."""
    now = http_moment(headers.get("date", "")) or datetime.now(UTC)
    return None if moment is None else now - moment


def http_moment(text: str) -> datetime | None:
    """A moment as HTTP writes it (RFC 9110, 5.6.7); None for anything else."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def iso_moment(text: object) -> datetime | None:
    """A moment as ISO 8601 writes it, in UTC where it says no zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Again:
    """A body in pieces, from its beginning each time it is sent."""

    def __init__(self, pieces: Callable[[], Iterator[bytes]]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces()
