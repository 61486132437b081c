"""When something is: what stands in time blocks and due dates, as calendars have it.

Mana writes one thing in several forms. All-day ends are inclusive; starts of whole days are local midnight in UTC, or a
local clock, or 09:00; dreams have a local clock with a false ``Z``; periods count days of UTC. The zone of local clocks
is the calendar's, which no row names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from ..model.values import moment
from ..text.jsontext import JSON

_DAY: Final = timedelta(days=1)
DREAMS, PERIOD, TIMES = "dreams", "period", "times"
"""Values of ``sourceModule`` whose blocks are read otherwise than others."""


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start`` to ``end``, which is exclusive; both days, or both instants in the zone of the calendar."""

    start: date
    end: date | None
    """None: a point in time."""

    @property
    def all_day(self) -> bool:
        """Whole days."""
        return not isinstance(self.start, datetime)

    @property
    def length(self) -> timedelta | None:
        """By the clock on the wall."""
        return None if self.end is None else naive(self.end) - naive(self.start)


def naive(moment: date) -> datetime:
    """The wall clock of a moment; midnight of a day."""
    return moment.replace(tzinfo=None) if isinstance(moment, datetime) else datetime.combine(moment, time())


def span_of(block: Mapping[str, JSON], zone: tzinfo) -> tuple[Span | None, bool]:
    """The span of a row of ``timeBlocks``, None where it has no start; and whether a time in it was odd."""
    module = block.get("sourceModule")
    start, end = _read(block.get("startDate"), module, zone), _read(block.get("endDate"), module, zone)
    odd = (start is None and bool(block.get("startDate"))) or (end is None and bool(block.get("endDate")))
    if start is None:
        return None, odd
    try:
        if block.get("allDay") is True or not isinstance(start, datetime) or _by_hand(block, module):
            first, last = _day(start), _day(end) if end is not None else _day(start)
            return Span(first, max(first, last) + _DAY), odd or last < first
        if not isinstance(end, datetime):
            return Span(start, None), odd
        if end < start:
            return Span(start, None), True
        return Span(start, end), odd
    except OverflowError:
        return None, True


def _read(value: JSON, module: JSON, zone: tzinfo) -> date | None:
    """A day, or an instant in the zone."""
    found = moment(value)
    if isinstance(found, datetime):
        if module == DREAMS:  # the digits are a local clock, whatever stands behind them
            found = found.replace(tzinfo=None)
        if module == PERIOD and found.tzinfo is not None:
            return found.date()
        try:
            return in_zone(found, zone)
        except OverflowError:
            return None
    return found if isinstance(found, date) else None


def in_zone(found: datetime, zone: tzinfo) -> datetime:
    """An instant, or a local clock, in the zone. A clock that summer time skips is what clocks show then.

    Raises :class:`OverflowError` at the ends of the calendar.
    """
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone).astimezone(UTC)
    return found.astimezone(zone)


def _day(found: date) -> date:
    return found.date() if isinstance(found, datetime) else found


def _by_hand(block: Mapping[str, JSON], module: JSON) -> bool:
    """An entry of time that somebody wrote down: of its block only the day is real."""
    start = block.get("startDate")
    return module == TIMES and not block.get("endDate") and isinstance(start, str) and start.endswith("T00:00:00")


def due_of(value: JSON, zone: tzinfo) -> date | None:
    """When a task is due: a day, or an instant in the zone; None where it says nothing that a calendar has."""
    found = moment(value)
    if not isinstance(found, datetime):
        return found if isinstance(found, date) else None
    if found.tzinfo is not None and found.time() == time():
        return found.date()  # forms write the day so
    try:
        local = in_zone(found, zone)
    except OverflowError:
        return None
    return local.date() if local.time() == time() else local
