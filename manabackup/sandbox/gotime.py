"""Times as the sync server, a Go program over PostgreSQL, reads and writes them.

Everything is an integer since 1970-01-01T00:00:00Z: nanoseconds for clocks, microseconds for what is stored.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097  # the Gregorian calendar repeats; date knows no year 0


def parse(text: str) -> int | None:
    """Nanoseconds of what Go's ``time.Parse(time.RFC3339, text)`` accepts, else ``None``.

    That is RFC 3339 with capital ``T`` and ``Z``, and besides a comma before the fraction, more than nine digits in it
    (cut), an hour of one digit, and offsets up to 24:60.
    """
    match = _RFC3339.fullmatch(text)
    if match is None or not text.isascii():
        return None
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    if hour > 23 or minute > 59 or second > 59:
        return None
    cycle, year_of_cycle = divmod(year, _CYCLE_YEARS)
    try:
        days = date(_CYCLE_YEARS + year_of_cycle, month, day).toordinal() + (cycle - 1) * _CYCLE_DAYS - _EPOCH_DAY
    except ValueError:
        return None
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
    if match[8]:
        offset_hours, offset_minutes = int(match[9]), int(match[10])
        if offset_hours > 24 or offset_minutes > 60:
            return None
        offset = (offset_hours * 60 + offset_minutes) * 60
        seconds -= offset if match[8] == "+" else -offset
    return seconds * 1_000_000_000 + int((match[7] or "")[:9].ljust(9, "0"))


def text_of_ns(nanoseconds: int) -> str:
    """RFC 3339 in UTC with 0 to 9 digits of fraction, trailing zeros cut (``time.RFC3339Nano``)."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    digits = f"{fraction:09d}".rstrip("0")
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{'.' if digits else ''}{digits}Z"


def text_of_us(microseconds: int) -> str:
    """As :func:`text_of_ns`, of microseconds."""
    return text_of_ns(microseconds * 1_000)
