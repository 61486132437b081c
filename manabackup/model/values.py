"""Reading single values of rows: by path, as dates, as exact numbers.

Nothing in a row is trusted: what has not the form that was asked for is None, and never an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, TypeAlias

from ..text.jsontext import JSON, Number

DateKind = Literal["date", "datetime-utc", "datetime-mixed", "datetime-local", "time-local", "month", "epoch-ms"]
Moment: TypeAlias = date | datetime | time
"""A day (``date``), an instant (``datetime`` with a zone), a local clock (``datetime`` without) or a time of day."""


def values_at(values: JSON, path: str) -> Iterator[JSON]:
    """What stands at a path: ``a`` and ``a.b`` give at most one value, ``a[]`` and ``a[].b`` one of each member.

    Null is nothing.
    """
    head, _, rest = path.partition(".")
    several = head.endswith("[]")
    found = values.get(head.removesuffix("[]")) if isinstance(values, dict | MappingProxyType) else None
    if found is None:
        return
    for value in (found if isinstance(found, list) else ()) if several else (found,):
        if rest:
            yield from values_at(value, rest)
        elif value is not None:
            yield value


_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d\d)", re.ASCII)
_CLOCK = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?", re.ASCII)
_ZONE = re.compile(r"[Zz]|([+-])(\d\d):?(\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(value: JSON, kind: DateKind = "datetime-mixed") -> Moment | None:
    """A date as a row has it, by its own form; None where it is no date, or none that a calendar has.

    What a date without a zone means is left open: a ``datetime`` without a zone is a local clock. A month is its first
    day. ``kind`` matters for numbers alone, which are times where it is ``epoch-ms`` and nothing elsewhere.
    """
    if not isinstance(value, str):
        number = decimal(value) if kind == "epoch-ms" else None
        return _instant(number) if number is not None else None
    text = value.strip()
    try:
        if len(text) == 10 and (day := _DAY.fullmatch(text)):
            return date(*map(int, day.groups()))
        if text[10:11] in ("T", "t", " ") and (day := _DAY.fullmatch(text[:10])):
            return _datetime(date(*map(int, day.groups())), text[11:])
        if month := _MONTH.fullmatch(text):
            return date(int(month[1]), int(month[2]), 1)
        if clock := _CLOCK.fullmatch(text):
            return _time(clock)
    except (ValueError, OverflowError):
        pass  # a day or an hour that no calendar has
    return None


def _instant(milliseconds: Decimal) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=int(milliseconds))
    except OverflowError:
        return None


def _datetime(day: date, rest: str) -> datetime | None:
    clock = _CLOCK.match(rest)
    if clock is None:
        return None
    local = datetime.combine(day, _time(clock))
    zone_text = rest[clock.end() :]
    if not zone_text:
        return local
    zone = _ZONE.fullmatch(zone_text)
    if zone is None:
        return None
    if zone[1] is None:
        return local.replace(tzinfo=UTC)
    offset = timedelta(hours=int(zone[2]), minutes=int(zone[3]))
    return local.replace(tzinfo=timezone(offset if zone[1] == "+" else -offset)).astimezone(UTC)


def _time(clock: re.Match[str]) -> time:
    hour, minute, second, fraction = clock.groups()
    return time(int(hour), int(minute), int(second or 0), int((fraction or "")[:6].ljust(6, "0")))


_LARGEST_EXPONENT = 24


def decimal(value: JSON) -> Decimal | None:
    """A number, exact; None for what is none, or has an exponent that nobody's amounts have."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Number):
        found = Decimal(value.text)
    elif isinstance(value, int):
        found = Decimal(value)
    elif isinstance(value, float):
        found = Decimal(repr(value))
    else:
        return None
    return found if found.is_finite() and abs(found.adjusted()) <= _LARGEST_EXPONENT else None


_SHORT = 80


def shortened(text: str, most: int = _SHORT) -> str:
    """The first line of a text, at most so many characters, cut between words where that leaves half of them."""
    line = next((line for line in map(str.strip, text[: 20 * most].splitlines()) if line), "")
    if len(line) <= most:
        return line
    cut = line.rfind(" ", 0, most)
    return line[: cut if cut > most // 2 else most - 1].rstrip() + "…"


def first_text(values: Mapping[str, JSON], path: str) -> str:
    """The first text or integer at a path that is not blank, trimmed; ``""`` where there is none."""
    for value in values_at(values, path):
        if isinstance(value, str) and value.strip():
            return value.strip()
        if type(value) is int:
            return str(value)
    return ""


def texts_at(values: Mapping[str, JSON], paths: tuple[str, ...]) -> list[str]:
    """All texts at some paths that are not blank, each once."""
    found = dict.fromkeys(
        value for path in paths for value in values_at(values, path) if isinstance(value, str) and value.strip()
    )
    return list(found)
