"""Definitions of zones for calendars (RFC 5545, 3.6.5): what clocks did since a day, and what they do for good.

Where a zone keeps to a rule from some year on, such as the last Sunday of March, the definition ends with that rule and
has no end. Where it does not (Morocco goes by the moon), every change is listed as far as the zone is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

_FIRST_YEAR: Final = 1900
"""Before, clocks went by the sun, each town's by its own."""
_LAST_YEAR: Final = 2100
"""Up to which rules are tried; no zone has other plans for later."""
_DAY: Final = timedelta(days=1)
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FEWEST: Final = 10
"""Years that a rule must hold to be one."""


class _Change(NamedTuple):
    """The clocks are moved."""

    at: datetime
    """By the clock as it was before."""
    before: timedelta
    after: timedelta
    name: str
    summer: bool

    @property
    def kind(self) -> tuple[object, ...]:
        """Changes of one kind may be told by one rule: the same month, day of the week, time and clocks."""
        return (self.before, self.after, self.name, self.summer, self.at.month, self.at.weekday(), self.at.time())


def definition(zone: ZoneInfo, first: date) -> bytes:
    """The ``VTIMEZONE`` of a zone, right from the day ``first`` on."""
    start = datetime(min(max(first.year - 1, _FIRST_YEAR), _LAST_YEAR - 5 * _FEWEST), 1, 1, tzinfo=UTC)
    found: Any = Timezone()
    found.add("tzid", zone.key)
    begin = start.astimezone(zone)
    offset = begin.utcoffset() or timedelta()
    summer = bool(begin.dst())
    found.add_component(_observance(_Change(begin.replace(tzinfo=None), offset, offset, begin.tzname() or "", summer)))
    changes = list(_changes(zone, start))
    ruled = _ruled(changes)
    for change in changes:
        if change.kind not in ruled or change.at < ruled[change.kind][0].at:
            found.add_component(_observance(change))
        elif change is ruled[change.kind][0]:
            component = _observance(change)
            component.add("rrule", {"FREQ": "YEARLY", **ruled[change.kind][1]})
            found.add_component(component)
    text: bytes = found.to_ical()
    return text


def _changes(zone: ZoneInfo, start: datetime) -> Iterator[_Change]:
    """Every time that the clocks are moved, from ``start`` on."""
    at, offset = start, start.astimezone(zone).utcoffset()
    while at.year <= _LAST_YEAR:
        following = at + _DAY
        now = following.astimezone(zone).utcoffset()
        if now != offset:
            moment = _moment(zone, at, following)
            local = moment.astimezone(zone)
            assert offset is not None
            assert now is not None
            clock = (moment + offset).replace(tzinfo=None)
            yield _Change(clock, offset, now, local.tzname() or "", bool(local.dst()))
            offset = now
        at = following


def _moment(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The minute at which the clocks are moved, between two times before and after."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(minutes=1):
        middle = before + timedelta(minutes=(after - before) // timedelta(minutes=2))
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def _ruled(changes: list[_Change]) -> dict[tuple[object, ...], tuple[_Change, dict[str, Any]]]:
    """Kind → the first change from which on it happens each year by a rule, and the rule.

    Empty where a change of the last year follows none: then the others' rules would not hold either.
    """
    by_kind: dict[tuple[object, ...], list[_Change]] = {}
    for change in changes:
        by_kind.setdefault(change.kind, []).append(change)
    found = {}
    for kind, those in by_kind.items():
        # Every year from here on there is one.
        kept = next((at for at, change in enumerate(reversed(those)) if change.at.year != _LAST_YEAR - at), len(those))
        yearly = those[len(those) - kept :]
        for rule in (_by_week, _in_seven_days):
            ruled = rule(yearly)
            if ruled is not None:
                found[kind] = ruled
                break
    last = [change for change in changes if change.at.year == _LAST_YEAR]
    return found if all(change.kind in found for change in last) else {}


def _by_week(yearly: list[_Change]) -> tuple[_Change, dict[str, Any]] | None:
    """Such as the last Sunday, or the second one."""
    for place in (_from_the_end, _from_the_begin):
        days = [place(change.at) for change in yearly]
        kept = next((at for at, day in enumerate(reversed(days)) if day != days[-1]), len(days))
        if kept >= _FEWEST and days[-1]:
            day = f"{days[-1]}{_WEEKDAYS[yearly[-1].at.weekday()]}"
            return yearly[-kept], {"BYMONTH": yearly[-1].at.month, "BYDAY": day}
    return None


def _in_seven_days(yearly: list[_Change]) -> tuple[_Change, dict[str, Any]] | None:
    """Such as the Friday before the last Sunday: the one from the 23rd to the 29th."""
    days: set[int] = set()
    kept = 0
    for change in reversed(yearly):
        if max(days | {change.at.day}) - min(days | {change.at.day}) > 6:
            break
        days.add(change.at.day)
        kept += 1
    if kept < _FEWEST or max(days) - min(days) != 6:
        return None
    parts = {"BYDAY": _WEEKDAYS[yearly[-1].at.weekday()], "BYMONTHDAY": list(range(min(days), max(days) + 1))}
    return yearly[-kept], {"BYMONTH": yearly[-1].at.month, **parts}


def _from_the_begin(day: datetime) -> int:
    return (day.day - 1) // 7 + 1


def _from_the_end(day: datetime) -> int:
    """-1 for the last of its month; 0, which no rule has, for all others."""
    return -1 if (day + 7 * _DAY).month != day.month else 0


def _observance(change: _Change) -> Any:
    component: Any = TimezoneDaylight() if change.summer else TimezoneStandard()
    component.add("dtstart", change.at)
    component.add("tzoffsetfrom", change.before)
    component.add("tzoffsetto", change.after)
    component.add("tzname", change.name)
    return component
