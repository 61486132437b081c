"""Folding to a point in time: what of a change had happened by then.

The wire carries no times of receipt, so a change's own times decide. What has none counts, because leaving it out would
take away rows that were there — but for a delete without a time, because counting that one would. Either is noted. A
change out of the server's database says when it was stored (``storedAt``), and that decides alone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import TypeAlias

from ...text.jsontext import JSON
from .change import field_time, insert_time
from .record import Oddity

Instant: TypeAlias = tuple[int, str]
"""Seconds since 1970 and the digits of the fraction without trailing zeros: they order as instants do."""

_RFC_3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_LONGEST = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PointInTime:
    """An instant up to which changes count."""

    __slots__ = ("_instant", "_text")

    def __init__(self, as_of: str) -> None:
        self._text = as_of
        self._instant = instant(as_of)

    def reached(self, time: str) -> bool:
        """Whether ``time`` is not later. As instants where both are RFC 3339, else as strings."""
        moment = instant(time) if self._instant is not None else None
        if moment is None or self._instant is None:
            return time <= self._text
        return moment <= self._instant

    def cut(self, change: dict[str, JSON], oddities: list[Oddity]) -> dict[str, JSON] | None:
        """What of an accepted change counts: all of it, an update with fewer fields, or nothing."""
        stored_at = change.get("storedAt")  # where a database was read, which knows
        if type(stored_at) is str:
            return change if self.reached(stored_at) else None
        deleted_at = change.get("deletedAt")
        if deleted_at:
            return change if self.reached(deleted_at) else None
        if change["op"] == "delete":
            oddities.append(Oddity("undatedDeleteLeftOut"))
            return None
        if change["op"] == "insert":
            time = insert_time(change.get("data", {}))
            if not time:
                oddities.append(Oddity("undatedCounted"))
            return change if not time or self.reached(time) else None
        fields: dict[str, JSON] = change.get("fields", {})
        counted: dict[str, JSON] = {}
        for name in sorted(fields):
            time = field_time(fields[name])
            if not time:
                oddities.append(Oddity("undatedCounted", name))
            if not time or self.reached(time):
                counted[name] = fields[name]
        if len(counted) == len(fields):
            return change
        return {**change, "fields": counted} if counted else None


def instant(text: str) -> Instant | None:
    """The instant that an RFC 3339 time means, or ``None`` when it is none (RFC 3339, section 5.6; no leap seconds)."""
    return _instant(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4_096)
def _instant(text: str) -> Instant | None:
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return None
    *numbers, fraction, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        moment = datetime(*map(int, numbers), tzinfo=timezone(-offset if sign == "-" else offset))  # type: ignore[misc, arg-type]
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(seconds=1), (fraction or "").rstrip("0")
