"""Instants as the sync server writes them: RFC 3339 with a zone, as whole microseconds since 1970.

The server stores microseconds and cuts finer digits of what it is asked from, so a microsecond is the smallest step
that a cursor can take. Floats hold no microseconds of this century exactly and are not used.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
"""Microseconds."""
EPOCH = 0
FAR_FUTURE = 32_472_144_000 * SECOND
"""2999-01-01T00:00:00Z: nothing is stored after it, so asking from there gives the server's clock and no change."""

_FORM = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)
_ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _ORIGIN) // timedelta(microseconds=1)
_LAST = (datetime.max.replace(tzinfo=UTC) - _ORIGIN) // timedelta(microseconds=1)


def parse_timestamp(text: str) -> int:
    """Microseconds since 1970; finer digits are cut. Raises :class:`ValueError` for what is not RFC 3339."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 timestamp")
    year, month, day, hour, minute, second, fraction, sign, zone_hours, zone_minutes = match.groups()
    moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    micros = (moment - _ORIGIN) // timedelta(microseconds=1) + int((fraction or "")[:6].ljust(6, "0"))
    if sign is None:
        return micros
    if int(zone_hours) > 23 or int(zone_minutes) > 59:
        raise ValueError("not an RFC 3339 timestamp")
    offset = (int(zone_hours) * 3600 + int(zone_minutes) * 60) * SECOND
    micros += -offset if sign == "+" else offset
    if not _FIRST <= micros <= _LAST:
        raise ValueError("outside the years 1 to 9999")
    return micros


def format_timestamp(micros: int) -> str:
    """RFC 3339 in UTC with the fewest fractional digits. Raises :class:`OverflowError` outside the years 1 to 9999."""
    text = (_ORIGIN + timedelta(microseconds=micros)).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def app_time(moment: datetime) -> str:
    """A time as the app writes it: UTC, milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
